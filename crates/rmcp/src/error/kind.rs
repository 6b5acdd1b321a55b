//! What kind of failure it is, and where it happened, for programs.

use doorkey_http::Leg;
use http::StatusCode;
use rmcp::service::ClientInitializeError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use super::{ClientError, ConnectError, TransportError, in_dynamic};

doorkey_http::failure_kinds! {
    ClientError {
        Self::Forbidden { .. } => "forbidden",
        Self::Body { .. } => "answer-broken-off",
        Self::StaticAuthorization { .. } | Self::Encode(_) => "internal",
        Self::Url(_) => "url-invalid",
        Self::RememberedWire { .. } => "mcp-server-changed",
    } behind {
        Self::Exchange(cause) => cause.kind(),
    }
}

doorkey_http::failure_kinds! {
    ConnectError {
        Self::Rejected { .. } => "mcp-error",
        Self::WireRefused { .. } => "mcp-not-spoken",
        Self::RetiredTransport { .. } => "mcp-transport-retired",
        Self::Lifecycle(_) => "mcp-start-failed",
        Self::Timeout { .. } => "timed-out",
    } behind {
        Self::Settle { error, .. } => error.kind(),
        Self::Lifecycle(error) if behind_start(error).is_some() => {
            behind_start(error).unwrap_or("mcp-start-failed")
        },
    }
}

/// What is known of a start that failed, where it is more than that.
fn behind_start(error: &ClientInitializeError) -> Option<&'static str> {
    match error {
        ClientInitializeError::JsonRpcError(_) => Some("mcp-error"),
        ClientInitializeError::TransportError { error, .. } => {
            in_dynamic(error).map(TransportError::kind)
        }
        _ => None,
    }
}

impl TransportError {
    /// Every name that [`kind`](Self::kind) gives, but for those of the failures behind it.
    pub const KINDS: &'static [&'static str] = &[
        "login-required",
        "mcp-server-unavailable",
        "mcp-interrupted",
        "mcp-answer-unusable",
    ];

    /// The kind of failure as one word for programs, which stays the same when the text changes: what a
    /// person looks up, and a script compares.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if let Some(error) = self.authorization() {
            return error.kind();
        }
        match &self.answer {
            StreamableHttpError::Client(error) => error.kind(),
            _ if self.needs_login() => "login-required",
            _ if self.is_transient() && self.is_refusal() => "mcp-server-unavailable",
            _ if self.is_transient() => "mcp-interrupted",
            _ => "mcp-answer-unusable",
        }
    }

    /// Whether the server answered, and with a status that says no.
    fn is_refusal(&self) -> bool {
        let status = self.answer_error().map(crate::AnswerError::status);
        status.is_some_and(|status| !status.is_success())
    }

    /// What the request was for that failed.
    #[must_use]
    pub fn leg(&self) -> Option<Leg> {
        match self.answer_error() {
            Some(answer) => Some(answer.leg()),
            None => self.authorization().and_then(doorkey_oauth::Error::leg),
        }
    }

    /// The address that was asked, as it may be shown.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        if let Some(answer) = self.answer_error() {
            return Some(answer.url().to_owned());
        }
        match &self.answer {
            StreamableHttpError::Client(
                ClientError::Forbidden { url, .. }
                | ClientError::Body { url, .. }
                | ClientError::RememberedWire { url, .. },
            ) => Some(url.clone()),
            _ => self.authorization()?.place(),
        }
    }

    /// The status of the answer that is the failure, which may be a good one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        if let Some(answer) = self.answer_error() {
            return Some(answer.status());
        }
        match &self.answer {
            StreamableHttpError::Client(ClientError::Forbidden { .. }) => {
                Some(StatusCode::FORBIDDEN)
            }
            _ => self.authorization()?.status(),
        }
    }
}

impl ConnectError {
    /// The address of the MCP server, as it may be shown; `None` where the failure behind it says more.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Settle { url, .. }
            | Self::Rejected { url, .. }
            | Self::WireRefused { url, .. }
            | Self::RetiredTransport { url }
            | Self::Timeout { url, .. } => Some(url),
            Self::Lifecycle(_) => None,
        }
    }
}
