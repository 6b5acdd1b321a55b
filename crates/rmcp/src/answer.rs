//! What the server's answer to a message means (MCP 2025-11-25 and 2026-07-28, streamable HTTP).
//!
//! The rules of rmcp's own client, restated because it keeps them private and kept beside it by the parity test;
//! where they differ, that test names the difference. The layer below has answered challenges already. An
//! authorization failure that is left over stays one and never turns into a JSON-RPC answer (ERR-02).
//!
//! A server that refuses a request before it read it sends a JSON-RPC error that names no request (JSON-RPC 2.0 §5; MCP
//! 2026-07-28, "Error Responses"). What it answers is known all the same, from the exchange it came in (ERR-04, ERR-07).

use doorkey_http::Body;
use http::StatusCode;
use rmcp::{
    model::{
        ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, JsonRpcError, JsonRpcMessage,
        RequestId, ServerJsonRpcMessage,
    },
    transport::streamable_http_client::StreamableHttpError,
};

use crate::{
    decode,
    error::clean,
    refusal::Unusable,
    reply::{Media, Quoting, Reply, unexpected},
};

/// A usable answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Taken; if something comes of it, it comes elsewhere.
    Accepted,
    /// One message.
    Message(Said),
    /// An event stream, how its errors may be quoted, and the session id beside it.
    Events(Body, Quoting, Option<String>),
}

impl Answer {
    /// The id of the session that the answer opens or belongs to.
    pub(crate) fn session(&self) -> Option<&str> {
        match self {
            Self::Accepted => None,
            Self::Message(said) => said.session.as_deref(),
            Self::Events(.., session) => session.as_deref(),
        }
    }
}

/// One message of the server, and how it came.
#[derive(Debug)]
pub(crate) struct Said {
    /// An error that answers a request has the id of that request. It is large, and handed on often.
    pub(crate) message: Box<ServerJsonRpcMessage>,
    pub(crate) session: Option<String>,
    pub(crate) status: StatusCode,
    /// The server itself named the request that this answers.
    pub(crate) named: bool,
}

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) message: &'a ClientJsonRpcMessage,
    pub(crate) in_session: bool,
    /// The address, without secrets.
    pub(crate) url: &'a str,
}

