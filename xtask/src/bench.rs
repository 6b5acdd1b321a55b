//! `bench`: builds the program as it is released and the benches as hosts build the libraries, and lets the benches run.
//!
//! They are built by two calls of Cargo, so that the features that the benches turn on for rivals are in no part of the
//! program that is measured.

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::workspace::Workspace;

/// Measures; `words` are handed on to the benches: `--quick`, the names of sections.
pub(crate) fn run(words: &[String], workspace: &Workspace) -> Result<(), Failure> {
    for (package, profile) in BUILT {
        let flags = [
            "build",
            "--locked",
            "--bins",
            "--package",
            package,
            "--profile",
            profile,
        ];
        workspace.cargo(&flags).limit(minutes(60)).show()?;
    }
    let target = workspace.members()?.target_directory;
    let bench = format!("bench{}", std::env::consts::EXE_SUFFIX);
    let bench = target.join(MEASURED).join(bench);
    Call::new(bench.as_std_path(), workspace.root())
        .args(["--root", "."])
        .args(words)
        .limit(minutes(30))
        .show()
}

/// The profile of what is measured in the place of a host.
const MEASURED: &str = "measured";

/// What is built, and by which profile.
const BUILT: [(&str, &str); 2] = [("doorkey", "release"), ("benches", MEASURED)];
