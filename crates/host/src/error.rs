//! Why an operation of the host failed, with the cause behind it.

use std::time::Duration;

use doorkey_rmcp::rmcp::model::ErrorData;
use doorkey_rmcp::rmcp::service::ClientInitializeError;
use doorkey_rmcp::rmcp::service::ServiceError;
use doorkey_rmcp::rmcp::transport::streamable_http_client::StreamableHttpError;
use doorkey_rmcp::{ClientError, ConnectError, TransportError, authorization_error};

use crate::config::ConfigError;
use crate::connection::EndlessList;
use crate::network::NetworkError;
use crate::stores::StoreOpenError;
use crate::target::ACCOUNT_NAME;

/// Why an operation failed. [`std::error::Error::source`] leads to the first cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no folder to keep anything in.
    #[error("this user has no home folder; set DOORKEY_HOME to a folder of its own")]
    NoHome,
    /// `config.toml` is wrong; correct it and try again.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// Certificates, proxy, headers or a variable that the configuration names are wrong.
    #[error("the network settings cannot be used")]
    Network(#[from] NetworkError),
    /// No HTTP client could be made of the settings.
    #[error("no HTTP client can be made for {server:?}")]
    Client {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: doorkey_http::Error,
    },
    /// The store of logins cannot be opened as it is configured.
    #[error("the store of logins cannot be opened")]
    StoreOpen(#[from] StoreOpenError),
    /// The store of grants cannot be used.
    #[error("the store of logins cannot be used")]
    Store(#[from] doorkey_store::Error),
    /// The server is switched off in the configuration.
    #[error("{server:?} is disabled in the configuration")]
    Disabled {
        /// The server.
        server: String,
    },
    /// The server is used with a token from the configuration: there is no login for it.
    #[error(
        "{server:?} uses the bearer token that {key} of its configuration names; there is no login for it"
    )]
    BearerConfigured {
        /// The server.
        server: String,
        /// The key of its configuration, such as `bearer_token_env_var`.
        key: &'static str,
    },
    /// The server is used with a token from the configuration, whoever that belongs to.
    #[error(
        "{server:?} uses the bearer token that {key} of its configuration names; it has no account {account:?}"
    )]
    BearerHasNoAccounts {
        /// The server.
        server: String,
        /// The account that was asked for.
        account: String,
        /// The key of its configuration, such as `bearer_token_env_var`.
        key: &'static str,
    },
    /// That is not the name of an account; see [`is_account_name`](crate::is_account_name).
    #[error("{account:?} is not {ACCOUNT_NAME}")]
    AccountName {
        /// What was given.
        account: String,
    },
    /// Signing in or out failed.
    #[error("cannot {what} {server:?}")]
    Authorization {
        /// What was attempted, such as `sign in to`.
        what: &'static str,
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<doorkey_oauth::Error>,
    },
    /// No connection to the server.
    #[error("cannot connect to {server:?}")]
    Connect {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<ConnectError>,
    },
    /// A request to a connected server failed.
    #[error("{what} of {server:?} failed")]
    Request {
        /// The MCP method.
        what: &'static str,
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<ServiceError>,
    },
    /// A connected server did not answer in time.
    #[error("{server:?} did not answer {what} within {} s (tool_timeout_sec)", limit.as_secs_f32())]
    TimedOut {
        /// The MCP method.
        what: &'static str,
        /// The server.
        server: String,
        /// How long it had.
        limit: Duration,
    },
    /// An answer came as an event stream with an event larger than is read; the connection ended.
    #[error(
        "the answer of {server:?} ({url}) to {what} has an event of more than {limit} bytes, which is not read"
    )]
    EventTooLarge {
        /// The MCP method.
        what: &'static str,
        /// The server.
        server: String,
        /// Its address.
        url: doorkey_http::RedactedUrl,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A list of the server is none that could be read to its end.
    #[error("the list that {server:?} ({url}) gives for {what} {fault}")]
    EndlessList {
        /// The MCP method.
        what: &'static str,
        /// The server.
        server: String,
        /// Its address.
        url: doorkey_http::RedactedUrl,
        /// What is wrong with it.
        fault: EndlessList,
    },
    /// The login was completed and kept, and the server did not take its token.
    #[error(
        "signed in to {server:?}, but the server does not accept the token; the login is kept, marked as rejected"
    )]
    Rejected {
        /// The server.
        server: String,
        /// What the server did.
        #[source]
        source: Box<Error>,
    },
    /// The login was completed and kept; whether the server takes its token is not known.
    #[error("signed in to {server:?}, but the token could not be tried; the login is kept")]
    Unproven {
        /// The server.
        server: String,
        /// What came between.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    /// The authorization failure behind this error, through every wrapping.
    #[must_use]
    pub fn authorization(&self) -> Option<&doorkey_oauth::Error> {
        match self {
            Self::Authorization { source, .. } => Some(source),
            Self::Connect { source, .. } => authorization_error(source.as_ref()),
            Self::Request { source, .. } => authorization_error(source.as_ref()),
            Self::Rejected { source, .. } | Self::Unproven { source, .. } => source.authorization(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Some(error) = self.authorization() {
            return error.is_transient();
        }
        match self {
            Self::TimedOut { .. } => true,
            Self::Client { source, .. } => source.is_transient(),
            Self::Store(source) => source.is_transient(),
            Self::Connect { source, .. } => source.is_transient(),
            Self::Request { source, .. } => match source.as_ref() {
                ServiceError::TransportSend(_) => {
                    self.transport().is_some_and(TransportError::is_transient)
                }
                ServiceError::TransportClosed | ServiceError::Timeout { .. } => true,
                _ => false,
            },
            Self::Unproven { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// Whether a person has to sign in first.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        self.authorization()
            .is_some_and(doorkey_oauth::Error::needs_login)
    }

    /// The JSON-RPC error that the server answered with, if that is what happened. It is never an
    /// authorization failure.
    #[must_use]
    pub fn protocol_error(&self) -> Option<&ErrorData> {
        match self {
            Self::Request { source, .. } => match source.as_ref() {
                ServiceError::McpError(error) => Some(error),
                _ => None,
            },
            Self::Connect { source, .. } => match source.as_ref() {
                ConnectError::Rejected { error, .. } => Some(error),
                ConnectError::Lifecycle(error) => match error.as_ref() {
                    ClientInitializeError::JsonRpcError(error) => Some(error),
                    _ => None,
                },
                _ => None,
            },
            Self::Rejected { source, .. } | Self::Unproven { source, .. } => {
                source.protocol_error()
            }
            _ => None,
        }
    }

    /// Whether the server forbids the request, and not for want of a scope: another login will not
    /// change that.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.transport().is_some_and(|error| {
            matches!(
                error.answer(),
                StreamableHttpError::Client(ClientError::Forbidden { .. })
            )
        })
    }

    /// Whether the server no longer answers as it was remembered. Nothing was done by the request;
    /// [`Host::forget`](crate::Host::forget) and connect again.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.transport().is_some_and(|error| {
            matches!(
                error.answer(),
                StreamableHttpError::Client(ClientError::RememberedWire { .. })
            )
        })
    }

    /// Whether the settings of the server cannot be used, so that nothing could be attempted.
    pub(crate) fn is_of_settings(&self) -> bool {
        match self {
            Self::Network(_) | Self::Client { .. } => true,
            Self::Authorization { source, .. } => {
                matches!(**source, doorkey_oauth::Error::InvalidKey { .. })
            }
            _ => false,
        }
    }

    /// What the transport said, through rmcp's wrapping.
    pub(crate) fn transport(&self) -> Option<&TransportError> {
        match self {
            Self::Connect { source, .. } => match source.as_ref() {
                ConnectError::Settle { error, .. } => Some(error),
                ConnectError::Lifecycle(error) => match error.as_ref() {
                    ClientInitializeError::TransportError { error, .. } => {
                        error.error.downcast_ref()
                    }
                    _ => None,
                },
                _ => None,
            },
            Self::Request { source, .. } => match source.as_ref() {
                ServiceError::TransportSend(error) => error.error.downcast_ref(),
                _ => None,
            },
            Self::Rejected { source, .. } | Self::Unproven { source, .. } => source.transport(),
            _ => None,
        }
    }
}
