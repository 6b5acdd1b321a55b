//! Whether a refresh may be sent now: the waits that a server asked for, and the brake.

use std::time::{Duration, SystemTime};

use doorkey_store::Grant;

use super::brake;
use super::inner::Inner;
use crate::clock::unix_seconds;
use crate::error::{Attempts, Error};

/// What says to wait, if anything does: a failure of this process, a server that asked any process to,
/// or the brake.
pub(super) fn hindrance(inner: &Inner, grant: &Grant) -> Option<Error> {
    if let Some(error) = inner.backed_off() {
        return Some(error);
    }
    let now = unix_seconds(inner.clock.now());
    if let Some(left) = asked_wait(grant, now) {
        return Some(Error::RefreshDelayed {
            retry_after: Duration::from_secs(left),
        });
    }
    let limit = inner.config.refreshes_per_minute;
    let times = &grant.recent_refreshes;
    let brake = &inner.refresh_brake;
    brake.check(Attempts::Refreshes, limit, times, now).err()
}

/// How much is left of the wait that the server asked for. A clock that was set back since then, or a
/// wait longer than any that is obeyed, counts for nothing.
fn asked_wait(grant: &Grant, now: u64) -> Option<u64> {
    let left = grant.refresh_not_before?.checked_sub(now)?;
    let began = grant.recent_refreshes.last().copied().unwrap_or_default();
    (left > 0 && left <= LONGEST_ASKED.as_secs() && began <= now).then_some(left)
}

/// Notes in the grant that a refresh is sent.
pub(super) fn note(inner: &Inner, grant: &mut Grant) {
    let now = unix_seconds(inner.clock.now());
    brake::note(
        &mut grant.recent_refreshes,
        inner.config.refreshes_per_minute,
        now,
    );
}

/// Notes here that a refresh is sent, whatever becomes of the record.
pub(super) fn note_sent(inner: &Inner) {
    let now = unix_seconds(inner.clock.now());
    inner
        .refresh_brake
        .note(inner.config.refreshes_per_minute, now);
}

/// Until when the server asked every process to wait.
pub(super) fn not_before(error: &Error, now: SystemTime) -> Option<u64> {
    let asked = error.retry_after()?.min(LONGEST_ASKED);
    (!asked.is_zero()).then(|| unix_seconds(now) + asked.as_secs().max(1))
}

/// Longer waits are cut, in memory and on record.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
