//! Exceptions from the licences: only for what no crate of ours hands to whoever links it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, PackageId};
use toml_edit::{DocumentMut, Item, Value};

use super::SETTINGS;
use crate::failure::Violation;
use crate::workspace::members_under;

/// Each exception for a crate that one under `crates/` links: as a dependency of a dependency too, and on any platform.
/// What only tests need is not handed on.
pub(super) fn linked(settings: &DocumentMut, resolved: &Metadata) -> Vec<Violation> {
    let users = users(resolved);
    let excepted = settings.get("licenses").and_then(|it| it.get("exceptions"));
    let excepted = excepted.and_then(Item::as_array).into_iter().flatten();
    let names = excepted.filter_map(|exception| {
        let table = exception.as_inline_table()?;
        let name = table.get("crate").or_else(|| table.get("name"));
        name.and_then(Value::as_str)
    });
    names
        .filter_map(|name| {
            // Some spellings say a version as well.
            let name = name.split(['@', ':', '=']).next().unwrap_or(name).trim();
            let user = users.get(name)?;
            Some(Violation::new(
                "what may come into the build",
                SETTINGS,
                format!("{name} has an exception from the licences, and {user} links it"),
                "link what every host may link",
            ))
        })
        .collect()
}

/// Every crate that a crate of ours links, with one of ours that does.
fn users(resolved: &Metadata) -> BTreeMap<&str, &str> {
    let nodes = resolved.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let linked: BTreeMap<&PackageId, Vec<&PackageId>> = nodes
        .map(|node| {
            let links = node.deps.iter().filter(|dependency| {
                let mut kinds = dependency.dep_kinds.iter();
                kinds.any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, links.map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let mut users = BTreeMap::new();
    for ours in members_under("crates", resolved) {
        let mut open = vec![&ours.id];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(linked.get(id).into_iter().flatten().copied());
            }
        }
        for package in resolved
            .packages
            .iter()
            .filter(|one| seen.contains(&one.id))
        {
            users.insert(package.name.as_str(), ours.name.as_str());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn an_exception_is_for_what_no_crate_of_ours_links() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let resolved = Workspace::at(root.unwrap()).resolved().unwrap();
        let told = |name: &str| -> Vec<String> {
            let exception = format!("{{ crate = \"{name}\", allow = [\"MPL-2.0\"] }}");
            let settings = format!("[licenses]\nexceptions = [{exception}]\n");
            let broken = linked(&settings.parse().unwrap(), &resolved);
            broken.into_iter().map(|one| one.problem).collect()
        };
        // The driver of browsers and libFuzzer are in Cargo.lock, and below no crate of ours.
        for name in ["webdriver", "libfuzzer-sys", "nobody-has-this"] {
            assert_eq!(told(name), [] as [&str; 0]);
        }
        // Direct, far below, and only on another platform.
        for name in ["rmcp", "aws-lc-sys@0.47.0", "windows-native-keyring-store"] {
            let problems = told(name);
            let bare = name.split('@').next().unwrap();
            assert_eq!(problems.len(), 1, "{name}");
            assert!(problems[0].starts_with(bare), "{problems:?}");
        }
    }
}
