//! Arguments that cannot be understood: told as they are to people, and as data to whoever would get data.

use std::ffi::OsString;

use doorkey::{ErrorCode, Explained, NextAction};

use super::exit::Exit;
use super::output::Output;
use super::report;

/// Tells what the reader of arguments says: help and version too are such words.
pub(super) fn told(said: &clap::Error, given: &[OsString], output: &Output) -> Exit {
    if !said.use_stderr() {
        output.usage(said);
        return Exit::Done;
    }
    let next = NextAction::command(&help(given));
    if would_be_json(given, output) {
        let told = Explained::new(ErrorCode::Usage, &message(said), None);
        report::document(output, &told.with_next(next.clone()));
    }
    output.refusal(&refusal(said), &next.text);
    Exit::Usage
}

/// What is wrong and how the command is used, headed as every error is, in colours that may be taken out again.
fn refusal(said: &clap::Error) -> String {
    let text = said.render().ansi().to_string();
    let text = without_trailer(&text).replacen("error:", "error[usage]:", 1);
    text.trim_end().to_owned()
}

/// The same without the reader's own advice: what to type next is told in our words.
fn without_trailer(text: &str) -> &str {
    text.rsplit_once(TRAILER).map_or(text, |(before, _)| before)
}

/// What shows how the command that was meant is used.
fn help(given: &[OsString]) -> String {
    let words = given.iter().skip(1).filter_map(|word| word.to_str());
    let mut words = words.take_while(|word| *word != "--");
    let of_program = super::command();
    let Some(command) = words.find_map(|word| of_program.find_subcommand(word)) else {
        return "doorkey --help".to_owned();
    };
    let name = command.get_name();
    match words.find_map(|word| command.find_subcommand(word)) {
        Some(second) => format!("doorkey {name} {} --help", second.get_name()),
        None => format!("doorkey {name} --help"),
    }
}

/// What is wrong, without how the command is used.
fn message(said: &clap::Error) -> String {
    let text = said.render().to_string();
    let text = without_trailer(&text);
    let what = text.split("\n\nUsage:").next().unwrap_or(text);
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let words: Vec<_> = what.split_whitespace().collect();
    words.join(" ")
}

/// Whether JSON would be written, as far as that can be told of words that do not fit.
fn would_be_json(given: &[OsString], output: &Output) -> bool {
    let words = given.iter().skip(1).filter_map(|word| word.to_str());
    let words: Vec<_> = words.take_while(|word| *word != "--").collect();
    if words.contains(&"--json") {
        return true;
    }
    let of_program = super::command();
    let mut named = words
        .iter()
        .filter_map(|word| of_program.find_subcommand(word));
    let has_choice = named.next().is_some_and(|command| {
        let mut ids = command.get_arguments().map(clap::Arg::get_id);
        ids.any(|id| id == "table")
    });
    has_choice && !words.contains(&"--table") && !output.terminal().stdout
}

/// How what the reader of arguments says ends.
const TRAILER: &str = "\n\nFor more information";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;
    use crate::cli::manner::Manner;

    #[test]
    fn a_wrong_argument_is_told_in_one_line_without_how_the_command_is_used() {
        for (given, told) in [
            (
                &["doorkey", "list", "--jsn"][..],
                "unexpected argument '--jsn' found tip: a similar argument exists: '--json'",
            ),
            (
                &["doorkey", "lst"],
                "unrecognized subcommand 'lst' tip: a similar subcommand exists: 'list'",
            ),
            (
                &["doorkey", "list", "--color", "pink"],
                "invalid value 'pink' for '--color <WHEN>' [possible values: auto, always, never]",
            ),
        ] {
            let said = Arguments::try_parse_from(given).expect_err("wrong");
            let message = message(&said);
            assert!(!message.contains("Usage"), "{message}");
            assert_eq!(message, told);
        }
    }

    #[test]
    fn the_next_step_is_the_help_of_the_command_that_was_meant() {
        for (words, expected) in [
            ("doorkey list --nosuch", "doorkey list --help"),
            (
                "doorkey --quiet store migrate",
                "doorkey store migrate --help",
            ),
            ("doorkey lst", "doorkey --help"),
            ("doorkey", "doorkey --help"),
        ] {
            let given: Vec<_> = words.split(' ').map(OsString::from).collect();
            assert_eq!(help(&given), expected, "{words}");
        }
    }

    #[test]
    fn whoever_would_get_json_gets_it_of_wrong_arguments_as_well() {
        let mut manner = Manner::default();
        for (is_terminal, words, expected) in [
            (true, "doorkey list --nosuch --json", true),
            (true, "doorkey list --nosuch", false),
            (false, "doorkey list --nosuch", true),
            (false, "doorkey --quiet get a b c", true),
            (false, "doorkey list --nosuch --table", false),
            (false, "doorkey tools", false),
            (false, "doorkey tools --json", true),
            (false, "doorkey nosuch", false),
            (true, "doorkey call a b -- --json", false),
        ] {
            manner.terminal.stdout = is_terminal;
            let given: Vec<_> = words.split(' ').map(OsString::from).collect();
            let found = would_be_json(&given, &Output::new(manner));
            assert_eq!(found, expected, "{words}");
        }
    }
}
