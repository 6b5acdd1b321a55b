//! `integration`: what only the whole stack can prove, and parity with rmcp's own client.

use crate::failure::Failure;
use crate::process::minutes;
use crate::ran;
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

/// Builds the program, which the tests find in the folder of their own profile, and runs both packages in one go, so that
/// what they share is built once.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for("integration", workspace)?;
    workspace
        .cargo(&["build", "--locked", "-p", "doorkey"])
        .limit(minutes(30))
        .show()?;
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
    let (counts, record) = ran::tests("integration", &call, &[], workspace)?;
    record.write()?;
    Ok(Report {
        notes: Vec::new(),
        counts,
    })
}
