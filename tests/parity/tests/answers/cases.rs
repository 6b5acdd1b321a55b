//! The table: exchange × status × media type and body × headers.

use std::{collections::HashMap, fmt, sync::Arc};

use http::{HeaderName, HeaderValue};
use rmcp::{
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, ClientResult, DiscoverRequest,
        DiscoverRequestParams, ListToolsRequest, RequestId,
    },
    transport::streamable_http_client::StreamableHttpResponseLimits,
};
use serde_json::json;
use wiremock::ResponseTemplate;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Request { in_session: bool },
    Discover,
    Notification,
    Reply,
    Stream,
    Resumption { in_session: bool },
    Delete,
}

impl Exchange {
    const ALL: [Self; 9] = [
        Self::Request { in_session: false },
        Self::Request { in_session: true },
        Self::Discover,
        Self::Notification,
        Self::Reply,
        Self::Stream,
        Self::Resumption { in_session: false },
        Self::Resumption { in_session: true },
        Self::Delete,
    ];

    pub(crate) fn message(self) -> Option<ClientJsonRpcMessage> {
        let id = RequestId::Number(1);
        Some(match self {
            Self::Request { .. } => ClientJsonRpcMessage::request(
                ClientRequest::ListToolsRequest(ListToolsRequest::default()),
                id,
            ),
            Self::Discover => ClientJsonRpcMessage::request(
                ClientRequest::DiscoverRequest(DiscoverRequest::new(DiscoverRequestParams {})),
                id,
            ),
            Self::Notification => ClientJsonRpcMessage::notification(
                ClientNotification::InitializedNotification(Default::default()),
            ),
            Self::Reply => ClientJsonRpcMessage::response(ClientResult::empty(()), id),
            Self::Stream | Self::Resumption { .. } | Self::Delete => return None,
        })
    }

    pub(crate) fn session(self) -> Option<Arc<str>> {
        match self {
            Self::Request { in_session: false }
            | Self::Resumption { in_session: false }
            | Self::Discover => None,
            _ => Some("session-1".into()),
        }
    }

    pub(crate) fn last_event_id(self) -> Option<String> {
        matches!(self, Self::Resumption { .. }).then(|| "event-1".to_owned())
    }

    pub(crate) const fn is_get(self) -> bool {
        matches!(self, Self::Stream | Self::Resumption { .. })
    }
}

/// One answer to one exchange.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) exchange: Exchange,
    pub(crate) status: u16,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) media: Option<&'static str>,
    pub(crate) body: String,
    body_name: &'static str,
}

impl Case {
    pub(crate) fn plain(exchange: Exchange) -> Self {
        Self {
            exchange,
            status: 200,
            headers: &[],
            media: Some("application/json"),
            body: result().to_string(),
            body_name: "a result",
        }
    }

    pub(crate) fn response(&self) -> ResponseTemplate {
        let mut response = ResponseTemplate::new(self.status);
        for (name, value) in self.headers {
            response = response.append_header(*name, *value);
        }
        match self.media {
            Some(media) => response.set_body_raw(self.body.clone(), media),
            None => response,
        }
    }

    pub(crate) fn challenges(&self) -> usize {
        self.headers
            .iter()
            .filter(|(name, _)| *name == "www-authenticate")
            .count()
    }

    pub(crate) fn lacks_scope(&self) -> bool {
        self.headers
            .iter()
            .any(|(_, value)| value.contains("insufficient_scope"))
    }

    pub(crate) fn is_html(&self) -> bool {
        self.media == Some("text/html")
    }

    /// The request whose id an answer has to carry.
    pub(crate) fn asked(&self) -> Option<i64> {
        match self.exchange {
            Exchange::Request { .. } | Exchange::Discover => Some(1),
            _ => None,
        }
    }

    pub(crate) fn names_unknown_method(&self) -> bool {
        self.body_name == "method not found"
    }

    /// Headers that rmcp's worker prepared and that both clients pass on.
    pub(crate) fn request_headers() -> HashMap<HeaderName, HeaderValue> {
        HashMap::from([
            (
                HeaderName::from_static("mcp-protocol-version"),
                HeaderValue::from_static("2025-11-25"),
            ),
            (
                HeaderName::from_static("x-verbatim"),
                HeaderValue::from_static("=?base64?w6k=?="),
            ),
        ])
    }

