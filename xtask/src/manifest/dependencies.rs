//! Where dependencies come from: one table in the root, crates.io or a folder of this repository.

use toml_edit::{DocumentMut, Item};

use super::{Member, entries, text};
use crate::failure::Violation;

/// Every dependency of a member is `workspace = true`, with features and optionality of its own at most.
pub(super) fn check_member(member: &Member) -> Vec<Violation> {
    let mut tables: Vec<(String, &Item)> = tables_in(member.manifest.as_item(), "");
    for (target, item) in entries(member.manifest.get("target")) {
        tables.extend(tables_in(item, &format!("target.{target}.")));
    }
    let mut broken = Vec::new();
    for (heading, table) in tables {
        for (name, dependency) in entries(Some(table)) {
            if !is_from_workspace(dependency) {
                broken.push(Violation::new(
                    "said once, in the workspace",
                    member.path(),
                    format!("[{heading}] {name} is not taken from the workspace"),
                    format!(
                        "state it in [workspace.dependencies], and {name}.workspace = true here"
                    ),
                ));
            }
        }
    }
    broken
}

/// Every entry of `[workspace.dependencies]` can be published and built elsewhere.
pub(super) fn check_workspace(root: &DocumentMut, folders: &[&str]) -> Vec<Violation> {
    let version = text(root, &["workspace", "package", "version"]);
    let table = root
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"));
    let mut broken = Vec::new();
    for (name, dependency) in entries(table) {
        let mut found = |problem: String, instead: &str| {
            broken.push(Violation::new(
                SOURCES,
                "Cargo.toml",
                format!("{name} {problem}"),
                instead,
            ));
        };
        let key = |key: &str| dependency.get(key).and_then(Item::as_str);
        if key("git").is_some() {
            found("comes from git".to_owned(), "take a released version");
        }
        if key("registry").or(key("registry-index")).is_some() {
            found(
                "comes from a registry of its own".to_owned(),
                "take it from crates.io",
            );
        }
        if let Some(path) = key("path") {
            if !folders.contains(&path) {
                found(
                    format!("points to {path}"),
                    "a path names a member of this workspace",
                );
            }
            if key("version") != version {
                let instead =
                    "give the workspace's version beside the path, so that it can be published";
                found("has a path without the version".to_owned(), instead);
            }
        }
    }
    for table in ["patch", "replace"] {
        if root.get(table).is_some() {
            let problem =
                format!("[{table}] swaps a dependency for everybody who builds here alone");
            broken.push(Violation::new(
                SOURCES,
                "Cargo.toml",
                problem,
                "take a released version",
            ));
        }
    }
    broken
}

fn tables_in<'a>(item: &'a Item, prefix: &str) -> Vec<(String, &'a Item)> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|name| Some((format!("{prefix}{name}"), item.get(name)?)))
        .collect()
}

fn is_from_workspace(dependency: &Item) -> bool {
    let entries = entries(Some(dependency));
    let inherited = entries
        .iter()
        .any(|(key, value)| *key == "workspace" && value.as_bool() == Some(true));
    inherited
        && entries
            .iter()
            .all(|(key, _)| matches!(*key, "workspace" | "features" | "optional"))
}

const SOURCES: &str = "crates.io or this repository, and nothing else";
