//! The arrows of `ARCHITECTURE.md` between our own crates.

use cargo_metadata::{DependencyKind, Package};

use crate::failure::Violation;

/// Checks every dependency of ours on ours. A crate may name whatever lies in the direction of its arrows; its tests may
/// besides use the testkit.
pub(super) fn check(crates: &[&Package]) -> Vec<Violation> {
    let mut broken = on_the_map(crates);
    for package in crates {
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if !is_ours(to, crates) || reaches(&package.name, to) {
                continue;
            }
            let problem = match dependency.kind {
                DependencyKind::Development
                    if to == TESTKIT && package.name.as_str() != TESTKIT =>
                {
                    continue;
                }
                DependencyKind::Development => format!("depends in its tests on {to}"),
                _ => format!("depends on {to}"),
            };
            let instead = allowed(&package.name);
            broken.push(Violation::new(LAW, package.name.as_str(), problem, instead));
        }
    }
    broken
}

fn on_the_map(crates: &[&Package]) -> Vec<Violation> {
    let named = |name: &str| crates.iter().any(|package| package.name.as_str() == name);
    let unknown = crates
        .iter()
        .filter(|package| arrows_of(&package.name).is_none())
        .map(|package| {
            let instead = "draw its arrows in ARCHITECTURE.md, then in xtask's ARROWS";
            Violation::new(LAW, package.name.as_str(), "is not on the map", instead)
        });
    let gone = ARROWS
        .iter()
        .filter(|(name, _)| !named(name))
        .map(|(name, _)| {
            let instead = "restore it, or take it off ARCHITECTURE.md and xtask's ARROWS";
            Violation::new(
                LAW,
                *name,
                "is on the map and not in the workspace",
                instead,
            )
        });
    unknown.chain(gone).collect()
}

fn is_ours(name: &str, crates: &[&Package]) -> bool {
    crates.iter().any(|package| package.name.as_str() == name) || arrows_of(name).is_some()
}

/// Whether one crate leads to another along one or more arrows.
fn reaches(from: &str, to: &str) -> bool {
    arrows_of(from)
        .into_iter()
        .flatten()
        .any(|next| *next == to || reaches(next, to))
}

fn arrows_of(name: &str) -> Option<&'static [&'static str]> {
    ARROWS
        .iter()
        .find(|(from, _)| *from == name)
        .map(|(_, to)| *to)
}

fn allowed(name: &str) -> String {
    let below: Vec<_> = ARROWS
        .iter()
        .map(|(to, _)| *to)
        .filter(|to| reaches(name, to))
        .collect();
    match below.as_slice() {
        [] => "it stands on none of ours: move the code, or pass the value in".to_owned(),
        below => format!(
            "it may name {}: move the code, or pass the value in",
            below.join(", ")
        ),
    }
}

const LAW: &str = "arrows of the house";
const TESTKIT: &str = "doorkey-testkit";

/// From, and to where. The map has no circle.
const ARROWS: &[(&str, &[&str])] = &[
    ("doorkey-http", &[]),
    ("doorkey-discovery", &["doorkey-http"]),
    ("doorkey-store", &[]),
    ("doorkey-oauth", &["doorkey-discovery", "doorkey-store"]),
    ("doorkey-rmcp", &["doorkey-oauth"]),
    ("doorkey", &["doorkey-rmcp", TESTKIT]),
    (TESTKIT, &[]),
];
