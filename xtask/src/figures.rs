//! `figures` and `instructions`: what can be counted exactly is on record in `benches/figures.toml`, and a change of it
//! is a change that somebody meant.
//!
//! Times depend on the machine and on who else is busy there; `cargo xtask bench` measures those and judges nothing in
//! `ci`. These figures are the same on every machine: crates, bytes, requests, allocations, and instructions within what
//! compilers differ. A figure that got better fails as well, so that what was won is on record and cannot be lost again.

mod judge;
mod kind;
mod measure;
mod record;

use crate::failure::Failure;
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

use kind::Kind;
use record::Record;

/// Counts crates, bytes, requests and allocations, and compares them with those on record. What takes seconds is
/// compared before anything is built for the rest.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let mut notes = Vec::new();
    for kinds in [&CHEAP[..], &COUNTED[..]] {
        notes.extend(compared(kinds, workspace)?);
    }
    Ok(Report {
        notes,
        ..Report::default()
    })
}

/// Counts instructions, which takes valgrind, and compares them with those on record.
pub(crate) fn instructions(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for(Kind::Instructions.step(), workspace)?;
    let notes = compared(&[Kind::Instructions], workspace)?;
    Ok(Report {
        notes,
        ..Report::default()
    })
}

/// Writes what [`run`] compares.
pub(crate) fn update(workspace: &Workspace) -> Result<Report, Failure> {
    let kinds: Vec<Kind> = CHEAP.iter().chain(&COUNTED).copied().collect();
    written(&kinds, workspace)
}

/// Writes what [`instructions`] compares.
pub(crate) fn update_instructions(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for(Kind::Instructions.step(), workspace)?;
    written(&[Kind::Instructions], workspace)
}

fn compared(kinds: &[Kind], workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let record = Record::read(workspace)?;
    let (mut broken, mut notes) = (Vec::new(), Vec::new());
    for &kind in kinds {
        let Some(is) = measure::measured(kind, workspace)? else {
            notes.push(format!("{kind}: {}", kind.elsewhere()));
            continue;
        };
        notes.push(format!("{kind}: {} as on record", is.len()));
        broken.extend(judge::compare(kind, record.figures(kind), &is));
    }
    Failure::unless_empty(broken)?;
    Ok(notes)
}

fn written(kinds: &[Kind], workspace: &Workspace) -> Result<Report, Failure> {
    let mut record = Record::read(workspace)?;
    let mut notes = Vec::new();
    for &kind in kinds {
        let Some(is) = measure::measured(kind, workspace)? else {
            notes.push(format!("{kind}: {}", kind.elsewhere()));
            continue;
        };
        let changes = judge::changes(record.figures(kind), &is);
        notes.push(format!("{kind}: {} figures", is.len()));
        notes.extend(changes.iter().map(|change| format!("  {change}")));
        record.put(kind, &is);
    }
    record.write(workspace)?;
    Ok(Report {
        notes,
        ..Report::default()
    })
}

const CHEAP: [Kind; 2] = [Kind::Crates, Kind::Program];
const COUNTED: [Kind; 2] = [Kind::Requests, Kind::Allocations];

#[cfg(test)]
mod tests;
