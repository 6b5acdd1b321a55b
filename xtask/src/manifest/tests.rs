//! Each rule of the manifests, broken in one place of a workspace that keeps them all.

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
    let target = "bytes.workspace = true\n[target.'cfg(windows)'.build-dependencies]\nhttp = \"1\"";
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
fn a_ci_that_skips_a_step_or_does_what_the_readme_does_not_say_is_found() {
    assert_each_is_found(&[
        (
            ".ci/run",
            "cargo xtask ci",
            "cargo xtask ci --without interop",
            ".ci/run: does not run `cargo xtask ci` as it is",
        ),
        (
            "README.md",
            "cargo run -- demo",
            "nothing",
            ".ci/run: runs `cargo run -- demo`, which README.md does not name",
        ),
    ]);
}

#[test]
fn leaks_into_tracked_files_are_found() {
    let home = concat!("/ho", "me/eve/notes");
    let host = concat!("registry", ".npmjs.org");
    let cases = [
        (
            "NOTES.md",
            format!("see {home}"),
            "NOTES.md: line 1 names the machine path",
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
