//! How many tests passed, failed and were skipped, read from the test runner's own closing lines.

use std::fmt;
use std::ops::AddAssign;

/// A sum over test binaries.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Tests marked `#[ignore]`, and in `ci` each step that did not run.
    pub(crate) skipped: u64,
}

impl Counts {
    /// Whether nothing was counted at all.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`. A test that printed without a line break before it
    /// leaves its text in front.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let (_, result) = line.split_once("test result: ")?;
        let (_, numbers) = result.split_once(". ")?;
        let mut counts = Self::default();
        for part in numbers.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let target = match what {
                "passed" => &mut counts.passed,
                "failed" => &mut counts.failed,
                "ignored" => &mut counts.skipped,
                _ => continue,
            };
            *target = number.parse().ok()?;
        }
        Some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_the_runner_are_read_and_others_are_not() {
        let counts = |passed, failed, skipped| {
            Some(Counts {
                passed,
                failed,
                skipped,
            })
        };
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.02s",
                counts(12, 0, 3),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured",
                counts(1, 2, 0),
            ),
            (
                "leftovertest result: ok. 1 passed; 0 failed; 0 ignored",
                counts(1, 0, 0),
            ),
            ("test it_says_3_passed ... ok", None),
            ("running 3 tests", None),
            ("test result: ok", None),
        ];
        for (line, expected) in cases {
            assert_eq!(Counts::of_line(line), expected, "{line}");
        }
    }

    #[test]
    fn sums_print_as_the_closing_line() {
        let mut sum = Counts {
            passed: 2,
            failed: 0,
            skipped: 1,
        };
        sum += Counts {
            passed: 40,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(sum.to_string(), "42 passed, 1 failed, 1 skipped");
    }
}
