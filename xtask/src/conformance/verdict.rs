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
}

impl Outcome {
    /// The outcome of a run with these objections.
    pub(super) fn of(objections: Vec<String>) -> Self {
        match objections.is_empty() {
            true => Self::Passed,
            false => Self::Failed(objections),
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
            Outcome::Failed(_) => counts.failed = 1,
        }
        counts
    }

    /// What to read when the run failed.
    pub(super) fn failure(&self) -> Option<String> {
        let Outcome::Failed(objections) = &self.outcome else {
            return None;
        };
        let objections = objections.join("\n      ");
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

    #[test]
    fn a_run_without_an_objection_passes_and_any_other_fails_with_all_of_them() {
        let row = |objections: &[&str]| {
            let objections = objections.iter().map(|text| (*text).to_owned()).collect();
            Row::new("auth/dpop", "2026-07-28", Outcome::of(objections))
        };
        let passed = row(&[]);
        assert_eq!(passed.counts().to_string(), "1 passed, 0 failed, 0 skipped");
        assert_eq!(passed.failure(), None);

        let failed = row(&["no proof", "too late"]);
        assert_eq!(failed.counts().to_string(), "0 passed, 1 failed, 0 skipped");
        let said = failed.failure().unwrap();
        assert!(said.starts_with("auth/dpop at 2026-07-28"), "{said}");
        assert!(
            said.contains("no proof") && said.contains("too late"),
            "{said}"
        );
    }
}
