//! What goes wrong between an MCP client and its server, and how to find the authorization error in it.

mod kind;

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use doorkey_discovery::Challenges;
use rmcp::{
    model::ErrorData,
    service::ClientInitializeError,
    transport::{DynamicTransportError, streamable_http_client::StreamableHttpError},
};

use crate::{AnswerError, Exchange, Wire, connection::Watch, refusal::Cause, sse::is_oversize};

/// The authorization error behind `error`, however deep rmcp wrapped it.
///
/// Understands the source chain, and the places where rmcp's types leave the chain: `ServiceError`,
/// `ClientInitializeError` and `StreamableHttpError`. Errors of a connection made by
/// [`connect`](crate::connect) or over an [`AuthorizedTransport`](crate::AuthorizedTransport) always carry
/// theirs. A bare `StreamableHttpError::AuthRequired`, as [`AuthorizedClient`](crate::AuthorizedClient) returns
/// it to a worker that somebody else made, has no room for it and gives `None`: there, read
/// [`events`](crate::AuthorizedClient::events).
///
/// A failure of the network is found too, as [`doorkey_oauth::Error::Http`].
#[must_use]
pub fn authorization_error<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a doorkey_oauth::Error> {
    find(error, typed)
}

/// What became of the message that rmcp could not send, however deep rmcp wrapped it: the request with its status, and how
/// long to wait.
///
/// Understands the same errors as [`authorization_error`].
#[must_use]
pub fn transport_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TransportError> {
    find(error, |error| match error.downcast_ref() {
        Some(ConnectError::Settle { error, .. }) => Some(&**error),
        _ => error.downcast_ref(),
    })
}

/// Looks through the source chain, and into the places where rmcp's types leave it.
fn find<'a, T>(
    error: &'a (dyn StdError + 'static),
    typed: impl Fn(&'a (dyn StdError + 'static)) -> Option<&'a T>,
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let found = typed(error);
        if found.is_some() {
            return found;
        }
        next = match error.downcast_ref::<ClientInitializeError>() {
            Some(ClientInitializeError::TransportError { error, .. }) => Some(error),
            Some(ClientInitializeError::LegacyFallbackFailed { fallback, .. }) => Some(&**fallback),
            _ => match error.downcast_ref::<ConnectError>() {
                Some(ConnectError::Lifecycle(error)) => Some(&**error),
                _ => error.source(),
            },
        };
    }
    None
}

fn typed<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a doorkey_oauth::Error> {
    if let Some(error) = error.downcast_ref::<doorkey_oauth::Error>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<Arc<doorkey_oauth::Error>>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<TransportError>() {
        return error.authorization();
    }
    if let Some(error) = error.downcast_ref::<StreamableHttpError<ClientError>>() {
        return in_answer(error);
    }
    if let Some(ConnectError::Settle { error, .. }) = error.downcast_ref() {
        return error.authorization();
    }
    error.downcast_ref().and_then(ClientError::authorization)
}

fn in_answer(error: &StreamableHttpError<ClientError>) -> Option<&doorkey_oauth::Error> {
    match error {
        StreamableHttpError::Client(error) => error.authorization(),
        _ => None,
    }
}

/// Why an exchange failed for a reason that rmcp's own error has no word for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer came: the network failed, or the token could not be obtained or renewed.
    #[error(transparent)]
    Exchange(Arc<doorkey_oauth::Error>),
    /// The server forbids the request, and not for want of a scope: signing in again will not help.
    #[error(
        "{url} answered HTTP 403: the request is forbidden and signing in again will not change that{}",
        Detail(detail)
    )]
    Forbidden {
        /// The address, without secrets.
        url: String,
        /// What the server challenged with, if it did.
        challenges: Challenges,
        /// The beginning of what it said, cleaned.
        detail: String,
    },
    /// The body of an answer broke off.
    #[error("the answer of {url} could not be read to its end")]
    Body {
        /// The address, without secrets.
        url: String,
        /// What happened.
        #[source]
        source: doorkey_http::BodyError,
    },
    /// A configuration tried to authorize requests beside the token source.
    #[error(
        "the header {header} of single requests belongs to the token source: \
         configure a fixed bearer there, or leave it out"
    )]
    StaticAuthorization {
        /// The header.
        header: http::HeaderName,
    },
    /// The address of the server is not one a request can be sent to.
    #[error("the address of the MCP server is not a valid URL")]
    Url(#[source] http::Error),
    /// A message could not be written as JSON.
    #[error("a message could not be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// What was remembered of the server no longer holds: forget it and connect again.
    #[error("{url} no longer answers as it was remembered{}", Detail(detail))]
    RememberedWire {
        /// The address, without secrets.
        url: String,
        /// What the server said to it.
        detail: String,
    },
}

