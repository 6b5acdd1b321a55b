//! What kept a request from being answered, by what a person does about it.

use std::io;

use crate::cause;
use crate::error::Error;
#[cfg(feature = "client")]
use crate::path::TlsProblem;

/// Why a request got no answer, as plain data: [`Error::trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The settings that it would be sent by cannot be used.
    Settings,
    /// The URL or the address behind it is one that may not be asked.
    Refused,
    /// Nobody listens there.
    NobodyListens,
    /// There was no connection within the limit.
    ConnectTimeout,
    /// There is no connection for another reason, such as a name that is unknown.
    NoConnection,
    /// There is no connection to the proxy.
    NoProxy,
    /// The proxy made no connection.
    ProxyRefused,
    /// TLS failed.
    #[cfg(feature = "client")]
    Tls(TlsProblem),
    /// The connection stood and the answer did not come in time.
    Silence,
    /// It redirects where it must not be followed.
    Redirect,
    /// The answer is longer than is read.
    TooLarge,
    /// What came is no whole answer.
    Broken,
}

impl Error {
    /// What kept the request from being answered.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        let through_proxy = self.exchange().is_some_and(|it| it.proxy().is_some());
        match self {
            #[cfg(feature = "client")]
            Self::Tls { .. } => Trouble::Tls(self.tls_problem().unwrap_or(TlsProblem::Handshake)),
            Self::Profile { .. } | Self::Reload { .. } | Self::HeaderRefused { .. } => {
                Trouble::Settings
            }
            _ if self.refused_address().is_some() => Trouble::Refused,
            Self::Url { .. } | Self::Endpoint { .. } => Trouble::Refused,
            Self::RedirectRefused { .. } => Trouble::Redirect,
            Self::Timeout { .. } if self.is_connect() && through_proxy => Trouble::NoProxy,
            Self::Timeout { .. } if self.is_connect() => Trouble::ConnectTimeout,
            Self::Timeout { .. } => Trouble::Silence,
            Self::Connect { source, .. } => {
                let io = cause::io_kind(&**source);
                match (through_proxy, io) {
                    (true, Some(_)) => Trouble::NoProxy,
                    (true, None) => Trouble::ProxyRefused,
                    (false, Some(io::ErrorKind::ConnectionRefused)) => Trouble::NobodyListens,
                    (false, Some(io::ErrorKind::TimedOut)) => Trouble::ConnectTimeout,
                    (false, _) => Trouble::NoConnection,
                }
            }
            Self::HeadersTooLarge { .. } | Self::BodyTooLarge { .. } => Trouble::TooLarge,
            _ => Trouble::Broken,
        }
    }
}
