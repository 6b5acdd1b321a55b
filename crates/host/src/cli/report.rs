//! How a failure is told: code, what failed, the causes down to the first one, and what to type next.

use doorkey::{Error, Explained, NextAction, Target};
use doorkey_oauth::QuirkExplanation;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, clean};

/// What a command that was asked for JSON writes in place of its data.
#[derive(Serialize)]
struct Document<'a> {
    error: &'a Explained,
}

/// Tells a failure and returns its exit code; whoever asked for JSON gets it as data, too.
pub(crate) fn failure(
    output: &Output,
    json: bool,
    target: Option<Target<'_>>,
    failure: &Failure,
) -> Exit {
    let exit = Exit::of(failure);
    if matches!(failure, Failure::Output(_)) && exit == Exit::Done {
        // Whoever reads the output has read enough.
        return exit;
    }
    let told = explained(failure, target);
    if json && !matches!(failure, Failure::Output(_)) {
        document(output, &told);
    }
    tell(output, &told);
    exit
}

/// The failure as data, on standard output. What cannot be written is told in words all the same.
pub(super) fn document(output: &Output, told: &Explained) {
    drop(output.json(&Document { error: told }));
}

/// The failure in words, on standard error.
fn tell(output: &Output, told: &Explained) {
    let style = anstyle::AnsiColor::Red
        .on_default()
        .effects(anstyle::Effects::BOLD);
    let head = format!("error[{}]:", told.code);
    output.headed(style, &head, &told.message);
    for cause in &told.causes {
        output.insist(&format!("  caused by: {cause}"));
    }
    for other in &told.also_tried {
        output.insist(&format!("  also tried: {other}"));
    }
    if let Some(known) = &told.quirk {
        let (means, id) = (clean(&known.means), &known.quirk);
        output.insist(&format!("known: {means} (quirk {id})"));
    }
    output.insist(&format!("next: {}", told.next.text));
}

fn explained(failure: &Failure, target: Option<Target<'_>>) -> Explained {
    let own = |text: &str| Explained::new(failure.code(), text, target);
    let with_next = |told: Explained, next: &str| told.with_next(NextAction::in_words(next));
    match failure {
        Failure::Host(error) => error.explain(target),
        Failure::Known { error, known } => error
            .explain(target)
            .with_quirk(QuirkExplanation::clone(known), target),
        Failure::Bearer { error, key } => {
            let table = target.unwrap_or(Target::new("NAME")).table();
            let next = format!("put a valid token where {key} of [{table}] says");
            with_next(error.explain(target), &next)
        }
        Failure::Refused {
            text, next: None, ..
        } => own(text),
        Failure::Refused {
            text: why,
            next: Some(next),
            ..
        }
        | Failure::Unfit { why, next } => with_next(own(why), next),
        Failure::Output(error) => own(&format!("cannot write the output: {error}")),
        Failure::Input(error) => own(&format!("cannot read the input: {error}")),
        Failure::Interrupted { .. } => own("interrupted"),
    }
}

/// What failed, then each cause; the last line is where it began.
pub(crate) fn causes(error: &Error) -> Vec<String> {
    error.explain(None).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use clap::error::ErrorKind;
    use doorkey::ErrorCode;

    use super::*;
    use crate::cli::Arguments;

    /// The words of a line as a shell takes them: only quotes that this program writes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut is_quoted = false;
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            let word = words.last_mut().expect("a word");
            match character {
                '\'' => is_quoted = !is_quoted,
                '\\' if !is_quoted => word.extend(characters.next()),
                ' ' if !is_quoted => words.push(String::new()),
                other => word.push(other),
            }
        }
        words
    }

    #[test]
    fn every_command_that_an_error_names_is_one_that_the_program_takes() {
        for name in ["work", "a b", "it's", "-v", "--help", "a;b"] {
            let target = Target::new(name).with_account("ada@example.com");
            for code in ErrorCode::ALL {
                let told = Explained::new(*code, "it failed", target);
                let Some(command) = told.next.command else {
                    continue;
                };
                let parsed = Arguments::try_parse_from(words(&command));
                let refused = parsed.as_ref().err().map(clap::Error::kind);
                if command == "doorkey --help" {
                    assert_eq!(refused, Some(ErrorKind::DisplayHelp));
                    continue;
                }
                assert_eq!(refused, None, "{code}: {command}");
                let of_command = parsed.expect("a command").command;
                if let Some(named) = of_command.target() {
                    assert_eq!(named.server, name, "{code}: {command}");
                }
            }
        }
    }
}
