//! The features that a dependency must not be asked for.
//!
//! Cargo unifies features: one crate that asks is enough to give them to all. What needs them (a comparison with rmcp's
//! own client) is a package of its own under `tests/`, which no crate is built with.

use cargo_metadata::{DependencyKind, Package};

use crate::failure::Violation;

/// What may not be asked of one dependency.
struct Terms {
    dependency: &'static str,
    /// Crates that are free to ask.
    free: &'static [&'static str],
    /// Whether tests are bound too.
    also_in_tests: bool,
    /// A part of the names of the features that are not for us.
    forbidden: &'static [&'static str],
    law: &'static str,
    instead: &'static str,
}

/// Checks what every crate asks of its dependencies, in the dependency itself and in its own features.
pub(super) fn check(crates: &[&Package]) -> Vec<Violation> {
    let mut broken = Vec::new();
    for package in crates {
        for terms in TERMS
            .iter()
            .filter(|terms| !terms.free.contains(&package.name.as_str()))
        {
            broken.extend(breaches(terms, package));
        }
    }
    broken
}

fn breaches(terms: &Terms, package: &Package) -> Vec<Violation> {
    let name = terms.dependency;
    let found = |problem| Violation::new(terms.law, package.name.as_str(), problem, terms.instead);
    let bound = package.dependencies.iter().filter(|dependency| {
        let in_tests = dependency.kind == DependencyKind::Development;
        dependency.name == name && (terms.also_in_tests || !in_tests)
    });
    let mut broken = Vec::new();
    for dependency in bound {
        if dependency.uses_default_features {
            broken.push(found(format!("takes {name} with its default features")));
        }
        let key = dependency.rename.as_deref().unwrap_or(name);
        let forwarded = package.features.values().flatten().filter_map(|value| {
            let (to, feature) = value.split_once('/')?;
            (to.trim_end_matches('?') == key).then_some(feature)
        });
        let mut asked: Vec<&str> = dependency
            .features
            .iter()
            .map(String::as_str)
            .chain(forwarded)
            .collect();
        asked.retain(|feature| terms.forbidden.iter().any(|part| feature.contains(part)));
        broken.extend(
            asked
                .iter()
                .map(|feature| found(format!("turns on {name}/{feature}"))),
        );
    }
    broken
}

const TERMS: &[Terms] = &[
    Terms {
        dependency: "rmcp",
        free: &[],
        also_in_tests: true,
        forbidden: &["auth", "reqwest"],
        law: "law 1: rmcp without its own authorization and client",
        instead: "use doorkey-oauth and doorkey-http; a comparison is a package under tests/",
    },
    Terms {
        dependency: "oauth2",
        free: &[],
        also_in_tests: true,
        forbidden: &["reqwest", "curl", "ureq", "native-tls", "rustls-tls"],
        law: "law 3: oauth2 sends through our HttpClient",
        instead: "leave its clients off: default-features = false",
    },
    Terms {
        dependency: "doorkey-http",
        free: &["doorkey"],
        also_in_tests: false,
        forbidden: &["client"],
        law: "law 1: whether reqwest is built in is the host's choice",
        instead: "take doorkey-http without features; tests may ask for `client`",
    },
];
