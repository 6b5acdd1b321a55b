//! `deny`: banned crates, licences and sources, and advisories where their database can be had, by a pinned cargo-deny.
//!
//! A build fetches no advisories. Who has a clone of their database names it; without one the report says that they were
//! not checked.

mod advisories;
mod exceptions;

use toml_edit::{DocumentMut, Item, Value};

use crate::failure::{Failure, Violation};
use crate::process::{Call, minutes};
use crate::step::Report;
use crate::tools::Pinned;
use crate::workspace::Workspace;

/// Judges the settings, and runs cargo-deny without the network.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let settings = workspace.toml(SETTINGS)?;
    let mut broken = weakened(&settings);
    broken.extend(exceptions::linked(&settings, &workspace.resolved()?));
    broken.extend(advisories::silenced(&settings));
    Failure::unless_empty(broken)?;
    let program = CARGO_DENY.installed(workspace)?;
    workspace
        .cargo(&["fetch", "--locked"])
        .limit(minutes(10))
        .show()?;
    let deny = Call::new(&program, workspace.root()).args(["--offline"]);
    let call = deny.clone().args(["check", "bans", "licenses", "sources"]);
    call.limit(minutes(5)).show()?;
    let mut report = Report::note("bans, licences and sources hold");
    report
        .notes
        .push(advisories::checked(&deny, &settings, workspace)?);
    Ok(report)
}

/// What `deny.toml` must forbid for this step to mean anything.
fn weakened(settings: &DocumentMut) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut found = |problem: String, instead: &str| {
        broken.push(Violation::new(
            "what may come into the build",
            SETTINGS,
            problem,
            instead,
        ));
    };
    let at = |table: &str, key: &str| settings.get(table).and_then(|table| table.get(key));
    for key in ["unknown-registry", "unknown-git"] {
        if at("sources", key).and_then(Item::as_str) != Some("deny") {
            found(
                format!("[sources] {key} is not denied"),
                "crates come from crates.io alone",
            );
        }
    }
    for key in ["allow-git", "allow-org"] {
        if at("sources", key)
            .and_then(Item::as_array)
            .is_some_and(|sources| !sources.is_empty())
        {
            found(
                format!("[sources] {key} lets git sources in"),
                "take released versions",
            );
        }
    }
    let banned = at("bans", "deny").and_then(Item::as_array);
    let banned: Vec<_> = banned
        .into_iter()
        .flatten()
        .filter_map(Value::as_inline_table)
        .collect();
    for name in BANNED {
        let ban = banned
            .iter()
            .find(|ban| ban.get("crate").and_then(Value::as_str) == Some(name));
        if ban.is_none_or(|ban| !ban.contains_key("reason")) {
            found(
                format!("{name} is not banned with a reason"),
                "TLS is rustls with aws-lc-rs",
            );
        }
    }
    let licences = at("licenses", "allow").and_then(Item::as_array);
    for licence in licences.into_iter().flatten().filter_map(Value::as_str) {
        if ["GPL", "MPL", "SSPL", "BUSL", "EUPL"]
            .iter()
            .any(|part| licence.contains(part))
        {
            found(
                format!("the licence {licence} is allowed"),
                "allow what every host may link",
            );
        }
    }
    broken
}

const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring"];
const SETTINGS: &str = "deny.toml";
const CARGO_DENY: Pinned = Pinned {
    name: "cargo-deny",
    version: "0.20.2",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_let_something_in_are_found() {
        let settings = include_str!("../../deny.toml");
        assert_eq!(weakened(&settings.parse().unwrap()), []);
        let cases = [
            (
                "unknown-git = \"deny\"",
                "unknown-git = \"warn\"",
                "[sources] unknown-git",
            ),
            (
                "unknown-registry = \"deny\"",
                "",
                "[sources] unknown-registry",
            ),
            (
                "allow-git = []",
                "allow-git = [\"https://example.org/x\"]",
                "[sources] allow-git",
            ),
            (
                "crate = \"openssl\"",
                "crate = \"closedssl\"",
                "openssl is not banned",
            ),
            ("\"MIT\"", "\"GPL-3.0-only\"", "the licence GPL-3.0-only"),
        ];
        for (from, to, expected) in cases {
            assert!(settings.contains(from), "{from}");
            let broken = weakened(&settings.replace(from, to).parse().unwrap());
            assert_eq!(broken.len(), 1, "{expected}: {broken:?}");
            assert!(broken[0].problem.starts_with(expected), "{broken:?}");
        }
    }
}
