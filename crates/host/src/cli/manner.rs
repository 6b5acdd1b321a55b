//! How the program talks: how much, in colours or not, and whether it may ask.

use std::ffi::OsString;

use clap::{Args, ValueEnum};
use doorkey::{Environment, Terminal};

/// What a person can say about it on every command.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Wishes {
    /// Say more: a line for each request (-v), headers too (-vv), everything (-vvv)
    ///
    /// No secret is in it. DOORKEY_LOG does the same with a filter, such as doorkey_http=debug.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but data and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Write in colours
    ///
    /// With auto, on terminals that have them, unless NO_COLOR is set; with CLICOLOR_FORCE everywhere.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colors,
    /// Never ask anything
    ///
    /// So it is anyway where CI is set or there is no terminal.
    #[arg(long, global = true)]
    no_input: bool,
}

/// When to write in colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Colors {
    #[default]
    Auto,
    Always,
    Never,
}

/// What was wished for, in these surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) terminal: Terminal,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    /// Somebody can be asked.
    pub(crate) is_interactive: bool,
    /// Standard output and standard error take colours.
    pub(crate) colors: Streams,
    /// The terminal of standard error lets a line be written over.
    pub(crate) can_move: bool,
}

/// The same question about both streams that are written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

impl Wishes {
    /// What can be told of arguments that could not be read: usage errors and help have colours too.
    pub(crate) fn about_colors(arguments: &[OsString]) -> Self {
        let words = || arguments.iter().filter_map(|word| word.to_str());
        let apart = words().zip(words().skip(1));
        let apart = apart.filter_map(|(flag, value)| (flag == "--color").then_some(value));
        let joined = words().filter_map(|word| word.strip_prefix("--color="));
        let color = apart
            .chain(joined)
            .find_map(|value| Colors::from_str(value, true).ok());
        Self {
            color: color.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What holds with them.
    pub(crate) fn in_surroundings(self, environment: &Environment) -> Manner {
        let terminal = environment.terminal();
        let is_color = |is_terminal| match self.color {
            Colors::Always => true,
            Colors::Never => false,
            Colors::Auto => colors(environment, is_terminal),
        };
        Manner {
            terminal,
            is_quiet: self.quiet,
            is_verbose: self.verbose > 0,
            is_interactive: !self.no_input
                && terminal.stdin
                && terminal.stderr
                && !is_ci(environment),
            colors: Streams {
                stdout: is_color(terminal.stdout),
                stderr: is_color(terminal.stderr),
            },
            // The lines of a log would come between.
            can_move: terminal.stderr
                && !is_dumb(environment)
                && !is_ci(environment)
                && self.verbose == 0
                && environment.variable("DOORKEY_LOG").is_none(),
        }
    }
}

/// The customs of <https://no-color.org> and <https://bixense.com/clicolors>.
fn colors(environment: &Environment, is_terminal: bool) -> bool {
    let is = |name, value: &str| environment.variable(name).is_some_and(|it| it == value);
    if environment.variable("NO_COLOR").is_some() {
        return false;
    }
    if environment.variable("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0") {
        return true;
    }
    is_terminal && !is("CLICOLOR", "0") && !is_dumb(environment)
}

/// Whether a terminal obeys nothing. Where `TERM` is not set that is likely, except on Windows, where it never is.
fn is_dumb(environment: &Environment) -> bool {
    environment
        .variable("TERM")
        .map_or(!cfg!(windows), |term| term == "dumb")
}

/// Whether this is a job that nobody watches.
fn is_ci(environment: &Environment) -> bool {
    environment
        .variable("CI")
        .is_some_and(|value| value != "false" && value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manner(wishes: Wishes, terminal: bool, variables: &[(&str, &str)]) -> Manner {
        let environment = Environment::new(variables.iter().copied())
            .with_terminal(Terminal::new(terminal, terminal, terminal));
        wishes.in_surroundings(&environment)
    }

    #[test]
    fn colours_follow_the_terminal_the_variables_and_above_all_the_flag() {
        let xterm = ("TERM", "xterm");
        for (terminal, variables, is_color) in [
            (true, &[xterm][..], true),
            (false, &[xterm], false),
            (true, &[xterm, ("NO_COLOR", "1")], false),
            (true, &[xterm, ("NO_COLOR", "")], true),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (true, &[xterm, ("CLICOLOR", "0")], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[], cfg!(windows)),
        ] {
            let with = |color| {
                let wishes = Wishes {
                    color,
                    ..Wishes::default()
                };
                manner(wishes, terminal, variables).colors
            };
            for (color, expected) in [
                (Colors::Auto, is_color),
                (Colors::Always, true),
                (Colors::Never, false),
            ] {
                let streams = Streams {
                    stdout: expected,
                    stderr: expected,
                };
                assert_eq!(with(color), streams, "{color:?} {terminal} {variables:?}");
            }
        }
    }

    #[test]
    fn nobody_is_asked_in_ci_without_a_terminal_or_where_it_is_not_wished() {
        let asked =
            |wishes, terminal, variables: &[_]| manner(wishes, terminal, variables).is_interactive;
        let wishes = Wishes::default();
        assert!(asked(wishes, true, &[]));
        assert!(asked(wishes, true, &[("CI", "false")]));
        assert!(!asked(wishes, false, &[]));
        assert!(!asked(wishes, true, &[("CI", "true")]));
        assert!(!asked(wishes, true, &[("CI", "woodpecker")]));
        let silent = Wishes {
            no_input: true,
            ..wishes
        };
        assert!(!asked(silent, true, &[]));
    }
}
