//! How many connections to one origin are made, and when: the way that all requests of a pool to that
//! origin go.
//!
//! Over HTTP/2 one connection serves all; over HTTP/1.1 each exchange has one for itself. Which of the
//! two an origin speaks shows with its first answer. So while nothing is known one request connects, and
//! the others wait for a moment: an HTTP/2 connection is handed to all of them as soon as it stands.
//! Over HTTP/1.1 there are as many connections as [`Limits::connections`](crate::Limits::connections)
//! says. What waits beyond that:
//!
//! - an exchange with an endpoint (every leg but that of the resource), until another one ends: such
//!   exchanges are short, and each ends in its own time;
//! - a request to the resource, while others end one after the other, and else for a moment only: a tool
//!   may take minutes, and no call has to wait for another one. So a burst of short calls shares the
//!   connections there are, and long ones get their own;
//! - a stream of events never: it waits for nobody, and is not counted, so that nobody waits for it.
//!
//! A connection is gated before it is made, by a layer around reqwest's connector, which runs inside of the
//! request that it is made for: see [`Gates`](crate::pool::Gates).

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Version;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// The way to one origin over the connections of one pool.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Connections over HTTP/1.1, at most, streams and long calls aside.
    limit: usize,
    /// As long as a connection may take to come up: a wait for one is a part of that.
    connect: Duration,
    speaks: AtomicU8,
    /// Whether somebody connects of whom the others wait to learn what the origin speaks.
    led: AtomicBool,
    /// Exchanges that have a connection, or are about to get one of those there are.
    busy: AtomicUsize,
    /// How often one of them ended.
    ended: AtomicUsize,
    /// Told when one of them ends, and when it shows what the origin speaks.
    eased: Notify,
    endpoints: Arc<Semaphore>,
}

const UNKNOWN: u8 = 0;
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

