//! What came of one run, as a row of the table.

use std::fmt;
use std::time::Duration;

use super::checks::Tally;
use crate::counts::Counts;

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    version: &'static str,
    tally: Option<Tally>,
    took: Duration,
    pub(super) outcome: Outcome,
}

/// The judgement of one run.
#[derive(Debug)]
pub(super) enum Outcome {
    Passed,
    /// What speaks against it.
    Failed(Vec<String>),
    /// It failed as was expected, for this reason.
    NotYet(&'static str),
    /// It passed although it was expected to fail.
    Stale,
}

impl Outcome {
    /// The outcome of a run with these objections, which may be one that cannot pass yet.
    pub(super) fn of(objections: Vec<String>, not_yet: Option<&'static str>) -> Self {
        match (objections.is_empty(), not_yet) {
            (true, None) => Self::Passed,
            (true, Some(_)) => Self::Stale,
            (false, None) => Self::Failed(objections),
            (false, Some(reason)) => Self::NotYet(reason),
        }
    }
}

impl Row {
    pub(super) fn new(name: &'static str, version: &'static str, outcome: Outcome) -> Self {
        Self {
            name,
            version,
            tally: None,
            took: Duration::ZERO,
            outcome,
        }
    }

    pub(super) fn with_tally(mut self, tally: Option<Tally>) -> Self {
        self.tally = tally;
        self
    }

    pub(super) fn took(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self.outcome {
            Outcome::Passed => counts.passed = 1,
            Outcome::Failed(_) | Outcome::Stale => counts.failed = 1,
            Outcome::NotYet(_) => counts.skipped = 1,
        }
        counts
    }

    /// What to read when the run failed.
    pub(super) fn failure(&self) -> Option<String> {
        let objections = match &self.outcome {
            Outcome::Passed | Outcome::NotYet(_) => return None,
            Outcome::Stale => {
                "passes, and is listed as one that cannot yet: take it off the list".to_owned()
            }
            Outcome::Failed(objections) => objections.join("\n      "),
        };
        Some(format!(
            "{} at {}:\n      {objections}",
            self.name, self.version
        ))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed(_) => "FAILED",
            Outcome::NotYet(_) => "not yet",
            Outcome::Stale => "FAILED (no longer `not yet`)",
        };
        let tally = self.tally.map(|tally| tally.to_string());
        write!(
            f,
            "{:<42} {}  {:<31} {:>5.1} s  {word}",
            self.name,
            self.version,
            tally.unwrap_or_default(),
            self.took.as_secs_f32()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(objections: &[&str], not_yet: Option<&'static str>) -> Row {
        let objections = objections.iter().map(|text| (*text).to_owned()).collect();
        Row::new("auth/dpop", "2026-07-28", Outcome::of(objections, not_yet))
    }

    #[test]
    fn what_cannot_pass_yet_is_skipped_while_it_fails_and_fails_once_it_passes() {
        let cases = [
            (row(&[], None), "1 passed, 0 failed, 0 skipped", None),
            (
                row(&["no proof"], None),
                "0 passed, 1 failed, 0 skipped",
                Some("no proof"),
            ),
            (
                row(&["no proof"], Some("no key")),
                "0 passed, 0 failed, 1 skipped",
                None,
            ),
            (
                row(&[], Some("no key")),
                "0 passed, 1 failed, 0 skipped",
                Some("take it off the list"),
            ),
        ];
        for (row, counts, failure) in cases {
            assert_eq!(row.counts().to_string(), counts);
            match (row.failure(), failure) {
                (Some(said), Some(expected)) => {
                    assert!(said.contains(expected), "{said}");
                    assert!(said.starts_with("auth/dpop at 2026-07-28"), "{said}");
                }
                (said, expected) => assert_eq!(said.as_deref(), expected),
            }
        }
    }
}
