//! `lint`: formatting, clippy and the documentation, with warnings denied.

use crate::failure::Failure;
use crate::process::minutes;
use crate::step::Report;
use crate::workspace::Workspace;

/// Runs rustfmt, clippy and rustdoc over every member.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    workspace.cargo(&["fmt", "--all", "--check"]).show()?;
    workspace.cargo(CLIPPY).limit(minutes(30)).show()?;
    workspace
        .cargo(DOC)
        .env("RUSTDOCFLAGS", "-D warnings")
        .limit(minutes(20))
        .show()?;
    Ok(Report::note(
        "formatted, and neither clippy nor rustdoc warns",
    ))
}

const CLIPPY: &[&str] = &[
    "clippy",
    "--locked",
    "--workspace",
    "--all-targets",
    "--all-features",
    "--",
    "-D",
    "warnings",
];

const DOC: &[&str] = &[
    "doc",
    "--locked",
    "--workspace",
    "--all-features",
    "--no-deps",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, PASSING};

    #[test]
    fn what_each_tool_objects_to_is_found() {
        let fixture = Fixture::small();
        let outcome = run(&fixture.workspace());
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err().report());
        let cases = [
            ("fn f( ) {}", "`cargo fmt"),
            (
                "/// Two.\npub fn f() -> i32 {\n    return 2;\n}",
                "`cargo clippy",
            ),
            (
                "/// As [`nobody`].\npub fn f() {}",
                "`RUSTDOCFLAGS='-D warnings' cargo doc",
            ),
        ];
        for (bad, expected) in cases {
            fixture.write(
                "crates/http/src/lib.rs",
                &PASSING.replace("//! A crate.\n", &format!("//! A crate.\n\n{bad}\n")),
            );
            let said = run(&fixture.workspace()).expect_err(expected).to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
