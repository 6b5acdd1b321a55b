//! `requirements`: every rule that has to hold names its tests, and so do every promise and every symptom, and they ran.
//!
//! `docs/requirements.md` has one row a rule, `SECURITY.md` one a promise, `docs/troubleshooting.md` one for what people meet,
//! `docs/quirks.md` one for what many servers do and needs no rule about them. The steps that run tests leave a record of them; here both are compared.

mod customs;
mod judge;
mod names;
mod page;
mod promises;
mod symptoms;

use std::collections::BTreeMap;

use crate::failure::{Failure, Violation};
use crate::ran::{self, Record};
use crate::step::Report;
use crate::workspace::Workspace;

use judge::Evidence;
use page::{Level, Page, Row};

/// Compares the page with the records of this run, or of the last runs of each step.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let (mut page, mut broken) = page::read(&workspace.read(PAGE)?);
    let (promises, unread) = promises::read(&workspace.read(promises::PAGE)?);
    page.promises = promises;
    broken.extend(unread);
    let (symptoms, unread) = symptoms::read(&workspace.read(symptoms::PAGE)?);
    page.symptoms = symptoms;
    broken.extend(unread);
    let (customs, unread) = customs::read(&workspace.read(customs::PAGE)?);
    page.customs = customs;
    broken.extend(unread);
    let sources = names::sources(workspace)?;
    broken.extend(names::unknown_ids(&sources, &page));
    let evidence = Evidence {
        records: records(&page, workspace)?,
        functions: names::functions(&sources),
    };
    broken.extend(judge::check(&page, &evidence));
    Failure::unless_empty(broken)?;
    Ok(Report {
        notes: notes(&page, &evidence),
        ..Report::default()
    })
}

/// The record of each step that the page names a test of, `None` where this run leaves the step out.
fn records(
    page: &Page,
    workspace: &Workspace,
) -> Result<BTreeMap<&'static str, Option<Record>>, Failure> {
    let mut records = BTreeMap::new();
    for step in ran::STEPS.iter().map(|step| step.name) {
        if page.proofs().any(|proof| proof.step() == step) {
            let record = if workspace.leaves_out(step) {
                None
            } else {
                Some(Record::read(step, workspace)?)
            };
            records.insert(step, record);
        }
    }
    Ok(records)
}

fn notes(page: &Page, evidence: &Evidence) -> Vec<String> {
    let rows = |level| page.rows.iter().filter(move |row| row.level == level);
    let mut notes = vec![format!(
        "{} MUST, {} SHOULD, {} MAY, {} decisions, {} promises, {} symptoms, {} customs; {} tests and scenarios are named",
        rows(Level::Must).count(),
        rows(Level::Should).count(),
        rows(Level::May).count(),
        rows(Level::Decision).count(),
        page.promises.len(),
        page.symptoms.len(),
        page.customs.len(),
        page.proofs().count(),
    )];
    let untested = |row: &&Row| matches!(row.level, Level::Should | Level::May) && !row.is_tested();
    let untested: Vec<_> = page
        .rows
        .iter()
        .filter(untested)
        .map(|row| row.id.as_str())
        .collect();
    if !untested.is_empty() {
        notes.push(format!("without a test: {}", untested.join(", ")));
    }
    for (step, record) in &evidence.records {
        notes.push(match record {
            Some(record) => format!("{step}: {} ran", record.len()),
            None => format!("{step} is left out: what it would run was not looked for"),
        });
    }
    notes
}

fn broken(subject: impl Into<String>, problem: impl Into<String>, instead: &str) -> Violation {
    Violation::new(LAW, subject, problem, instead)
}

const PAGE: &str = "docs/requirements.md";

const LAW: &str = "every rule that has to hold has tests, and they ran";

#[cfg(test)]
mod tests;
