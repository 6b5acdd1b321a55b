//! `services`: the stores that need a daemon, against the real one: PostgreSQL, a pooler in front of it, the Secret Service.
//!
//! The tests start each daemon themselves, privately, and end it; `setup` installs what they start.

use crate::failure::Failure;
use crate::process::minutes;
use crate::ran;
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

/// Runs the tests of the package, if every daemon is there.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for("services", workspace)?;
    workspace
        .cargo(&[
            "build",
            "--locked",
            "-p",
            "doorkey",
            "--features",
            "postgres",
        ])
        .limit(minutes(15))
        .show()?;
    let call = workspace
        .cargo(&["test", "--locked", "--no-fail-fast", "-p", "services"])
        .limit(minutes(30));
    let (counts, record) = ran::tests("services", &call, &[], workspace)?;
    record.write()?;
    Ok(Report {
        notes: Vec::new(),
        counts,
    })
}
