//! `test`: the unit, doc and own integration tests of every crate.
//!
//! The packages under `tests/` have steps of their own, but for the fuzz targets: here they replay what they keep. All
//! features are on, as they are for `lint`: build scripts and procedural macros are then built once for both.

use crate::failure::Failure;
use crate::process::minutes;
use crate::ran;
use crate::setup;
use crate::step::Report;
use crate::workspace::{Workspace, members_under};

/// Tests every member outside `tests/`, and the fuzz targets.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for("test", workspace)?;
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
    let mut others = members_under("tests", &members);
    others.retain(|package| package.name.as_str() != FUZZ);
    for package in others {
        call = call.args(["--exclude", package.name.as_str()]);
    }
    let (counts, record) = ran::tests("test", &call, &[], workspace)?;
    record.write()?;
    Ok(Report {
        notes: Vec::new(),
        counts,
    })
}

/// The package that replays what fuzzing found.
const FUZZ: &str = "fuzz";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;
    use crate::fixture::Fixture;

    #[test]
    fn tests_outside_the_folder_run_and_one_that_fails_fails_the_step() {
        let fixture = Fixture::small();
        fixture.replace("tests/integration/src/lib.rs", "1 + 1", "1 + 2");
        assert_eq!(
            run(&fixture.workspace()).unwrap().counts,
            Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            }
        );
        fixture.replace("crates/http/src/lib.rs", "1 + 1", "1 + 2");
        let counts = run(&fixture.workspace()).unwrap_err().counts();
        assert_eq!(
            counts,
            Counts {
                passed: 0,
                failed: 1,
                skipped: 0
            }
        );
    }
}
