//! `fuzz`: each target of `tests/fuzz` for a few seconds, built by a pinned cargo-fuzz.
//!
//! It begins with the inputs that are kept and reads them only; what else it finds worth keeping goes into the target
//! directory. No sanitizer, which takes a nightly compiler: the crates have no unsafe code, and the targets say what else
//! can go wrong. The build is one for a triple, so that its flags touch nothing that the other steps built.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Metadata, TargetKind};

use crate::failure::{Failure, Violation};
use crate::process::{Call, minutes};
use crate::setup;
use crate::step::Report;
use crate::tools::Pinned;
use crate::workspace::Workspace;

/// Builds the targets and runs them.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, Failure> {
    setup::require_for("fuzz", workspace)?;
    let cargo_fuzz = CARGO_FUZZ.installed(workspace)?;
    let members = workspace.members()?;
    let triple = triple(workspace)?;
    Call::new(&cargo_fuzz, workspace.root())
        .args(["fuzz", "build", "--fuzz-dir", FOLDER, "--dev"])
        .args(["--sanitizer", "none", "--target", &triple])
        .args(["--target-dir", members.target_directory.as_str()])
        // Nobody builds this twice with a change in between.
        .env("CARGO_INCREMENTAL", "0")
        .limit(minutes(20))
        .show()?;
    let programs = members.target_directory.join(&triple).join("debug");
    let targets: Vec<_> = targets(&members)
        .into_iter()
        .map(|name| Target {
            program: programs.join(&name).into(),
            corpus: workspace.path(FOLDER).join("corpus").join(&name),
            found: members.target_directory.join("fuzz").join(&name),
            name,
        })
        .collect();
    if targets.is_empty() {
        return Err(Failure::Missing {
            what: format!("a target in {FOLDER}"),
            remedy: "write one".to_owned(),
        });
    }
    all(&targets, workspace)?;
    Ok(Report::note(format!(
        "{} targets ran {SECONDS} s each and found nothing",
        targets.len()
    )))
}

/// Runs two targets at a time. All of them run; the first failure counts.
fn all(targets: &[Target], workspace: &Workspace) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut outcome = Ok(());
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            match target.run(workspace) {
                Ok(note) => println!("{note}"),
                Err(failure) => outcome = outcome.and(Err(failure)),
            }
        }
        outcome
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(lane);
        let ours = lane();
        let theirs = other.join().unwrap_or_else(|_| {
            Err(Failure::Missing {
                what: "the outcome of some fuzz targets".to_owned(),
                remedy: "see above what panicked".to_owned(),
            })
        });
        ours.and(theirs)
    })
}

/// The programs of the package, by name.
fn targets(members: &Metadata) -> Vec<String> {
    let package = members
        .packages
        .iter()
        .find(|package| package.name == "fuzz");
    let all = package.into_iter().flat_map(|package| &package.targets);
    let programs = all.filter(|target| target.kind.contains(&TargetKind::Bin));
    let mut names: Vec<_> = programs.map(|target| target.name.clone()).collect();
    names.sort();
    names
}

/// What this compiler builds for.
fn triple(workspace: &Workspace) -> Result<String, Failure> {
    let call = Call::new("rustc", workspace.root()).args(["--version", "--verbose"]);
    let said = call.capture()?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| call.unreadable("no host"))
}

/// A target, and where its inputs are.
struct Target {
    name: String,
    program: PathBuf,
    /// The inputs that are kept.
    corpus: PathBuf,
    /// Where new inputs go, and those that end a run.
    found: Utf8PathBuf,
}

impl Target {
    /// Runs it, and says in one line what it did.
    fn run(&self, workspace: &Workspace) -> Result<String, Failure> {
        let (inputs, findings) = (self.found.join("corpus"), self.found.join("findings"));
        // Findings of an earlier run would be taken for those of this one, and its inputs would be run before any new one.
        drop(std::fs::remove_dir_all(&self.found));
        for folder in [&inputs, &findings] {
            std::fs::create_dir_all(folder).map_err(|source| Failure::File {
                path: folder.into(),
                source,
            })?;
        }
        let call = Call::new(&self.program, workspace.root())
            .args([inputs.as_os_str(), self.corpus.as_os_str()])
            .args(LIMITS)
            .args([format!("-max_total_time={SECONDS}")])
            .args([format!("-artifact_prefix={findings}/")])
            .env("RUST_BACKTRACE", "1")
            .limit(minutes(5));
        let mut said = Vec::new();
        let ended = call.hear(&mut |line| said.push(line.to_owned()));
        let finding = std::fs::read_dir(&findings)
            .ok()
            .and_then(|mut files| Some(files.next()?.ok()?.path()));
        match (ended, finding) {
            (Ok(()), None) => Ok(format!("{}: {}", self.name, summary(&said))),
            (Err(failure), None) => Err(failure),
            (_, Some(finding)) => {
                said.iter().for_each(|line| println!("{line}"));
                Err(Failure::Broken(vec![self.broken(&finding, workspace)]))
            }
        }
    }

