//! Moments of a refresh at which a process is caught, to be killed there, and those that wait for it meanwhile.

use std::time::{Duration, Instant};

use doorkey_testkit::{Fault, FaultRule, Leg};

use super::{Said, Site, Step, Worker};
use crate::LIMIT;

/// A moment of the refresh at which a process can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At a step of its own.
    At(Step),
    /// The request is at the server, which has not looked at it.
    Sent,
    /// The server has decided; its answer has no end yet.
    OnTheWay,
}

impl Moment {
    /// Every one, in order.
    pub const ALL: [Self; 9] = [
        Self::At(Step::BeforeLock),
        Self::At(Step::Locked),
        Self::At(Step::IntentSaved),
        Self::Sent,
        Self::OnTheWay,
        Self::At(Step::AnswerRead),
        Self::At(Step::BeforeSave),
        Self::At(Step::Saved),
        Self::At(Step::Published),
    ];

    /// Those with the grant's lock, before what was saved would do for whoever comes.
    pub const WITH_THE_LOCK: [Self; 6] = [
        Self::At(Step::Locked),
        Self::At(Step::IntentSaved),
        Self::Sent,
        Self::OnTheWay,
        Self::At(Step::AnswerRead),
        Self::At(Step::BeforeSave),
    ];

    /// Whether the server has spent the old token, and whether the new one is stored.
    pub fn rotated_and_saved(self) -> (bool, bool) {
        match self {
            Self::At(Step::BeforeLock | Step::Locked | Step::IntentSaved) | Self::Sent => {
                (false, false)
            }
            Self::OnTheWay | Self::At(Step::AnswerRead | Step::BeforeSave) => (true, false),
            Self::At(Step::Saved | Step::Published) => (true, true),
        }
    }

    /// Starts a process and returns when it is there. It goes no further by itself.
    ///
    /// # Panics
    /// When it does not get there.
    pub async fn caught(self, site: &Site) -> Worker {
        let stop = match self {
            Self::At(step) => Some(step),
            Self::Sent | Self::OnTheWay => None,
        };
        let requests = site.requests() + 1;
        let rotated = site.world.auth.refreshes() + 1;
        let mut worker = Worker::start(site, stop).await;
        match self {
            Self::At(_) => {}
            Self::Sent => once(site, Fault::Slow(LIMIT)),
            Self::OnTheWay => once(site, Fault::Stalled(LIMIT)),
        }
        worker.go().await;
        match self {
            Self::At(_) => worker.stopped().await,
            Self::Sent => site.asked(requests).await,
            Self::OnTheWay => site.rotated(rotated).await,
        }
        worker
    }
}

/// Lets one refresh meet with this, and nobody else.
fn once(site: &Site, fault: Fault) {
    let rule = FaultRule::on(Leg::Token).grant("refresh_token").times(1);
    site.world.auth.fault(rule.respond(fault));
}

/// Kills a process with the lock while so many others wait for that lock, and lets them go on: what the moment costs, and no more.
///
/// # Panics
/// When the outcome is another one than [`Moment::rotated_and_saved`] says, or somebody is held up longer than a lease and some slack.
pub async fn kill_before_waiting(site: &Site, moment: Moment, waiting: usize) {
    let case = format!("{moment:?}, {waiting} wait");
    site.expire().await;
    let (refreshes, requests) = (site.world.auth.refreshes(), site.requests());
    let reuses = site.world.auth.counters().reuses;
    let winner = moment.caught(site).await;
    let mut others = Vec::new();
    for _ in 0..waiting {
        others.push(Worker::start(site, None).await);
    }
    for other in &mut others {
        other.go().await;
    }
    for other in &mut others {
        other.waits().await;
    }
    winner.kill().await;
    let killed = Instant::now();

    let (rotated, saved) = moment.rotated_and_saved();
    let kept = !rotated || saved;
    for other in &mut others {
        let said = other.said().await;
        match &said {
            Said::Token => assert!(kept, "{case}: {said}"),
            Said::Login(why) => assert!(!kept && why.contains("interrupted"), "{case}: {said}"),
            Said::Failed(_) | Said::Nothing => panic!("{case}: {said}"),
        }
    }
    assert!(killed.elapsed() < HELD_UP, "{case}: {:?}", killed.elapsed());
    for other in others {
        assert_eq!(other.end().await, None, "{case}");
    }
    let auth = &site.world.auth;
    assert_eq!(auth.refreshes(), refreshes + 1, "{case}: rotated once");
    // One of them asks, for all, where the answer was not saved.
    let asked_by_the_winner = rotated || moment == Moment::Sent;
    let asked = usize::from(asked_by_the_winner) + usize::from(!saved);
    assert_eq!(site.requests(), requests + asked, "{case}");
    let tried_twice = usize::from(!kept);
    assert_eq!(auth.counters().reuses, reuses + tried_twice, "{case}");
    assert!(site.is_sound().await, "{case}");
    assert_eq!(site.is_honoured().await, kept, "{case}");
    if !kept {
        site.sign_in().await;
    }
}

/// The lease of a worker's lock on PostgreSQL is two seconds (files have none); the rest is for a busy machine.
const HELD_UP: Duration = Duration::from_secs(12);
