//! The root: the laws as lints, the edition, the oldest Rust, and who is a member.

use toml_edit::{DocumentMut, Item};

use super::{Member, at, dependencies, strings, text};
use crate::failure::Violation;

/// Checks the root manifest and clippy's configuration.
pub(super) fn check(
    root: &DocumentMut,
    clippy: &DocumentMut,
    members: &[Member],
) -> Vec<Violation> {
    let folders: Vec<&str> = members
        .iter()
        .map(|member| member.folder.as_str())
        .collect();
    let mut broken = dependencies::check_workspace(root, &folders);
    broken.extend(membership(root, &folders));
    broken.extend(lints(root));
    for (key, expected) in PACKAGE {
        if text(root, &["workspace", "package", key]) != Some(expected) {
            let problem = format!("{key} is not {expected}");
            broken.push(Violation::new(
                "law 13",
                "Cargo.toml",
                problem,
                format!("{key} = \"{expected}\""),
            ));
        }
    }
    broken.extend(clippy_settings(clippy));
    broken
}

fn membership(root: &DocumentMut, folders: &[&str]) -> Vec<Violation> {
    let listed = strings(at(root, &["workspace", "members"]));
    let unlisted = folders
        .iter()
        .filter(|folder| !listed.contains(folder))
        .map(|folder| {
            let problem = format!("{folder} has a manifest and is no member");
            Violation::new(
                "one workspace",
                "Cargo.toml",
                problem,
                "list it in [workspace] members",
            )
        });
    unlisted.collect()
}

fn lints(root: &DocumentMut) -> Vec<Violation> {
    let weak = LINTS.iter().filter(|(tool, lint, least, _)| {
        let item = at(root, &["workspace", "lints", tool, lint]);
        let level = item
            .and_then(Item::as_str)
            .or_else(|| item?.get("level")?.as_str());
        level.and_then(strength) < strength(least)
    });
    weak.map(|(tool, lint, least, law)| {
        let problem = format!("lint {tool}.{lint} is weaker than {least}");
        Violation::new(
            law,
            "Cargo.toml",
            problem,
            format!("{lint} = \"{least}\" in [workspace.lints.{tool}]"),
        )
    })
    .collect()
}

fn strength(level: &str) -> Option<usize> {
    ["allow", "warn", "deny", "forbid"]
        .iter()
        .position(|name| *name == level)
}

fn clippy_settings(clippy: &DocumentMut) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut found = |law, problem: String, instead: String| {
        broken.push(Violation::new(law, "clippy.toml", problem, instead));
    };
    if text(clippy, &["msrv"]) != Some(OLDEST_RUST) {
        let instead = format!("msrv = \"{OLDEST_RUST}\"");
        found(
            "law 13",
            "msrv is not the workspace's rust-version".to_owned(),
            instead,
        );
    }
    for (key, most) in LIMITS {
        let limit = at(clippy, &[key]).and_then(Item::as_integer);
        if limit.is_none_or(|limit| limit > *most) {
            found(
                "how the code reads",
                format!("{key} is not {most} or less"),
                format!("{key} = {most}"),
            );
        }
    }
    let banned = at(clippy, &["disallowed-methods"]).and_then(Item::as_array);
    let banned: Vec<&str> = banned
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry
                .as_str()
                .or_else(|| entry.as_inline_table()?.get("path")?.as_str())
        })
        .collect();
    for method in DISALLOWED.iter().filter(|method| !banned.contains(method)) {
        found(
            "law 2",
            format!("{method} is not disallowed"),
            "add it to disallowed-methods".to_owned(),
        );
    }
    broken
}

const OLDEST_RUST: &str = "1.89";
const PACKAGE: &[(&str, &str)] = &[
    ("edition", "2024"),
    ("rust-version", OLDEST_RUST),
    ("license", "MIT OR Apache-2.0"),
];

/// Tool, lint, the least level, and the law that it stands for.
const LINTS: &[(&str, &str, &str, &str)] = &[
    ("rust", "unsafe_code", "forbid", "law 13"),
    ("rust", "missing_docs", "warn", "law 13"),
    ("rust", "missing_debug_implementations", "warn", "law 13"),
    ("rust", "unreachable_pub", "warn", "law 13"),
    ("clippy", "all", "warn", "law 13"),
    ("clippy", "print_stdout", "warn", "law 2"),
    ("clippy", "print_stderr", "warn", "law 2"),
    ("clippy", "exit", "warn", "law 2"),
    ("clippy", "dbg_macro", "warn", "law 2"),
    ("clippy", "unwrap_used", "warn", "law 10"),
    ("clippy", "expect_used", "warn", "law 10"),
    ("clippy", "panic", "warn", "law 10"),
    ("clippy", "await_holding_lock", "warn", "law 7"),
    ("clippy", "todo", "warn", "how the code reads"),
    ("clippy", "unimplemented", "warn", "how the code reads"),
    ("clippy", "allow_attributes", "warn", "how the code reads"),
    (
        "clippy",
        "allow_attributes_without_reason",
        "warn",
        "how the code reads",
    ),
    ("clippy", "too_many_lines", "warn", "how the code reads"),
];

/// What clippy measures, and the most that it may let pass.
const LIMITS: &[(&str, i64)] = &[
    ("too-many-lines-threshold", 60),
    ("too-many-arguments-threshold", 6),
];

const DISALLOWED: &[&str] = &[
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
    "std::env::vars_os",
    "std::process::exit",
];