impl ClientError {
    /// The error of the authorization layer, or of the network below it.
    #[must_use]
    pub fn authorization(&self) -> Option<&doorkey_oauth::Error> {
        match self {
            Self::Exchange(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Exchange(error) => error.is_transient(),
            Self::Body { .. } => true,
            _ => false,
        }
    }

    /// Whether somebody has to sign in first.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.authorization()
            .is_some_and(doorkey_oauth::Error::needs_login)
    }
}

/// What rmcp is told about a message that could not be sent: its own error, and the typed cause beside it.
///
/// rmcp finds its challenge in the source chain, [`authorization_error`] finds ours. The text is the cause's, and where there is
/// none that of rmcp's error.
#[derive(Debug)]
pub struct TransportError {
    answer: StreamableHttpError<ClientError>,
    cause: Option<Cause>,
}

impl TransportError {
    pub(crate) const fn new(
        answer: StreamableHttpError<ClientError>,
        cause: Option<Cause>,
    ) -> Self {
        Self { answer, cause }
    }

    /// The failure of a message that was watched.
    pub(crate) fn watched(answer: StreamableHttpError<ClientError>, watch: &Watch) -> Self {
        let cause = watch.cause(&answer);
        Self::new(answer, cause)
    }

    /// The error of the authorization layer, or of the network below it.
    #[must_use]
    pub fn authorization(&self) -> Option<&doorkey_oauth::Error> {
        match &self.cause {
            Some(Cause::Authorization(error)) => Some(error),
            _ => in_answer(&self.answer),
        }
    }

    /// The answer that could not be used, if one came.
    #[must_use]
    pub fn answer_error(&self) -> Option<&AnswerError> {
        match &self.cause {
            Some(Cause::Answer(error)) => Some(error),
            _ => None,
        }
    }

    /// How long the server asks to wait before the next attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.answer_error() {
            Some(error) => error.retry_after(),
            None => self.authorization()?.retry_after(),
        }
    }

    /// rmcp's view of the same failure.
    #[must_use]
    pub const fn answer(&self) -> &StreamableHttpError<ClientError> {
        &self.answer
    }

    /// Whether the same message may be accepted a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Some(error) = self.authorization() {
            return error.is_transient();
        }
        match &self.answer {
            StreamableHttpError::Client(error) => error.is_transient(),
            StreamableHttpError::Sse(error) => !is_oversize(error),
            StreamableHttpError::HttpStatus(_)
            | StreamableHttpError::Io(_)
            | StreamableHttpError::UnexpectedEndOfStream
            | StreamableHttpError::SessionExpired
            | StreamableHttpError::SessionRecoveryTimeout
            | StreamableHttpError::ControlRequestTimeout => true,
            _ => false,
        }
    }

    /// Whether somebody has to sign in first.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        match self.authorization() {
            Some(error) => error.needs_login(),
            None => matches!(self.answer, StreamableHttpError::AuthRequired(_)),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.answer) {
            (Some(Cause::Authorization(error)), _) => error.fmt(formatter),
            (Some(Cause::Answer(error)), _) => error.fmt(formatter),
            (None, StreamableHttpError::Client(error)) => error.fmt(formatter),
            (None, StreamableHttpError::Deserialize(_)) => {
                formatter.write_str("an event of the answer is no message of MCP")
            }
            (None, StreamableHttpError::Sse(_)) => {
                formatter.write_str("the events of the answer cannot be read")
            }
            (None, answer) => answer.fmt(formatter),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match (&self.cause, &self.answer) {
            // rmcp looks for its challenge behind its own error.
            (
                Some(Cause::Authorization(_)),
                answer @ (StreamableHttpError::AuthRequired(_)
                | StreamableHttpError::InsufficientScope(_)),
            ) => Some(answer),
            (Some(Cause::Authorization(error)), _) => error.source(),
            (Some(Cause::Answer(error)), StreamableHttpError::Client(failure)) => {
                error.source().or_else(|| failure.source())
            }
            (Some(Cause::Answer(error)), _) => error.source(),
            (None, StreamableHttpError::Client(error)) => error.source(),
            (None, answer) => answer.source(),
        }
    }
}

