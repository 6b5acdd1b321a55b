//! Counts, each by what knows it: Cargo, the file system, and programs of ours that print figures.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::process::{Call, minutes};
use crate::workspace::{Workspace, members_under};

use super::kind::Kind;
use super::record::Figures;

/// The figures of one kind as they are now; `None` where this machine is of another platform than the record.
pub(super) fn measured(kind: Kind, workspace: &Workspace) -> Result<Option<Figures>, Failure> {
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if kind.is_of_one_platform() && !here {
        return Ok(None);
    }
    let figures = match kind {
        Kind::Crates => crates(workspace),
        Kind::Program => program(workspace),
        Kind::Requests => requests(workspace),
        Kind::Allocations | Kind::Instructions => calls(kind, workspace),
    };
    figures.map(Some)
}

/// What each library crate brings, with its default features and without any.
fn crates(workspace: &Workspace) -> Result<Figures, Failure> {
    let members = workspace.members()?;
    let mut names: Vec<_> = members_under("crates", &members)
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    names.sort();
    let mut figures = Figures::new();
    for name in names {
        for (flags, title) in [(&[][..], ""), (&["--no-default-features"], ", no features")] {
            let tree = workspace.cargo(TREE).args(["-p", &name]).args(flags);
            figures.push((format!("{name}{title}"), brought(&tree.capture()?)));
        }
    }
    Ok(figures)
}

/// The packages of a tree but for its root. Cargo repeats a package that several others ask for.
fn brought(tree: &str) -> u64 {
    let packages = tree.lines().map(|line| {
        let line = line.strip_suffix(" (*)").unwrap_or(line);
        line.split(" (").next().unwrap_or(line)
    });
    let packages: BTreeSet<&str> = packages.filter(|line| !line.is_empty()).collect();
    packages.len().saturating_sub(1) as u64
}

/// The program as README.md has it built.
fn program(workspace: &Workspace) -> Result<Figures, Failure> {
    workspace
        .cargo(&["build", "--locked", "--release", "-p", "doorkey"])
        .limit(minutes(30))
        .show()?;
    let path = workspace.members()?.target_directory;
    let path = path.join("release/doorkey").into_std_path_buf();
    let file = std::fs::metadata(&path).map_err(|source| Failure::File { path, source })?;
    Ok(vec![("bytes".to_owned(), file.len())])
}

/// Requests do not depend on how the program is built: this one is what the tests of the whole stack run.
fn requests(workspace: &Workspace) -> Result<Figures, Failure> {
    let programs = ["build", "--locked", "-p", "doorkey", "-p", "integration"];
    workspace.cargo(&programs).limit(minutes(30)).show()?;
    let folder = workspace.members()?.target_directory.join("debug");
    told(
        Kind::Requests,
        &Call::new(folder.join("request-counts"), workspace.root()),
    )
}

/// Calls are counted as hosts build them.
fn calls(kind: Kind, workspace: &Workspace) -> Result<Figures, Failure> {
    let build = ["build", "--locked", "--profile", PROFILE, "-p", "benches"];
    workspace
        .cargo(&build)
        .args(PROGRAMS)
        .limit(minutes(30))
        .show()?;
    let folder = workspace.members()?.target_directory.join(PROFILE);
    let count = Call::new(folder.join("figures"), workspace.root()).args([kind.table()]);
    told(kind, &count)
}

/// Runs a program that prints figures, and reads them.
fn told(kind: Kind, count: &Call) -> Result<Figures, Failure> {
    let said = count.clone().limit(minutes(10)).show_stderr()?;
    let figures: Option<Figures> = said.lines().map(|line| figure(kind, line)).collect();
    match figures {
        Some(figures) if !figures.is_empty() => Ok(figures),
        _ => Err(count.unreadable(format!("no figures of {kind}: {said}"))),
    }
}

/// The name and number of a line: kind, name and number with tabs between.
fn figure(kind: Kind, line: &str) -> Option<(String, u64)> {
    let (table, rest) = line.split_once('\t')?;
    let (name, number) = rest.split_once('\t')?;
    let is_one = table == kind.table() && !name.is_empty();
    is_one.then_some((name.to_owned(), number.parse().ok()?))
}

const TREE: &[&str] = &[
    "tree",
    "--locked",
    "-e",
    "normal",
    "--prefix",
    "none",
    "--format",
    "{p}",
    "--target",
    "x86_64-unknown-linux-gnu",
];
/// The profile of what is measured, in the workspace's manifest.
const PROFILE: &str = "measured";
/// What counts calls: who prints the figures, the server, and the two clients under their counters.
const PROGRAMS: [&str; 10] = [
    "--bin",
    "figures",
    "--bin",
    "bench-server",
    "--bin",
    "bench-runner",
    "--bin",
    "calls-allocations",
    "--bin",
    "calls-run",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_counts_once_and_the_root_not_at_all() {
        let tree = "doorkey-http v0.1.0 (/x/crates/http)\nbytes v1.12.2\nserde v1.0.2\nserde_derive v1.0.2 (proc-macro)\n\
                    bytes v1.12.2\nserde v1.0.2 (*)\nserde_derive v1.0.2 (proc-macro) (*)\nsyn v2.0.1\nsyn v3.0.1\n";
        assert_eq!(brought(tree), 5);
        assert_eq!(brought("doorkey-http v0.1.0 (/x/crates/http)\n"), 0);
    }

    #[test]
    fn a_line_of_another_kind_or_without_a_number_is_no_figure() {
        let read = |line| figure(Kind::Requests, line);
        assert_eq!(read("requests\tlogin\t6"), Some(("login".to_owned(), 6)));
        for line in [
            "",
            "requests",
            "requests\tlogin",
            "requests\tlogin\tsix",
            "requests\t\t6",
            "allocations\tlogin\t6",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_prints_no_figures_fails_the_step() {
        let told = |said: &str| {
            let script = format!("printf '{said}'");
            let call = Call::new("sh", std::path::Path::new(".")).args(["-c", &script]);
            told(Kind::Requests, &call)
        };
        let figures = told("requests\\tlist\\t0\\n").expect("figures");
        assert_eq!(figures, [("list".to_owned(), 0)]);
        for said in ["", "requests\\tlist\\t0\\nnonsense\\n"] {
            let failure = told(said).expect_err(said).report();
            assert!(failure.contains("no figures of requests"), "{failure}");
        }
    }
}
