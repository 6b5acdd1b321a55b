//! Figures as text: always the same for the same number, and never rounded across a limit.

use std::time::Duration;

/// A number with three significant digits, without an exponent; thousands are set apart.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "—".to_owned();
    }
    with_digits(value, decimals(value, SIGNIFICANT))
}

/// A number beside a limit: with more digits where three would make it look like the limit.
#[must_use]
pub fn beside(value: f64, limit: f64) -> String {
    if !value.is_finite() {
        return number(value);
    }
    (decimals(value, SIGNIFICANT)..MOST_DECIMALS)
        .map(|digits| with_digits(value, digits))
        .find(|shown| (parsed(shown) == limit) == (value == limit))
        .unwrap_or_else(|| value.to_string())
}

/// A ratio: two decimals, and more beside a limit.
#[must_use]
pub fn ratio(value: f64) -> String {
    if value.is_finite() {
        with_digits(value, 2)
    } else {
        number(value)
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) const fn lossy(count: u64) -> f64 {
    count as f64
}

/// A count, with thousands set apart.
#[must_use]
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// Seconds as milliseconds, for figures that are compared with each other.
pub fn milliseconds(seconds: f64) -> String {
    format!("{} ms", number(seconds * 1e3))
}

/// A time in the unit that suits it.
#[must_use]
pub fn time(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]
        .into_iter()
        .find(|(unit, _)| seconds >= *unit)
        .map_or_else(
            || format!("{} ns", value.as_nanos()),
            |(unit, name)| format!("{} {name}", number(seconds / unit)),
        )
}

/// A size in bytes, in the unit that suits it.
#[must_use]
pub fn bytes(value: f64) -> String {
    [(f64::from(1 << 20), "MiB"), (f64::from(1 << 10), "KiB")]
        .into_iter()
        .find(|(unit, _)| value >= *unit)
        .map_or_else(
            || format!("{} B", number(value)),
            |(unit, name)| format!("{} {name}", number(value / unit)),
        )
}

fn decimals(value: f64, significant: usize) -> usize {
    let mut decimals = significant.saturating_sub(1);
    let mut magnitude = value.abs();
    while magnitude >= 10.0 && decimals > 0 {
        magnitude /= 10.0;
        decimals -= 1;
    }
    while magnitude > 0.0 && magnitude < 1.0 && decimals < MOST_DECIMALS {
        magnitude *= 10.0;
        decimals += 1;
    }
    decimals
}

fn with_digits(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(&text),
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn parsed(shown: &str) -> f64 {
    shown.replace(',', "").parse().unwrap_or(f64::NAN)
}

const SIGNIFICANT: usize = 3;
const MOST_DECIMALS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits_and_thousands_set_apart() {
        for (value, shown) in [
            (0.0, "0.00"),
            (0.012_34, "0.0123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1_234.4, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (f64::NAN, "—"),
        ] {
            assert_eq!(number(value), shown, "{value}");
        }
    }

    #[test]
    fn a_number_beyond_a_limit_never_reads_as_the_limit() {
        for (value, limit, shown) in [
            (1.5, 2.0, "1.50"),
            (2.0, 2.0, "2.00"),
            (2.000_4, 2.0, "2.0004"),
            (0.999_9, 1.0, "0.9999"),
            (12_288_001.0, 12_288_000.0, "12,288,001"),
        ] {
            assert_eq!(beside(value, limit), shown, "{value}");
        }
    }

    #[test]
    fn times_and_sizes_take_the_unit_that_suits_them() {
        for (nanoseconds, shown) in [
            (12, "12 ns"),
            (1_500, "1.50 µs"),
            (12_345_678, "12.3 ms"),
            (2_500_000_000, "2.50 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), shown);
        }
        for (size, shown) in [
            (12.0, "12.0 B"),
            (8192.0, "8.00 KiB"),
            (12_582_912.0, "12.0 MiB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(ratio(0.404), "0.40");
    }
}
