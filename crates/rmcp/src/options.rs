//! What a host may choose about a client and its connection.

use std::{sync::Arc, time::Duration};

use doorkey_http::Timeouts;
use doorkey_oauth::{Clock, SystemClock};
use rmcp::transport::streamable_http_client::StreamableHttpResponseLimits;

use crate::{Discovery, Protocol, Wire};

/// Choices that hold for every request of an [`AuthorizedClient`](crate::AuthorizedClient).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Whether the GET stream for messages that answer no request is opened. Default: yes.
    ///
    /// A program that sends one call and exits has no use for it. Streams that carry the answer to
    /// a request are resumed with `Last-Event-ID` whatever is said here.
    pub standalone_stream: bool,
    /// How much of an answer is read.
    pub limits: Limits,
    /// Time limits of the MCP requests, in place of the profile's.
    ///
    /// A tool that answers in one JSON body may keep silent until it is done: `total` is the longest it may
    /// take. `read` is the longest pause of a stream that answers a POST.
    pub timeouts: Option<Timeouts>,
    /// The longest pause of a stream that was opened with GET, in place of `read`; then it is opened anew. Default: 15 minutes.
    ///
    /// On such a stream a server may have nothing to say for hours, and not every one sends comments in the meantime.
    pub stream_silence: Duration,
}

impl ClientOptions {
    /// Says whether the standalone GET stream is opened.
    #[must_use]
    pub const fn with_standalone_stream(mut self, open: bool) -> Self {
        self.standalone_stream = open;
        self
    }

    /// Sets how much of an answer is read.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets time limits for the MCP requests.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(timeouts);
        self
    }

    /// Sets the longest pause of a stream that was opened with GET.
    #[must_use]
    pub const fn with_stream_silence(mut self, limit: Duration) -> Self {
        self.stream_silence = limit;
        self
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            standalone_stream: true,
            limits: Limits::default(),
            timeouts: None,
            stream_silence: Duration::from_secs(15 * 60),
        }
    }
}

/// Sizes in bytes past which an answer of the MCP server is refused or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One server-sent event, before it is parsed. Default: 16 MiB.
    pub sse_event: usize,
    /// One whole JSON body, be it a result or an error. Default: 16 MiB.
    pub json_body: usize,
    /// The prefix that is read of a failure's body which is not JSON. Default: 64 KiB.
    pub diagnostic: usize,
}

impl Limits {
    /// The same limits in rmcp's type.
    pub(crate) fn for_rmcp(self) -> StreamableHttpResponseLimits {
        let mut limits = StreamableHttpResponseLimits::default();
        limits.max_sse_event_size = self.sse_event;
        limits.max_json_response_size = self.json_body;
        limits.max_error_response_size = self.diagnostic;
        limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        StreamableHttpResponseLimits::default().into()
    }
}

impl From<StreamableHttpResponseLimits> for Limits {
    fn from(limits: StreamableHttpResponseLimits) -> Self {
        Self {
            sse_event: limits.max_sse_event_size,
            json_body: limits.max_json_response_size,
            diagnostic: limits.max_error_response_size,
        }
    }
}

/// Choices for one [`connect`](crate::connect).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The wire to use, or whichever the server speaks. Default: [`Protocol::Auto`].
    pub protocol: Protocol,
    /// What an earlier connection to this server found out.
    pub remembered: Option<Remembered>,
    /// The longest a start may take, everything included. Default: 30 seconds.
    pub startup_limit: Duration,
    /// Tells whether a remembered answer is still fresh, and when a new one came. Default: the system's clock.
    pub clock: Arc<dyn Clock>,
}

impl ConnectOptions {
    /// Asks for a wire.
    #[must_use]
    pub const fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Tells what an earlier connection found out, so that this one needs fewer requests.
    #[must_use]
    pub fn with_remembered(mut self, remembered: impl Into<Option<Remembered>>) -> Self {
        self.remembered = remembered.into();
        self
    }

    /// Sets the longest a start may take.
    #[must_use]
    pub const fn with_startup_limit(mut self, limit: Duration) -> Self {
        self.startup_limit = limit;
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            protocol: Protocol::Auto,
            remembered: None,
            startup_limit: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }
}

/// What is worth remembering of a connection that worked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Remembered {
    /// The wire that worked.
    pub wire: Wire,
    /// The server's answer to `server/discover`, if that wire is [`Wire::Stateless`].
    ///
    /// Given, the next start sends no `server/discover`. An answer that is no longer fresh, or cannot be read any more,
    /// is as good as none. A private one may be given only to a start in the name of the account that asked.
    pub discover: Option<Discovery>,
}

impl Remembered {
    /// Remembers a wire.
    #[must_use]
    pub const fn new(wire: Wire) -> Self {
        Self {
            wire,
            discover: None,
        }
    }

    /// Remembers the answer to `server/discover` as well.
    #[must_use]
    pub fn with_discover(mut self, discover: impl Into<Option<Discovery>>) -> Self {
        self.discover = discover.into();
        self
    }
}
