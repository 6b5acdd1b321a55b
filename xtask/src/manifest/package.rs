//! The `[package]` table of a member: inheritance, metadata, publish flag and name.

use toml_edit::Item;

use super::{Member, at, is_inherited, text};
use crate::failure::Violation;

/// Checks one member.
pub(super) fn check(member: &Member) -> Vec<Violation> {
    let mut broken = inheritance(member);
    broken.extend(name(member));
    broken.extend(if member.is_published() {
        published(member)
    } else {
        private(member)
    });
    broken.extend(paths(member));
    broken
}

fn inheritance(member: &Member) -> Vec<Violation> {
    let mut paths: Vec<Vec<&str>> = INHERITED.iter().map(|key| vec!["package", key]).collect();
    paths.push(vec!["lints"]);
    let own = paths
        .into_iter()
        .filter(|path| !is_inherited(at(&member.manifest, path)));
    own.filter_map(|path| path.last().copied())
        .map(|key| {
            let instead = match key {
                "lints" => "[lints] workspace = true".to_owned(),
                key => format!("{key}.workspace = true"),
            };
            Violation::new(
                SAME,
                member.path(),
                format!("`{key}` is not inherited"),
                instead,
            )
        })
        .collect()
}

fn name(member: &Member) -> Option<Violation> {
    let folder = member.folder.rsplit('/').next().unwrap_or(&member.folder);
    let expected = match folder {
        "host" if member.is_published() => "doorkey".to_owned(),
        folder if member.is_published() => format!("doorkey-{folder}"),
        folder => folder.to_owned(),
    };
    let found = text(&member.manifest, &["package", "name"]).unwrap_or("nothing");
    (found != expected).then(|| {
        let problem = format!("the package is named {found}");
        Violation::new(
            "names follow folders",
            member.path(),
            problem,
            format!("name = \"{expected}\""),
        )
    })
}

fn published(member: &Member) -> Vec<Violation> {
    let manifest = &member.manifest;
    let mut broken = Vec::new();
    let mut found = |problem: &str, instead: &str| {
        broken.push(Violation::new(METADATA, member.path(), problem, instead));
    };
    if text(manifest, &["package", "description"]).is_none_or(|text| text.trim().is_empty()) {
        found(
            "`description` is missing",
            "say in one sentence what the crate is for",
        );
    }
    if text(manifest, &["package", "readme"]) != Some("README.md") {
        found("`readme` is not README.md", "readme = \"README.md\"");
    }
    for key in ["keywords", "categories"] {
        let item = at(manifest, &["package", key]);
        let own = item
            .and_then(|item| item.as_array())
            .is_some_and(|words| !words.is_empty());
        if !own && !is_inherited(item) {
            found(
                &format!("`{key}` is missing"),
                &format!("{key}.workspace = true"),
            );
        }
    }
    if at(manifest, &["package", "publish"]).is_some() {
        found(
            "`publish` is set",
            "every crate under crates/ is published: remove the key",
        );
    }
    broken
}

fn private(member: &Member) -> Vec<Violation> {
    let flag = at(&member.manifest, &["package", "publish"]).and_then(Item::as_bool);
    if flag == Some(false) {
        return Vec::new();
    }
    let problem = "`publish = false` is missing";
    vec![Violation::new(
        METADATA,
        member.path(),
        problem,
        "only crates/ is published: publish = false",
    )]
}

/// Targets and build scripts lie inside the member.
fn paths(member: &Member) -> Vec<Violation> {
    let mut named = Vec::new();
    for key in ["lib", "bin", "test", "example", "bench"] {
        let item = member.manifest.get(key);
        named.extend(
            item.and_then(|item| item.get("path"))
                .map(|path| (key, path.as_str())),
        );
        let targets = item
            .and_then(|item| item.as_array_of_tables())
            .into_iter()
            .flatten();
        named.extend(targets.filter_map(|target| Some((key, target.get("path")?.as_str()))));
    }
    named
        .into_iter()
        .filter(|(_, path)| path.is_none_or(|path| path.starts_with('/') || path.contains("..")))
        .map(|(key, _)| {
            let problem = format!("`{key}.path` leaves the folder");
            Violation::new(
                "nothing points outside",
                member.path(),
                problem,
                "move the file here",
            )
        })
        .collect()
}

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "authors"];
const SAME: &str = "said once, in the workspace";
const METADATA: &str = "package metadata";
