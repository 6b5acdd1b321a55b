//! `interop`: the program, as a person runs it, against servers that are not ours.
//!
//! `tests/interop` holds the servers (npm packages, pinned by a lock) and a package whose tests start them and drive the
//! program, which they find in the folder of their own profile.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::setup;
use crate::step::Report;
use crate::workspace::Workspace;

/// Installs the servers, builds the program and runs the tests that bring them together.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    counterpart(workspace)?;
    setup::require_for("interop", workspace)?;
    let installed = install(workspace)?;
    workspace
        .cargo(&["build", "--locked", "-p", "doorkey"])
        .limit(minutes(30))
        .show()?;
    let counts = workspace
        .cargo(&["test", "--locked", "-p", "interop", "--", "--nocapture"])
        .limit(minutes(30))
        .show_tests()?;
    let note = if installed {
        "npm packages installed"
    } else {
        "npm packages already in place"
    };
    Ok(Report {
        notes: vec![note.to_owned()],
        counts,
    })
}

/// Fails unless the servers and their driver are in the checkout.
fn counterpart(workspace: &Workspace) -> Result<(), Failure> {
    let absent: Vec<_> = [LOCK, "Cargo.toml", "package.json"]
        .into_iter()
        .filter(|file| !workspace.path(FOLDER).join(file).is_file())
        .map(|file| format!("{FOLDER}/{file}"))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(Failure::Missing {
        what: absent.join(", "),
        remedy: format!("{FOLDER} holds the third-party servers and their driver: restore it"),
    })
}

/// Runs `npm ci` unless the same lock was installed by the same node before; answers whether it ran.
fn install(workspace: &Workspace) -> Result<bool, Failure> {
    let node = Call::new("node", workspace.root())
        .args(["--version"])
        .capture()?;
    let wanted = format!("{node}{}", workspace.read(&format!("{FOLDER}/{LOCK}"))?);
    let stamp = workspace.path(FOLDER).join("node_modules").join(STAMP);
    if is_installed(&stamp, &wanted) {
        return Ok(false);
    }
    Call::new("npm", workspace.root())
        .args(NPM_CI)
        .limit(minutes(10))
        .show()?;
    write_stamp(&stamp, &wanted)?;
    Ok(true)
}

/// `npm ci` empties `node_modules` first, so a stamp inside it dies with what it vouches for.
fn is_installed(stamp: &Path, wanted: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|text| text == wanted)
}

fn write_stamp(stamp: &Path, text: &str) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        path: stamp.to_owned(),
        source,
    };
    // A lock without packages leaves no node_modules behind.
    stamp
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .map_err(failed)?;
    std::fs::write(stamp, text).map_err(failed)
}

const FOLDER: &str = "tests/interop";
const LOCK: &str = "package-lock.json";
const STAMP: &str = ".installed-from";
const NPM_CI: &[&str] = &["ci", "--prefix", FOLDER, "--no-audit", "--no-fund"];

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

    #[test]
    fn packages_are_in_place_only_for_the_lock_they_came_from() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = folder.path().join("node_modules").join(STAMP);
        assert!(!is_installed(&stamp, "lock 1"));
        write_stamp(&stamp, "lock 1").unwrap();
        assert!(is_installed(&stamp, "lock 1"));
        assert!(!is_installed(&stamp, "lock 2"));
    }
}
