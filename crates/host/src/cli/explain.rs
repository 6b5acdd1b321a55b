//! `doorkey explain`: what the code of an error or a fault of the doctor means, where it comes from and what to do.

mod fault;

use std::str::FromStr;

use clap::Args;
use doorkey::doctor::{Fault, faults};
use doorkey::{ErrorCode, Explained, NextAction, UnknownErrorCode};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::format::Format;
use super::output::Output;

/// The code to explain.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The word in brackets after `error`, such as login-required, or one that doorkey doctor names, such as tls-expired
    #[arg(value_name = "CODE", required_unless_present_any = ["list", "faults"])]
    word: Option<Word>,
    /// Show all codes instead
    #[arg(long, conflicts_with = "word")]
    list: bool,
    /// Show everything that doorkey doctor finds instead
    #[arg(long, conflicts_with_all = ["word", "list"])]
    faults: bool,
    #[command(flatten)]
    format: Format,
}

/// The name of a code, of a fault, or of both where they are about the same.
#[derive(Clone, Copy, Debug)]
struct Word {
    code: Option<ErrorCode>,
    fault: Option<&'static Fault>,
}

impl FromStr for Word {
    type Err = UnknownErrorCode;

    fn from_str(name: &str) -> Result<Self, UnknownErrorCode> {
        let fault = faults().find(|fault| fault.id == name);
        let code = match fault {
            Some(_) => ErrorCode::named(name),
            None => Some(name.parse()?),
        };
        Ok(Self { code, fault })
    }
}

/// What there is to say of a word, as data.
#[derive(Serialize)]
struct Explanation {
    #[serde(flatten)]
    code: Option<Meaning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<fault::Meaning>,
}

/// A code as data.
#[derive(Serialize)]
struct Meaning {
    code: ErrorCode,
    means: String,
    next: NextAction,
    exit_code: u8,
    help: String,
}

impl Explain {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let is_json = self.format.is_json(output);
        match self.word {
            Some(word) if is_json => output.json(&Explanation::of(word))?,
            Some(word) => output.data(&Explanation::of(word).in_words())?,
            None if self.faults && is_json => {
                output.json(&faults().map(fault::Meaning::of).collect::<Vec<_>>())?;
            }
            None if self.faults => {
                let lines = faults().map(|fault| format!("{}\n    {}", fault.id, fault.title));
                output.data(&lines.collect::<Vec<_>>().join("\n"))?;
            }
            None if is_json => {
                let all = ErrorCode::ALL.iter().map(|code| Meaning::of(*code));
                output.json(&all.collect::<Vec<_>>())?;
            }
            None => {
                let lines = ErrorCode::ALL.iter().map(|code| {
                    let means = means(*code);
                    let first = means.lines().next().unwrap_or_default();
                    format!("{code}\n    {first}")
                });
                output.data(&lines.collect::<Vec<_>>().join("\n"))?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Explanation {
    fn of(word: Word) -> Self {
        Self {
            code: word.code.map(Meaning::of),
            fault: word.fault.map(fault::Meaning::of),
        }
    }

    fn in_words(&self) -> String {
        let code = self.code.as_ref().map(Meaning::in_words);
        let fault = self.fault.as_ref().map(fault::Meaning::in_words);
        let both: Vec<_> = code.into_iter().chain(fault).collect();
        both.join("\n\n")
    }
}

impl Meaning {
    fn of(code: ErrorCode) -> Self {
        Self {
            code,
            means: means(code),
            next: Explained::new(code, "", None).next,
            exit_code: code.exit_code(),
            help: code.help(),
        }
    }

    fn in_words(&self) -> String {
        format!(
            "{}\n\n{}\n\nexit code: {}\nnext: {}",
            self.code, self.means, self.exit_code, self.next.text
        )
    }
}

/// What the page says of a code, before its exit code; what its table lacks, no code has.
fn means(code: ErrorCode) -> String {
    let mut sections = SECTIONS.split("\n### ").skip(1);
    let of_code = sections.find_map(|section| {
        let (name, text) = section.split_once('\n')?;
        (name == code.as_str()).then_some(text)
    });
    let means = of_code.and_then(|text| text.split("\n\nExit code ").next());
    means.unwrap_or_default().trim().to_owned()
}

/// The sections of `docs/errors.md`, so that they are at hand wherever the program is.
const SECTIONS: &str = include_str!("explain/errors.txt");

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn what_the_program_says_of_a_code_is_what_stands_on_the_page() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let Ok(page) = std::fs::read_to_string(path) else {
            // The crate is built on its own.
            return;
        };
        assert!(
            page.ends_with(SECTIONS),
            "copy the sections of docs/errors.md to crates/host/src/cli/explain/errors.txt"
        );
    }

    #[test]
    fn every_code_is_explained_in_words_of_its_own() {
        let mut all: Vec<_> = ErrorCode::ALL.iter().map(|code| means(*code)).collect();
        for (code, means) in ErrorCode::ALL.iter().zip(&all) {
            assert!(means.split_whitespace().count() >= 7, "{code}: {means}");
            assert!(!means.contains("###"), "{code}: {means}");
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn everything_that_the_doctor_finds_is_explained_without_a_hole() {
        for known in faults() {
            let word: Word = known.id.parse().expect(known.id);
            let said = Explanation::of(word).in_words();
            assert!(said.contains(known.title), "{said}");
            assert!(said.contains("found by doorkey doctor"), "{said}");
            for hole in ["name", "login", "url", "at", "origin", "status", "value"] {
                assert!(!said.contains(&format!("{{{hole}}}")), "{said}");
            }
        }
    }

    #[test]
    fn a_code_that_is_mistyped_is_answered_with_the_one_that_is_meant() {
        let said = Arguments::try_parse_from(["doorkey", "explain", "login-requird"]);
        let said = said.expect_err("no such code").to_string();
        assert!(said.contains("did you mean login-required?"), "{said}");
        let said = Arguments::try_parse_from(["doorkey", "explain", "banana"]);
        let said = said.expect_err("no such code").to_string();
        assert!(said.contains("doorkey explain --list"), "{said}");
    }
}
