//! What a command ends with: exit codes, and the failures they stand for (ERR-12).

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use doorkey::{Error, LoopbackError, NetworkError, ServerConfig};
use doorkey_http::TlsFault;
use doorkey_oauth::{Error as AuthorizationError, InteractionError, InvalidResponse};

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Other = 1,
    Usage = 2,
    LoginRequired = 3,
    Denied = 4,
    Forbidden = 5,
    Temporary = 6,
    Mcp = 7,
    ToolError = 8,
    Configuration = 9,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    Host(Error),
    /// The server refuses the token that stands under a key of the configuration.
    Bearer {
        error: Error,
        key: &'static str,
    },
    /// The command does not do that, for a reason of its own.
    Refused {
        text: String,
        /// What to type instead.
        next: Option<String>,
        exit: Exit,
    },
    /// Nobody reads what is written.
    Output(io::Error),
    /// What was to be read cannot be.
    Input(io::Error),
    /// It cannot be done like this, only in another way.
    Unfit {
        why: String,
        next: String,
    },
    /// The person pressed Ctrl-C.
    Interrupted {
        login: bool,
    },
}

impl Exit {
    /// The one of both that says that something is left to do.
    pub(crate) fn worse(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }

    /// The code for a failure.
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Refused { exit, .. } => *exit,
            Failure::Interrupted { login: true } => Self::Denied,
            Failure::Unfit { .. } => Self::Usage,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Done,
            Failure::Output(_) | Failure::Input(_) | Failure::Interrupted { login: false } => {
                Self::Other
            }
            Failure::Host(error) | Failure::Bearer { error, .. } => Self::of_error(error),
        }
    }

    /// The code for an error of the library.
    pub(crate) fn of_error(error: &Error) -> Self {
        let network = error.authorization().and_then(AuthorizationError::http);
        if distrusts(error) || network.is_some_and(|error| distrusts(error)) {
            return Self::Configuration;
        }
        let settings = of_settings(error).or_else(|| of_settings(network?));
        if let Some(settings) = settings {
            return match settings.is_transient() {
                true => Self::Temporary,
                false => Self::Configuration,
            };
        }
        if let Some(authorization) = error.authorization() {
            return Self::of_authorization(authorization);
        }
        match error {
            Error::AccountName { .. } => Self::Usage,
            Error::Store(source) if source.is_transient() => Self::Temporary,
            Error::NoHome
            | Error::Config(_)
            | Error::Network(_)
            | Error::Client { .. }
            | Error::StoreOpen(_)
            | Error::Store(_)
            | Error::Disabled { .. }
            | Error::BearerConfigured { .. }
            | Error::BearerHasNoAccounts { .. } => Self::Configuration,
            Error::Rejected { source, .. } | Error::Unproven { source, .. } => {
                Self::of_error(source)
            }
            _ if error.is_forbidden() => Self::Forbidden,
            _ if error.is_transient() => Self::Temporary,
            Error::Connect { .. } | Error::Request { .. } | Error::EventTooLarge { .. } => {
                Self::Mcp
            }
            _ => Self::Other,
        }
    }

    fn of_authorization(error: &AuthorizationError) -> Self {
        use AuthorizationError as E;
        match error {
            E::LoginRequired { .. }
            | E::TokenRejectedByResource { .. }
            | E::BearerRejected { .. } => Self::LoginRequired,
            E::Denied(_) | E::LoginTimedOut { .. } | E::LoginAbandoned => Self::Denied,
            E::InsufficientScope { .. } => Self::Forbidden,
            E::NoPendingLogin | E::InvalidAuthorizationResponse(InvalidResponse::Expired) => {
                Self::LoginRequired
            }
            E::InvalidAuthorizationResponse(
                InvalidResponse::NotTheAddress
                | InvalidResponse::NoState
                | InvalidResponse::OtherState,
            ) => Self::Usage,
            E::Interaction(cause) => Self::of_interaction(cause),
            _ if error.is_transient() => Self::Temporary,
            E::AuthorizationResponse(_) => Self::Denied,
            E::Store(_)
            | E::Configuration { .. }
            | E::NoClient { .. }
            | E::StaticClientIssuer { .. }
            | E::UnboundCredentials { .. }
            | E::InvalidKey { .. }
            | E::Assertion(_)
            | E::AssertionExpired
            | E::DpopProofRejected { .. }
            | E::TokenNotBound { .. }
            | E::RegistrationRefused { .. } => Self::Configuration,
            _ => Self::Other,
        }
    }

    fn of_interaction(error: &InteractionError) -> Self {
        match error {
            InteractionError::Denied => Self::LoginRequired,
            InteractionError::Abandoned => Self::Denied,
            InteractionError::Other(cause) if cause.is::<LoopbackError>() => Self::Configuration,
            InteractionError::Other(cause) if cause.is::<doorkey::Unattended>() => {
                Self::LoginRequired
            }
            _ => Self::Other,
        }
    }
}

impl Failure {
    /// The same with the key of the configuration that the refused token of a server is under.
    pub(crate) fn at(self, server: Option<&ServerConfig>) -> Self {
        match (self, server.and_then(ServerConfig::bearer_key)) {
            (Self::Host(error), Some(key)) if is_bearer_rejected(&error) => {
                Self::Bearer { error, key }
            }
            (failure, _) => failure,
        }
    }
}

fn is_bearer_rejected(error: &Error) -> bool {
    matches!(
        error.authorization(),
        Some(AuthorizationError::BearerRejected { .. })
    )
}

/// Whether a certificate authority is missing from the settings: trying again would not help.
fn distrusts(error: &(dyn StdError + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(doorkey_http::Error::Tls {
                fault: TlsFault::UnknownAuthority,
                ..
            })
        )
    })
}

/// What was wrong with the settings when a request was to be sent with them.
fn of_settings<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a NetworkError> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(|cause| cause.downcast_ref())
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Host(error.into())
    }
}