impl Question<'_> {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`Unusable`] for whatever carries neither an acceptance, nor a message, nor events.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function keeps its arguments twice"
    )]
    pub(crate) fn answer(
        self,
        mut reply: Reply<'_>,
    ) -> impl Future<Output = Result<Answer, Unusable>> + Send {
        async move {
            match reply.status() {
                StatusCode::ACCEPTED | StatusCode::NO_CONTENT => return Ok(Answer::Accepted),
                status if status.is_success() => {}
                // Rare, so that it takes no room beside every call.
                _ => return Box::pin(self.refusal(reply)).await,
            }
            match reply.media() {
                // The specification wants 202 here; some servers say 200 and nothing else.
                _ if self.is_one_way() && reply.is_empty() => Ok(Answer::Accepted),
                Media::Events => {
                    let (quoting, session) = (reply.quoting(), reply.session());
                    Ok(Answer::Events(reply.into_body(), quoting, session))
                }
                Media::Json => {
                    let body = reply.whole().await?;
                    self.message(&reply, &body)
                }
                _ if self.is_one_way() => Ok(Answer::Accepted),
                _ => Err(reply.unexpected_media()),
            }
        }
    }

    async fn refusal(self, reply: Reply<'_>) -> Result<Answer, Unusable> {
        let reply = reply.authorized().await?;
        match reply.status() {
            StatusCode::NOT_FOUND if self.in_session => self.not_found_in_session(reply).await,
            _ => self.failure(reply).await,
        }
    }

    /// The message in the body of a good answer.
    fn message(self, reply: &Reply<'_>, body: &[u8]) -> Result<Answer, Unusable> {
        let (status, session) = (reply.status(), reply.session());
        match decode::message(self.message, body) {
            Ok(JsonRpcMessage::Error(error)) => {
                let error = reply.quoting().error(error);
                Ok(match error.id {
                    None => self.error(status, error, session),
                    // With a good status, whoever names another request may mean it.
                    Some(_) => said(status, JsonRpcMessage::Error(error), session),
                })
            }
            Ok(message) => Ok(said(status, message, session)),
            Err(_) if self.is_one_way() => Ok(Answer::Accepted),
            Err(error) => {
                let place = (status, self.url);
                Err(not_a_message(place, &error, body, &reply.quoting()))
            }
        }
    }

    async fn failure(self, mut reply: Reply<'_>) -> Result<Answer, Unusable> {
        let status = reply.status();
        let server_failure = reply.server_failure();
        let (session, quoting) = (reply.session(), reply.quoting());
        let is_page = reply.media() == Media::Html;
        let is_json = reply.media() == Media::Json && status != StatusCode::TOO_MANY_REQUESTS;
        let text = match is_json {
            true => match reply.whole().await {
                Ok(body) => match rpc_error(&body) {
                    Some(error) => return Ok(self.error(status, quoting.error(error), session)),
                    None => quoting.quote(&body),
                },
                Err(unusable) => {
                    return Err(match server_failure {
                        Some(failure) => Unusable::new(failure, ""),
                        None => unusable,
                    });
                }
            },
            false => reply.diagnostic().await,
        };
        if let Some(failure) = server_failure {
            let words = if is_page { "a web page" } else { &text };
            return Err(Unusable::new(failure, words));
        }
        match self.discovery_refusal(status, &text) {
            Some(refusal) => Ok(said(status, refusal, None)),
            None => Err(unexpected(status, self.url, &text)),
        }
    }

    /// HTTP 404 inside a session: the session is gone, unless the server says that only the method is unknown (ERR-05).
    async fn not_found_in_session(self, mut reply: Reply<'_>) -> Result<Answer, Unusable> {
        if reply.media() != Media::Json {
            return Err(session_expired());
        }
        let (status, session) = (reply.status(), reply.session());
        let quoting = reply.quoting();
        let Ok(body) = reply.whole().await else {
            return Err(session_expired());
        };
        match rpc_error(&body) {
            Some(error)
                if error.error.code == ErrorCode::METHOD_NOT_FOUND
                    && error.id.is_some()
                    && error.id.as_ref() == self.id() =>
            {
                let error = quoting.error(error);
                Ok(said(status, JsonRpcMessage::Error(error), session))
            }
            _ => Err(session_expired()),
        }
    }

    /// The error as the answer to what was asked. Some servers name no request in it, others one that nobody sent.
    fn error(self, status: StatusCode, error: JsonRpcError, session: Option<String>) -> Answer {
        let asked = self.id();
        let named = error.id.as_ref() == asked;
        let id = asked.cloned().or(error.id);
        Answer::Message(Said {
            message: Box::new(ServerJsonRpcMessage::error(error.error, id)),
            session,
            status,
            named,
        })
    }

    /// The JSON-RPC error that a plain HTTP refusal of `server/discover` stands for, so that the caller falls back to
    /// `initialize`; never made of a 401, 403, 429 or 5xx (ERR-03).
    fn discovery_refusal(self, status: StatusCode, text: &str) -> Option<ServerJsonRpcMessage> {
        if !self.is_refused_discovery(status) {
            return None;
        }
        let text = clean(text);
        let message = format!("server/discover rejected with HTTP {status}: {text}");
        let error = ErrorData::invalid_request(message, None);
        Some(ServerJsonRpcMessage::error(error, self.id().cloned()))
    }

    fn is_refused_discovery(self, status: StatusCode) -> bool {
        !self.in_session
            && status.is_client_error()
            && matches!(self.message, JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::DiscoverRequest(_)))
    }

    /// Whether nothing in the answer is waited for.
    const fn is_one_way(self) -> bool {
        !matches!(self.message, JsonRpcMessage::Request(_))
    }

    const fn id(&self) -> Option<&RequestId> {
        request_id(self.message)
    }
}

/// The id of a message that waits for an answer.
pub(crate) const fn request_id(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(&request.id),
        _ => None,
    }
}

fn said(status: StatusCode, message: ServerJsonRpcMessage, session: Option<String>) -> Answer {
    Answer::Message(Said {
        message: Box::new(message),
        session,
        status,
        named: true,
    })
}

fn session_expired() -> Unusable {
    let words = "the server does not know the session any more";
    Unusable::new(StreamableHttpError::SessionExpired, words)
}

fn rpc_error(body: &[u8]) -> Option<JsonRpcError> {
    match serde_json::from_str::<ServerJsonRpcMessage>(&String::from_utf8_lossy(body)) {
        Ok(JsonRpcMessage::Error(error)) => Some(error),
        _ => None,
    }
}

fn not_a_message(
    (status, url): (StatusCode, &str),
    error: &serde_json::Error,
    body: &[u8],
    quoting: &Quoting,
) -> Unusable {
    if body.trim_ascii().is_empty() {
        return unexpected(
            status,
            url,
            "the body is empty, where a JSON-RPC message belongs",
        );
    }
    // The parser quotes too.
    let error = quoting.quote(error.to_string().as_bytes());
    let text = quoting.quote(body);
    unexpected(
        status,
        url,
        &format!("no JSON-RPC message ({error}): {text}"),
    )
}
