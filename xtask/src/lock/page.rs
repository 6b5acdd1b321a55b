//! The page of trusted dependencies says what the manifests say: each crate that one of ours asks for, and when.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

use crate::failure::Violation;
use crate::workspace::members_under;

/// Compares the page with the direct, normal dependencies of every crate under `crates/`, both ways.
pub(super) fn check(page: &str, metadata: &Metadata) -> Vec<Violation> {
    let asked = asked(metadata);
    let rows = rows(page);
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let name = row.name;
        if !seen.insert(name) {
            broken.push(violation(name, "stands in two rows", "keep one"));
        }
        match asked.get(name) {
            None => broken.push(violation(
                name,
                "is asked for by no crate of ours",
                "take its row out",
            )),
            Some(users) if users != row.users => broken.push(violation(
                name,
                format!("is said to be used by: {}", row.users),
                format!("write: {users}"),
            )),
            Some(_) if row.says_nothing() => {
                broken.push(violation(
                    name,
                    "has an empty cell",
                    "say why it is there, what it is trusted with and by whom it is kept",
                ));
            }
            Some(_) => {}
        }
    }
    let missing = asked
        .iter()
        .filter(|(name, _)| !seen.contains(name.as_str()));
    broken.extend(missing.map(|(name, users)| {
        let instead = format!("add its row, used by: {users}");
        violation(name, "has no row", instead)
    }));
    broken
}

fn violation(name: &str, problem: impl Into<String>, instead: impl Into<String>) -> Violation {
    Violation::new(
        "every dependency has a reason",
        format!("{PAGE}: {name}"),
        problem,
        instead,
    )
}

/// A line `| crate | used by | why | trusted with | kept by |`.
struct Row<'a> {
    name: &'a str,
    users: &'a str,
    rest: Vec<&'a str>,
}

impl Row<'_> {
    fn says_nothing(&self) -> bool {
        self.rest.len() != 3 || self.rest.contains(&"")
    }
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let row = |line| {
        let cells = str::strip_prefix(line, "|")?.strip_suffix('|')?;
        let mut cells = cells.split('|').map(str::trim);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        let users = cells.next()?;
        Some(Row {
            name,
            users,
            rest: cells.collect(),
        })
    };
    page.lines().filter_map(row).collect()
}

/// Each crate from elsewhere with those of ours that ask for it, as the page has to write them.
fn asked(metadata: &Metadata) -> BTreeMap<String, String> {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut ours = members_under("crates", metadata);
    ours.sort_by_key(|package| folder(package));
    for package in ours {
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Normal && dependency.path.is_none() {
                let users = asked.entry(dependency.name.clone()).or_default();
                users.push(user(package, dependency));
            }
        }
    }
    asked
        .into_iter()
        .map(|(name, users)| (name, users.join(", ")))
        .collect()
}

/// A crate of ours, and when it asks: with which of its features, and on which platform.
fn user(package: &Package, dependency: &Dependency) -> String {
    let activates = format!("dep:{}", dependency.name);
    let features = package
        .features
        .iter()
        .filter(|(_, needs)| dependency.optional && needs.contains(&activates))
        .map(|(feature, _)| format!("`{feature}`"));
    let platform = dependency
        .target
        .as_ref()
        .map(|target| on(&target.to_string()));
    let when: Vec<_> = features.chain(platform).collect();
    if when.is_empty() {
        folder(package)
    } else {
        format!("{} ({})", folder(package), when.join(", "))
    }
}

fn folder(package: &Package) -> String {
    let folder = package.manifest_path.parent();
    folder
        .and_then(|folder| folder.file_name())
        .unwrap_or_default()
        .to_owned()
}

/// A platform in words, where it is one that we ask for.
fn on(target: &str) -> String {
    let known = [
        ("cfg(unix)", "Unix"),
        ("cfg(windows)", "Windows"),
        ("cfg(target_os = \"macos\")", "macOS"),
        (
            "cfg(any(windows, target_os = \"macos\"))",
            "Windows and macOS",
        ),
        (
            "cfg(any(target_os = \"linux\", target_os = \"freebsd\"))",
            "Linux and FreeBSD",
        ),
    ];
    let words = known.iter().find(|(cfg, _)| *cfg == target);
    words.map_or_else(|| format!("`{target}`"), |(_, words)| (*words).to_owned())
}

/// The page, from the root.
pub(super) const PAGE: &str = "docs/dependencies.md";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn told(change: impl Fn(&str) -> String) -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let workspace = Workspace::at(root.unwrap());
        let page = workspace.read(PAGE).unwrap();
        let broken = check(&change(&page), &workspace.members().unwrap());
        broken.iter().map(ToString::to_string).collect()
    }

    fn without(page: &str, name: &str) -> String {
        let start = format!("| `{name}` |");
        let lines = page.lines().filter(|line| !line.starts_with(&start));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_page_and_the_manifests_are_compared_both_ways() {
        assert_eq!(told(str::to_owned), [] as [&str; 0]);
        let [one] = told(|page| without(page, "rustix")).try_into().unwrap();
        assert!(one.contains("rustix: has no row"), "{one}");
        assert!(one.contains("host (`cli`, Unix)"), "{one}");
        let added = "| `left-pad` | host | Pads. | nothing | nobody |\n";
        let [one] = told(|page| format!("{page}\n{added}")).try_into().unwrap();
        assert!(one.contains("left-pad: is asked for by no crate"), "{one}");
        let [one] = told(|page| page.replace("| host (`cli`, Unix) |", "| host |"))
            .try_into()
            .unwrap();
        assert!(one.contains("rustix: is said to be used by: host"), "{one}");
    }

    #[test]
    fn a_row_says_something_in_each_cell_and_stands_once() {
        let row = "| `subtle` | oauth | | | |";
        let [one] = told(|page| format!("{}\n{row}\n", without(page, "subtle")))
            .try_into()
            .unwrap();
        assert!(one.contains("has an empty cell"), "{one}");
        let twice = told(|page| {
            let row = page.lines().find(|line| line.starts_with("| `subtle` |"));
            format!("{page}\n{}\n", row.unwrap())
        });
        let [one] = twice.try_into().unwrap();
        assert!(one.contains("stands in two rows"), "{one}");
    }
}
