//! Times as people say them: how long until something, or since; and as programs read them.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as RFC 3339; `None` for one before 1970 or beyond what a calendar holds.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let time = OffsetDateTime::UNIX_EPOCH.checked_add(since.try_into().ok()?)?;
    time.format(&Rfc3339).ok()
}

/// `in 42 min`, `5 h ago`; a quantity is rounded down, so that nothing lasts longer than is said.
pub(crate) fn in_words(seconds: i64) -> String {
    let quantity = seconds.unsigned_abs();
    let (count, unit) = match quantity {
        0..MINUTE => (quantity, "s"),
        MINUTE..HOUR => (quantity / MINUTE, "min"),
        HOUR..TWO_DAYS => (quantity / HOUR, "h"),
        _ => (quantity / DAY, "days"),
    };
    match seconds {
        0.. => format!("in {count} {unit}"),
        _ => format!("{count} {unit} ago"),
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const TWO_DAYS: u64 = 2 * DAY;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_beyond_the_calendar_is_none_and_no_panic() {
        let at = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let at = |seconds| at(seconds).expect("a time");
        assert_eq!(rfc3339(at(60)).as_deref(), Some("1970-01-01T00:01:00Z"));
        assert_eq!(rfc3339(at(1 << 40)), None);
    }

    #[test]
    fn a_time_is_told_in_the_unit_that_fits_and_never_too_long() {
        for (seconds, words) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (42 * 60 + 59, "in 42 min"),
            (2 * 3600 - 1, "in 1 h"),
            (47 * 3600, "in 47 h"),
            (365 * 86400, "in 365 days"),
            (-61, "1 min ago"),
            (i64::MIN, "106751991167300 days ago"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
