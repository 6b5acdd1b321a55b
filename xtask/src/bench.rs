//! `bench`: builds the program as it is released and the benches as hosts build the libraries, and lets the benches run.
//!
//! They are built by two calls of Cargo, so that the features that the benches turn on for rivals are in no part of the
//! program that is measured.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::workspace::Workspace;

/// Measures; `words` are handed on to the benches: `--quick`, the names of sections.
pub(crate) fn run(words: &[String], workspace: &Workspace) -> Result<(), Failure> {
    workspace.cargo(&WITH_SYMBOLS).limit(minutes(60)).show()?;
    let target = workspace.members()?.target_directory.into_std_path_buf();
    let program = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let released = target.join("release").join(program("doorkey"));
    let measured = target.join(MEASURED);
    copy(&released, &measured.join(program("doorkey-with-symbols")))?;
    build(PROGRAM, workspace).show()?;
    build(("benches", MEASURED), workspace).show()?;
    Call::new(measured.join(program("bench")), workspace.root())
        .args(["--root", "."])
        .args(words)
        .limit(minutes(30))
        .show()
}

fn build((package, profile): (&str, &str), workspace: &Workspace) -> Call {
    let flags = [
        "build",
        "--locked",
        "--bins",
        "--package",
        package,
        "--profile",
        profile,
    ];
    workspace.cargo(&flags).limit(minutes(60))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().unwrap_or(to);
    let copied = std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(from, to));
    let failed = |source| Failure::File {
        path: to.to_owned(),
        source,
    };
    copied.map(drop).map_err(failed)
}

/// Has the program linked with its symbols: it is the same, and says where its instructions go.
const WITH_SYMBOLS: [&str; 10] = [
    "rustc",
    "--locked",
    "--package",
    "doorkey",
    "--bin",
    "doorkey",
    "--release",
    "--",
    "-C",
    "strip=none",
];
/// The program, as it is released.
const PROGRAM: (&str, &str) = ("doorkey", "release");
/// The profile of what is measured in the place of a host.
const MEASURED: &str = "measured";
