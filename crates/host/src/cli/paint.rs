//! Colours of what is shown about logins: they say nothing that the words do not.

use anstyle::{AnsiColor, Style};

use super::exit::Failure;
use super::output::Output;

/// Shows a table whose first line is its head, with the words for the states of logins in colours.
pub(crate) fn table(text: &str, output: &Output) -> Result<(), Failure> {
    output.painted(text, |index, line| match index {
        0 => in_style(line, Style::new().bold()),
        _ => state(line),
    })
}

/// Shows pages of lines under headings, which are not indented.
pub(crate) fn pages(text: &str, output: &Output) -> Result<(), Failure> {
    output.painted(text, |_, line| match line.starts_with(' ') {
        true => state(line),
        false => in_style(line, Style::new().bold()),
    })
}

/// The first word for a state that stands in a column of its own.
fn state(line: &str) -> String {
    let found = WORDS.iter().find_map(|(word, color)| {
        let start = line.find(&format!(" {word}"))? + 1;
        let rest = &line[start + word.len()..];
        let ends = rest.is_empty() || rest.starts_with("  ") || rest.starts_with(" (");
        ends.then_some((start, start + word.len(), *color))
    });
    let Some((start, end, color)) = found else {
        return line.to_owned();
    };
    let word = in_style(&line[start..end], color.on_default());
    format!("{}{word}{}", &line[..start], &line[end..])
}

fn in_style(text: &str, style: Style) -> String {
    match text {
        "" => String::new(),
        text => format!("{style}{text}{style:#}"),
    }
}

const WORDS: [(&str, AnsiColor); 10] = [
    ("signed in", AnsiColor::Green),
    ("renews with next use", AnsiColor::Green),
    ("signs in by itself", AnsiColor::Green),
    ("no login needed", AnsiColor::Green),
    ("configured token", AnsiColor::Green),
    ("login required", AnsiColor::Red),
    ("cannot be read", AnsiColor::Red),
    ("not tried yet", AnsiColor::Yellow),
    ("disabled", AnsiColor::Yellow),
    ("left out", AnsiColor::Yellow),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_painted_in_its_column_and_nowhere_else() {
        for (line, painted) in [
            (
                "one  signed in  in 5 min",
                "one  \u{1b}[32msigned in\u{1b}[0m  in 5 min",
            ),
            ("one  disabled", "one  \u{1b}[33mdisabled\u{1b}[0m"),
            (
                "  login     login required (login started)",
                "  login     \u{1b}[31mlogin required\u{1b}[0m (login started)",
            ),
            ("disabled  signed into", "disabled  signed into"),
            ("", ""),
        ] {
            assert_eq!(state(line), painted);
        }
    }
}
