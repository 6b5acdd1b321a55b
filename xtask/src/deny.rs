//! `deny`: banned crates, licences and sources, by a cargo-deny of one pinned version.
//!
//! It lives in the target directory, so that nothing is installed into the home of whoever runs this. Advisories are
//! left out: see `deny.toml`.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::step::Report;
use crate::workspace::Workspace;

/// Installs cargo-deny if its pinned version is not there, and runs it without the network.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let root = workspace.members()?.target_directory.join("tools");
    let program = root
        .join("bin")
        .join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    if !is_pinned(&said_version(program.as_std_path(), workspace)) {
        workspace
            .cargo(&[
                "install",
                "--locked",
                "cargo-deny",
                "--version",
                VERSION,
                "--force",
            ])
            .args(["--root", root.as_str()])
            .limit(minutes(30))
            .show()?;
    }
    workspace
        .cargo(&["fetch", "--locked"])
        .limit(minutes(10))
        .show()?;
    Call::new(&program, workspace.root())
        .args(CHECK)
        .limit(minutes(5))
        .show()?;
    Ok(Report::note(
        "bans, licences and sources hold; advisories are not checked",
    ))
}

fn said_version(program: &Path, workspace: &Workspace) -> String {
    let call = Call::new(program, workspace.root()).args(["--version"]);
    // Not there, or broken: it is installed anew.
    call.capture().unwrap_or_default()
}

/// Whether `cargo-deny --version` says the pinned one.
fn is_pinned(said: &str) -> bool {
    said.trim().strip_prefix("cargo-deny ") == Some(VERSION)
}

const VERSION: &str = "0.20.2";
const CHECK: &[&str] = &["--offline", "check", "bans", "licenses", "sources"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(is_pinned("cargo-deny 0.20.2\n"));
        for said in ["", "cargo-deny 0.20.20", "cargo-deny 0.19.0", "0.20.2"] {
            assert!(!is_pinned(said), "{said}");
        }
    }
}