/// Why a connection, or a probe for one, did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A request that settles the wire got no usable answer.
    #[error("{exchange} to {url} failed")]
    Settle {
        /// What was sent.
        exchange: Exchange,
        /// The address, without secrets.
        url: String,
        /// What happened.
        #[source]
        error: Box<TransportError>,
    },
    /// The server answered the request that settles the wire with a JSON-RPC error of its own.
    #[error("{url} answered {exchange} with error {}: {}", .error.code.0, clean(&.error.message))]
    Rejected {
        /// What was sent.
        exchange: Exchange,
        /// The address, without secrets.
        url: String,
        /// The error as the server gave it.
        error: ErrorData,
    },
    /// The server does not speak the wire, and no other may be tried.
    #[error("{url} does not speak MCP {wire}{}", Detail(detail))]
    WireRefused {
        /// The wire that was asked for.
        wire: Wire,
        /// The address, without secrets.
        url: String,
        /// What the server said to it.
        detail: String,
    },
    /// The server speaks only the transport that MCP gave up, HTTP with server-sent events as of 2024-11-05. Another
    /// address of it may speak streamable HTTP; else it is for its operator to offer that.
    #[error(
        "{url} speaks only HTTP+SSE of 2024-11-05, a transport that MCP has retired; streamable HTTP is not spoken at this address"
    )]
    RetiredTransport {
        /// The address, without secrets.
        url: String,
    },
    /// rmcp's own start failed after the wire was settled.
    #[error("the MCP connection was not established")]
    Lifecycle(#[source] Box<ClientInitializeError>),
    /// The start took longer than the caller allows.
    #[error("the MCP server at {url} was not ready within {} seconds", limit.as_secs_f32())]
    Timeout {
        /// The address, without secrets.
        url: String,
        /// The limit that passed.
        limit: Duration,
    },
}

impl ConnectError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Settle { error, .. } => error.is_transient(),
            Self::Lifecycle(_) => match self.transport() {
                Some(error) => error.is_transient(),
                None => false,
            },
            Self::Timeout { .. } => true,
            Self::Rejected { .. } | Self::WireRefused { .. } | Self::RetiredTransport { .. } => {
                false
            }
        }
    }

    /// Whether somebody has to sign in first.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.transport().is_some_and(TransportError::needs_login)
    }

    fn transport(&self) -> Option<&TransportError> {
        match self {
            Self::Settle { error, .. } => Some(error),
            Self::Lifecycle(error) => match &**error {
                ClientInitializeError::TransportError { error, .. } => in_dynamic(error),
                _ => None,
            },
            _ => None,
        }
    }
}

fn in_dynamic(error: &DynamicTransportError) -> Option<&TransportError> {
    error.error.downcast_ref()
}

/// A detail behind a colon, or nothing.
struct Detail<'a>(&'a str);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(formatter, ": {}", self.0)
    }
}

/// What a server said, fit for one line of an error.
pub(crate) fn clean(text: &str) -> String {
    doorkey_http::clean_text(text, DETAIL_LIMIT)
}

const DETAIL_LIMIT: usize = 256;
