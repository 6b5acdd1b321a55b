//! No wait without a limit: the answer, the gaps in its body, and the whole.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::body::{Body, BodyError};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::stack::{Below, Step};

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
    /// The settings, which were due to be read anew (`timeouts.connect`); nothing was sent.
    Reload,
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
            Self::Reload | Self::Connect => "timeouts.connect",
            Self::Read => "timeouts.read",
            Self::Response | Self::Body => "timeouts.total",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload => "reading the settings anew",
            Self::Connect => "connecting",
            Self::Response => "waiting for the response",
            Self::Read => "waiting for more of the body",
            Self::Body => "reading the body",
        })
    }
}

/// Ends what takes too long.
pub(crate) struct Deadline(pub(crate) Timeouts);

impl Step for Deadline {
    async fn run<S: Below>(
        self: Arc<Self>,
        request: Request<Body>,
        mut below: S,
    ) -> Result<Response<Body>, Error> {
        let limits = request
            .extensions()
            .get::<Timeouts>()
            .copied()
            .unwrap_or(self.0);
        let exchange = Exchange::of(&request)?;
        let start = Instant::now();
        let Ok(answer) = tokio::time::timeout(limits.total, below.call(request)).await else {
            return Err(Error::Timeout {
                exchange,
                phase: Phase::Response,
                limit: limits.total,
            });
        };
        let answer = answer?;
        let total = (exchange.leg() != Leg::Resource)
            .then(|| (limits.total.saturating_sub(start.elapsed()), limits.total));
        Ok(answer.map(|body| timed(body, limits.read, total)))
    }
}

fn timed(body: Body, read: Duration, total: Option<(Duration, Duration)>) -> Body {
    if body.as_bytes().is_some() || body.is_end_stream() {
        return body;
    }
    Body::new(TimedBody {
        body,
        read,
        gap: Box::pin(tokio::time::sleep(read)),
        total: total.map(|(left, limit)| (Box::pin(tokio::time::sleep(left)), limit)),
    })
}

/// A body whose pieces and end have to come in time.
struct TimedBody {
    body: Body,
    read: Duration,
    gap: Pin<Box<Sleep>>,
    /// What is left of the total, and the total itself.
    total: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some((left, limit)) = &mut this.total
            && left.as_mut().poll(cx).is_ready()
        {
            return expired(Phase::Body, *limit);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            // The gap is measured while somebody waits: a reader that takes its time costs nothing.
            this.gap.set(tokio::time::sleep(this.read));
            return Poll::Ready(frame);
        }
        match this.gap.as_mut().poll(cx) {
            Poll::Ready(()) => expired(Phase::Read, this.read),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn expired<T>(phase: Phase, limit: Duration) -> Poll<Option<Result<T, BodyError>>> {
    Poll::Ready(Some(Err(BodyError::Timeout { phase, limit })))
}
