//! How long to leave an authorization server alone after a refresh that failed for the moment.

use std::time::{Duration, SystemTime};

use super::pace::LONGEST_ASKED;
use crate::error::Error;
use crate::random::Random;

/// The failures since the last success.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    waiting: Option<Box<Wait>>,
}

#[derive(Debug)]
struct Wait {
    since: SystemTime,
    until: SystemTime,
    error: Error,
}

impl Backoff {
    /// The last failure, as long as it is too early to try again. A clock that was set back to
    /// before the failure ends the wait: nobody knows how long it would come to last.
    pub(super) fn active(&self, now: SystemTime) -> Option<Error> {
        let wait = self.waiting.as_ref()?;
        (wait.since <= now && now < wait.until).then(|| wait.error.clone())
    }

    /// One more failure: wait one second, then twice as long each time up to a minute, less up to
    /// half of it by chance, and at least as long as the server asked.
    pub(super) fn failed(&mut self, error: Error, now: SystemTime, random: &dyn Random) {
        let exponent = self.failures.min(6);
        self.failures = self.failures.saturating_add(1);
        let whole = LONGEST.min(Duration::from_secs(1 << exponent));
        let delay = whole / 2 + whole.mul_f64(chance(random) / 2.0);
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_ASKED);
        self.waiting = now.checked_add(delay.max(asked)).map(|until| {
            Box::new(Wait {
                since: now,
                until,
                error,
            })
        });
    }

    /// A success, or a new login: the slate is clean.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A number from 0 to 1. Without randomness everybody waits the longest.
fn chance(random: &dyn Random) -> f64 {
    let mut byte = [u8::MAX];
    match random.fill(&mut byte) {
        Ok(()) => f64::from(byte[0]) / f64::from(u8::MAX),
        Err(_) => 1.0,
    }
}

const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RandomError;

    #[derive(Debug)]
    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    fn delay_after(failures: u32, byte: u8) -> Duration {
        let mut backoff = Backoff::default();
        for _ in 0..failures {
            backoff.failed(Error::TaskLost, SystemTime::UNIX_EPOCH, &Fixed(byte));
        }
        backoff
            .waiting
            .map(|wait| wait.until.duration_since(wait.since).unwrap())
            .unwrap()
    }

    #[test]
    fn waits_double_up_to_a_minute_with_jitter() {
        let longest: Vec<_> = (1..=8).map(|n| delay_after(n, 255).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay_after(3, 0), Duration::from_secs(2));
    }

    #[test]
    fn a_success_ends_the_wait() {
        let mut backoff = Backoff::default();
        backoff.failed(Error::TaskLost, SystemTime::UNIX_EPOCH, &Fixed(255));
        assert!(backoff.active(SystemTime::UNIX_EPOCH).is_some());
        assert!(
            backoff
                .active(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
                .is_none()
        );
        backoff.reset();
        assert!(backoff.active(SystemTime::UNIX_EPOCH).is_none());
    }
    #[test]
    fn a_clock_that_is_set_back_ends_the_wait_ref_08() {
        let failed = SystemTime::UNIX_EPOCH + Duration::from_secs(30 * 24 * 60 * 60);
        let mut backoff = Backoff::default();
        backoff.failed(Error::TaskLost, failed, &Fixed(255));
        assert!(backoff.active(failed).is_some());
        let day = Duration::from_secs(24 * 60 * 60);
        for now in [failed - Duration::from_secs(1), failed - day] {
            assert!(backoff.active(now).is_none());
        }
    }
}
