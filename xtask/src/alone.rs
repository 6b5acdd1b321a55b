//! `alone`: each library crate by itself, as somebody else takes it.
//!
//! In the workspace Cargo unifies features, and a crate may compile only because a neighbour asked for what it forgot to
//! ask for. Here each is checked with no features, with its default ones and with each one, and its whole tree is
//! searched for what must not come along by any path.

use std::collections::BTreeSet;

use cargo_metadata::Package;

use crate::failure::{Failure, Violation};
use crate::process::minutes;
use crate::step::Report;
use crate::workspace::{Workspace, members_under};

/// Checks every crate under `crates/` in every build.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let members = workspace.members()?;
    let crates = members_under("crates", &members);
    let plans: Vec<Build> = crates.iter().flat_map(|package| builds(package)).collect();

    // Trees take no time and say the most: all of them before the first build.
    let mut broken = Vec::new();
    for build in &plans {
        let tree = workspace.cargo(TREE).args(build.flags());
        broken.extend(stowaways(build, &tree.capture()?));
    }
    Failure::unless_empty(broken)?;
    for build in &plans {
        workspace
            .cargo(&["check", "--locked"])
            .args(build.flags())
            .limit(minutes(20))
            .show()?;
    }
    Ok(Report::note(format!(
        "{} crates compile alone in {} builds",
        crates.len(),
        plans.len()
    )))
}

/// One crate with one choice of features.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    name: String,
    choice: Choice,
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    NoFeatures,
    Default,
    Only(String),
}

impl Build {
    fn flags(&self) -> Vec<&str> {
        let mut flags = vec!["-p", &self.name];
        match &self.choice {
            Choice::NoFeatures => flags.push("--no-default-features"),
            Choice::Default => {}
            Choice::Only(feature) => flags.extend(["--no-default-features", "--features", feature]),
        }
        flags
    }

    /// The build in words: `doorkey-http with only client`.
    fn title(&self) -> String {
        match &self.choice {
            Choice::NoFeatures => format!("{} without features", self.name),
            Choice::Default => format!("{} with its default features", self.name),
            Choice::Only(feature) => format!("{} with only {feature}", self.name),
        }
    }
}

/// The builds of a crate that differ: one that turns on the same features as an earlier one is left out.
fn builds(package: &Package) -> Vec<Build> {
    let mut features: Vec<&String> = package
        .features
        .keys()
        .filter(|feature| *feature != "default")
        .collect();
    features.sort();
    let mut choices = vec![Choice::NoFeatures, Choice::Default];
    choices.extend(features.into_iter().cloned().map(Choice::Only));
    let mut seen = BTreeSet::new();
    choices.retain(|choice| {
        let mut on = BTreeSet::new();
        match choice {
            Choice::NoFeatures => {}
            Choice::Default => turn_on("default", package, &mut on),
            Choice::Only(feature) => turn_on(feature, package, &mut on),
        }
        on.remove("default");
        seen.insert(on)
    });
    let name = package.name.to_string();
    choices
        .into_iter()
        .map(|choice| Build {
            name: name.clone(),
            choice,
        })
        .collect()
}

fn turn_on(feature: &str, package: &Package, on: &mut BTreeSet<String>) {
    if let Some(values) = package.features.get(feature)
        && on.insert(feature.to_owned())
    {
        values.iter().for_each(|value| turn_on(value, package, on));
    }
}

/// What a crate's whole tree must not hold in some of its builds.
struct Fence {
    name: &'static str,
    builds: When,
    /// Crates, by name.
    crates: &'static [&'static str],
    /// A crate, and a part of the names of the features that it must not have.
    features: &'static [(&'static str, &'static str)],
    law: &'static str,
}

enum When {
    Always,
    /// Without the feature, whether it is asked for or comes with the default ones.
    WithoutFeatures,
}

