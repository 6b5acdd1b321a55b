//! The command line: which step, what `ci` leaves out, and what `bench` is to measure.

use std::fmt;

use crate::step::{self, Step, Update};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// `help`, `--help` or `-h`.
    Usage,
    /// One step by name.
    One(&'static Step),
    /// What writes the record of one step.
    Update(&'static Update),
    /// Every step but those left out.
    Ci {
        /// The names given after `--without`.
        without: Vec<&'static str>,
    },
    /// The benches, which are no step: they judge nothing that a change can break.
    Bench {
        /// What is handed on: `--quick`, the names of sections.
        words: Vec<String>,
    },
}

/// A command line that cannot be obeyed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    NoStep,
    UnknownStep(String),
    WithoutWhat,
    Unexpected(String),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStep => write!(f, "error: no step was named"),
            Self::UnknownStep(name) => write!(f, "error: there is no step `{name}`"),
            Self::WithoutWhat => write!(f, "error: `--without` needs the name of a step"),
            Self::Unexpected(word) => write!(f, "error: unexpected argument `{word}`"),
        }
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Request, UsageError> {
    match words.next().as_deref() {
        None => Err(UsageError::NoStep),
        Some("help" | "--help" | "-h") => Ok(Request::Usage),
        Some("ci") => without(words).map(|without| Request::Ci { without }),
        Some("bench") => Ok(Request::Bench {
            words: words.collect(),
        }),
        Some(name) => {
            let step = named(name)?;
            let mut request = Request::One(step);
            for word in words {
                let update = step::UPDATES.iter().find(|update| update.step == name);
                request = match (request, update) {
                    (Request::One(_), Some(update)) if word == "--update" => {
                        Request::Update(update)
                    }
                    _ => return Err(UsageError::Unexpected(word)),
                };
            }
            Ok(request)
        }
    }
}

/// The page that `help` prints.
pub(crate) fn usage() -> String {
    let mut page = String::from(
        "usage: cargo xtask <step> [--update]\n       cargo xtask ci [--without <step>]...\n       cargo xtask bench [--quick] [<section>]...\n\nsteps:\n",
    );
    for step in step::ALL {
        page.push_str(&format!("  {:<12} {}\n", step.name, step.about));
    }
    page.push_str(
        "  ci           all of the above in this order; a step left out counts as skipped\n  bench        measures the stack beside its rivals; a whole run writes docs/performance.md (no part of ci)",
    );
    page
}

fn without(mut words: impl Iterator<Item = String>) -> Result<Vec<&'static str>, UsageError> {
    let mut left_out = Vec::new();
    while let Some(word) = words.next() {
        let name = match word.strip_prefix("--without") {
            Some("") => words.next().ok_or(UsageError::WithoutWhat)?,
            Some(rest) if rest.starts_with('=') => rest[1..].to_owned(),
            _ => return Err(UsageError::Unexpected(word)),
        };
        left_out.push(named(&name)?.name);
    }
    Ok(left_out)
}

fn named(name: &str) -> Result<&'static Step, UsageError> {
    step::ALL
        .iter()
        .find(|step| step.name == name)
        .ok_or_else(|| UsageError::UnknownStep(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, UsageError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_step_is_reached_by_its_name_and_stands_on_the_usage_page() {
        for step in step::ALL {
            assert!(
                matches!(parsed(step.name), Ok(Request::One(found)) if found.name == step.name)
            );
            assert!(usage().contains(&format!("  {:<12} {}", step.name, step.about)));
        }
    }

    #[test]
    fn ci_takes_any_number_of_steps_to_leave_out() {
        let Ok(Request::Ci { without }) = parsed("ci --without interop --without=deny") else {
            panic!("ci was not understood");
        };
        assert_eq!(without, ["interop", "deny"]);
    }

    #[test]
    fn bench_hands_on_what_follows_it() {
        let Ok(Request::Bench { words }) = parsed("bench --quick calls") else {
            panic!("bench was not understood");
        };
        assert_eq!(words, ["--quick", "calls"]);
    }

    #[test]
    fn a_step_with_a_record_can_write_it() {
        for update in step::UPDATES {
            assert!(matches!(
                parsed(&format!("{} --update", update.step)),
                Ok(Request::Update(found)) if found.step == update.step
            ));
        }
    }

    #[test]
    fn what_is_not_a_step_is_a_usage_error() {
        let cases = [
            ("", UsageError::NoStep),
            ("tests", UsageError::UnknownStep("tests".to_owned())),
            ("ci --without", UsageError::WithoutWhat),
            (
                "ci --without nothing",
                UsageError::UnknownStep("nothing".to_owned()),
            ),
            ("ci interop", UsageError::Unexpected("interop".to_owned())),
            (
                "ci --withoutinterop",
                UsageError::Unexpected("--withoutinterop".to_owned()),
            ),
            ("lint --fix", UsageError::Unexpected("--fix".to_owned())),
            (
                "lint --update",
                UsageError::Unexpected("--update".to_owned()),
            ),
            (
                "figures --update --update",
                UsageError::Unexpected("--update".to_owned()),
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line).err(), Some(expected), "{line}");
        }
    }
}