    /// The finding as a broken rule, with the command that shows it without a fuzzer.
    fn broken(&self, finding: &Path, workspace: &Workspace) -> Violation {
        let name = &self.name;
        let finding = finding.strip_prefix(workspace.root()).unwrap_or(finding);
        Violation::new(
            "whatever is said to it, the stack keeps its promises",
            format!("fuzz target {name}"),
            format!("ended by {}", finding.display()),
            format!(
                "see it by `cargo run -p fuzz --bin {name} -- {}`, mend it, and keep the input in {FOLDER}/corpus/{name}",
                finding.display()
            ),
        )
    }
}

/// libFuzzer's last word: how many inputs were run, and how much of the code they reached.
fn summary(said: &[String]) -> String {
    let done = said.iter().rev().find_map(|line| {
        let (runs, rest) = line.trim().strip_prefix('#')?.split_once("DONE")?;
        let coverage = rest.split_once("cov: ")?.1.split_whitespace().next()?;
        Some(format!("{} inputs, {coverage} edges", runs.trim()))
    });
    done.unwrap_or_else(|| "it said nothing".to_owned())
}

const FOLDER: &str = "tests/fuzz";
const CARGO_FUZZ: Pinned = Pinned {
    name: "cargo-fuzz",
    version: "0.13.2",
};
/// For each target.
const SECONDS: u32 = 8;
/// An input that takes a minute hangs, however busy the machine is.
const LIMITS: &[&str] = &["-max_len=4096", "-timeout=60", "-rss_limit_mb=2048"];

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn target(fixture: &Fixture, script: &str) -> Target {
        let workspace = fixture.workspace();
        fixture.write("fuzzer", &format!("#!/bin/sh\n{script}\n"));
        let program = workspace.path("fuzzer");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, executable).unwrap();
        let found = workspace.path("target/fuzz/config");
        Target {
            name: "config".to_owned(),
            program,
            corpus: workspace.path("tests/fuzz/corpus/config"),
            found: found.try_into().unwrap(),
        }
    }

    #[test]
    fn what_a_target_did_is_told_in_a_line() {
        let fixture = Fixture::small();
        let said =
            "echo INFO: Seed 1 >&2; echo '#6625\tDONE   cov: 4378 ft: 14023 corp: 207/52Kb' >&2";
        let told = target(&fixture, said).run(&fixture.workspace()).unwrap();
        assert_eq!(told, "config: 6625 inputs, 4378 edges");
    }

    #[test]
    fn a_finding_fails_and_is_told_with_the_command_that_shows_it_again() {
        let fixture = Fixture::small();
        let crash = "for word; do case $word in -artifact_prefix=*) echo x > ${word#*=}crash-1;; esac; done; exit 77";
        for script in [crash.to_owned(), crash.replace("exit 77", "exit 0")] {
            let failure = target(&fixture, &script).run(&fixture.workspace());
            let told = failure.unwrap_err().report();
            let command = "`cargo run -p fuzz --bin config -- target/fuzz/config/findings/crash-1`";
            assert!(told.contains(command), "{told}");
        }
        // It is forgotten once it is mended.
        let mended = target(&fixture, "exit 0").run(&fixture.workspace());
        assert!(mended.is_ok());
    }

    #[test]
    fn every_target_runs_and_one_that_fails_fails_them_all() {
        let fixture = Fixture::small();
        let counting = "echo ran >> ran";
        let targets = [1, 2, 3, 4, 5].map(|number| {
            let script = match number {
                2 => format!("{counting}; exit 1"),
                _ => counting.to_owned(),
            };
            let mut target = target(&fixture, &script);
            let program = fixture.workspace().path(format!("fuzzer-{number}"));
            std::fs::rename(&target.program, &program).unwrap();
            target.program = program;
            target.found.push(number.to_string());
            target
        });
        assert!(all(&targets, &fixture.workspace()).is_err());
        let ran = fixture.workspace().read("ran").unwrap();
        assert_eq!(ran.lines().count(), 5);
        let mended = targets
            .into_iter()
            .filter(|target| !target.program.ends_with("fuzzer-2"));
        assert!(all(&mended.collect::<Vec<_>>(), &fixture.workspace()).is_ok());
    }

    #[test]
    fn a_target_that_cannot_run_fails() {
        let fixture = Fixture::small();
        let failure = target(&fixture, "exit 1").run(&fixture.workspace());
        assert!(failure.unwrap_err().report().contains("fuzzer"));
    }

    #[test]
    fn every_program_of_the_package_is_a_target() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let members = Workspace::at(root).members().unwrap();
        let names = targets(&members);
        for name in ["callback_query", "challenges", "config", "token_answer"] {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }
        for name in names {
            let corpus = root.join(FOLDER).join("corpus").join(&name);
            assert!(corpus.is_dir(), "{name} begins with nothing");
        }
    }
}