/// Searches the output of [`TREE`] for what must not be there.
fn stowaways(build: &Build, tree: &str) -> Vec<Violation> {
    let applies = |fence: &&Fence| {
        let this = fence.name == build.name || fence.name == ANY;
        this && match fence.builds {
            When::Always => true,
            When::WithoutFeatures => build.choice == Choice::NoFeatures,
        }
    };
    let mut broken = Vec::new();
    for fence in FENCES.iter().filter(applies) {
        let mut found: BTreeSet<String> = BTreeSet::new();
        for (name, features) in tree.lines().filter_map(read_line) {
            found.extend(
                fence
                    .crates
                    .contains(&name)
                    .then(|| format!("has {name} in its tree")),
            );
            let parts = fence.features.iter().filter(|(owner, _)| *owner == name);
            for (_, part) in parts {
                let bad = features.split(',').filter(|feature| feature.contains(part));
                found.extend(bad.map(|feature| format!("turns on {name}/{feature} in its tree")));
            }
        }
        let instead = format!(
            "find who brings it: cargo tree -e normal {} -i …",
            build.flags().join(" ")
        );
        let violation =
            |problem| Violation::new(fence.law, build.title(), problem, instead.clone());
        broken.extend(found.into_iter().map(violation));
    }
    broken
}

/// Name and features of a line like `rmcp v3.11.0|base64,client`; cargo marks repeated ones with ` (*)`.
fn read_line(line: &str) -> Option<(&str, &str)> {
    let (package, features) = line.split_once('|')?;
    let features = features.strip_suffix(" (*)").unwrap_or(features);
    Some((package.split(' ').next()?, features))
}

const TREE: &[&str] = &[
    "tree", "--locked", "-e", "normal", "--prefix", "none", "--format", "{p}|{f}",
];

/// In place of a crate's name: all of them.
const ANY: &str = "";

