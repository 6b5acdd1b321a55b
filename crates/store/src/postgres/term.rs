//! How long a lease is ours, by the clocks of this machine.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A moment, as both clocks tell it.
///
/// The steady one stands still while some systems are suspended; the one of the wall goes on, but may be set. Of two moments the
/// longer distance counts: a wall clock that was set forward costs a lease, which is safe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn since(self, earlier: Self) -> Duration {
        let steady = self.steady.saturating_duration_since(earlier.steady);
        // One that was set back tells nothing.
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        steady.max(wall)
    }
}

/// The time for which a lease was given. Once it is over it stays so.
#[derive(Debug)]
pub(super) struct Term {
    length: Duration,
    /// When the server was last asked for it, or `None` if it is over. It counts from before the server was asked, so that it never
    /// ends later than the row says.
    asked: Mutex<Option<Moment>>,
}

impl Term {
    pub(super) fn new(asked: Moment, length: Duration) -> Self {
        Self {
            length,
            asked: Mutex::new(Some(asked)),
        }
    }

    /// What is left of it: zero if it is over.
    pub(super) fn left(&self) -> Duration {
        self.left_at(Moment::now())
    }

    /// The server put the end off, for it was asked to at that moment.
    pub(super) fn renew(&self, asked: Moment) {
        self.change(|last| last.map(|_| asked));
    }

    pub(super) fn end(&self) {
        self.change(|_| None);
    }

    fn left_at(&self, now: Moment) -> Duration {
        let left = |asked: Moment| self.length.saturating_sub(now.since(asked));
        let asked = self.change(|asked| asked.filter(|asked| !left(*asked).is_zero()));
        asked.map(left).unwrap_or_default()
    }

    fn change(&self, to: impl FnOnce(Option<Moment>) -> Option<Moment>) -> Option<Moment> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = to(*asked);
        *asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(15);

    fn after(start: Moment, steady: u64, wall: i64) -> Moment {
        let way = Duration::from_secs(wall.unsigned_abs());
        Moment {
            steady: start.steady + Duration::from_secs(steady),
            wall: match wall < 0 {
                true => start.wall - way,
                false => start.wall + way,
            },
        }
    }

    #[test]
    fn a_lease_is_over_for_a_machine_that_was_suspended_through_its_end() {
        let start = Moment::now();
        let term = Term::new(start, LENGTH);
        let left = |steady, wall| term.left_at(after(start, steady, wall)).as_secs();
        assert_eq!((left(0, 0), left(14, 14)), (15, 1));
        // The steady clock stood still for a while.
        assert_eq!((left(1, 11), left(1, 15)), (4, 0));
    }

    #[test]
    fn a_wall_clock_that_is_set_never_makes_a_lease_longer() {
        let start = Moment::now();
        let term = || Term::new(start, LENGTH);
        assert_eq!(term().left_at(after(start, 14, -3600)).as_secs(), 1);
        assert_eq!(term().left_at(after(start, 15, -3600)).as_secs(), 0);
        assert_eq!(term().left_at(after(start, 1, 3600)).as_secs(), 0);
        // From the next renewal on it counts anew.
        let term = term();
        let renewed = after(start, 5, -3600);
        term.renew(renewed);
        assert_eq!(term.left_at(after(renewed, 0, 14)).as_secs(), 1);
        assert_eq!(term.left_at(after(renewed, 0, 15)).as_secs(), 0);
    }

    #[test]
    fn a_lease_that_is_over_stays_so() {
        let start = Moment::now();
        for is_ended in [true, false] {
            let term = Term::new(start, LENGTH);
            match is_ended {
                true => term.end(),
                false => assert!(term.left_at(after(start, 0, 15)).is_zero()),
            }
            assert!(term.left_at(after(start, 1, 1)).is_zero());
            term.renew(after(start, 2, 2));
            assert!(term.left_at(after(start, 2, 2)).is_zero());
        }
    }
}
