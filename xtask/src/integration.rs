//! `integration` and `browser`: what only the whole stack can prove, and parity with rmcp's own client.

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::ran;
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

/// Runs both packages in one go, so that what they share is built once. What needs a browser is a step of its own: where
/// there is none, the rest is still proved.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    build(workspace)?;
    let call = workspace
        .cargo(&[
            "test",
            "--locked",
            "--no-fail-fast",
            "-p",
            "integration",
            "-p",
            "parity",
        ])
        .limit(minutes(40));
    recorded("integration", &call, &["--skip", BROWSER], workspace)
}

/// The tests of the same binary that drive a browser.
pub(crate) fn browser(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for("browser", workspace)?;
    build(workspace)?;
    let call = workspace
        .cargo(&["test", "--locked", "-p", "integration", "--test", "it"])
        .limit(minutes(40));
    recorded("browser", &call, &[BROWSER], workspace)
}

/// Builds the program, which the tests find in the folder of their own profile.
fn build(workspace: &Workspace) -> Result<(), Failure> {
    workspace
        .cargo(&["build", "--locked", "-p", "doorkey"])
        .limit(minutes(30))
        .show()
}

fn recorded(
    step: &'static str,
    call: &Call,
    for_tests: &[&str],
    workspace: &Workspace,
) -> Result<Report, Failure> {
    let (counts, record) = ran::tests(step, call, for_tests, workspace)?;
    record.write()?;
    Ok(Report {
        notes: Vec::new(),
        counts,
    })
}

/// Their module, as a filter of names.
const BROWSER: &str = "browser::";
