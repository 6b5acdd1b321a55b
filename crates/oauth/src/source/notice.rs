//! A source that is in use notices what other processes do: sign in, refresh, sign out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::held::Held;
use super::inner::Inner;
use super::newest::{Newest, newest};
use super::save;
use crate::error::Error;
use crate::events::tell;

/// When the store was last looked at, and how often in a row it took too long to answer.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// In milliseconds since the epoch.
    last: AtomicU64,
    slow: AtomicU32,
}

impl Looked {
    /// Notes that what is current comes from the store, or goes there, just now.
    pub(super) fn at(&self, now: SystemTime) {
        self.last.store(millis(now), Ordering::Relaxed);
    }

    /// Whether it is time to look again. Of all who ask together, one is told so. A clock that was set
    /// back makes it so.
    fn is_due(&self, now: SystemTime, interval: Duration) -> bool {
        let now = millis(now);
        let last = self.last.load(Ordering::Relaxed);
        let age = now.checked_sub(last).map(Duration::from_millis);
        if age.is_some_and(|age| age < self.spaced(interval)) {
            return false;
        }
        let exchanged = self
            .last
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.is_ok()
    }

    /// The interval, or longer after looks that took too long: doubled with each, up to a minute, so that a
    /// store that hangs does not hold up a caller in every interval.
    fn spaced(&self, interval: Duration) -> Duration {
        match self.slow.load(Ordering::Relaxed) {
            0 => interval,
            slow => interval.max(LONGEST_PAUSE.min(LIMIT * 2_u32.pow(slow.min(10)))),
        }
    }

    /// Notes whether the store answered in time.
    fn answered(&self, in_time: bool) {
        let slow = match in_time {
            true => 0,
            false => self.slow.load(Ordering::Relaxed).saturating_add(1),
        };
        self.slow.store(slow, Ordering::Relaxed);
    }
}

fn millis(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Looks whether another process changed the grant, at most once in the configured time: adopts what it
/// changed, and forgets what is gone. What a failing store left in memory only is saved again, in a task
/// that nobody waits for. Trouble with the store is no error here: it is told to whoever
/// needs the store.
pub(super) async fn look(inner: &Arc<Inner>) {
    let Some(held) = inner.current() else {
        return;
    };
    let (now, interval) = (inner.clock.now(), inner.config.notice_interval);
    if Handle::try_current().is_err() {
        return;
    }
    if !held.saved {
        // What only memory has is not in the store to be compared with: it is to get there, also where
        // nobody is to look for changes.
        if inner
            .looked
            .is_due(now, interval.clamp(LIMIT, LONGEST_PAUSE))
        {
            save::again(inner);
        }
        return;
    }
    if !inner.looked.is_due(now, interval) {
        return;
    }
    let looked = Box::pin(timeout(LIMIT, changed(inner, &held))).await;
    inner.looked.answered(looked.is_ok());
    match looked {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "whether the grant changed could not be seen"),
        Err(_) => tracing::debug!("the store takes too long to say whether the grant changed"),
    }
}

async fn changed(inner: &Inner, held: &Arc<Held>) -> Result<(), Error> {
    let epoch = inner.epoch();
    if inner.store.grant_generation(&inner.key).await? == held.generation {
        return Ok(());
    }
    // One that does not fit the configuration is not taken over, and the token at hand is still good.
    match newest(Some(held), inner.stored_or_newer().await)? {
        Newest::Memory(_) => {}
        Newest::Other(newer) => {
            tell::grant_adopted(&inner.config);
            inner.replace(Some(held), *newer, epoch);
        }
        Newest::None => {
            tell::grant_gone(&inner.config);
            inner.forget_if(held);
        }
    }
    Ok(())
}

/// How long a caller waits for the store to say whether something changed.
const LIMIT: Duration = Duration::from_secs(1);
/// How long the next look waits at most because of looks that took too long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_once_in_its_interval_and_when_the_clock_was_set_back() {
        let looked = Looked::default();
        let second = Duration::from_secs(1);
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        looked.at(at(10_000));
        assert!(!looked.is_due(at(10_999), second));
        assert!(looked.is_due(at(11_000), second));
        assert!(!looked.is_due(at(11_000), second), "once");
        assert!(looked.is_due(at(500), second));
        assert!(!looked.is_due(at(900), second));
        assert!(looked.is_due(at(900), Duration::ZERO));
        assert!(!looked.is_due(at(u64::MAX / 4), Duration::MAX));
    }

    #[test]
    fn looks_that_take_too_long_are_spaced_out_up_to_a_minute_and_one_in_time_ends_that() {
        let looked = Looked::default();
        let second = Duration::from_secs(1);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            looked.answered(false);
            pauses.push(looked.spaced(second).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(looked.spaced(Duration::MAX), Duration::MAX);
        looked.answered(true);
        assert_eq!(looked.spaced(second), second);
    }
}
