//! `interop`: the program, as a person runs it, against servers that are not ours.
//!
//! `tests/interop` holds the servers (npm packages, pinned by a lock) and a package whose tests start them and drive the
//! program, which they find in the folder of their own profile.

use crate::failure::Failure;
use crate::npm;
use crate::process::minutes;
use crate::ran;
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

/// Installs the servers, builds the program and runs the tests that bring them together.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    npm::counterpart(
        FOLDER,
        "holds the third-party servers and their driver",
        workspace,
    )?;
    setup::require_for("interop", workspace)?;
    let installed = npm::install(FOLDER, workspace)?;
    workspace
        .cargo(&["build", "--locked", "-p", "doorkey"])
        .limit(minutes(30))
        .show()?;
    let call = workspace
        .cargo(&["test", "--locked", "-p", "interop"])
        .limit(minutes(30));
    let (counts, record) = ran::tests("interop", &call, &["--nocapture"], workspace)?;
    record.write()?;
    Ok(Report {
        notes: vec![installed.to_owned()],
        counts,
    })
}

const FOLDER: &str = "tests/interop";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_without_the_servers_fails_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let failure = run(&Workspace::at(folder.path())).unwrap_err().report();
        assert!(
            failure.contains("tests/interop/package-lock.json"),
            "{failure}"
        );
        assert!(failure.contains("tests/interop/Cargo.toml"), "{failure}");
    }
}
