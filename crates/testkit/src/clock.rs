//! A clock that a test can put forward.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// The machine's clock plus an offset that only grows.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now() + *self.ahead()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead();
        *ahead = ahead.saturating_add(by);
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole seconds since the epoch, as RFC 7591 and RFC 7519 write times.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
