//! How many connections to one origin are made, and when: the way that all requests of a pool to that
//! origin go.
//!
//! Over HTTP/2 one connection serves all; over HTTP/1.1 each exchange has one for itself. Which of the
//! two an origin speaks shows in its first TLS handshake; without TLS, or where the profile says so, it is
//! HTTP/1.1. So while nothing is known one request connects, and the others wait for a moment: an HTTP/2
//! connection is handed to all of them as soon as it stands. Over HTTP/1.1 as many connections are made at once
//! as [`Limits::connections`](crate::Limits::connections) says. What waits beyond that:
//!
//! - an exchange with an endpoint (every leg but that of the resource), until another one ends: such
//!   exchanges are short, and each ends in its own time;
//! - a request to the resource, for its turn to make one more connection: one every 20 ms, and whatever
//!   connection comes free first is taken. So a burst of short calls shares the connections there are, long
//!   ones get their own, since a tool may take minutes, and under a load that lasts there are soon as many as
//!   calls in flight;
//! - the request for a stream of events, for a moment, since many servers have none and say so at once. The connection
//!   of a stream counts no more, so that nobody waits for it.
//!
//! What is counted are connections, not exchanges: one that is on its way from one request to the next is still there.
//! Nobody tells when an idle one is closed. But who has to make one has found none that is idle; if none came free for a
//! moment either, there are no more than others use. Until then some may be counted that are gone, which costs a wait.
//!
//! A connection is gated where its name is looked up, which is before it is made, and inside of the
//! request that it is made for. Address literals are not looked up. There one request connects before it
//! is sent, the others wait for what that shows, and afterwards only the rule for endpoints applies.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Version;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The way to one origin over the connections of one pool.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Connections over HTTP/1.1 that are made at once.
    limit: usize,
    /// As long as a connection may take to come up: a wait for one is a part of that.
    connect: Duration,
    speaks: AtomicU8,
    /// Until when the others wait for one who connects, in nanoseconds from `made`.
    led_until: AtomicU64,
    made: Instant,
    /// Connections over HTTP/1.1 that were made, and of which nobody knows that they are gone.
    connections: AtomicUsize,
    /// When one of them came free last, in nanoseconds from `made`.
    freed_at: AtomicU64,
    /// Told when one of them goes, and when it shows what the origin speaks.
    eased: Notify,
    endpoints: Arc<Semaphore>,
}

const UNKNOWN: u8 = 0;
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

impl Lane {
    /// `is_http1`: nothing else is spoken on this way.
    pub(crate) fn new(limit: usize, connect: Duration, is_http1: bool) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limit,
            connect,
            speaks: AtomicU8::new(if is_http1 { HTTP1 } else { UNKNOWN }),
            led_until: AtomicU64::new(0),
            made: Instant::now(),
            connections: AtomicUsize::new(0),
            freed_at: AtomicU64::new(0),
            eased: Notify::new(),
            endpoints: Arc::new(Semaphore::new(limit)),
        }
    }

    /// The turn of an exchange with an endpoint, which ends with its ticket. `None`: there is nothing to
    /// wait for.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let shares = || self.speaks.load(Ordering::Acquire) == HTTP2;
        if shares() {
            return None;
        }
        // It is never closed.
        let turn = Arc::clone(&self.endpoints).acquire_owned().await.ok()?;
        (!shares()).then_some(turn)
    }

    fn learn(&self, version: Version) {
        let speaks = match version {
            Version::HTTP_2 => HTTP2,
            _ => HTTP1,
        };
        if self.speaks.load(Ordering::Acquire) == speaks {
            return;
        }
        if self.speaks.swap(speaks, Ordering::AcqRel) != UNKNOWN {
            // Those of another protocol are none of these.
            self.connections.store(0, Ordering::Release);
        }
        if speaks == HTTP2 {
            // Who gets this one sees that it needs none, and hands it on.
            self.endpoints.add_permits(1);
        }
        self.eased.notify_waiters();
    }

    /// Counts one more connection, if it may be made at once.
    fn adds(&self) -> bool {
        let more = |made: usize| (made < self.limit).then_some(made + 1);
        let added = self
            .connections
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        added.is_ok()
    }

    /// Counts one connection less.
    fn loses(&self) {
        let less = |made: usize| made.checked_sub(1);
        let lost = self
            .connections
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        if lost.is_ok() {
            self.eased.notify_one();
        }
    }

    /// Counts no connection that nobody can use: `used`, at most, are in use, and none was idle just now.
    fn forgets(&self, used: usize) {
        let freed = Duration::from_nanos(self.freed_at.load(Ordering::Acquire));
        if self.made.elapsed().saturating_sub(freed) > IN_TRANSIT {
            self.connections.fetch_min(used, Ordering::AcqRel);
        }
    }

    /// Has one connect while the others wait, for so long at most; else until when another one does.
    fn lead(&self, longest: Duration) -> Option<Instant> {
        let now = self.made.elapsed();
        let until = nanoseconds(now + longest);
        let free = |led_until| (led_until <= nanoseconds(now)).then_some(until);
        let led = self
            .led_until
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        led.err()
            .map(|until| self.made + Duration::from_nanos(until))
    }
}

