//! Whether what the page names ran, and whether it names enough.

use std::collections::{BTreeMap, BTreeSet};

use super::broken;
use super::page::{Level, Page, Proof, Row};
use crate::failure::Violation;
use crate::ran::{Record, Verdict};

/// What is known of the tests.
#[derive(Debug)]
pub(super) struct Evidence {
    /// What each step ran; a step that was left out has no record.
    pub(super) records: BTreeMap<&'static str, Option<Record>>,
    /// The name of every function in the sources: it tells a test that did not run from one that does not exist.
    pub(super) functions: BTreeSet<String>,
}

/// Judges every row.
pub(super) fn check(page: &Page, evidence: &Evidence) -> Vec<Violation> {
    let mut violations = twice(page);
    for row in page.all() {
        if row.level == Level::Must && !row.is_tested() {
            let instead = "write a test and name it in the row";
            violations.push(broken(&row.id, "has to hold and names no test", instead));
        }
        let problems = row
            .proofs
            .iter()
            .filter_map(|proof| objection(proof, evidence));
        violations.extend(problems.map(|(problem, instead)| broken(&row.id, problem, instead)));
        violations.extend(repeated(row));
    }
    violations
}

fn twice(page: &Page) -> Vec<Violation> {
    let mut seen = BTreeSet::new();
    page.all()
        .filter(|row| !seen.insert(&row.id))
        .map(|row| broken(&row.id, "stands in two rows", "keep one"))
        .collect()
}

fn repeated(row: &Row) -> Vec<Violation> {
    let mut seen = BTreeSet::new();
    row.proofs
        .iter()
        .filter(|proof| !seen.insert(proof.name()))
        .map(|proof| {
            broken(
                &row.id,
                format!("names `{}` twice", proof.name()),
                "keep one",
            )
        })
        .collect()
}

/// What speaks against a proof, and what to do about it.
fn objection(proof: &Proof, evidence: &Evidence) -> Option<(String, &'static str)> {
    let name = proof.name();
    let record = match evidence.records.get(proof.step()) {
        Some(Some(record)) => record,
        // The step was left out of this run.
        Some(None) => return None,
        None => return Some((format!("`{name}` is run by no step"), "name another")),
    };
    match (record.verdict(name), proof) {
        (Some(Verdict::Passed), _) => None,
        (Some(Verdict::Failed), _) => Some((format!("`{name}` failed"), "make it pass")),
        (Some(Verdict::Ignored), _) => {
            Some((format!("`{name}` is ignored"), "run it, or name another"))
        }
        (None, Proof::Scenario(_)) => {
            let instead = "name one of xtask/src/conformance/scenarios/table.rs";
            Some((format!("there is no scenario `{name}`"), instead))
        }
        (None, Proof::Test(_)) => Some(absent(name, record, evidence)),
    }
}

fn absent(name: &str, record: &Record, evidence: &Evidence) -> (String, &'static str) {
    let function = name.rsplit("::").next().unwrap_or(name);
    if let Some(moved) = record.named(function) {
        let problem = format!("`{name}` did not run, and `{moved}` did");
        (problem, "correct its path")
    } else if evidence.functions.contains(function) {
        let instead = "let it run on this system as well, or name another";
        (format!("`{name}` did not run"), instead)
    } else {
        (format!("there is no test `{name}`"), "correct the name")
    }
}
