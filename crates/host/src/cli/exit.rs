//! What a command ends with: exit codes, and the failures they stand for (ERR-12).

use std::io;
use std::process::ExitCode;

use doorkey::{Error, ErrorCode, Host, ServerConfig, Target};
use doorkey_oauth::{Error as AuthorizationError, QuirkExplanation};

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
    /// A quirk knows what the refusal means.
    Known {
        error: Error,
        known: Box<QuirkExplanation>,
    },
    /// The command does not do that, for a reason of its own.
    Refused {
        text: String,
        /// What to type instead.
        next: Option<String>,
        code: ErrorCode,
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
    const ALL: [Self; 10] = [
        Self::Done,
        Self::Other,
        Self::Usage,
        Self::LoginRequired,
        Self::Denied,
        Self::Forbidden,
        Self::Temporary,
        Self::Mcp,
        Self::ToolError,
        Self::Configuration,
    ];

    /// The one of both that says that something is left to do.
    pub(crate) fn worse(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }

    /// The code for a failure.
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Done,
            failure => Self::of_code(failure.code()),
        }
    }

    /// The code for an error of the library.
    pub(crate) fn of_error(error: &Error) -> Self {
        Self::of_code(error.code())
    }

    fn of_code(code: ErrorCode) -> Self {
        let exit = code.exit_code();
        let found = Self::ALL.into_iter().find(|other| *other as u8 == exit);
        found.unwrap_or(Self::Other)
    }
}

impl Failure {
    /// What kind of failure it is.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Host(error) | Self::Bearer { error, .. } | Self::Known { error, .. } => {
                error.code()
            }
            Self::Refused { code, .. } => *code,
            Self::Output(_) => ErrorCode::OutputFailed,
            Self::Input(_) => ErrorCode::InputFailed,
            Self::Unfit { .. } => ErrorCode::Usage,
            Self::Interrupted { login: true } => ErrorCode::LoginAbandoned,
            Self::Interrupted { login: false } => ErrorCode::Interrupted,
        }
    }

    /// The same with what is known of a refusal.
    pub(crate) fn explained(self, target: Option<Target<'_>>, host: &Host) -> Self {
        let Self::Host(error) = self else {
            return self;
        };
        match target.and_then(|target| host.explanation(target, &error)) {
            Some(known) => Self::Known {
                error,
                known: Box::new(known),
            },
            None => Self::Host(error),
        }
    }

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
