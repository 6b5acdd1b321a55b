//! Which tests ran, by name: what the steps that run tests leave behind for `requirements` to read.
//!
//! A test's name is that of its package (the folder of a crate), of its target unless the package gives it its name, and
//! its path: `oauth::it::login::a_second_login_registers_nothing`.

mod listen;
mod record;

use std::collections::BTreeMap;

use cargo_metadata::{Artifact, Message, Metadata};

use crate::counts::Counts;
use crate::failure::Failure;
use crate::process::Call;
use crate::workspace::Workspace;

use listen::Listener;
pub(crate) use record::{Record, Verdict};

/// What a step may look at: a change there makes its record out of date.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    sources: &'static [&'static str],
}

/// The steps that leave a record.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "test",
        sources: &["crates/", "docs/", "xtask/", "tests/fuzz/"],
    },
    Step {
        name: "integration",
        sources: &[
            "crates/",
            "tests/integration/",
            "tests/parity/",
            "docs/",
            "README.md",
        ],
    },
    Step {
        name: "browser",
        sources: &["crates/", "tests/integration/"],
    },
    Step {
        name: "services",
        sources: &["crates/", "tests/services/", "tests/integration/src/"],
    },
    Step {
        name: "interop",
        sources: &["crates/", "tests/interop/"],
    },
    Step {
        name: "conformance",
        sources: &["crates/", "tests/conformance/", "xtask/src/conformance"],
    },
];

/// Runs `cargo test` with these arguments and `for_tests` behind `--`. The names of the tests are recorded under the name
/// of the step, and `more` beside them, if all is well.
pub(crate) fn tests(
    step: &'static str,
    call: &Call,
    for_tests: &[&str],
    workspace: &Workspace,
) -> Result<(Counts, Record), Failure> {
    let record = Record::begin(step, workspace)?;
    let build = call
        .clone()
        .args(["--no-run", "--message-format=json-render-diagnostics"]);
    let messages = build.show_stderr()?;
    let binaries = binaries(&messages, &workspace.members()?);
    let mut call = call.clone();
    if !for_tests.is_empty() {
        call = call.args(["--"]).args(for_tests);
    }
    let mut listener = Listener::of(&binaries);
    let counts = call.show_tests(&mut |line| listener.hear(line))?;
    Ok((counts, record.with(listener.heard())))
}

/// The file names of test binaries, each with the part of a test's name that they stand for.
fn binaries(messages: &str, members: &Metadata) -> BTreeMap<String, String> {
    let artifact = |message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.profile.test => Some(artifact),
        _ => None,
    };
    Message::parse_stream(messages.as_bytes())
        .filter_map(artifact)
        .filter_map(|artifact| {
            let file = artifact.executable.as_ref()?.file_name()?.to_owned();
            Some((file, prefix(&artifact, members)?))
        })
        .collect()
}

fn prefix(artifact: &Artifact, members: &Metadata) -> Option<String> {
    let package = members
        .packages
        .iter()
        .find(|package| package.id == artifact.package_id)?;
    let folder = folder_name(package.name.as_str());
    if artifact.target.name.replace('_', "-") == *package.name {
        Some(folder.to_owned())
    } else {
        Some(format!("{folder}::{}", artifact.target.name))
    }
}

/// The folder that a package is in: shorter than its name, and as clear.
fn folder_name(package: &str) -> &str {
    match package.strip_prefix("doorkey-") {
        Some(suffix) => suffix,
        None if package == "doorkey" => "host",
        None => package,
    }
}

/// How the names of the tests begin that need a browser.
const IN_A_BROWSER: &str = "integration::it::browser::";

/// The step that runs the test of that name.
pub(crate) fn step_of(test: &str) -> &'static str {
    if test.starts_with(IN_A_BROWSER) {
        return "browser";
    }
    match test.split("::").next() {
        Some("integration" | "parity") => "integration",
        Some("services") => "services",
        Some("interop") => "interop",
        Some("conformance") => "conformance",
        _ => "test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::step;

    #[test]
    fn every_step_that_leaves_a_record_is_a_step() {
        for one in STEPS {
            assert!(step::ALL.iter().any(|step| step.name == one.name));
        }
    }

    #[test]
    fn names_follow_the_folders() {
        for (package, folder) in [
            ("doorkey", "host"),
            ("doorkey-oauth", "oauth"),
            ("integration", "integration"),
        ] {
            assert_eq!(folder_name(package), folder);
        }
        for (test, step) in [
            ("oauth::it::login::x", "test"),
            ("parity::answers::x", "integration"),
            ("integration::it::session::x", "integration"),
            ("integration::it::browser::pages::x", "browser"),
            ("services::it::x", "services"),
            ("interop::x", "interop"),
            ("conformance::tests::x", "conformance"),
        ] {
            assert_eq!(step_of(test), step);
        }
    }

    #[test]
    fn the_tests_of_libraries_and_of_test_binaries_are_recorded_with_how_they_ended() {
        let fixture = Fixture::small();
        fixture.in_git();
        let other = "#[test]\nfn runs() {}\n#[test]\n#[ignore]\nfn waits() {}\n";
        fixture.write("crates/http/tests/it.rs", other);
        fixture.write(".gitignore", "/target\n");
        let workspace = fixture.workspace();
        let call = workspace.cargo(&["test", "--locked", "--workspace"]);
        let (counts, record) = tests("test", &call, &[], &workspace).unwrap();
        assert_eq!(counts.to_string(), "3 passed, 0 failed, 1 skipped");
        record.write().unwrap();

        let record = Record::read("test", &workspace).unwrap();
        let expected = [
            ("http::tests::holds", Verdict::Passed),
            ("integration::tests::holds", Verdict::Passed),
            ("http::it::runs", Verdict::Passed),
            ("http::it::waits", Verdict::Ignored),
        ];
        for (name, verdict) in expected {
            assert_eq!(record.verdict(name), Some(verdict), "{name}");
        }
        assert_eq!(record.verdict("http::it::walks"), None);
    }

    #[test]
    fn a_failing_run_leaves_no_record_and_takes_the_last_one_away() {
        let fixture = Fixture::small();
        fixture.in_git();
        let workspace = fixture.workspace();
        let call = workspace.cargo(&["test", "--locked", "-p", "doorkey-http"]);
        let (_, record) = tests("test", &call, &[], &workspace).unwrap();
        record.write().unwrap();
        fixture.replace("crates/http/src/lib.rs", "1 + 1", "1 + 2");
        assert!(tests("test", &call, &[], &workspace).is_err());
        let failure = Record::read("test", &workspace).unwrap_err().report();
        assert!(failure.contains("cargo xtask test"), "{failure}");
    }
}
