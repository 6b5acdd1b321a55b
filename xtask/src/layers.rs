//! `layers`: which crate may lean on which, and who alone may name a dependency.

mod arrows;
mod fences;
mod source;
mod terms;

use cargo_metadata::Metadata;

use crate::failure::{Failure, Violation};
use crate::step::Report;
use crate::workspace::{Workspace, members_under};

/// Checks the arrows, the fences and the sources.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let members = workspace.members()?;
    let crates = members_under("crates", &members);
    let mut broken = check(&members);
    let files = workspace.files()?;
    for package in crates.iter().filter(|package| is_below_host(&package.name)) {
        broken.extend(source::check(package, workspace, &files)?);
    }
    Failure::unless_empty(broken)?;
    Ok(Report::note(format!(
        "{} crates keep to their arrows and fences",
        crates.len()
    )))
}

/// What the manifests alone show. What lives outside `crates/` tests or checks these and may use everything.
fn check(members: &Metadata) -> Vec<Violation> {
    let crates = members_under("crates", members);
    let mut broken = arrows::check(&crates);
    broken.extend(fences::check(&crates));
    broken.extend(terms::check(&crates));
    broken
}

fn is_below_host(name: &str) -> bool {
    name != HOST
}

const HOST: &str = "doorkey";

#[cfg(test)]
mod tests;
