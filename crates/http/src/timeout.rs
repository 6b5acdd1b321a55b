//! No wait without a limit: the answer, the gaps in its body, and the whole.

use std::fmt;
use std::time::Duration;

/// How long to wait, per request. Each is a [`Duration`]; none can be switched off.
///
/// A request may carry its own `Timeouts` in its extensions, which then replace the profile's
/// `read` and `total` for that request (`connect` belongs to the connection).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Name lookup, TCP and TLS handshake together. Default 10 s.
    pub connect: Duration,
    /// The longest gap between two pieces of a body. Default 60 s.
    pub read: Duration,
    /// From the request to the end of the answer, redirects included; on [`Leg::Resource`], where
    /// streams live, to the end of the response headers only. Default 30 s.
    ///
    /// [`Leg::Resource`]: crate::Leg::Resource
    pub total: Duration,
}

impl Timeouts {
    /// These limits.
    #[must_use]
    pub const fn new(connect: Duration, read: Duration, total: Duration) -> Self {
        Self {
            connect,
            read,
            total,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::new(
            Duration::from_secs(10),
            Duration::from_secs(60),
            Duration::from_secs(30),
        )
    }
}

/// What was being waited for when the time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The connection: name lookup, TCP and TLS (`timeouts.connect`).
    Connect,
    /// The response headers (`timeouts.total`).
    Response,
    /// The next piece of the body (`timeouts.read`).
    Read,
    /// The end of the body (`timeouts.total`).
    Body,
}

impl Phase {
    /// The setting that holds the limit of this phase.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Connect => "timeouts.connect",
            Self::Read => "timeouts.read",
            Self::Response | Self::Body => "timeouts.total",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Response => "waiting for the response",
            Self::Read => "waiting for more of the body",
            Self::Body => "reading the body",
        })
    }
}