impl Lane {
    pub(crate) fn new(limit: usize, connect: Duration) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limit,
            connect,
            speaks: AtomicU8::new(UNKNOWN),
            led: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
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
        self.speaks.store(speaks, Ordering::Release);
        if speaks == HTTP2 {
            // Who gets this one sees that it needs none, and hands it on.
            self.endpoints.add_permits(1);
        }
        self.eased.notify_waiters();
    }

    /// Counts one more exchange, if there may be one.
    fn enter(&self) -> bool {
        let more = |busy: usize| (busy < self.limit).then_some(busy + 1);
        let entered = self
            .busy
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        entered.is_ok()
    }

    /// An exchange has ended.
    fn leave(&self) {
        self.ended.fetch_add(1, Ordering::AcqRel);
        self.uncount();
    }

    fn uncount(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
        self.eased.notify_one();
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

/// A request on its way through a [`Lane`], until its answer has been read.
#[derive(Debug)]
pub(crate) struct Ticket {
    lane: Arc<Lane>,
    is_stream: bool,
    is_counted: bool,
    /// Where it had to make a connection, from then on in place of `is_counted`.
    wait: OnceLock<Arc<Wait>>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    pub(crate) async fn get(lane: Arc<Lane>, errand: Errand) -> Self {
        let turn = match errand {
            Errand::Endpoint => lane.turn().await,
            Errand::Call | Errand::Stream => None,
        };
        let is_stream = errand == Errand::Stream;
        // Whoever shares a connection keeps nobody from it.
        let is_counted = !is_stream && lane.speaks.load(Ordering::Acquire) != HTTP2;
        if is_counted {
            lane.busy.fetch_add(1, Ordering::AcqRel);
        }
        Self {
            lane,
            is_stream,
            is_counted,
            wait: OnceLock::new(),
            _turn: turn,
        }
    }

    /// What answered, and whether that is a stream. Gives the ticket back if it is to be kept until the end
    /// of the body: an exchange that shares its connection, and a stream, keep nobody from anything.
    pub(crate) fn answered(self, version: Version, is_stream: bool) -> Option<Self> {
        self.lane.learn(version);
        if let Some(wait) = self.wait.get() {
            wait.follow();
        }
        (version != Version::HTTP_2 && !is_stream).then_some(self)
    }

    /// The wait for the turn to make a connection; `None` where there is nothing to wait for.
    pub(crate) fn wait(&self) -> Option<Arc<Wait>> {
        let wait = || {
            Arc::new(Wait {
                lane: Arc::clone(&self.lane),
                state: AtomicU8::new(if self.is_counted { RUNNING } else { UNCOUNTED }),
                leads: AtomicBool::new(false),
            })
        };
        (!self.is_stream).then(|| Arc::clone(self.wait.get_or_init(wait)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match self.wait.get() {
            Some(wait) => wait.end(),
            None if self.is_counted => self.lane.leave(),
            None => {}
        }
    }
}

/// Shared by a request and by the connection that is made for it: that one may outlive the request.
#[derive(Debug)]
pub(crate) struct Wait {
    lane: Arc<Lane>,
    state: AtomicU8,
    leads: AtomicBool,
}

/// Has a connection, or is about to get one.
const RUNNING: u8 = 0;
/// Waits to connect.
const WAITING: u8 = 1;
/// Counts no more, or never did.
const UNCOUNTED: u8 = 2;

impl Wait {
    /// Waits until a connection may be made. To be dropped as soon as the request needs none.
    pub(crate) async fn turn_comes(&self) {
        let lane = &*self.lane;
        if self.turned(RUNNING, WAITING) {
            lane.uncount();
        }
        let _recount = Recount(self);
        // Most of the time that a connection has is left to make one.
        let (longest, patience) = (lane.connect / 4, lane.connect / 40);
        let began = Instant::now();
        let (mut seen, mut moved) = (lane.ended.load(Ordering::Acquire), began);
        if seen > 0 && lane.speaks.load(Ordering::Acquire) == HTTP1 {
            // The connection of who has just ended may be on its way back.
            sleep(HANDED_ON).await;
        }
        loop {
            let mut eased = pin!(lane.eased.notified());
            eased.as_mut().enable();
            let until = match lane.speaks.load(Ordering::Acquire) {
                HTTP1 if self.enters() => return,
                HTTP1 => moved + patience,
                _ if self.begins_to_lead() => return,
                _ => began + longest,
            };
            let is_over = timeout_at(until.min(began + longest), eased).await.is_err();
            let (ended, now) = (lane.ended.load(Ordering::Acquire), Instant::now());
            if now >= began + longest || (is_over && ended == seen) {
                return;
            }
            if ended != seen {
                (seen, moved) = (ended, now);
            }
            // Who has ended hands on a connection, which is better than another one.
            sleep(HANDED_ON).await;
        }
    }

    fn enters(&self) -> bool {
        let enters = self.lane.enter();
        if enters && !self.turned(WAITING, RUNNING) {
            self.lane.uncount();
        }
        enters
    }

    fn begins_to_lead(&self) -> bool {
        let leads = !self.lane.led.swap(true, Ordering::AcqRel);
        if leads {
            self.leads.store(true, Ordering::Release);
        }
        leads
    }

    /// Ends to lead, if it did.
    fn follow(&self) {
        if self.leads.swap(false, Ordering::AcqRel) {
            self.lane.led.store(false, Ordering::Release);
            self.lane.eased.notify_waiters();
        }
    }

    fn end(&self) {
        self.follow();
        if self.state.swap(UNCOUNTED, Ordering::AcqRel) == RUNNING {
            self.lane.leave();
        }
    }

    fn turned(&self, before: u8, after: u8) -> bool {
        let turned =
            self.state
                .compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
        turned.is_ok()
    }
}

/// Counts a request again, whatever it got: a connection to make, or one of another request.
struct Recount<'a>(&'a Wait);

impl Drop for Recount<'_> {
    fn drop(&mut self) {
        if self.0.turned(WAITING, RUNNING) {
            self.0.lane.busy.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// How long a connection takes from one request to the next.
const HANDED_ON: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests;
