//! `test`: the unit, doc and own integration tests of every crate.
//!
//! The packages under `tests/` have steps of their own. All features are on, as they are for `lint`: build scripts and
//! procedural macros are then built once for both.

use cargo_metadata::Metadata;

use crate::failure::Failure;
use crate::process::minutes;
use crate::step::Report;
use crate::workspace::Workspace;

/// Tests every member outside `tests/`.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let members = workspace.members()?;
    let mut call = workspace
        .cargo(&[
            "test",
            "--locked",
            "--workspace",
            "--all-features",
            "--no-fail-fast",
        ])
        .limit(minutes(40));
    for package in packages_under_tests(&members) {
        call = call.args(["--exclude", package]);
    }
    Ok(Report {
        notes: Vec::new(),
        counts: call.show_tests()?,
    })
}

/// The names of the members that live under `tests/`.
pub(crate) fn packages_under_tests(members: &Metadata) -> Vec<&str> {
    let folder = members.workspace_root.join("tests");
    members
        .workspace_packages()
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&folder))
        .map(|package| package.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn packages_with_steps_of_their_own_are_told_from_the_crates() {
        let fixture = Fixture::good();
        let members = fixture.workspace().members().unwrap();
        assert_eq!(packages_under_tests(&members), ["integration", "parity"]);
    }
}
