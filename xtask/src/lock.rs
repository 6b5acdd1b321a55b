//! `lock`: Cargo.lock is current, holds one version of each crate but for a list with reasons, and comes from crates.io;
//! each dependency of ours has a row in `docs/dependencies.md`.
//!
//! It looks at everything that Cargo.lock holds: what we ship, build with and test with, on every platform.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cargo_metadata::semver::Version;
use cargo_metadata::{Metadata, Package};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use crate::failure::{Failure, Violation};
use crate::step::Report;
use crate::workspace::Workspace;

/// Checks Cargo.lock.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let resolved = workspace.resolved()?;
    let known = known(&workspace.toml(KNOWN)?).map_err(|problem| Failure::Malformed {
        path: PathBuf::from(KNOWN),
        source: problem.into(),
    })?;
    let mut broken = sources(&resolved);
    broken.extend(oldest_rust(&resolved));
    let versions = versions(&resolved);
    broken.extend(duplicates(&versions, &known));
    broken.extend(page::check(&workspace.read(page::PAGE)?, &resolved));
    Failure::unless_empty(broken)?;
    Ok(Report::note(format!(
        "{} crates, {} of them in more than one version for a known reason",
        versions.len(),
        known.len()
    )))
}

/// Lines of compatible versions by crate: `base64` → `0.22`, `0.23`.
type Versions = BTreeMap<String, BTreeSet<String>>;

/// A duplicate that is known, and why nothing can be done about it.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: String,
    versions: BTreeSet<String>,
}

/// Reads the list; the error says which entry is at fault.
fn known(document: &DocumentMut) -> Result<Vec<Known>, String> {
    let entries = document.get("duplicate").and_then(Item::as_array_of_tables);
    entries
        .into_iter()
        .flat_map(ArrayOfTables::iter)
        .enumerate()
        .map(read_known)
        .collect()
}

fn read_known((index, entry): (usize, &Table)) -> Result<Known, String> {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Item::as_str)
            .filter(|text| !text.is_empty())
    };
    let name = text("name")
        .ok_or(format!("entry {} has no name", index + 1))?
        .to_owned();
    text("reason").ok_or(format!("{name} has no reason"))?;
    let versions = entry
        .get("versions")
        .and_then(Item::as_array)
        .into_iter()
        .flatten();
    let versions = versions
        .filter_map(|version| Some(version.as_str()?.to_owned()))
        .collect();
    Ok(Known { name, versions })
}

fn versions(resolved: &Metadata) -> Versions {
    let mut versions = Versions::new();
    for package in &resolved.packages {
        versions
            .entry(package.name.to_string())
            .or_default()
            .insert(line_of(&package.version));
    }
    versions
}

/// The part of a version that a compatible update leaves as it is.
fn line_of(version: &Version) -> String {
    match (version.major, version.minor) {
        (0, 0) => format!("0.0.{}", version.patch),
        (0, minor) => format!("0.{minor}"),
        (major, _) => major.to_string(),
    }
}

fn duplicates(versions: &Versions, known: &[Known]) -> Vec<Violation> {
    let listed = |name: &str| known.iter().find(|known| known.name == name);
    let mut broken = Vec::new();
    for (name, found) in versions.iter().filter(|(_, found)| found.len() > 1) {
        if listed(name).is_none_or(|known| known.versions != *found) {
            let problem = format!("is locked as {}", joined(found));
            let instead = format!(
                "bring its users to one version (cargo tree --workspace --all-features --target all -i {name}@…), \
                 or give the reason in {KNOWN}"
            );
            broken.push(Violation::new(
                "one version of each crate",
                name,
                problem,
                instead,
            ));
        }
    }
    for stale in known.iter().filter(|known| {
        versions
            .get(&known.name)
            .is_none_or(|found| found.len() < 2)
    }) {
        let problem = "is listed as a duplicate and is none any more";
        let instead = format!("take it out of {KNOWN}");
        broken.push(Violation::new(
            "one version of each crate",
            &stale.name,
            problem,
            instead,
        ));
    }
    broken
}

fn joined(versions: &BTreeSet<String>) -> String {
    versions
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" and ")
}

fn sources(resolved: &Metadata) -> Vec<Violation> {
    let foreign = resolved.packages.iter().filter_map(|package| {
        let problem = match &package.source {
            Some(source) if source.is_crates_io() => return None,
            Some(source) => format!("comes from {}", source.repr),
            None if resolved.workspace_members.contains(&package.id) => return None,
            None => "comes from a folder that is no member".to_owned(),
        };
        let instead = "take a released version from crates.io";
        Some(Violation::new(
            "crates.io and nothing else",
            package.name.as_str(),
            problem,
            instead,
        ))
    });
    foreign.collect()
}

