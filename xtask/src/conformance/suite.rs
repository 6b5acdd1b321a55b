//! The suite itself: its list, and one run of it at a time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::checks::{self, Check, Tally};
use super::requirements::Set;
use super::scenarios::{Listed, Run};
use super::verdict::{Outcome, Row};
use crate::failure::Failure;
use crate::process::Call;
use crate::workspace::Workspace;

/// The installed suite and the clients that were built for it.
#[derive(Debug)]
pub(super) struct Suite {
    root: PathBuf,
    folder: PathBuf,
    binaries: PathBuf,
}

/// What one run left behind.
struct Trace {
    checks: Vec<Check>,
    /// How the suite ended, unless well.
    ended: Option<String>,
}

impl Suite {
    /// The suite in a folder of the workspace.
    pub(super) fn of(workspace: &Workspace, folder: &str) -> Result<Self, Failure> {
        let target = workspace.members()?.target_directory;
        Ok(Self {
            root: workspace.root().to_owned(),
            folder: workspace.path(folder),
            binaries: target.join("debug").into_std_path_buf(),
        })
    }

    /// Every client scenario, as the suite lists them.
    pub(super) fn list(&self) -> Result<Vec<Listed>, Failure> {
        let call = self.call(&["list", "--client"]);
        let listed = listed(&call.capture()?);
        if listed.is_empty() {
            return Err(call.unreadable("no scenario"));
        }
        Ok(listed)
    }

    /// Runs a scenario and judges it.
    pub(super) fn judged(&self, run: &Run) -> Row {
        let started = Instant::now();
        let (outcome, tally) = match self.trace(run) {
            Ok(trace) => {
                let mut objections = checks::objections(&trace.checks, run.required());
                objections.extend(trace.ended);
                (Outcome::of(objections), Some(Tally::of(&trace.checks)))
            }
            Err(failure) => (Outcome::Failed(vec![failure.report()]), None),
        };
        Row::new(run.scenario.name, run.version, outcome)
            .with_tally(tally)
            .took(started.elapsed())
    }

    /// Runs the requirement set of a revision.
    pub(super) fn judged_set(&self, set: &Set) -> Row {
        let started = Instant::now();
        let client = format!(
            "f() {{ case $MCP_CONFORMANCE_SCENARIO in auth/*) exec {} $1;; *) exec {} $1;; esac; }}; f",
            self.client("conformance-client"),
            self.client("conformance-wire"),
        );
        let call = self
            .call(&["client", "--command", &client])
            .args(["--requirements", set.revision])
            .limit(SET_LIMIT);
        let (objections, tally) = match call.capture_whatever() {
            Ok((printed, status)) => {
                let (mut objections, tally) = set.judge(&printed);
                objections.extend(status.map(|status| format!("the suite ended with {status}")));
                (objections, Some(tally))
            }
            Err(failure) => (vec![failure.report()], None),
        };
        Row::new("--requirements", set.revision, Outcome::of(objections))
            .with_tally(tally)
            .took(started.elapsed())
    }

    fn trace(&self, run: &Run) -> Result<Trace, Failure> {
        let out = self.out(run);
        emptied(&out).map_err(|source| Failure::File {
            path: out.clone(),
            source,
        })?;
        let client = self.client(run.scenario.client);
        let mut call = self.call(&["client", "--command", &client]).args([
            "--scenario",
            run.scenario.name,
            "--spec-version",
            run.version,
        ]);
        if run.scenario.is_extension() {
            call = call.args(["--force"]);
        }
        let call = call.args(["-o".as_ref(), out.as_os_str()]).limit(LIMIT);
        let (_, status) = call.capture_whatever()?;
        let ended = status.map(|status| ending(status, &out));
        let checks = match file(&out, "checks.json") {
            Some(text) => checks::parse(&text).map_err(|problem| call.unreadable(problem))?,
            None => return Err(call.unreadable("no checks.json")),
        };
        Ok(Trace { checks, ended })
    }

    fn call(&self, args: &[&str]) -> Call {
        let installed = self.folder.join("node_modules").join(".bin");
        let node = installed.join("node");
        // The pinned Node is for the platform of the servers that run this; elsewhere there is the system's.
        let node = if node.exists() { node } else { "node".into() };
        Call::new(node, &self.root)
            .args([installed.join("conformance")])
            .args(args)
    }

    /// A client as the suite wants it: words for a shell.
    fn client(&self, name: &str) -> String {
        let path = self.binaries.join(name).display().to_string();
        format!("'{}'", path.replace('\'', r"'\''"))
    }

    /// Where a run leaves its evidence.
    fn out(&self, run: &Run) -> PathBuf {
        let Run { scenario, version } = run;
        self.folder.join("out").join(version).join(scenario.name)
    }
}

/// Reads `  - name [2025-11-25,2026-07-28]`.
fn listed(printed: &str) -> Vec<Listed> {
    let row = |line: &str| {
        let (name, versions) = line.trim().strip_prefix("- ")?.split_once(" [")?;
        let versions = versions.strip_suffix(']')?.split(',');
        Some(Listed {
            name: name.to_owned(),
            versions: versions.map(str::to_owned).collect(),
        })
    };
    printed.lines().filter_map(row).collect()
}

/// How the suite ended, with what the client had to say.
fn ending(status: ExitStatus, out: &Path) -> String {
    let mut text = format!("the suite ended with {status}");
    for line in file(out, "stderr.txt").unwrap_or_default().lines() {
        text.push_str(&format!("\n      | {line}"));
    }
    text
}

/// The first file of that name below a folder: the suite puts its files into folders with the time in their name.
fn file(folder: &Path, name: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(folder.join(name)) {
        return Some(text);
    }
    let entries = fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .find_map(|path| file(&path, name))
}

/// What an earlier run left would pass for this one's.
fn emptied(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
}

/// The suite gives up on a client after 30 seconds, and the client on itself after 20.
const LIMIT: Duration = Duration::from_secs(60);
/// Some thirty scenarios, all at once.
const SET_LIMIT: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_suite_is_read() {
        let printed = "Client scenarios (test against a client):\n  - initialize [2025-06-18,2025-11-25]\n  - auth/dpop [extension]\n";
        let row = |name: &str, versions: &[&str]| Listed {
            name: name.to_owned(),
            versions: versions.iter().map(|v| (*v).to_owned()).collect(),
        };
        assert_eq!(
            listed(printed),
            [
                row("initialize", &["2025-06-18", "2025-11-25"]),
                row("auth/dpop", &["extension"])
            ]
        );
    }

    #[test]
    fn evidence_is_found_in_the_folder_of_its_time_and_not_in_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let deep = out.join("auth").join("dpop-2026-01-01");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("checks.json"), "[]").unwrap();
        assert_eq!(file(&out, "checks.json").as_deref(), Some("[]"));
        emptied(&out).unwrap();
        assert_eq!(file(&out, "checks.json"), None);
        assert!(out.is_dir());
    }
}
