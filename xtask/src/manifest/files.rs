//! The files under version control: what must be among them, and what must not stand in them.

use serde_json::Value;

use super::Member;
use crate::failure::{Failure, Violation};
use crate::workspace::Workspace;

/// Checks the files; `files` are paths from the root.
pub(super) fn check(
    workspace: &Workspace,
    files: &[String],
    members: &[Member],
) -> Result<Vec<Violation>, Failure> {
    let mut broken = absent(files, members);
    broken.extend(what_ci_runs(
        &workspace.read(CI_RUN)?,
        &workspace.read("README.md")?,
    ));
    broken.extend(shown_example(
        &workspace.read("README.md")?,
        workspace.read(EXAMPLE).ok().as_deref(),
    ));
    let root = workspace.root().to_string_lossy();
    for file in files {
        let path = workspace.path(file);
        let bytes = std::fs::read(&path).map_err(|source| Failure::File { path, source })?;
        // What is not text is a fixture or a picture.
        let Ok(content) = String::from_utf8(bytes) else {
            continue;
        };
        broken.extend(leaks(file, &content, &root));
        broken.extend(match file.rsplit('/').next() {
            Some("package-lock.json" | "npm-shrinkwrap.json") => package_lock(file, &content),
            Some(".npmrc") => npm_settings(file, &content),
            Some("config.toml") if file.contains(".cargo/") => cargo_settings(file, &content),
            _ => Vec::new(),
        });
    }
    Ok(broken)
}

fn absent(files: &[String], members: &[Member]) -> Vec<Violation> {
    let mut needed = vec![
        "LICENSE-APACHE".to_owned(),
        "LICENSE-MIT".to_owned(),
        "Cargo.lock".to_owned(),
    ];
    let crates = members.iter().filter(|member| member.is_published());
    needed.extend(crates.map(|member| format!("{}/README.md", member.folder)));
    needed.retain(|file| !files.contains(file));
    needed
        .into_iter()
        .map(|file| Violation::new("package metadata", file, "does not exist", "write it"))
        .collect()
}

/// `.ci/run` types what README.md tells a person to type, and leaves nothing out.
fn what_ci_runs(run: &str, readme: &str) -> Vec<Violation> {
    let commands: Vec<&str> = run
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .collect();
    let mut broken = Vec::new();
    let mut found = |problem: String, instead: &str| {
        broken.push(Violation::new(
            "one way to check everything",
            CI_RUN,
            problem,
            instead,
        ));
    };
    if !commands.contains(&CI) {
        found(format!("does not run `{CI}` as it is"), "run every step");
    }
    for command in commands.iter().filter(|command| !readme.contains(*command)) {
        found(
            format!("runs `{command}`, which README.md does not name"),
            "let both say the same",
        );
    }
    broken
}

/// The program that README.md shows is the example that Cargo compiles.
fn shown_example(readme: &str, example: Option<&str>) -> Option<Violation> {
    let (_, shown) = readme.split_once("```rust")?;
    let (_, shown) = shown.split_once('\n')?;
    let shown = shown.split("```").next()?.trim();
    let same = example.is_some_and(|example| example.trim_end().ends_with(shown));
    (!same).then(|| {
        Violation::new(
            "what README.md shows compiles",
            "README.md",
            format!("shows a program that is not {EXAMPLE}"),
            "let both say the same",
        )
    })
}

/// Paths of a machine and hosts of registries, line by line.
fn leaks(file: &str, content: &str, root: &str) -> Vec<Violation> {
    let mut broken = Vec::new();
    for (index, line) in content.lines().enumerate() {
        let mut found = |what: &str, leak: &str, instead: &str| {
            let problem = format!("line {} names the {what} {leak}", index + 1);
            broken.push(Violation::new(NOTHING_LEAKS, file, problem, instead));
        };
        if let Some(path) = machine_path(line, root) {
            found(
                "machine path",
                path,
                "write it relative to the repository, or $HOME",
            );
        }
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(*host)) {
            found(
                "registry host",
                host,
                "name the registry, not where it is reached",
            );
        }
    }
    broken
}

/// A path in somebody's home or of this checkout. The part of a URL behind its host is none.
fn machine_path<'a>(line: &'a str, root: &str) -> Option<&'a str> {
    let homes = ["/root/", "/home/", "/Users/", "C:\\Users\\"];
    // A checkout right below `/` has a name that may stand anywhere.
    let own = (root.matches('/').count() > 1).then_some(root);
    homes.into_iter().chain(own).find_map(|prefix| {
        line.match_indices(prefix).find_map(|(start, _)| {
            let before = line[..start].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || "/.-_~}$>%".contains(c));
            let path = &line[start..];
            let end = path.find(|c: char| c.is_whitespace() || "\"'`,;)<>".contains(c));
            let path = &path[..end.unwrap_or(path.len())];
            let rest = path.strip_prefix(prefix).unwrap_or_default();
            let nobody = match prefix {
                "/root/" => rest.is_empty(),
                prefix if prefix == root => false,
                _ => !is_a_name(rest.split(['/', '\\']).next().unwrap_or_default()),
            };
            (!inside && !nobody).then_some(path)
        })
    })
}