const FENCES: &[Fence] = &[
    Fence {
        name: "doorkey-http",
        builds: When::WithoutFeatures,
        crates: &["hyper", "reqwest", "rustls", "rustls-native-certs"],
        features: &[],
        law: "law 1: without `client` a host brings its own service",
    },
    Fence {
        name: "doorkey-discovery",
        builds: When::WithoutFeatures,
        crates: &[
            "doorkey-http",
            "hyper",
            "reqwest",
            "rustls",
            "tokio",
            "tower",
        ],
        features: &[],
        law: "law 8: the pure half of discovery needs no runtime and no network",
    },
    Fence {
        name: "doorkey-discovery",
        builds: When::Always,
        crates: &["reqwest", "oauth2", "rmcp"],
        features: &[],
        law: "law 1",
    },
    Fence {
        name: "doorkey-store",
        builds: When::WithoutFeatures,
        crates: &["rustls", "tempfile"],
        features: &[],
        law: "law 12: a backend comes with its feature",
    },
    Fence {
        name: "doorkey-store",
        builds: When::Always,
        crates: &["hyper", "oauth2", "reqwest", "rmcp"],
        features: &[],
        law: "the table of the house: the store knows no network",
    },
    Fence {
        name: "doorkey-oauth",
        builds: When::Always,
        crates: &["clap", "reqwest", "rmcp", "rustls"],
        features: &[("oauth2", "reqwest")],
        law: "law 1",
    },
    Fence {
        name: "doorkey-rmcp",
        builds: When::Always,
        crates: &["clap", "reqwest", "rustls"],
        features: &[("rmcp", "auth"), ("rmcp", "reqwest")],
        law: "law 1: rmcp without its own authorization and client",
    },
    Fence {
        name: "doorkey",
        builds: When::Always,
        crates: &[],
        features: &[("rmcp", "auth"), ("rmcp", "reqwest"), ("oauth2", "reqwest")],
        law: "law 1: rmcp without its own authorization and client",
    },
    Fence {
        name: "doorkey",
        builds: When::WithoutFeatures,
        crates: &[
            "clap",
            "comfy-table",
            "doorkey-testkit",
            "indicatif",
            "webbrowser",
        ],
        features: &[],
        law: "the table of the house: the library carries no command line and no test servers",
    },
    Fence {
        name: "doorkey-testkit",
        builds: When::Always,
        crates: &[
            "doorkey",
            "doorkey-discovery",
            "doorkey-http",
            "doorkey-oauth",
            "doorkey-rmcp",
            "doorkey-store",
            "oauth2",
            "reqwest",
        ],
        features: &[],
        law: "arrows of the house: the testkit cannot inherit our mistakes",
    },
    Fence {
        name: ANY,
        builds: When::Always,
        crates: &["native-tls", "openssl", "openssl-sys", "ring"],
        features: &[],
        law: "one TLS: rustls with aws-lc-rs",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn titles(name: &str, fixture: &Fixture) -> Vec<String> {
        let members = fixture.workspace().members().unwrap();
        let package = members
            .packages
            .iter()
            .find(|package| package.name == name)
            .unwrap();
        builds(package).iter().map(Build::title).collect()
    }

    #[test]
    fn every_choice_of_features_that_differs_is_built_once() {
        let fixture = Fixture::good();
        assert_eq!(
            titles("doorkey-http", &fixture),
            [
                "doorkey-http without features",
                "doorkey-http with its default features"
            ]
        );
        assert_eq!(
            titles("doorkey-oauth", &fixture),
            ["doorkey-oauth without features"]
        );
        assert_eq!(
            titles("doorkey", &fixture),
            [
                "doorkey without features",
                "doorkey with its default features",
                "doorkey with only cli"
            ]
        );
        assert_eq!(
            titles("doorkey-store", &fixture),
            [
                "doorkey-store without features",
                "doorkey-store with its default features",
                "doorkey-store with only postgres"
            ]
        );
    }

    fn found(name: &str, choice: Choice, tree: &str) -> Vec<String> {
        let build = Build {
            name: name.to_owned(),
            choice,
        };
        stowaways(&build, tree)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_crate_that_comes_along_by_any_path_is_found() {
        let tree = "doorkey-discovery v0.1.0 (/x)|\ntokio v1.40.0|default,time\ntokio v1.40.0|default,time (*)\n";
        let said = found("doorkey-discovery", Choice::NoFeatures, tree);
        assert_eq!(said.len(), 1, "{said:?}");
        let start = "doorkey-discovery without features: has tokio in its tree [law 8";
        assert!(said[0].starts_with(start), "{said:?}");
        assert_eq!(found("doorkey-discovery", Choice::Default, tree), [""; 0]);
        assert_eq!(
            found("doorkey-rmcp", Choice::NoFeatures, "openssl v0.10.0|").len(),
            1
        );
    }

    #[test]
    fn a_feature_that_unification_would_hide_is_found() {
        let good = "rmcp v3.11.0|base64,client,transport-streamable-http-client (*)";
        assert_eq!(found("doorkey-rmcp", Choice::NoFeatures, good), [""; 0]);
        let said = found(
            "doorkey-rmcp",
            Choice::NoFeatures,
            "rmcp v3.11.0|auth,base64,reqwest (*)",
        );
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("turns on rmcp/auth in its tree [law 1"),
            "{said:?}"
        );
        assert!(
            said[1].contains("turns on rmcp/reqwest in its tree [law 1"),
            "{said:?}"
        );
    }

    #[test]
    fn a_crate_that_compiles_only_beside_its_neighbours_is_found() {
        let fixture = Fixture::good();
        fixture.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/store\", \"crates/http\"]\n",
        );
        let manifest = |name: &str, rest: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
        };
        let store = manifest("doorkey-store", "[features]\nextra = []\n");
        fixture.write("crates/store/Cargo.toml", &store);
        fixture.write(
            "crates/store/src/lib.rs",
            "#[cfg(feature = \"extra\")]\npub fn extra() {}\n",
        );
        fixture.write("crates/http/src/lib.rs", "pub use doorkey_store::extra;\n");
        let http = |features: &str| {
            let line =
                format!("[dependencies]\ndoorkey-store = {{ path = \"../store\"{features} }}\n");
            fixture.write("crates/http/Cargo.toml", &manifest("doorkey-http", &line));
            fixture
                .workspace()
                .cargo(&["generate-lockfile", "--offline"])
                .capture()
                .unwrap();
            run(&fixture.workspace())
        };
        let said = http("").unwrap_err().report();
        assert!(
            said.contains("cargo check --locked -p doorkey-http --no-default-features"),
            "{said}"
        );
        let outcome = http(", features = [\"extra\"]");
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err().report());
    }
}
