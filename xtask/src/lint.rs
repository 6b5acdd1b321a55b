//! `lint`: formatting, clippy and the documentation, with warnings denied.

use crate::failure::Failure;
use crate::process::minutes;
use crate::step::Report;
use crate::workspace::Workspace;

/// Runs rustfmt, clippy and rustdoc over every member.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    workspace.cargo(&["fmt", "--all", "--check"]).show()?;
    workspace.cargo(CLIPPY).limit(minutes(30)).show()?;
    workspace
        .cargo(DOC)
        .env("RUSTDOCFLAGS", "-D warnings")
        .limit(minutes(20))
        .show()?;
    Ok(Report::note(
        "formatted, and neither clippy nor rustdoc warns",
    ))
}

const CLIPPY: &[&str] = &[
    "clippy",
    "--locked",
    "--workspace",
    "--all-targets",
    "--all-features",
    "--",
    "-D",
    "warnings",
];

const DOC: &[&str] = &[
    "doc",
    "--locked",
    "--workspace",
    "--all-features",
    "--no-deps",
];