    pub(crate) fn headers_with(name: &'static str) -> HashMap<HeaderName, HeaderValue> {
        HashMap::from([(
            HeaderName::from_static(name),
            HeaderValue::from_static("mine"),
        )])
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} answered {} with {} as {:?} and {:?}",
            self.exchange, self.status, self.body_name, self.media, self.headers
        )
    }
}

pub(crate) fn limits() -> StreamableHttpResponseLimits {
    let mut limits = StreamableHttpResponseLimits::default();
    limits.max_sse_event_size = 200;
    limits.max_json_response_size = 1000;
    limits.max_error_response_size = 64;
    limits
}

pub(crate) fn one_of_each_exchange() -> Vec<Case> {
    Exchange::ALL.into_iter().map(Case::plain).collect()
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for exchange in Exchange::ALL {
        for status in STATUSES {
            for headers in headers(status) {
                for (body_name, media, body) in bodies() {
                    cases.push(Case {
                        exchange,
                        status,
                        headers,
                        media,
                        body,
                        body_name,
                    });
                }
            }
        }
    }
    cases
}

fn headers(status: u16) -> Vec<&'static [(&'static str, &'static str)]> {
    match status {
        401 | 403 => vec![&[], BEARER, BEARER_AND_OTHERS, SCOPE],
        400 => vec![&[], BEARER],
        429 | 503 => vec![&[], &[("retry-after", "120")]],
        200 => vec![&[], &[("mcp-session-id", "session-2")]],
        302 => vec![&[("location", "/elsewhere")]],
        _ => vec![&[]],
    }
}

fn bodies() -> Vec<(&'static str, Option<&'static str>, String)> {
    let json = Some("application/json");
    let sse = Some("text/event-stream");
    let error = |id: serde_json::Value, code: i32| {
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no" } })
            .to_string()
    };
    let padded = json!({ "jsonrpc": "2.0", "id": 1, "result": { "pad": "x".repeat(2000) } });
    let events = |text: &str| format!("id: 1\ndata: {}\n\ndata: {text}\n\n", result());
    vec![
        ("nothing", None, String::new()),
        ("an empty body", json, String::new()),
        ("a result", json, result().to_string()),
        (
            "a result",
            Some("Application/JSON; charset=utf-8"),
            result().to_string(),
        ),
        ("an error", json, error(json!(1), -32000)),
        (
            "an error for a foreign id",
            json,
            error(json!("server-error"), -32600),
        ),
        (
            "an error for no id",
            json,
            json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "no" } }).to_string(),
        ),
        ("an error for id null", json, error(json!(null), -32000)),
        ("method not found", json, error(json!(1), -32601)),
        ("an unsupported version", json, error(json!(1), -32022)),
        ("half a message", json, "{\"jsonrpc\":".to_owned()),
        (
            "an OAuth error",
            json,
            json!({ "error": "invalid_token" }).to_string(),
        ),
        ("an oversized result", json, padded.to_string()),
        ("a page", Some("text/html"), "<html>no</html>".repeat(20)),
        ("a text", Some("text/plain"), "no".to_owned()),
        ("events", sse, events("{}")),
        (
            "events",
            Some("text/event-stream; charset=utf-8"),
            events("{}"),
        ),
        ("an oversized event", sse, events(&"x".repeat(400))),
        (
            "an error event for no id",
            sse,
            format!("data:\n\ndata: {}\n\n", error(json!(null), -32000)),
        ),
        ("no events", sse, String::new()),
    ]
}

fn result() -> serde_json::Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [] } })
}

const STATUSES: [u16; 16] = [
    200, 201, 202, 204, 302, 400, 401, 403, 404, 405, 406, 410, 429, 500, 501, 503,
];
const BEARER: &[(&str, &str)] = &[(
    "www-authenticate",
    "Bearer realm=\"mcp\", error=\"invalid_token\"",
)];
const BEARER_AND_OTHERS: &[(&str, &str)] = &[
    ("www-authenticate", "Negotiate"),
    (
        "www-authenticate",
        "Bearer resource_metadata=\"https://mcp.example/prm\", scope=\"a b\"",
    ),
];
const SCOPE: &[(&str, &str)] = &[(
    "www-authenticate",
    "Bearer error=\"insufficient_scope\", scope=\"files:write\"",
)];
