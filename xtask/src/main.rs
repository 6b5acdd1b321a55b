//! The checks of the project, by name.
//!
//! `cargo xtask ci` runs every step, cheap ones first, and ends with the counts of the tests; `cargo xtask <step>` runs
//! one; `cargo xtask bench` measures. Each step is a module with one function over the [`Workspace`]. What a step judges is a pure function over a
//! manifest, Cargo's metadata or a text, so that its own tests can break what it guards.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program: its output is what it is for"
)]

mod alone;
mod bench;
mod ci;
mod cli;
mod conformance;
mod counts;
mod deny;
mod failure;
mod figures;
#[cfg(test)]
mod fixture;
mod fuzz;
mod integration;
mod interop;
mod layers;
mod lint;
mod lock;
mod manifest;
mod npm;
mod process;
mod ran;
mod requirements;
mod services;
mod setup;
mod step;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use cli::Request;
use failure::Failure;
use step::Run;
use workspace::Workspace;

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", cli::usage());
            return ExitCode::from(USAGE);
        }
    };
    let outcome = match request {
        Request::Usage => {
            println!("{}", cli::usage());
            return ExitCode::SUCCESS;
        }
        Request::One(step) => {
            Workspace::find().and_then(|workspace| one(step.name, step.run, &workspace))
        }
        Request::Update(update) => {
            Workspace::find().and_then(|workspace| one(update.step, update.run, &workspace))
        }
        Request::Ci { without } => {
            Workspace::find().map(|workspace| ci::run(step::ALL, &without, &workspace))
        }
        Request::Bench { words } => Workspace::find()
            .and_then(|workspace| bench::run(&words, &workspace))
            .map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{}", failure.report());
            ExitCode::FAILURE
        }
    }
}

/// Runs a single step, or what updates its record; the answer says whether it passed.
fn one(name: &str, run: Run, workspace: &Workspace) -> Result<bool, Failure> {
    let report = run(workspace);
    let counts = report
        .as_ref()
        .map_or_else(Failure::counts, |report| report.counts);
    let passed = match report {
        Ok(report) => {
            report
                .notes
                .iter()
                .for_each(|note| println!("{name}: {note}"));
            println!("{name}: ok");
            true
        }
        Err(failure) => {
            println!("{name}: failed\n{}", failure.report());
            if let Some(command) = failure.command() {
                println!("reproduce: {command}");
            }
            false
        }
    };
    if !counts.is_empty() {
        println!("{counts}");
    }
    Ok(passed)
}

/// The exit code for a command line that names no step.
const USAGE: u8 = 2;
