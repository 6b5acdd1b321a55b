//! `manifest`: every member states the same things in the same way, and nothing of this machine leaks into a file.

mod dependencies;
mod files;
mod package;
mod root;

use toml_edit::{DocumentMut, Item, TableLike};

use crate::failure::Failure;
use crate::step::Report;
use crate::workspace::Workspace;

/// A member and its manifest.
#[derive(Debug)]
struct Member {
    /// The folder from the root, with `/` between: `crates/http`.
    folder: String,
    manifest: DocumentMut,
}

impl Member {
    /// Whether the package goes to a registry. What tests and checks the others does not.
    fn is_published(&self) -> bool {
        self.folder.starts_with("crates/")
    }

    /// The manifest's path from the root.
    fn path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// Checks the manifests and the files that are under version control.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    let root = workspace.toml("Cargo.toml")?;
    let files = workspace.files()?;
    let members = files
        .iter()
        .filter_map(|file| file.strip_suffix("/Cargo.toml"))
        .filter(|folder| !strings(at(&root, &["workspace", "exclude"])).contains(folder))
        .map(|folder| {
            let manifest = workspace.toml(&format!("{folder}/Cargo.toml"))?;
            Ok(Member {
                folder: folder.to_owned(),
                manifest,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;

    let mut broken = root::check(&root, &workspace.toml("clippy.toml")?, &members);
    for member in &members {
        broken.extend(package::check(member));
        broken.extend(dependencies::check_member(member));
    }
    broken.extend(files::check(workspace, &files, &members)?);
    Failure::unless_empty(broken)?;
    Ok(Report::note(format!(
        "{} members and {} files hold",
        members.len(),
        files.len()
    )))
}

/// The value at a path of keys.
fn at<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a Item> {
    path.iter()
        .try_fold(document.as_item(), |item, key| item.get(key))
}

/// The text at a path of keys.
fn text<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a str> {
    at(document, path)?.as_str()
}

/// The strings of an array; none where there is no array.
fn strings(item: Option<&Item>) -> Vec<&str> {
    let array = item.and_then(Item::as_array);
    array
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str())
        .collect()
}

/// Whether a key says `key.workspace = true`.
fn is_inherited(item: Option<&Item>) -> bool {
    item.and_then(|item| item.get("workspace"))
        .and_then(Item::as_bool)
        == Some(true)
}

/// A table's keys and values; none where there is no table.
fn entries(item: Option<&Item>) -> Vec<(&str, &Item)> {
    item.and_then(Item::as_table_like)
        .map(|table| TableLike::iter(table).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::failure::Failure;
    use crate::fixture::Fixture;

    #[test]
    fn a_good_workspace_passes() {
        let outcome = super::run(&Fixture::good().workspace());
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err().report());
    }

    /// Breaks a good workspace in one place each, and looks for the law and the culprit in what is said.
    fn assert_each_is_found(cases: &[(&str, &str, &str, &str)]) {
        for (file, from, to, expected) in cases {
            let fixture = Fixture::good();
            fixture.replace(file, from, to);
            let failure = super::run(&fixture.workspace()).expect_err(expected);
            let Failure::Broken(broken) = &failure else {
                panic!("{}", failure.report())
            };
            let said: Vec<_> = broken.iter().map(ToString::to_string).collect();
            assert!(
                said.iter().any(|line| line.starts_with(expected)),
                "{expected}\n{said:#?}"
            );
        }
    }

    #[test]
    fn a_member_that_does_not_inherit_is_found() {
        let http = "crates/http/Cargo.toml";
        assert_each_is_found(&[
            (
                http,
                "version.workspace = true",
                "version = \"0.1.0\"",
                "crates/http/Cargo.toml: `version` is not inherited",
            ),
            (
                http,
                "edition.workspace = true",
                "edition = \"2021\"",
                "crates/http/Cargo.toml: `edition` is not inherited",
            ),
            (
                http,
                "rust-version.workspace = true",
                "",
                "crates/http/Cargo.toml: `rust-version` is not inherited",
            ),
            (
                http,
                "license.workspace = true",
                "license = \"MIT\"",
                "crates/http/Cargo.toml: `license` is not inherited",
            ),
            (
                http,
                "authors.workspace = true",
                "",
                "crates/http/Cargo.toml: `authors` is not inherited",
            ),
            (
                http,
                "[lints]\nworkspace = true",
                "",
                "crates/http/Cargo.toml: `lints` is not inherited",
            ),
        ]);
    }

    #[test]
    fn missing_metadata_is_found() {
        let store = "crates/store/Cargo.toml";
        assert_each_is_found(&[
            (
                store,
                "description = \"Keeps grants.\"",
                "",
                "crates/store/Cargo.toml: `description` is missing",
            ),
            (
                store,
                "readme = \"README.md\"",
                "",
                "crates/store/Cargo.toml: `readme` is not README.md",
            ),
            (
                store,
                "keywords.workspace = true",
                "",
                "crates/store/Cargo.toml: `keywords` is missing",
            ),
            (
                store,
                "categories.workspace = true",
                "",
                "crates/store/Cargo.toml: `categories` is missing",
            ),
        ]);
    }

    #[test]
    fn publish_flags_and_names_follow_the_folder() {
        assert_each_is_found(&[
            (
                "xtask/Cargo.toml",
                "publish = false",
                "",
                "xtask/Cargo.toml: `publish = false` is missing",
            ),
            (
                "tests/parity/Cargo.toml",
                "publish = false",
                "publish = true",
                "tests/parity/Cargo.toml: `publish = false` is missing",
            ),
            (
                "crates/oauth/Cargo.toml",
                "[lints]",
                "publish = false\n[lints]",
                "crates/oauth/Cargo.toml: `publish` is set",
            ),
            (
                "crates/oauth/Cargo.toml",
                "name = \"doorkey-oauth\"",
                "name = \"doorkey-auth\"",
                "crates/oauth/Cargo.toml: the package is named doorkey-auth",
            ),
            (
                "crates/host/Cargo.toml",
                "name = \"doorkey\"",
                "name = \"doorkey-host\"",
                "crates/host/Cargo.toml: the package is named doorkey-host",
            ),
            (
                "tests/parity/Cargo.toml",
                "name = \"parity\"",
                "name = \"doorkey-parity\"",
                "tests/parity/Cargo.toml: the package is named doorkey-parity",
            ),
        ]);
    }

    #[test]
    fn dependencies_that_do_not_come_from_the_workspace_are_found() {
        let http = "crates/http/Cargo.toml";
        let target =
            "bytes.workspace = true\n[target.'cfg(windows)'.build-dependencies]\nhttp = \"1\"";
        assert_each_is_found(&[
            (
                http,
                "bytes.workspace = true",
                "bytes = \"1\"",
                "crates/http/Cargo.toml: [dependencies] bytes",
            ),
            (
                http,
                "bytes.workspace = true",
                "bytes = { version = \"1\" }",
                "crates/http/Cargo.toml: [dependencies] bytes",
            ),
            (
                http,
                "bytes.workspace = true",
                "bytes = { path = \"../../../bytes\" }",
                "crates/http/Cargo.toml: [dependencies] bytes",
            ),
            (
                http,
                "bytes.workspace = true",
                "bytes = { git = \"https://example.org/bytes\" }",
                "crates/http/Cargo.toml: [dependencies] bytes",
            ),
            (
                http,
                "bytes.workspace = true",
                target,
                "crates/http/Cargo.toml: [target.cfg(windows).build-dependencies] http",
            ),
            (
                "tests/parity/Cargo.toml",
                "http.workspace = true",
                "http = \"1\"",
                "tests/parity/Cargo.toml: [dev-dependencies] http",
            ),
        ]);
    }

    #[test]
    fn sources_outside_the_repository_are_found() {
        let ours = "doorkey-http = { path = \"crates/http\", version = \"0.1.0\"";
        assert_each_is_found(&[
            (
                "Cargo.toml",
                ours,
                "doorkey-http = { path = \"crates/http\"",
                "Cargo.toml: doorkey-http has a path without the version",
            ),
            (
                "Cargo.toml",
                ours,
                "doorkey-http = { path = \"crates/http\", version = \"0.0.9\"",
                "Cargo.toml: doorkey-http has a path without the version",
            ),
            (
                "Cargo.toml",
                ours,
                "doorkey-http = { path = \"../http\", version = \"0.1.0\"",
                "Cargo.toml: doorkey-http points to ../http",
            ),
            (
                "Cargo.toml",
                "bytes = \"1\"",
                "bytes = { git = \"https://example.org/bytes\" }",
                "Cargo.toml: bytes comes from git",
            ),
            (
                "Cargo.toml",
                "bytes = \"1\"",
                "bytes = { version = \"1\", registry = \"mine\" }",
                "Cargo.toml: bytes comes from a registry of its own",
            ),
            (
                "Cargo.toml",
                "[workspace.lints.rust]",
                "[patch.crates-io]\nbytes = { path = \"x\" }\n[workspace.lints.rust]",
                "Cargo.toml: [patch]",
            ),
            (
                "crates/http/Cargo.toml",
                "[lints]",
                "[lib]\npath = \"../../../lib.rs\"\n[lints]",
                "crates/http/Cargo.toml: `lib.path`",
            ),
        ]);
    }

    #[test]
    fn a_weakened_law_in_the_root_is_found() {
        assert_each_is_found(&[
            (
                "Cargo.toml",
                "unsafe_code = \"forbid\"",
                "unsafe_code = \"deny\"",
                "Cargo.toml: lint rust.unsafe_code",
            ),
            (
                "Cargo.toml",
                "print_stdout = \"warn\"",
                "",
                "Cargo.toml: lint clippy.print_stdout",
            ),
            (
                "Cargo.toml",
                "unwrap_used = \"warn\"",
                "unwrap_used = { level = \"allow\", priority = 1 }",
                "Cargo.toml: lint clippy.unwrap_used",
            ),
            (
                "Cargo.toml",
                "rust-version = \"1.89\"",
                "rust-version = \"1.95\"",
                "Cargo.toml: rust-version",
            ),
            (
                "Cargo.toml",
                "edition = \"2024\"",
                "edition = \"2021\"",
                "Cargo.toml: edition",
            ),
            (
                "Cargo.toml",
                "    \"tests/parity\",\n",
                "",
                "Cargo.toml: tests/parity has a manifest and is no member",
            ),
            (
                "clippy.toml",
                "msrv = \"1.89\"",
                "msrv = \"1.90\"",
                "clippy.toml: msrv",
            ),
            (
                "clippy.toml",
                "std::env::var_os",
                "std::env::args",
                "clippy.toml: std::env::var_os is not disallowed",
            ),
            (
                "clippy.toml",
                "too-many-lines-threshold = 60",
                "too-many-lines-threshold = 90",
                "clippy.toml: too-many-lines-threshold",
            ),
        ]);
    }

    #[test]
    fn files_that_must_be_there_are_missed() {
        for file in ["LICENSE-MIT", "LICENSE-APACHE", "crates/rmcp/README.md"] {
            let fixture = Fixture::good();
            fixture.remove(file);
            let said = super::run(&fixture.workspace()).unwrap_err().report();
            assert!(said.contains(&format!("{file}: does not exist")), "{said}");
        }
    }

    #[test]
    fn leaks_into_tracked_files_are_found() {
        let home = concat!("/ho", "me/eve/notes");
        let host = concat!("registry", ".npmjs.org");
        let cases = [
            (
                "README.md",
                format!("see {home}"),
                "README.md: line 1 names the machine path",
            ),
            (
                "notes/a.txt",
                format!("from https://{host}/x"),
                "notes/a.txt: line 1 names the registry host",
            ),
            (
                "tests/interop/package-lock.json",
                r#"{"packages": {"node_modules/a": {"resolved": "https://example.org/a.tgz"}}}"#
                    .to_owned(),
                "tests/interop/package-lock.json: node_modules/a carries the download address",
            ),
            (
                ".npmrc",
                "registry=https://example.org/".to_owned(),
                ".npmrc: sets `registry`",
            ),
            (
                ".cargo/config.toml",
                "[source.crates-io]\nreplace-with = 'x'".to_owned(),
                ".cargo/config.toml: sets `source`",
            ),
        ];
        for (file, content, expected) in cases {
            let fixture = Fixture::good();
            fixture.write(file, &content);
            let said = super::run(&fixture.workspace())
                .expect_err(expected)
                .report();
            assert!(said.contains(expected), "{expected}\n{said}");
        }
    }
}
