//! `ci`: every step in order, each with its time.
//!
//! The first failure stops what is expensive; the cheap steps all run, so that one look shows all that they found.

use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::failure::Failure;
use crate::step::{Report, Step};
use crate::workspace::Workspace;

/// Runs the steps, prints the summary and answers whether all passed. The last line is the counts.
pub(crate) fn run(steps: &[Step], without: &[&'static str], workspace: &Workspace) -> bool {
    let workspace = workspace.without(without);
    let mut rows = Vec::new();
    for step in steps {
        rows.push(next(step, &rows, &workspace));
    }
    print!("{}", summary(&rows));
    !rows.iter().any(Row::is_failure)
}

/// What became of a step.
#[derive(Debug)]
struct Row {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Passed(Report),
    Failed(Failure),
    LeftOut,
    NotReached,
}

impl Row {
    fn new(step: &Step, took: Duration, outcome: Outcome) -> Self {
        Self {
            name: step.name,
            took,
            outcome,
        }
    }

    fn is_failure(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }

    /// What the row adds to the closing line. A step that fails otherwise than by a test is one failure; a step that
    /// does not run is one skipped.
    fn counts(&self) -> Counts {
        match &self.outcome {
            Outcome::Passed(report) => report.counts,
            Outcome::Failed(failure) => {
                let counts = failure.counts();
                Counts {
                    failed: counts.failed.max(1),
                    ..counts
                }
            }
            Outcome::LeftOut | Outcome::NotReached => Counts {
                skipped: 1,
                ..Counts::default()
            },
        }
    }

    fn result(&self) -> String {
        match &self.outcome {
            Outcome::Passed(report) if report.counts.is_empty() => "ok".to_owned(),
            Outcome::Passed(_) => format!("ok      {}", self.counts()),
            Outcome::Failed(failure) if failure.counts().is_empty() => "FAILED".to_owned(),
            Outcome::Failed(_) => format!("FAILED  {}", self.counts()),
            Outcome::LeftOut => "skipped (--without)".to_owned(),
            Outcome::NotReached => "skipped (an earlier step failed)".to_owned(),
        }
    }
}

/// What becomes of a step after those before it.
fn next(step: &Step, before: &[Row], workspace: &Workspace) -> Row {
    if workspace.leaves_out(step.name) {
        Row::new(step, Duration::ZERO, Outcome::LeftOut)
    } else if !step.cheap && before.iter().any(Row::is_failure) {
        Row::new(step, Duration::ZERO, Outcome::NotReached)
    } else {
        timed(step, workspace)
    }
}

fn timed(step: &Step, workspace: &Workspace) -> Row {
    println!("\n=== {} ({})", step.name, step.about);
    let started = Instant::now();
    let outcome = match (step.run)(workspace) {
        Ok(report) => Outcome::Passed(report),
        Err(failure) => Outcome::Failed(failure),
    };
    let took = started.elapsed();
    match &outcome {
        Outcome::Passed(report) => report.notes.iter().for_each(|note| println!("{note}")),
        Outcome::Failed(failure) => println!("{}", failure.report()),
        Outcome::LeftOut | Outcome::NotReached => {}
    }
    let row = Row::new(step, took, outcome);
    println!("=== {}: {} in {}", step.name, row.result(), seconds(took));
    row
}

/// The table of the steps, how to see the first failure again, and the counts on a line of their own.
fn summary(rows: &[Row]) -> String {
    let mut text = String::from("\n");
    let mut sum = Counts::default();
    for row in rows {
        text.push_str(&format!(
            "{:<12} {:>9}  {}\n",
            row.name,
            seconds(row.took),
            row.result()
        ));
        sum += row.counts();
    }
    let total = rows.iter().map(|row| row.took).sum();
    text.push_str(&format!("{:<12} {:>9}\n\n", "total", seconds(total)));
    let first = rows.iter().find_map(|row| match &row.outcome {
        Outcome::Failed(failure) => Some((row.name, failure.command())),
        _ => None,
    });
    match first {
        Some((name, Some(command))) => {
            text.push_str(&format!(
                "reproduce: cargo xtask {name}\n      that is: {command}\n"
            ));
        }
        Some((name, None)) => text.push_str(&format!("reproduce: cargo xtask {name}\n")),
        None => {}
    }
    text.push_str(&format!("{sum}\n"));
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Violation;

    fn passes(_: &Workspace) -> Result<Report, Failure> {
        Ok(Report::note("fine"))
    }

    fn tests_pass(_: &Workspace) -> Result<Report, Failure> {
        Ok(Report {
            notes: Vec::new(),
            counts: Counts {
                passed: 7,
                failed: 0,
                skipped: 2,
            },
        })
    }

    fn breaks_a_rule(_: &Workspace) -> Result<Report, Failure> {
        Err(Failure::Broken(vec![Violation::new(
            "law 1",
            "doorkey-http",
            "is odd",
            "be even",
        )]))
    }

    fn tests_fail(workspace: &Workspace) -> Result<Report, Failure> {
        let script = "echo 'test result: FAILED. 3 passed; 2 failed; 0 ignored'; exit 1";
        let call = crate::process::Call::new("sh", workspace.root()).args(["-c", script]);
        call.show_tests(&mut |_| {}).map(|counts| Report {
            notes: Vec::new(),
            counts,
        })
    }

    fn step(
        name: &'static str,
        cheap: bool,
        run: fn(&Workspace) -> Result<Report, Failure>,
    ) -> Step {
        Step {
            name,
            about: "a step",
            cheap,
            run,
        }
    }

    fn rows(steps: &[Step], without: &[&'static str]) -> Vec<Row> {
        let workspace = Workspace::at(".").without(without);
        let mut rows: Vec<Row> = Vec::new();
        for step in steps {
            rows.push(next(step, &rows, &workspace));
        }
        rows
    }

    #[test]
    fn the_last_line_is_the_counts_alone() {
        let text = summary(&rows(
            &[step("one", true, passes), step("two", false, tests_pass)],
            &[],
        ));
        assert_eq!(text.lines().last(), Some("7 passed, 0 failed, 2 skipped"));
        assert!(!text.contains("reproduce"));
    }

    #[test]
    fn after_a_failure_cheap_steps_run_and_expensive_ones_do_not() {
        let steps = [
            step("one", true, breaks_a_rule),
            step("two", true, passes),
            step("three", false, tests_pass),
        ];
        let rows = rows(&steps, &[]);
        assert!(matches!(rows[1].outcome, Outcome::Passed(_)));
        assert!(matches!(rows[2].outcome, Outcome::NotReached));
        let text = summary(&rows);
        assert!(
            text.ends_with("reproduce: cargo xtask one\n0 passed, 1 failed, 1 skipped\n"),
            "{text}"
        );
    }

    #[test]
    fn the_first_failing_command_is_printed_before_the_counts() {
        let steps = [
            step("one", false, tests_fail),
            step("two", true, breaks_a_rule),
        ];
        let text = summary(&rows(&steps, &[]));
        let last: Vec<_> = text.lines().rev().take(3).collect();
        assert_eq!(last[0], "3 passed, 3 failed, 0 skipped");
        assert!(last[1].contains("that is: sh -c "), "{text}");
        assert_eq!(last[2], "reproduce: cargo xtask one");
    }

    #[test]
    fn a_step_left_out_does_not_run_and_counts_as_skipped() {
        let steps = [
            step("one", false, breaks_a_rule),
            step("two", false, tests_pass),
        ];
        let rows = rows(&steps, &["one"]);
        assert!(matches!(rows[0].outcome, Outcome::LeftOut));
        assert!(summary(&rows).ends_with("7 passed, 0 failed, 3 skipped\n"));
        assert!(run(&steps, &["one"], &Workspace::at(".")));
        assert!(!run(&steps, &[], &Workspace::at(".")));
    }
}
