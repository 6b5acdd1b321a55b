//! Times as programs read them (RFC 3339).

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time; `None` for one before 1970 or beyond what a calendar holds: what servers and files name may be either.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let time = OffsetDateTime::UNIX_EPOCH.checked_add(since.try_into().ok()?)?;
    time.format(&Rfc3339).ok()
}

/// The same of seconds since 1970.
pub(crate) fn rfc3339_of(seconds: u64) -> Option<String> {
    rfc3339(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_none_beyond_the_calendar_is_a_panic() {
        assert_eq!(rfc3339_of(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rfc3339_of(1 << 40), None);
        assert_eq!(rfc3339_of(u64::MAX), None);
    }
}