/// No dependency asks for a newer Rust than we promise.
fn oldest_rust(resolved: &Metadata) -> Vec<Violation> {
    let ours = resolved
        .workspace_packages()
        .iter()
        .filter_map(|member| member.rust_version.clone())
        .max();
    let too_new = |package: &&Package| package.rust_version > ours;
    resolved
        .packages
        .iter()
        .filter(too_new)
        .filter_map(|package| {
            let problem = format!("needs Rust {}", package.rust_version.as_ref()?);
            let instead = format!(
                "lock an older version: cargo update -p {} --precise …",
                package.name
            );
            Some(Violation::new(
                "law 13: the oldest Rust",
                package.name.as_str(),
                problem,
                instead,
            ))
        })
        .collect()
}

const KNOWN: &str = "xtask/known-duplicates.toml";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn locked(entries: &[(&str, &[&str])]) -> Versions {
        let set = |versions: &[&str]| versions.iter().map(|&version| version.to_owned()).collect();
        entries
            .iter()
            .map(|(name, versions)| ((*name).to_owned(), set(versions)))
            .collect()
    }

    fn list(text: &str) -> Vec<Known> {
        known(&text.parse().unwrap()).unwrap()
    }

    const BASE64: &str =
        "[[duplicate]]\nname = \"base64\"\nversions = [\"0.22\", \"0.23\"]\nreason = \"x\"\n";

    #[test]
    fn a_known_duplicate_passes_and_any_other_is_named() {
        let versions = locked(&[
            ("base64", &["0.22", "0.23"]),
            ("rand", &["0.8", "0.10"]),
            ("url", &["2"]),
        ]);
        let said: Vec<_> = duplicates(&versions, &list(BASE64))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("rand: is locked as 0.10 and 0.8 [one version"),
            "{said:?}"
        );
    }

    #[test]
    fn a_further_version_of_a_known_duplicate_is_named() {
        let versions = locked(&[("base64", &["0.21", "0.22", "0.23"])]);
        assert_eq!(duplicates(&versions, &list(BASE64)).len(), 1);
    }

    #[test]
    fn a_listed_duplicate_that_is_none_is_stale() {
        for versions in [locked(&[("base64", &["0.22"])]), locked(&[])] {
            let broken = duplicates(&versions, &list(BASE64));
            assert!(broken[0].problem.contains("none any more"), "{broken:?}");
        }
    }

    #[test]
    fn a_list_entry_without_a_reason_is_refused() {
        let text = BASE64.replace("reason = \"x\"", "reason = \"\"");
        assert_eq!(
            known(&text.parse().unwrap()),
            Err("base64 has no reason".to_owned())
        );
        assert_eq!(
            known(&"[[duplicate]]".parse().unwrap()),
            Err("entry 1 has no name".to_owned())
        );
    }

    #[test]
    fn compatible_versions_are_one_line() {
        for (version, line) in [("1.40.2", "1"), ("0.22.1", "0.22"), ("0.0.3", "0.0.3")] {
            assert_eq!(line_of(&Version::parse(version).unwrap()), line);
        }
    }

    #[test]
    fn a_current_lock_passes_and_a_stale_one_does_not() {
        let fixture = Fixture::small();
        let outcome = run(&fixture.workspace());
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err().report());
        fixture.replace("crates/http/Cargo.toml", "0.1.0", "0.2.0");
        let said = run(&fixture.workspace()).unwrap_err().report();
        assert!(said.contains("--locked"), "{said}");
    }

    #[test]
    fn a_source_beside_crates_io_is_found() {
        let fixture = Fixture::small();
        let mut resolved = fixture.workspace().resolved().unwrap();
        assert_eq!(sources(&resolved), []);
        let git = "\"git+https://example.org/x#0123\"";
        resolved.packages[0].source = Some(serde_json::from_str(git).unwrap());
        assert!(
            sources(&resolved)[0]
                .problem
                .starts_with("comes from git+https")
        );
        resolved.packages[0].source = None;
        resolved.workspace_members.clear();
        assert!(sources(&resolved)[0].problem.contains("no member"));
    }

    #[test]
    fn a_dependency_that_needs_a_newer_rust_is_found() {
        let fixture = Fixture::small();
        let mut resolved = fixture.workspace().resolved().unwrap();
        assert_eq!(oldest_rust(&resolved), []);
        let mut newer = resolved.packages[0].clone();
        newer.rust_version = Some(Version::new(1, 95, 0));
        newer.id.repr.push_str("#newer");
        resolved.packages.push(newer);
        assert!(
            oldest_rust(&resolved)[0]
                .problem
                .contains("needs Rust 1.95.0")
        );
    }
}
