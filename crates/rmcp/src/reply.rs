//! One HTTP response of the MCP server, read within limits.

use std::time::Duration;

use bytes::Bytes;
use doorkey_discovery::Challenges;
use doorkey_http::{Body, BodyError, SentSecrets, clean_text};
use futures_util::StreamExt;
use http::{
    HeaderName, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    response::Parts,
};
use http_body_util::BodyDataStream;
use rmcp::{
    model::JsonRpcError,
    transport::streamable_http_client::{
        AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
    },
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{ClientError, Limits, error::clean, refusal::Unusable};

/// What an exchange with the server ends in when it fails, in rmcp's words.
pub(crate) type Failure = StreamableHttpError<ClientError>;

/// A response whose body was not read yet.
pub(crate) struct Reply<'a> {
    parts: Parts,
    body: Body,
    /// The address, without secrets.
    url: &'a str,
    limits: Limits,
}

/// The media types that mean something here, compared as RFC 9110 §8.3.1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Events,
    Html,
    Other,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(response: Response<Body>, url: &'a str, limits: Limits) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            parts,
            body,
            url,
            limits,
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.parts.status
    }

    pub(crate) fn media(&self) -> Media {
        let value = self.parts.headers.get(CONTENT_TYPE);
        let essence = value
            .and_then(|value| value.as_bytes().split(|byte| *byte == b';').next())
            .unwrap_or_default()
            .trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        if is("application/json") {
            Media::Json
        } else if is("text/event-stream") {
            Media::Events
        } else if is("text/html") || is("application/xhtml+xml") {
            Media::Html
        } else {
            Media::Other
        }
    }

    /// The session the server put this client in, on the answer to `initialize`.
    pub(crate) fn session(&self) -> Option<String> {
        let value = self.parts.headers.get(SESSION_ID)?;
        value.to_str().ok().map(str::to_owned)
    }

    /// The announced length is zero.
    pub(crate) fn is_empty(&self) -> bool {
        let length = self.parts.headers.get(http::header::CONTENT_LENGTH);
        length.is_some_and(|value| value.as_bytes() == b"0")
    }

    /// An authorization failure that the layer below left alone: every 403 without `insufficient_scope`, and whatever a
    /// host's own layers let through. Never looks at the body to tell (CH-14).
    pub(crate) async fn authorized(self) -> Result<Self, Failure> {
        let challenges = match self.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Challenges::from_answer(&self.parts.headers, &self.parts.extensions)
            }
            _ => return Ok(self),
        };
        if self.status() == StatusCode::UNAUTHORIZED {
            return Err(auth_required(&challenges));
        }
        if challenges.is_insufficient_scope() {
            return Err(insufficient_scope(&challenges));
        }
        let url = self.url.to_owned();
        let detail = clean(&self.diagnostic().await);
        Err(StreamableHttpError::Client(ClientError::Forbidden {
            url,
            challenges,
            detail,
        }))
    }

    /// Rate limits and failures of the server: worth repeating later, whatever their body says.
    pub(crate) fn server_failure(&self) -> Option<HttpStatusError> {
        if self.status() != StatusCode::TOO_MANY_REQUESTS && !self.status().is_server_error() {
            return None;
        }
        let retry_after = self.parts.headers.get(RETRY_AFTER);
        let retry_after = retry_after
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .map(clean);
        Some(HttpStatusError::new(self.status().as_u16(), retry_after))
    }

    pub(crate) fn unexpected_media(&self) -> Unusable {
        let value = self.parts.headers.get(CONTENT_TYPE);
        let value = value.map(|value| clean(&self.quoting().quote(value.as_bytes())));
        let words = match &value {
            Some(value) => format!("its content type is {value}, not that of JSON or of events"),
            None => "it has no content type".to_owned(),
        };
        Unusable::new(StreamableHttpError::UnexpectedContentType(value), &words)
    }

    /// The stream of events this reply opens.
    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// The whole body, which is spent; refused when it is longer than a JSON body may be.
    pub(crate) fn whole(
        &mut self,
    ) -> impl Future<Output = Result<Bytes, Unusable>> + Send + use<'a> {
        let (body, max_size) = (std::mem::take(&mut self.body), self.limits.json_body);
        let url = self.url;
        async move {
            let read = body.collect_limited(max_size).await;
            read.map_err(|error| match error {
                BodyError::TooLarge { .. } => Unusable::new(
                    StreamableHttpError::ResponseBodyTooLarge { max_size },
                    &format!("it is longer than {max_size} bytes"),
                ),
                // Its cause is told by the failure.
                source => Unusable::new(
                    StreamableHttpError::Client(ClientError::Body {
                        url: url.to_owned(),
                        source,
                    }),
                    "",
                ),
            })
        }
    }

    /// The beginning of the body, for a message, without the secrets of the request; the rest is dropped unread, and so is
    /// what does not come at once.
    pub(crate) async fn diagnostic(self) -> String {
        let limit = self.limits.diagnostic;
        let mut text = Vec::new();
        let mut chunks = BodyDataStream::new(self.body);
        let end = Instant::now() + DIAGNOSTIC_LIMIT;
        while text.len() < limit {
            let Ok(Some(Ok(chunk))) = timeout_at(end, chunks.next()).await else {
                break;
            };
            let count = chunk.len().min(limit - text.len());
            text.extend_from_slice(&chunk[..count]);
        }
        Quoting::of(&self.parts, limit).quote(&text)
    }

    /// How errors may quote what was read of this.
    pub(crate) fn quoting(&self) -> Quoting {
        Quoting::of(&self.parts, self.limits.diagnostic)
    }
}

