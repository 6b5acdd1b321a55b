//! A clock that a test moves by hand.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use doorkey_oauth::Clock;

/// The machine's clock plus what the test added.
#[derive(Debug, Default)]
pub struct HandClock {
    ahead: Mutex<Duration>,
}

impl HandClock {
    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
