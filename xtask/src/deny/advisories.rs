//! Advisories: checked where a clone of their database is named, and said to be unchecked elsewhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Value, value};

use super::SETTINGS;
use crate::failure::{Failure, Violation};
use crate::process::{Call, minutes};
use crate::workspace::Workspace;

/// Checks the advisories if their database can be had, and says what was checked. `deny` is cargo-deny without the
/// network.
pub(super) fn checked(
    deny: &Call,
    settings: &DocumentMut,
    workspace: &Workspace,
) -> Result<String, Failure> {
    let target = workspace.members()?.target_directory.into_std_path_buf();
    let Some(database) = database(named(), &target.join(FOLDER))? else {
        return Ok(format!(
            "advisories were NOT checked: no database of them is here (a git clone of it in target/{FOLDER}, or named by {VARIABLE})"
        ));
    };
    let shelf = target.join("advisory-dbs");
    let newest = cloned(&database, &shelf.join(CLONE), workspace)?;
    let mut settings = settings.clone();
    settings["advisories"]["db-path"] = value(shelf.to_string_lossy().into_owned());
    let file = target.join("advisories.toml");
    std::fs::write(&file, settings.to_string()).map_err(|source| Failure::File {
        path: file.clone(),
        source,
    })?;
    let call = deny.clone().args([Path::new("--config"), &file]);
    let call = call.args(["check", "advisories"]);
    call.limit(minutes(5)).show()?;
    Ok(format!(
        "no crate has an advisory against it, as far as is known since {newest}"
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a check is no part of the program, and its machine says where the database is"
)]
fn named() -> Option<OsString> {
    std::env::var_os(VARIABLE)
}

/// The clone to be used: what the variable names must be there, the folder may be.
fn database(variable: Option<OsString>, folder: &Path) -> Result<Option<PathBuf>, Failure> {
    match variable
        .filter(|named| !named.is_empty())
        .map(PathBuf::from)
    {
        Some(named) if named.is_dir() => Ok(Some(named)),
        Some(named) => Err(Failure::Missing {
            what: format!("the folder {} that {VARIABLE} names", named.display()),
            remedy: "name a git clone of the advisory database, or nothing".to_owned(),
        }),
        None => Ok(folder.is_dir().then(|| folder.to_owned())),
    }
}

/// Clones the database to where cargo-deny looks for it, and says of which day it is. Nothing but the disk is asked.
fn cloned(database: &Path, to: &Path, workspace: &Workspace) -> Result<String, Failure> {
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(|source| Failure::File {
            path: to.to_owned(),
            source,
        })?;
    }
    let git = |args: &[&str]| Call::new("git", workspace.root()).args(args);
    let clone = git(&["clone", "--quiet"]).args([database, to]);
    clone.limit(minutes(5)).show()?;
    let day = git(&["-C"]).args([to]).args(["log", "-1", "--format=%cs"]);
    Ok(day.capture()?.trim().to_owned())
}

/// What makes the check mean less: an advisory that is passed over without a reason, and crates that were withdrawn.
pub(super) fn silenced(settings: &DocumentMut) -> Vec<Violation> {
    let at = |key: &str| settings.get("advisories").and_then(|it| it.get(key));
    let found = |problem: String, instead: &str| {
        Violation::new("what may come into the build", SETTINGS, problem, instead)
    };
    let mut broken = Vec::new();
    if at("yanked").and_then(Item::as_str) != Some("deny") {
        let problem = "[advisories] yanked is not denied".to_owned();
        broken.push(found(problem, "take a version that was not withdrawn"));
    }
    for entry in at("ignore").and_then(Item::as_array).into_iter().flatten() {
        let reason = entry.as_inline_table().and_then(|it| it.get("reason"));
        let reason = reason.and_then(Value::as_str).unwrap_or_default();
        if reason.is_empty() {
            let problem = format!(
                "[advisories] {} is ignored without a reason",
                entry.to_string().trim()
            );
            broken.push(found(problem, "say why it cannot harm us here"));
        }
    }
    broken
}

const VARIABLE: &str = "DOORKEY_ADVISORY_DB";
/// In the target directory.
const FOLDER: &str = "advisory-db";
/// What cargo-deny calls a clone of <https://github.com/RustSec/advisory-db>.
const CLONE: &str = "advisory-db-3157b0e258782691";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_database_is_used_where_it_is_named_or_lies_and_a_wrong_name_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (there, absent) = (folder.path(), folder.path().join("absent"));
        let named = |path: &Path| Some(path.as_os_str().to_owned());
        let chosen = |variable, folder| database(variable, folder).ok();
        assert_eq!(chosen(named(there), &absent), Some(Some(there.to_owned())));
        assert_eq!(chosen(None, there), Some(Some(there.to_owned())));
        assert_eq!(
            chosen(Some(OsString::new()), there),
            Some(Some(there.to_owned()))
        );
        assert_eq!(chosen(None, &absent), Some(None));
        let told = database(named(&absent), there).unwrap_err().report();
        assert!(told.contains(VARIABLE), "{told}");
    }

    #[test]
    fn a_database_is_cloned_anew_each_time_and_its_day_is_told() {
        let fixture = Fixture::small();
        fixture.in_git();
        let workspace = fixture.workspace();
        let commit = |day: &str| {
            let git = Call::new("git", workspace.root())
                .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
                .args(["commit", "--quiet", "--allow-empty", "--message", "x"])
                .env("GIT_COMMITTER_DATE", format!("{day}T12:00:00Z"));
            git.capture().unwrap();
        };
        let target = tempfile::tempdir().unwrap();
        let to = target.path().join("dbs").join(CLONE);
        for day in ["2026-01-02", "2026-03-04"] {
            commit(day);
            let told = cloned(workspace.root(), &to, &workspace).unwrap();
            assert_eq!(told, day);
        }
    }

    #[test]
    fn an_advisory_that_is_ignored_needs_a_reason() {
        let broken = |ignored: &str| {
            let settings = format!("[advisories]\nyanked = \"deny\"\nignore = [{ignored}]\n");
            silenced(&settings.parse().unwrap()).len()
        };
        assert_eq!(broken(""), 0);
        assert_eq!(
            broken(r#"{ id = "RUSTSEC-2020-0001", reason = "not reached" }"#),
            0
        );
        assert_eq!(broken(r#""RUSTSEC-2020-0001""#), 1);
        assert_eq!(broken(r#"{ id = "RUSTSEC-2020-0001" }, "other@1""#), 2);
        assert_eq!(silenced(&DocumentMut::new()).len(), 1);
    }
}
