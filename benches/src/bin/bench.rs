//! Runs the sections, shows what they found, and writes the page after a whole run:
//! `bench --root FOLDER [--quick] [SECTION…]`. `cargo xtask bench` builds what it needs and calls it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program: its output is what it is for"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use bench::machine::Machine;
use bench::section::{Section, Verdict};
use bench::{BoxError, Context, format, report, sections};

#[tokio::main]
async fn main() -> ExitCode {
    let run = async {
        tokio::select! {
            ran = Box::pin(run()) => ran,
            // Dropping the run ends what it started.
            _interrupted = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let request = Request::read(std::env::args().skip(1))?;
    let wanted = sections::named(&request.sections)?;
    let context = Context::here(&request.root, request.quick)?;
    let start = Instant::now();
    let mut done = Vec::new();
    for (outline, measure) in wanted {
        let begun = Instant::now();
        println!("-- {}", outline.id);
        let section = measure(&context)
            .await
            .map_err(|error| format!("section {}: {error}", outline.id))?;
        let section = section.checked()?;
        println!("{}\n", report::section(&section));
        println!("-- {} took {}\n", outline.id, format::time(begun.elapsed()));
        done.push(section);
    }
    print!("{}", verdicts(&done));
    println!("the run took {}", format::time(start.elapsed()));
    if request.is_whole() {
        report::write(&request.root, &Machine::here(&request.root), &done)?;
        println!("wrote docs/{}", report::PAGE);
    }
    Ok(())
}

fn verdicts(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        for goal in &section.goals {
            let verdict = match &goal.verdict {
                Verdict::Met => "met",
                Verdict::Missed { .. } => "MISSED",
                Verdict::NotMeasured { .. } => "not measured",
            };
            text.push_str(&format!(
                "{verdict:<13} {}: {} ({})\n",
                section.outline.id, goal.text, goal.measured
            ));
        }
    }
    text
}

/// What the command line asks for.
struct Request {
    root: PathBuf,
    quick: bool,
    sections: Vec<String>,
}

impl Request {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut request = Self {
            root: Path::new(".").to_owned(),
            quick: false,
            sections: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--root" => request.root = words.next().ok_or("--root needs a folder")?.into(),
                "--quick" => request.quick = true,
                flag if flag.starts_with('-') => {
                    return Err(format!("there is no flag {flag}").into());
                }
                _ => request.sections.push(word),
            }
        }
        Ok(request)
    }

    /// Only figures of a whole run go onto the page.
    fn is_whole(&self) -> bool {
        !self.quick && self.sections.is_empty()
    }
}
