//! Who alone may name a dependency, and behind which feature.

use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::failure::Violation;

/// Dependencies that only some crates may name as direct ones of what they ship (their tests may use others).
struct Fence {
    dependencies: &'static [&'static str],
    keepers: &'static [Keeper],
    law: &'static str,
    instead: &'static str,
}

/// A crate inside a fence, and the feature that must turn the dependency on, if one must.
struct Keeper {
    name: &'static str,
    feature: Option<&'static str>,
}

/// Checks every direct dependency of every crate against the fences.
pub(super) fn check(crates: &[&Package]) -> Vec<Violation> {
    let mut broken = Vec::new();
    for package in crates {
        let shipped = |dependency: &&Dependency| dependency.kind != DependencyKind::Development;
        for dependency in package.dependencies.iter().filter(shipped) {
            let mine = FENCES
                .iter()
                .filter(|fence| fence.dependencies.contains(&dependency.name.as_str()));
            broken.extend(mine.flat_map(|fence| trespasses(fence, package, dependency)));
        }
    }
    broken
}

fn trespasses(fence: &Fence, package: &Package, dependency: &Dependency) -> Vec<Violation> {
    let name = &dependency.name;
    let found = |problem| Violation::new(fence.law, package.name.as_str(), problem, fence.instead);
    let keeper = fence
        .keepers
        .iter()
        .find(|keeper| keeper.name == package.name.as_str());
    match keeper.map(|keeper| keeper.feature) {
        None => vec![found(format!("names {name}"))],
        Some(None) => Vec::new(),
        Some(Some(feature)) if !dependency.optional => {
            vec![found(format!(
                "names {name} without the feature `{feature}`"
            ))]
        }
        Some(Some(feature)) => switches(package, dependency)
            .filter(|switch| *switch != feature)
            .map(|switch| found(format!("turns {name} on by the feature `{switch}`")))
            .collect(),
    }
}

/// The features that turn an optional dependency on by themselves, not by way of another feature.
fn switches<'a>(package: &'a Package, dependency: &'a Dependency) -> impl Iterator<Item = &'a str> {
    let key = dependency.rename.as_ref().unwrap_or(&dependency.name);
    let turns_on = move |value: &String| {
        let value = value.strip_prefix("dep:").unwrap_or(value);
        value == key
            || value
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let mut features: Vec<&str> = package
        .features
        .iter()
        .filter(|(_, values)| values.iter().any(turns_on))
        .map(|(feature, _)| feature.as_str())
        .collect();
    features.sort_unstable();
    features.into_iter()
}

const fn always(name: &'static str) -> Keeper {
    Keeper {
        name,
        feature: None,
    }
}

const fn behind(name: &'static str, feature: &'static str) -> Keeper {
    Keeper {
        name,
        feature: Some(feature),
    }
}

const FENCES: &[Fence] = &[
    Fence {
        dependencies: &["rmcp"],
        keepers: &[always("doorkey-rmcp"), always("doorkey-testkit")],
        law: "law 1: only doorkey-rmcp and the testkit name rmcp",
        instead: "reach it as doorkey_rmcp::rmcp",
    },
    Fence {
        dependencies: &["reqwest"],
        keepers: &[behind("doorkey-http", "client")],
        law: "law 1: only doorkey-http names reqwest, behind `client`",
        instead: "send through doorkey_http::HttpClient",
    },
    Fence {
        dependencies: &["rustls", "tokio-rustls"],
        keepers: &[
            behind("doorkey-http", "client"),
            behind("doorkey-store", "postgres"),
            always("doorkey-testkit"),
        ],
        law: "law 1: rustls belongs to doorkey-http, the store's `postgres` and the testkit",
        instead: "configure TLS in doorkey_http::HttpProfile",
    },
    Fence {
        dependencies: &["rustls-native-certs"],
        keepers: &[behind("doorkey-http", "client")],
        law: "law 2: it reads SSL_CERT_* by itself, so it has one place",
        instead: "take roots from doorkey_http",
    },
    Fence {
        dependencies: &["doorkey-testkit"],
        keepers: &[behind("doorkey", "demo")],
        law: "arrows of the house: only tests and `doorkey demo` use the testkit",
        instead: "make it a dev-dependency",
    },
    Fence {
        dependencies: &[
            "anstream",
            "anstyle",
            "clap",
            "comfy-table",
            "dialoguer",
            "indicatif",
            "open",
            "tracing-subscriber",
            "webbrowser",
        ],
        keepers: &[behind("doorkey", "cli")],
        law: "the table of the house: the command line is the host's, behind `cli`",
        instead: "return a value or an event, and let the program show it",
    },
    Fence {
        dependencies: &["directories", "dirs", "etcetera", "home"],
        keepers: &[always("doorkey")],
        law: "law 2: folders come from the environment, which the host alone reads",
        instead: "take the folder as a parameter",
    },
    Fence {
        dependencies: &["oauth2"],
        keepers: &[always("doorkey-oauth")],
        law: "the table of the house: only doorkey-oauth names oauth2",
        instead: "use the types of doorkey_oauth",
    },
    Fence {
        dependencies: &["tokio"],
        keepers: &[
            always("doorkey-http"),
            always("doorkey-store"),
            always("doorkey-oauth"),
            always("doorkey-rmcp"),
            always("doorkey"),
            always("doorkey-testkit"),
        ],
        law: "the table of the house: discovery needs no runtime",
        instead: "stay generic over the caller's runtime",
    },
    Fence {
        dependencies: &["hyper", "hyper-util"],
        keepers: &[
            always("doorkey-http"),
            always("doorkey"),
            always("doorkey-testkit"),
        ],
        law: "the table of the house: below the host only doorkey-http speaks HTTP",
        instead: "send through doorkey_http::HttpClient",
    },
    Fence {
        dependencies: &[
            "attohttpc",
            "awc",
            "curl",
            "hyper-rustls",
            "isahc",
            "reqwest-middleware",
            "surf",
            "ureq",
        ],
        keepers: &[],
        law: "law 3: every request goes through one HttpClient",
        instead: "send through doorkey_http::HttpClient",
    },
    Fence {
        dependencies: &["hyper-tls", "native-tls", "openssl", "openssl-sys"],
        keepers: &[],
        law: "the table of the house: TLS is rustls",
        instead: "use rustls, inside doorkey-http",
    },
];
