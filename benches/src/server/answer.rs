//! What the server says to an MCP message: as little work as a client lets it get away with.
//!
//! It is its own authorization server as well, as far as a refresh needs one.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::body::Pieces;
use super::{TOKEN, Wire};

/// Stands among the extensions of a request that came over TLS.
#[derive(Clone, Copy)]
pub(super) struct OverTls;

/// The answers, prepared.
pub(super) struct Answers {
    bearer: RefCell<HeaderValue>,
    token: RefCell<String>,
    expirations: Cell<u64>,
    blob: Bytes,
    discovered: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    method: Option<&'a str>,
    #[serde(default)]
    params: Option<Params<'a>>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(default)]
    name: Option<&'a str>,
    #[serde(default)]
    arguments: Option<Arguments>,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    events: Option<usize>,
}

impl Answers {
    /// `keep` is how long an answer to `server/discover` may be kept, in milliseconds.
    pub(super) fn new(keep: u64) -> Result<Self, http::Error> {
        let scope = if keep > 0 { "public" } else { "private" };
        Ok(Self {
            bearer: HeaderValue::try_from(format!("Bearer {TOKEN}"))?.into(),
            token: TOKEN.to_owned().into(),
            expirations: Cell::new(0),
            blob: Bytes::from(vec![b'x'; BLOB]),
            discovered: format!(
                r#""supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{{"tools":{{}}}},"_meta":{{"io.modelcontextprotocol/serverInfo":{SERVER}}},"ttlMs":{keep},"cacheScope":"{scope}","#
            ),
        })
    }

    pub(super) fn answer(&self, head: &Parts, body: &[u8]) -> Response<Pieces> {
        let Some(wire) = wire(head) else {
            return self.authorization(head);
        };
        if head.headers.get(AUTHORIZATION) != Some(&*self.bearer.borrow()) {
            let origin = origin(head);
            let metadata = format!(
                "{origin}/.well-known/oauth-protected-resource{}",
                head.uri.path()
            );
            let challenge =
                format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}\"");
            let refused = empty(StatusCode::UNAUTHORIZED);
            return match HeaderValue::try_from(challenge) {
                Ok(challenge) => with(refused, WWW_AUTHENTICATE, challenge),
                Err(_) => refused,
            };
        }
        if head.method == Method::DELETE && wire == Wire::Stateful {
            return empty(StatusCode::NO_CONTENT);
        }
        if head.method != Method::POST {
            return with(
                empty(StatusCode::METHOD_NOT_ALLOWED),
                ALLOW,
                HeaderValue::from_static("POST"),
            );
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(body) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        match (&message.id, message.method) {
            (Some(id), Some(method)) => {
                self.request(wire, id, method, message.params.unwrap_or_default())
            }
            _ => empty(StatusCode::ACCEPTED),
        }
    }

    /// The token that was accepted so far is so no longer; a refresh brings the next.
    pub(super) fn expire(&self) -> Result<(), http::Error> {
        self.expirations.set(self.expirations.get() + 1);
        let token = format!("{TOKEN}-{}", self.expirations.get());
        self.bearer
            .replace(HeaderValue::try_from(format!("Bearer {token}"))?);
        self.token.replace(token);
        Ok(())
    }

    /// The documents and the token endpoint; any refresh token will do.
    fn authorization(&self, head: &Parts) -> Response<Pieces> {
        let origin = origin(head);
        let path = head.uri.path();
        if let Some(resource) = path.strip_prefix("/.well-known/oauth-protected-resource") {
            return json(format!(
                r#"{{"resource":"{origin}{resource}","authorization_servers":["{origin}"]}}"#
            ));
        }
        match path {
            "/.well-known/oauth-authorization-server" => json(format!(
                r#"{{"issuer":"{origin}","authorization_endpoint":"{origin}/authorize","token_endpoint":"{origin}{TOKEN_PATH}","registration_endpoint":"{origin}/register","response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none"]}}"#
            )),
            TOKEN_PATH => json(format!(
                r#"{{"access_token":"{}","token_type":"Bearer","expires_in":3600,"refresh_token":"bench-refresh"}}"#,
                self.token.borrow()
            )),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn request(
        &self,
        wire: Wire,
        id: &Value,
        method: &str,
        params: Params<'_>,
    ) -> Response<Pieces> {
        match (method, wire) {
            ("tools/call", _) => self.call(wire, id, params),
            ("initialize", Wire::Stateful) => {
                let result = format!(
                    r#""protocolVersion":"2025-11-25","capabilities":{{"tools":{{}}}},"serverInfo":{SERVER}"#
                );
                let session = HeaderValue::from_static("bench-session-0123456789abcdef");
                with(
                    json(format!("{}{result}}}}}", opening(wire, id))),
                    SESSION,
                    session,
                )
            }
            ("server/discover", Wire::Stateless) => {
                let members = self.discovered.trim_end_matches(',');
                json(format!("{}{members}}}}}", opening(wire, id)))
            }
            ("tools/list", Wire::Stateless) => json(format!(
                r#"{}{TOOLS},"ttlMs":0,"cacheScope":"private"}}}}"#,
                opening(wire, id)
            )),
            ("tools/list", _) => json(format!("{}{TOOLS}}}}}", opening(wire, id))),
            ("ping", _) => json(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)),
            _ => {
                let status = if wire == Wire::Stateless {
                    StatusCode::NOT_FOUND
                } else {
                    StatusCode::OK
                };
                let error = r#"{"code":-32601,"message":"Method not found"}"#;
                let mut answer = json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
                *answer.status_mut() = status;
                answer
            }
        }
    }

    fn call(&self, wire: Wire, id: &Value, params: Params<'_>) -> Response<Pieces> {
        let arguments = params.arguments.unwrap_or_default();
        let head = format!(r#"{}"content":[{{"type":"text","text":"#, opening(wire, id));
        match params.name {
            Some("blob") => {
                let pieces = [
                    Bytes::from(head + "\""),
                    self.blob.clone(),
                    Bytes::from_static(b"\"}],\"isError\":false}}"),
                ];
                typed(Pieces::whole(pieces), JSON)
            }
            Some("stream") => {
                let before = arguments.events.unwrap_or(1).saturating_sub(1);
                let note = Bytes::from_static(NOTE.as_bytes());
                let last = Bytes::from(format!(
                    "event: message\ndata: {head}\"ok\"}}],\"isError\":false}}}}\n\n"
                ));
                let pieces = std::iter::repeat_n(note, before).chain([last]);
                typed(Pieces::stream(pieces), "text/event-stream")
            }
            _ => {
                let text = Value::from(arguments.text.unwrap_or_else(|| "ok".to_owned()));
                json(format!("{head}{text}}}],\"isError\":false}}}}"))
            }
        }
    }
}

/// The wire of a request, or none where nothing listens.
fn wire(head: &Parts) -> Option<Wire> {
    match head.uri.path() {
        "/stateful" => Some(Wire::Stateful),
        "/stateless" => Some(Wire::Stateless),
        "/mcp" => {
            let version = head.headers.get("mcp-protocol-version");
            let newer = version.is_some_and(|version| version == "2026-07-28");
            Some(if newer {
                Wire::Stateless
            } else {
                Wire::Stateful
            })
        }
        _ => None,
    }
}

/// The origin by which the client reached us.
fn origin(head: &Parts) -> String {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = head
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host)
        .unwrap_or_default();
    let scheme = if head.extensions.get::<OverTls>().is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{host}")
}

