//! A source that is in use notices what other processes do: sign in, refresh, sign out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::held::Held;
use super::inner::Inner;
use super::newest::{Newest, newest};
use crate::error::Error;

/// When the store was last looked at, in milliseconds since the epoch.
#[derive(Debug, Default)]
pub(super) struct Looked(AtomicU64);

impl Looked {
    /// Notes that what is current comes from the store, or goes there, just now.
    pub(super) fn at(&self, now: SystemTime) {
        self.0.store(millis(now), Ordering::Relaxed);
    }

    /// Whether it is time to look again. Of all who ask together, one is told so. A clock that was set
    /// back makes it so.
    fn is_due(&self, now: SystemTime, interval: Duration) -> bool {
        let now = millis(now);
        let last = self.0.load(Ordering::Relaxed);
        let age = now.checked_sub(last).map(Duration::from_millis);
        if age.is_some_and(|age| age < interval) {
            return false;
        }
        let exchanged = self
            .0
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.is_ok()
    }
}

fn millis(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Looks whether another process changed the grant, at most once in the configured time: adopts what it
/// changed, and forgets what is gone. Trouble with the store is no error here: it is told to whoever
/// needs the store.
pub(super) async fn look(inner: &Arc<Inner>) {
    let Some(held) = inner.current() else {
        return;
    };
    let (now, interval) = (inner.clock.now(), inner.config.notice_interval);
    // What only memory has is not in the store to be compared with.
    if !held.saved || !inner.looked.is_due(now, interval) || Handle::try_current().is_err() {
        return;
    }
    match timeout(LIMIT, changed(inner, &held)).await {
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
    match newest(Some(held), inner.stored().await)? {
        Newest::Memory(_) => {}
        Newest::Other(newer) => inner.replace(Some(held), *newer, epoch),
        Newest::None => {
            tracing::info!("another process signed out");
            inner.forget_if(held);
        }
    }
    Ok(())
}

/// How long a caller waits for the store to say whether something changed.
const LIMIT: Duration = Duration::from_secs(1);

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
}
