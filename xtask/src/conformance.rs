//! `conformance`: the official suite of MCP against the clients of `tests/conformance`.
//!
//! Each scenario runs singly at each revision it applies to, without a list of expected failures, and is judged by the
//! checks it leaves behind: the suite itself passes a client that does nothing, and forgives warnings in its other modes.
//! After that come the requirement sets of each revision, for the official figures.

mod checks;
mod pool;
mod requirements;
mod scenarios;
mod suite;
mod verdict;

use std::time::Instant;

use crate::counts::Counts;
use crate::failure::Failure;
use crate::npm;
use crate::process::minutes;
use crate::ran::{self, Verdict};
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

use requirements::SETS;
use scenarios::{OUT_OF_SCOPE, SCENARIOS, runs};
use suite::Suite;
use verdict::{Outcome, Row};

/// Installs the suite, tests and builds the clients, runs every scenario and says what came of each.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    npm::counterpart(
        FOLDER,
        "pins the official suite and holds its clients",
        workspace,
    )?;
    setup::require_for("conformance", workspace)?;
    let installed = npm::install(FOLDER, workspace)?;
    let call = workspace
        .cargo(&["test", "--locked", "-p", "conformance"])
        .limit(minutes(30));
    let (counts, record) = ran::tests("conformance", &call, &[], workspace)?;
    workspace
        .cargo(&["build", "--locked", "-p", "conformance"])
        .limit(minutes(30))
        .show()?;
    let suite = Suite::of(workspace, FOLDER)?;
    Failure::unless_empty(scenarios::disagreements(
        SCENARIOS,
        OUT_OF_SCOPE,
        &suite.list()?,
    ))?;
    let started = Instant::now();
    let mut rows = pool::each(&runs(), |run| shown(suite.judged(run)));
    for set in SETS {
        rows.push(shown(suite.judged_set(set)));
    }
    let mut notes = left_alone();
    notes.push(format!(
        "{installed}; {} runs in {:.0} s",
        rows.len(),
        started.elapsed().as_secs_f32()
    ));
    let report = conclude(&rows, counts, notes)?;
    record.with(passed(&rows)).write()?;
    Ok(report)
}

/// The scenarios that passed at each revision that they are for.
fn passed(rows: &[Row]) -> impl Iterator<Item = (String, Verdict)> {
    rows.iter().map(|row| {
        let verdict = match row.outcome {
            Outcome::Passed => Verdict::Passed,
            Outcome::Failed(_) => Verdict::Failed,
        };
        (row.name.to_owned(), verdict)
    })
}

/// Prints a row as soon as it is known.
fn shown(row: Row) -> Row {
    println!("{row}");
    row
}

/// What was left alone, and why.
fn left_alone() -> Vec<String> {
    let left = OUT_OF_SCOPE.iter();
    left.map(|(name, reason)| format!("not run: {name}: {reason}"))
        .collect()
}

/// The report, or the failure with the objections to each run; `before` is what ran before them.
fn conclude(rows: &[Row], before: Counts, notes: Vec<String>) -> Result<Report, Failure> {
    let counts = rows.iter().fold(before, |mut sum, row| {
        sum += row.counts();
        sum
    });
    let failures: Vec<String> = rows.iter().filter_map(Row::failure).collect();
    if failures.is_empty() {
        Ok(Report { notes, counts })
    } else {
        Err(Failure::Scenarios { failures, counts })
    }
}

const FOLDER: &str = "tests/conformance";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_without_the_suite_fails_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let failure = run(&Workspace::at(folder.path())).unwrap_err().report();
        for file in ["package-lock.json", "Cargo.toml"] {
            assert!(
                failure.contains(&format!("tests/conformance/{file}")),
                "{failure}"
            );
        }
    }

    #[test]
    fn one_failing_run_fails_the_step_and_all_are_counted() {
        let row = |name: &'static str, outcome| Row::new(name, "2026-07-28", outcome);
        let mut rows = vec![row("one", Outcome::Passed), row("two", Outcome::Passed)];
        let report = conclude(&rows, Counts::default(), Vec::new()).unwrap();
        assert_eq!(report.counts.to_string(), "2 passed, 0 failed, 0 skipped");

        rows.push(row("three", Outcome::Failed(vec!["too late".to_owned()])));
        let failure = conclude(&rows, Counts::default(), Vec::new()).unwrap_err();
        let counts = failure.counts().to_string();
        assert_eq!(counts, "2 passed, 1 failed, 0 skipped");
        let report = failure.report();
        assert!(
            report.contains("three") && report.contains("too late"),
            "{report}"
        );
    }
}