/// The answer up to the first member of its result.
fn opening(wire: Wire, id: &Value) -> String {
    let complete = if wire == Wire::Stateless {
        r#""resultType":"complete","#
    } else {
        ""
    };
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{complete}"#)
}

fn json(text: String) -> Response<Pieces> {
    typed(Pieces::whole([Bytes::from(text)]), JSON)
}

fn typed(body: Pieces, media: &'static str) -> Response<Pieces> {
    with(
        Response::new(body),
        CONTENT_TYPE,
        HeaderValue::from_static(media),
    )
}

fn empty(status: StatusCode) -> Response<Pieces> {
    let mut response = Response::new(Pieces::whole([]));
    *response.status_mut() = status;
    response
}

fn with(mut response: Response<Pieces>, name: HeaderName, value: HeaderValue) -> Response<Pieces> {
    response.headers_mut().insert(name, value);
    response
}

/// The path of the token endpoint.
pub(super) const TOKEN_PATH: &str = "/token";
/// The text of `blob`, in bytes.
const BLOB: usize = 1024 * 1024;
const JSON: &str = "application/json";
const SERVER: &str = r#"{"name":"bench","version":"1"}"#;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const NOTE: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"tick\"}}\n\n";
const TOOLS: &str = r#""tools":[{"name":"echo","description":"Answers with its text.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}},{"name":"blob","description":"Answers with 1 MiB of text.","inputSchema":{"type":"object"}},{"name":"stream","description":"Answers by events, of which the last is the answer.","inputSchema":{"type":"object","properties":{"events":{"type":"integer"}}}}]"#;

#[cfg(test)]
mod tests;