/// Whether the folder below a homes folder is a person's, and not a placeholder or the stock user of an example.
fn is_a_name(owner: &str) -> bool {
    let example = matches!(owner, "" | "you" | "user" | "me" | "ada" | "alice" | "bob");
    !example && owner.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// npm writes where it downloaded from, which is the business of the machine that did.
fn package_lock(file: &str, content: &str) -> Vec<Violation> {
    let lock: Value = match serde_json::from_str(content) {
        Ok(lock) => lock,
        Err(error) => {
            let problem = format!("is not JSON: {error}");
            return vec![Violation::new(
                NOTHING_LEAKS,
                file,
                problem,
                "run npm install again",
            )];
        }
    };
    let packages = lock
        .get("packages")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let nested = lock
        .get("dependencies")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    packages
        .chain(nested)
        .filter_map(|(name, package)| Some((name, package.get("resolved")?.as_str()?)))
        .filter(|(_, address)| address.contains("://"))
        .map(|(name, _)| {
            let problem = format!("{name} carries the download address in `resolved`");
            let instead = "omit-lockfile-registry-resolved=true in .npmrc, then npm install";
            Violation::new(NOTHING_LEAKS, file, problem, instead)
        })
        .collect()
}

fn npm_settings(file: &str, content: &str) -> Vec<Violation> {
    let keys = content
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.trim()));
    let private = |key: &&str| key.ends_with("registry") || key.contains("_auth");
    keys.filter(private).map(|key| setting(file, key)).collect()
}

fn cargo_settings(file: &str, content: &str) -> Vec<Violation> {
    match content.parse::<toml_edit::DocumentMut>() {
        Ok(settings) => ["source", "registry", "registries"]
            .into_iter()
            .filter(|key| settings.contains_key(key))
            .map(|key| setting(file, key))
            .collect(),
        Err(error) => {
            let problem = format!("is not TOML: {}", error.message());
            vec![Violation::new(NOTHING_LEAKS, file, problem, "mend it")]
        }
    }
}

fn setting(file: &str, key: &str) -> Violation {
    let problem = format!("sets `{key}`");
    Violation::new(
        NOTHING_LEAKS,
        file,
        problem,
        "leave it to the machine's own configuration",
    )
}

const CI_RUN: &str = ".ci/run";
const EXAMPLE: &str = "crates/host/examples/embed.rs";
const CI: &str = "cargo xtask ci";
const NOTHING_LEAKS: &str = "the project knows no machine";

/// Written in two pieces each, so that this file passes its own check.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("registry", ".npmjs.org"),
    concat!("registry", ".yarnpkg.com"),
    concat!("index", ".crates.io"),
    concat!("static", ".crates.io"),
    concat!("files", ".pythonhosted.org"),
    concat!("pypi", ".org"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_told_from_addresses_and_examples() {
        let root = "/srv/build/checkout";
        let cases = [
            (
                concat!("in /ro", "ot/.cargo now"),
                Some(concat!("/ro", "ot/.cargo")),
            ),
            (
                concat!("(\"/ho", "me/eve/x\")"),
                Some(concat!("/ho", "me/eve/x")),
            ),
            (
                concat!("C:\\Us", "ers\\eve\\x"),
                Some(concat!("C:\\Us", "ers\\eve\\x")),
            ),
            (
                "at /srv/build/checkout/target",
                Some("/srv/build/checkout/target"),
            ),
            ("https://example.org/home/eve", None),
            ("/home/alice/.config", None),
            ("/home/<name>/.config", None),
            ("/home/ and /Users/", None),
            ("chroot/root/x", None),
            ("$HOME/x", None),
        ];
        for (line, expected) in cases {
            assert_eq!(machine_path(line, root), expected, "{line}");
        }
    }

    #[test]
    fn a_readme_that_shows_other_code_than_the_example_is_told() {
        let readme = "# x\n\n```rust,no_run\nfn main() {}\n```\nmore\n";
        assert_eq!(
            shown_example(readme, Some("//! Page.\n\nfn main() {}\n")),
            None
        );
        assert_eq!(shown_example("# nothing shown\n", None), None);
        for other in [None, Some("fn main() { one() }\n")] {
            let found = shown_example(readme, other).expect("a violation");
            assert!(found.to_string().contains(EXAMPLE), "{found}");
        }
    }

    #[test]
    fn links_between_folders_are_no_download_addresses() {
        let lock =
            r#"{"packages": {"a": {"resolved": "../a", "link": true}, "b": {"integrity": "x"}}}"#;
        assert_eq!(package_lock("package-lock.json", lock), []);
        assert_eq!(package_lock("package-lock.json", "{").len(), 1);
    }
}
