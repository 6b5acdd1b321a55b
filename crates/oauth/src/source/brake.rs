//! How often is too often: refreshes and logins within a minute, as pure rules over times.
//!
//! Times are whole seconds since the Unix epoch. Those that lie ahead of the clock are from before it
//! was set back and count for nothing, so that no clock locks anybody out.

use std::sync::Mutex;
use std::time::Duration;

use crate::error::{Attempts, Error};
use crate::shared::lock;

/// The times of the last minute, oldest first.
fn recent(times: &[u64], now: u64) -> impl Iterator<Item = u64> {
    let within = move |time: &u64| now.checked_sub(*time).is_some_and(|age| age < MINUTE);
    times.iter().copied().filter(within)
}

/// Whether one more is allowed now; a limit of zero allows any number.
///
/// # Errors
/// [`Error::TooManyAttempts`] with the time until it is.
pub(super) fn check(what: Attempts, limit: u32, times: &[u64], now: u64) -> Result<(), Error> {
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX);
    let recent: Vec<u64> = recent(times, now).collect();
    let Some(first) = recent.len().checked_sub(allowed).filter(|_| limit > 0) else {
        return Ok(());
    };
    let age = now.saturating_sub(recent.get(first).copied().unwrap_or(now));
    Err(Error::TooManyAttempts {
        what,
        limit,
        retry_after: Duration::from_secs(MINUTE.saturating_sub(age).max(1)),
    })
}

/// Adds one at `now`, and drops what no longer counts.
pub(super) fn note(times: &mut Vec<u64>, limit: u32, now: u64) {
    let mut kept: Vec<u64> = recent(times, now).collect();
    kept.push(now);
    let most = usize::try_from(limit).map_or(MOST, |limit| limit.clamp(1, MOST));
    kept.drain(..kept.len().saturating_sub(most));
    *times = kept;
}

/// What this process did by itself, whatever the store has of it.
#[derive(Debug, Default)]
pub(super) struct Brake(Mutex<Vec<u64>>);

impl Brake {
    /// As [`check`], over what this process and the record know.
    pub(super) fn check(
        &self,
        what: Attempts,
        limit: u32,
        on_record: &[u64],
        now: u64,
    ) -> Result<(), Error> {
        check(what, limit, &lock(&self.0), now)?;
        check(what, limit, on_record, now)
    }

    pub(super) fn note(&self, limit: u32, now: u64) {
        note(&mut lock(&self.0), limit, now);
    }
}

const MINUTE: u64 = 60;
/// More times are not kept, whatever the limit: a record stays small.
const MOST: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(times: &[u64], limit: u32, now: u64) -> Option<u64> {
        match check(Attempts::Refreshes, limit, times, now) {
            Ok(()) => None,
            Err(error) => Some(error.retry_after().unwrap().as_secs()),
        }
    }

    #[test]
    fn the_minute_is_counted_back_from_now_and_the_wait_ends_with_the_oldest_that_counts() {
        assert_eq!(wait(&[], 2, 100), None);
        assert_eq!(wait(&[50], 2, 100), None);
        assert_eq!(wait(&[50, 60], 2, 100), Some(10));
        assert_eq!(wait(&[50, 60], 2, 109), Some(1));
        assert_eq!(wait(&[50, 60], 2, 110), None, "the first no longer counts");
        assert_eq!(wait(&[50, 60, 70], 2, 100), Some(20));
        assert_eq!(wait(&[100, 100], 2, 100), Some(60));
        assert_eq!(wait(&[100; 9], 0, 100), None, "no limit");
    }

    #[test]
    fn a_clock_that_moved_locks_nobody_out() {
        let before = [1_000_000, 1_000_000];
        for now in [999_999, 500, 0, 1_000_060, 9_000_000] {
            assert_eq!(wait(&before, 2, now), None, "{now}");
        }
        assert_eq!(wait(&[u64::MAX, u64::MAX], 2, 5), None);
    }

    #[test]
    fn a_list_of_times_stays_as_short_as_its_limit() {
        let mut times = vec![1, 2, 3, 950, 2_000];
        note(&mut times, 3, 1_000);
        assert_eq!(times, [950, 1_000], "old ones and those ahead are dropped");
        for now in 1_001..1_010 {
            note(&mut times, 3, now);
        }
        assert_eq!(times, [1_007, 1_008, 1_009]);
        let mut times = Vec::new();
        for _ in 0..2_000 {
            note(&mut times, u32::MAX, 7);
        }
        assert_eq!(times.len(), MOST);
    }

    #[test]
    fn this_process_counts_by_itself_when_the_record_knows_nothing() {
        let brake = Brake::default();
        for _ in 0..2 {
            brake.check(Attempts::Logins, 2, &[], 10).unwrap();
            brake.note(2, 10);
        }
        let error = brake.check(Attempts::Logins, 2, &[], 10).unwrap_err();
        assert!(error.is_transient() && !error.needs_login());
        assert!(brake.check(Attempts::Logins, 2, &[], 70).is_ok());
        assert!(brake.check(Attempts::Logins, 2, &[70, 70], 70).is_err());
    }
}
