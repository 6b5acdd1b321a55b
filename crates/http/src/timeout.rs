//! No wait without a limit: the answer, the gaps in its body, and the whole.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Response;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::{Body, BodyError};
use crate::error::Error;
use crate::leg::Leg;
use crate::stack::{Asked, Below, Step};

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
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let own = asked.request.extensions().get::<Timeouts>().copied();
        let limits = own.or(asked.timeouts).unwrap_or(self.0);
        let exchange = asked.exchange.clone();
        let is_bounded = exchange.leg() != Leg::Resource;
        let start = is_bounded.then(Instant::now);
        let Ok(answer) = tokio::time::timeout(limits.total, below.call(asked)).await else {
            return Err(Error::Timeout {
                exchange,
                phase: Phase::Response,
                limit: limits.total,
            });
        };
        let end = start.map(|start| (later(start, limits.total), limits.total));
        Ok(answer?.map(|body| body.timed(Clock::new(limits.read, end))))
    }
}

/// The time that a body has.
pub(crate) struct Clock {
    read: Duration,
    /// When the whole has to be there, and the limit that says so.
    end: Option<(Instant, Duration)>,
    /// Since when the next piece is waited for. A reader that takes its time costs nothing.
    since: Option<Instant>,
    /// Made when something has to be waited for, and set anew only when it goes off: most pieces are
    /// there before.
    alarm: Option<Alarm>,
}

/// What goes off when a time is over, and whom it wakes.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    wakes: Waker,
}

impl Clock {
    fn new(read: Duration, end: Option<(Instant, Duration)>) -> Self {
        Self {
            read,
            end,
            since: None,
            alarm: None,
        }
    }

    /// Whether the whole has taken too long.
    pub(crate) fn is_over(&self) -> Result<(), BodyError> {
        match self.end {
            Some((end, limit)) if Instant::now() >= end => Err(expired(Phase::Body, limit)),
            _ => Ok(()),
        }
    }

    /// A piece came.
    pub(crate) fn came(&mut self) {
        self.since = None;
    }

    /// Nothing is there yet: ready when it took too long.
    pub(crate) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        match &self.alarm {
            Some(alarm) if alarm.is_set(cx) => Poll::Pending,
            _ => self.wind(since, cx),
        }
    }

    /// Sets the alarm; ready when it is too late for that.
    #[cold]
    fn wind(&mut self, since: Instant, cx: &mut Context<'_>) -> Poll<BodyError> {
        let gap = (later(since, self.read), Phase::Read, self.read);
        let (end, phase, limit) = match self.end {
            Some((end, limit)) if end < gap.0 => (end, Phase::Body, limit),
            _ => gap,
        };
        let alarm = self.alarm.get_or_insert_with(|| Alarm {
            sleep: Box::pin(sleep_until(end)),
            wakes: cx.waker().clone(),
        });
        alarm.wakes.clone_from(cx.waker());
        // Never set to a later time than this: what is waited for began no later.
        while alarm.poll(cx).is_ready() {
            if Instant::now() >= end {
                return Poll::Ready(expired(phase, limit));
            }
            alarm.sleep.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl Alarm {
    /// Whether it will wake who asks, as it is.
    fn is_set(&self, cx: &Context<'_>) -> bool {
        self.wakes.will_wake(cx.waker()) && !self.sleep.is_elapsed()
    }

    /// Has it wake who asks, whatever else the task did since it was woken: with a budget that is spent, a sleep would
    /// answer that it is not over and wake nobody later.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }
}

const fn expired(phase: Phase, limit: Duration) -> BodyError {
    BodyError::Timeout { phase, limit }
}

fn later(since: Instant, limit: Duration) -> Instant {
    let far = || since + Duration::from_secs(30 * 365 * 24 * 60 * 60);
    since.checked_add(limit).unwrap_or_else(far)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, poll_fn};

    use futures_util::future::poll_immediate;
    use futures_util::stream::once;
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::task::consume_budget;

    use super::*;

    fn silent() -> Body {
        let frames = once(pending::<Result<http_body::Frame<bytes::Bytes>, Infallible>>());
        Body::new(StreamBody::new(frames)).timed(Clock::new(Duration::from_secs(60), None))
    }

    /// Whether the body says that it took too long, in time.
    async fn is_over_in_time(mut body: Body) -> bool {
        let (begun, longest) = (Instant::now(), Duration::from_secs(120));
        let next = tokio::time::timeout(longest, body.frame()).await;
        begun.elapsed() < longest && matches!(next, Ok(Some(Err(BodyError::Timeout { .. }))))
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_begins_when_the_budget_of_a_task_is_spent_ends_as_well() {
        let mut body = silent();
        let mut is_spent = false;
        poll_fn(|cx| {
            if is_spent {
                return Poll::Ready(());
            }
            while pin!(consume_budget()).poll(cx).is_ready() {}
            is_spent = true;
            assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
            Poll::Pending
        })
        .await;
        assert!(is_over_in_time(body).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_last_is_woken() {
        let mut body = silent();
        assert!(poll_immediate(body.frame()).await.is_none());
        let other = tokio::spawn(is_over_in_time(body));
        assert!(other.await.unwrap());
    }
}
