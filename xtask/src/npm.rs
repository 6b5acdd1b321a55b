//! npm packages pinned by a lock, installed only when the lock or the runtime changed.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::workspace::Workspace;

/// Runs `npm ci` in a folder unless the same lock was installed there by the same node before; says what it did.
pub(crate) fn install(folder: &str, workspace: &Workspace) -> Result<&'static str, Failure> {
    let node = Call::new("node", workspace.root())
        .args(["--version"])
        .capture()?;
    let wanted = format!("{node}{}", workspace.read(&format!("{folder}/{LOCK}"))?);
    let stamp = workspace.path(folder).join("node_modules").join(STAMP);
    if is_installed(&stamp, &wanted) {
        return Ok("npm packages already in place");
    }
    Call::new("npm", workspace.root())
        .args(["ci", "--prefix", folder, "--no-audit", "--no-fund"])
        .limit(minutes(10))
        .show()?;
    write_stamp(&stamp, &wanted)?;
    Ok("npm packages installed")
}

/// Fails unless `folder` is in the checkout with its pins and its package; `holds` says what it is there for.
pub(crate) fn counterpart(folder: &str, holds: &str, workspace: &Workspace) -> Result<(), Failure> {
    let absent: Vec<_> = [LOCK, "Cargo.toml", "package.json"]
        .into_iter()
        .filter(|file| !workspace.path(folder).join(file).is_file())
        .map(|file| format!("{folder}/{file}"))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(Failure::Missing {
        what: absent.join(", "),
        remedy: format!("{folder} {holds}: restore it"),
    })
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

/// The lock beside a `package.json`.
const LOCK: &str = "package-lock.json";

const STAMP: &str = ".installed-from";

#[cfg(test)]
mod tests {
    use super::*;

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