/// What a request is to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A short exchange.
    Endpoint,
    /// A call, which may take long.
    Call,
    /// A stream of events, which may never end.
    Stream,
}

/// How long an answer over HTTP/1.1 takes its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Until it is read.
    Shortly,
    /// Until it is read, which may be never: a stream of events that nobody asked anything for.
    ForLong,
    /// It ends with it.
    ForEver,
}

/// A request on its way through a [`Lane`], until its answer has been read.
#[derive(Debug)]
pub(crate) struct Ticket {
    lane: Arc<Lane>,
    is_stream: bool,
    /// Whether its connection ends with it, or is good for nothing else: until the end of an answer is read.
    takes_along: bool,
    /// Whether its connection counts no more and does again once it is free.
    carries_stream: bool,
    /// Where it had to make a connection.
    wait: OnceLock<Arc<Wait>>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    pub(crate) async fn get(lane: Arc<Lane>, errand: Errand) -> Self {
        let turn = match errand {
            Errand::Endpoint => lane.turn().await,
            Errand::Call | Errand::Stream => None,
        };
        Self {
            lane,
            is_stream: errand == Errand::Stream,
            takes_along: true,
            carries_stream: false,
            wait: OnceLock::new(),
            _turn: turn,
        }
    }

    /// Whether nobody knows what the origin speaks.
    pub(crate) fn is_in_the_dark(&self) -> bool {
        self.lane.speaks.load(Ordering::Acquire) == UNKNOWN
    }

    /// Waits until it is known what the origin speaks, where connections cannot be gated. `true`: this one has to find
    /// out, and to [tell](Self::learned).
    pub(crate) async fn finds_out(&self) -> bool {
        let lane = &*self.lane;
        let longest = lane.connect / 4;
        let last = Instant::now() + longest;
        loop {
            let mut eased = pin!(lane.eased.notified());
            eased.as_mut().enable();
            if lane.speaks.load(Ordering::Acquire) != UNKNOWN || Instant::now() >= last {
                return false;
            }
            let Some(until) = self.wait().leads(longest) else {
                return true;
            };
            let _: Result<(), _> = timeout_at(until.min(last), eased).await;
        }
    }

    /// A connection to the origin shows what it speaks.
    pub(crate) fn learned(&self, version: Version) {
        self.lane.learn(version);
        if let Some(wait) = self.wait.get() {
            wait.follow();
        }
    }