/// The words of an answer, as an error may quote them: their beginning, without the secrets of the request.
#[derive(Debug)]
pub(crate) struct Quoting {
    sent: SentSecrets,
    limit: usize,
}

impl Quoting {
    #[cfg(test)]
    pub(crate) fn without(secret: &str) -> Self {
        Self {
            sent: SentSecrets::default().and(&secret.into()),
            limit: usize::MAX,
        }
    }

    fn of(parts: &Parts, limit: usize) -> Self {
        let sent = parts.extensions.get::<SentSecrets>();
        Self {
            sent: sent.cloned().unwrap_or_default(),
            limit,
        }
    }

    pub(crate) fn quote(&self, words: &[u8]) -> String {
        let start = &words[..words.len().min(self.limit)];
        // What nobody would see goes first: taken out later, it would leave a secret whole.
        let visible = harmless(&String::from_utf8_lossy(start));
        self.sent.strike(&visible)
    }

    /// A text of which a program may still make something: only a secret in it, however hidden, changes it.
    fn data(&self, text: &str) -> String {
        let visible = harmless(text);
        let struck = self.sent.strike(&visible);
        if struck == visible {
            self.sent.strike(text)
        } else {
            struck
        }
    }

    /// The error with its texts whole but for the secrets of the request, and its message without what a terminal would
    /// obey: whoever gets it shows them.
    pub(crate) fn error(&self, mut error: JsonRpcError) -> JsonRpcError {
        let data = error.error.data.take();
        error.error.data = data.map(|data| self.value(data));
        error.error.message = self.sent.strike(&harmless(&error.error.message)).into();
        error
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.data(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, member)| (self.data(&name), self.value(member)))
                .collect(),
            plain => plain,
        }
    }
}

/// The text without control characters, but for the ends of lines and tabs, and without what turns it around or is seen
/// by nobody.
fn harmless(text: &str) -> String {
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let lines = text.split('\n').map(|line| {
        let parts = line.split('\t').map(|part| clean_text(part, usize::MAX));
        parts.collect::<Vec<_>>().join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_harmless(c: char) -> bool {
    matches!(c, '\n' | '\t' | '"' | '\'' | '\\') || c.escape_debug().count() == 1
}

/// An answer of the server that fits no rule, with the beginning of what it said.
pub(crate) fn unexpected(status: StatusCode, url: &str, text: &str) -> Unusable {
    let separator = if text.trim().is_empty() { "" } else { ": " };
    let message = format!("HTTP {status} from {url}{separator}{}", clean(text));
    let failure = StreamableHttpError::UnexpectedServerResponse(message.into());
    Unusable::new(failure, text)
}

/// rmcp's error for a login that is needed, with every challenge the server gave, as its text may show them.
pub(crate) fn auth_required(challenges: &Challenges) -> Failure {
    StreamableHttpError::AuthRequired(AuthRequiredError::new(challenges.shown()))
}

/// rmcp's error for a scope that is missing, with every challenge the server gave, as its text may show them.
pub(crate) fn insufficient_scope(challenges: &Challenges) -> Failure {
    let required = challenges.scope().map(|scopes| scopes.to_string());
    let header = challenges.shown();
    StreamableHttpError::InsufficientScope(InsufficientScopeError::new(header, required))
}

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// How long a failure waits for its words.
const DIAGNOSTIC_LIMIT: Duration = Duration::from_secs(5);
