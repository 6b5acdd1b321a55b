//! `doorkey explain`: what the code of an error means, where it comes from and what to do.

use clap::Args;
use doorkey::{ErrorCode, Explained, NextAction};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::format::Format;
use super::output::Output;

/// The code to explain.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The word in brackets after `error`, such as login-required
    #[arg(required_unless_present = "list")]
    code: Option<ErrorCode>,
    /// Show all codes instead
    #[arg(long, conflicts_with = "code")]
    list: bool,
    #[command(flatten)]
    format: Format,
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
        match self.code {
            Some(code) if is_json => output.json(&Meaning::of(code))?,
            Some(code) => output.data(&Meaning::of(code).in_words())?,
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
    fn a_code_that_is_mistyped_is_answered_with_the_one_that_is_meant() {
        let said = Arguments::try_parse_from(["doorkey", "explain", "login-requird"]);
        let said = said.expect_err("no such code").to_string();
        assert!(said.contains("did you mean login-required?"), "{said}");
        let said = Arguments::try_parse_from(["doorkey", "explain", "banana"]);
        let said = said.expect_err("no such code").to_string();
        assert!(said.contains("doorkey explain --list"), "{said}");
    }
}