    /// What answered, and how long its connection is taken. Gives the ticket back if it is to be kept until the end of
    /// the body, which an exchange that shares its connection is not.
    pub(crate) fn answered(mut self, version: Version, taken: Taken) -> Option<Self> {
        self.learned(version);
        if let Some(wait) = self.wait.take() {
            wait.ends();
        }
        if version == Version::HTTP_2 {
            self.takes_along = false;
            return None;
        }
        if taken == Taken::ForLong {
            self.lane.loses();
            self.takes_along = false;
            self.carries_stream = true;
        }
        (taken != Taken::ForEver).then_some(self)
    }

    /// Its connection is free for the next one.
    pub(crate) fn hands_on(mut self) {
        self.takes_along = false;
        if self.carries_stream {
            self.lane.connections.fetch_add(1, Ordering::AcqRel);
        }
        let now = nanoseconds(self.lane.made.elapsed());
        self.lane.freed_at.store(now, Ordering::Release);
    }

    /// The wait for the turn to make a connection.
    pub(crate) fn wait(&self) -> Arc<Wait> {
        let wait = || {
            Arc::new(Wait {
                lane: Arc::clone(&self.lane),
                is_stream: self.is_stream,
                waits: AtomicBool::new(false),
                leads: AtomicBool::new(false),
            })
        };
        Arc::clone(self.wait.get_or_init(wait))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let wait = self.wait.get();
        if let Some(wait) = wait {
            wait.follow();
        }
        // Over HTTP/1.1 most connections do not outlive a request that was given up.
        let has_none = wait.is_some_and(|wait| wait.waits.load(Ordering::Acquire));
        if self.takes_along && !has_none {
            self.lane.loses();
        }
    }
}

/// Shared by a request and by the connection that is made for it: that one may outlive the request.
#[derive(Debug)]
pub(crate) struct Wait {
    lane: Arc<Lane>,
    is_stream: bool,
    /// Whether it waits to connect.
    waits: AtomicBool,
    leads: AtomicBool,
}

impl Wait {
    /// Waits until a connection may be made, and counts it. To be dropped as soon as the request needs none.
    pub(crate) async fn turn_comes(&self) {
        let lane = &*self.lane;
        self.waits.store(true, Ordering::Release);
        // The pool has the lane, and this request twice, with its wait: each of the others once at least.
        lane.forgets(Arc::strong_count(&self.lane).saturating_sub(3));
        // Most of the time that a connection has is left to make one.
        let share = if self.is_stream { 40 } else { 4 };
        let last = Instant::now() + lane.connect / share;
        loop {
            let mut eased = pin!(lane.eased.notified());
            eased.as_mut().enable();
            let until = match lane.speaks.load(Ordering::Acquire) {
                HTTP1 if lane.adds() => return self.ends(),
                HTTP1 if self.is_stream => Some(last),
                HTTP1 => lane.lead(ONE_MORE),
                _ => self.leads(lane.connect / 4),
            };
            let (Some(until), true) = (until, Instant::now() < last) else {
                lane.connections.fetch_add(1, Ordering::AcqRel);
                return self.ends();
            };
            let _: Result<(), _> = timeout_at(until.min(last), eased).await;
        }
    }

    /// It waits no more: it may connect, or got another connection. One that is given up while it waits never gets here.
    pub(crate) fn ends(&self) {
        self.waits.store(false, Ordering::Release);
    }

    /// Begins to lead, for so long at most; else until when somebody else leads.
    fn leads(&self, longest: Duration) -> Option<Instant> {
        let taken = self.lane.lead(longest);
        if taken.is_none() {
            self.leads.store(true, Ordering::Release);
        }
        taken
    }

    /// Ends to lead, if it did.
    fn follow(&self) {
        if self.leads.swap(false, Ordering::AcqRel) {
            self.lane.led_until.store(0, Ordering::Release);
            self.lane.eased.notify_waiters();
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long it is from one connection over HTTP/1.1 beyond the limit to the next.
const ONE_MORE: Duration = Duration::from_millis(20);
/// More than a connection takes from one request to the next.
const IN_TRANSIT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
