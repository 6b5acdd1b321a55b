//! Data on standard output, messages on standard error; text of others without what a terminal would obey.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use doorkey::Terminal;
use doorkey_http::clean_text;
use serde::Serialize;

use super::exit::Failure;
use super::manner::Manner;

/// Where a command writes. A clone writes to the same place.
///
/// What is written is cleaned here, whoever it came from and whoever forgot to (SEC-13): control characters and escape
/// sequences are taken out, lines and indentation stay. A pipe makes no difference: `tee`, `less -R` and `cat` hand on
/// to a terminal what they get. A program that wants what the server sent asks for JSON, in which it stands escaped.
///
/// With `--quiet` there is data ([`Output::data`], [`Output::json`]) and what went wrong or must be known to go on
/// ([`Output::headed`], [`Output::insist`]); [`Output::note`] and [`Output::warn`] say nothing.
#[derive(Clone)]
pub(crate) struct Output {
    manner: Manner,
    /// The last line of the terminal, which is to go again.
    passing: Arc<Mutex<Option<String>>>,
}

impl Output {
    pub(crate) fn new(manner: Manner) -> Self {
        Self {
            manner,
            passing: Arc::default(),
        }
    }

    /// Which streams are a terminal.
    pub(crate) fn terminal(&self) -> Terminal {
        self.manner.terminal
    }

    /// How the program talks.
    pub(crate) fn manner(&self) -> Manner {
        self.manner
    }

    /// Whether a person can be asked something: there is a terminal to ask and to answer at, no `CI`, no `--no-input`.
    /// Whoever wants to ask without this fails with what to type instead.
    pub(crate) fn is_interactive(&self) -> bool {
        self.manner.is_interactive
    }

    /// How many columns a table has on the terminal of standard output; `None` where it may be as wide as it likes.
    pub(crate) fn width(&self) -> Option<u16> {
        let columns = || columns_of(io::stdout()).max(COLUMNS_AT_LEAST);
        self.manner.terminal.stdout.then(columns)
    }

    /// Data, of one line or more.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        self.above_passing(|| write(&clean_block(text)))
    }

    /// Data of which each line, already cleaned, is given a style: by its number from 0 and its text.
    pub(crate) fn painted(
        &self,
        text: &str,
        paint: impl Fn(usize, &str) -> String,
    ) -> Result<(), Failure> {
        let text = clean_block(text);
        let lines = text.lines().enumerate();
        let lines: Vec<_> = lines.map(|(index, line)| paint(index, line)).collect();
        self.above_passing(|| {
            let mut stdout = AutoStream::new(io::stdout(), choice(self.manner.colors.stdout));
            writeln!(stdout, "{}", lines.join("\n")).map_err(Failure::Output)
        })
    }

    /// One document of data, in JSON for programs. Whatever a terminal might obey stands in it as an escape of JSON,
    /// which means the same.
    pub(crate) fn json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Output(io::Error::other(error)))?;
        self.above_passing(|| write(&escaped(&text)))
    }

    /// A message, unless it is to be quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.manner.is_quiet {
            self.insist(text);
        }
    }

    /// A message for those who want to know more.
    pub(crate) fn detail(&self, text: &str) {
        if self.manner.is_verbose {
            self.insist(text);
        }
    }

    /// A message without which a person could not go on: an error, a page to open, a question.
    pub(crate) fn insist(&self, text: &str) {
        self.message(&clean_block(text));
    }

    /// A picture of characters on the terminal of standard error, in a style.
    pub(crate) fn drawing(&self, style: Style, rows: &[String]) {
        for row in rows {
            self.message(&format!("{style}{row}{style:#}"));
        }
    }

    /// A message that begins with a word in a style, however quiet it is to be.
    pub(crate) fn headed(&self, style: Style, head: &str, text: &str) {
        let text = clean(text);
        self.message(&format!("{style}{head}{style:#} {text}"));
    }

    /// A message about something to be put right, unless it is to be quiet.
    pub(crate) fn warn(&self, text: &str) {
        if !self.manner.is_quiet {
            let style = anstyle::AnsiColor::Yellow.on_default();
            self.headed(style, "warning:", text);
        }
    }

    /// Help and version, as the reader of arguments says them.
    pub(crate) fn usage(&self, said: &clap::Error) {
        let text = said.render();
        let choice = choice(self.manner.colors.stdout);
        let mut stdout = AutoStream::new(io::stdout(), choice);
        // A closed pipe is nobody's loss.
        drop(write!(stdout, "{}", text.ansi()).and_then(|()| stdout.flush()));
    }

    /// What the reader of arguments says against them, in its colours, and what to type next.
    pub(crate) fn refusal(&self, text: &str, next: &str) {
        self.message(text);
        self.insist(&format!("next: {next}"));
    }

    /// Already cleaned; styles stay where colours are wanted.
    fn message(&self, text: &str) {
        self.above_passing(|| {
            // Who closed standard error does not want to know. In one piece, so that no other process writes into the line.
            drop(self.stderr().write_all(format!("{text}\n").as_bytes()));
        });
    }

    fn stderr(&self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), choice(self.manner.colors.stderr))
    }

    /// Shows a line at the end of the terminal in place of the one before, or takes that away. Messages and data come
    /// above it. Only for terminals that can be written over ([`Manner::can_move`]).
    pub(super) fn set_passing(&self, line: Option<String>) {
        let mut passing = self.passing();
        if passing.is_some() {
            erase();
        }
        if let Some(line) = &line {
            draw(line);
        }
        *passing = line;
    }

    fn above_passing<T>(&self, write: impl FnOnce() -> T) -> T {
        let passing = self.passing();
        let Some(line) = &*passing else {
            return write();
        };
        erase();
        let written = write();
        draw(line);
        written
    }

    fn passing(&self) -> MutexGuard<'_, Option<String>> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cut where it would be broken into two, of which one would stay.
fn draw(line: &str) {
    let columns = usize::from(columns_of(io::stderr()));
    let line = clean_text(line, columns.saturating_sub(RESERVED));
    to_terminal(&line);
}

fn erase() {
    to_terminal("\r\u{1b}[K");
}

/// Who closed standard error does not want to know.
fn to_terminal(text: &str) {
    let mut stderr = AutoStream::new(io::stderr(), ColorChoice::AlwaysAnsi);
    drop(write!(stderr, "{text}").and_then(|()| stderr.flush()));
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

fn choice(is_color: bool) -> ColorChoice {
    if is_color {
        ColorChoice::Always
    } else {
        ColorChoice::Never
    }
}

/// What a terminal says of itself, else what most are.
#[cfg(unix)]
fn columns_of(terminal: impl std::os::fd::AsFd) -> u16 {
    let size = rustix::termios::tcgetwinsize(terminal);
    match size.map_or(0, |size| size.ws_col) {
        0 => COLUMNS,
        columns => columns,
    }
}

#[cfg(not(unix))]
fn columns_of<T>(_terminal: T) -> u16 {
    COLUMNS
}

/// Text from elsewhere on one line, without what a terminal would obey (SEC-13).
pub(crate) fn clean(text: &str) -> String {
    clean_text(text, LINE_CHARACTERS)
}

/// The same for text whose lines, tabs and indentation are part of it.
fn clean_block(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        // Blanks are put aside meanwhile: of a text on one line the rest would be lost.
        let line = line
            .trim_end_matches('\r')
            .replace(' ', BLANK)
            .replace('\t', TAB);
        let line = clean_text(&line, usize::MAX);
        line.replace(BLANK, " ").replace(TAB, "\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A JSON text with every character outside ASCII that is no letter to be read, and DEL, as an escape. JSON itself has
/// escaped the others, and such characters stand in strings alone.
fn escaped(json: &str) -> Cow<'_, str> {
    if json.is_ascii() && !json.as_bytes().contains(&DEL) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        let obeyed = character.is_control() && !matches!(character, '\n');
        // What cleaning takes away is what must not be seen as it is.
        let invisible =
            !character.is_ascii() && clean_text(character.encode_utf8(&mut [0; 4]), 1).is_empty();
        if obeyed || invisible {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

/// Without a look at the terminal: there is nothing left to take out.
fn write(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(Failure::Output)
}

const DEL: u8 = 0x7f;
const LINE_CHARACTERS: usize = 2_000;
const COLUMNS: u16 = 80;
/// A table in fewer columns is not to be read: the terminal breaks its lines.
const COLUMNS_AT_LEAST: u16 = 40;
/// The mark of a line that was cut, and what a terminal writes for Ctrl-C.
const RESERVED: usize = 4;
/// Unicode has no characters here and never will.
const BLANK: &str = "\u{fdd0}";
const TAB: &str = "\u{fdd1}";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HOSTILE: &str = "\u{1b}[2Ja\u{1b}]8;;https://evil.example/ x\u{7}link\u{1b}]8;;\u{1b}\\b\u{7}c\u{9b}31md\
                           \u{9d}0;title\u{9c}e\u{8}f\u{7f}g\u{202e}h\u{2066}i\u{200b}j\rk";

    fn is_harmless(text: &str) -> bool {
        let is_bidi = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        text.chars()
            .all(|c| !is_bidi(c) && (!c.is_control() || matches!(c, '\n' | '\t')))
    }

    #[test]
    fn data_keeps_its_lines_and_blanks_and_loses_what_would_be_obeyed() {
        let text = format!("fn main() {{\r\n\t  let  x;  \n\n}}\n{HOSTILE}");
        let shown = clean_block(&text);
        assert!(is_harmless(&shown), "{shown:?}");
        assert!(
            shown.starts_with("fn main() {\n\t  let  x;  \n\n}\n"),
            "{shown:?}"
        );
        assert!(
            shown.contains("alink") && !shown.contains("evil.example"),
            "{shown:?}"
        );
        let long = format!("\u{1b}[31m{}", "x".repeat(1 << 20));
        assert_eq!(clean_block(&long), &long[5..]);
    }

    #[test]
    fn json_means_the_same_and_has_nothing_in_it_that_a_terminal_obeys() {
        let value = json!({
            (HOSTILE): [HOSTILE, "\u{0}\u{1f}\"\\\u{85}\u{a0}\u{feff}\u{e0041}", "Zoë 日本 😀 é\tx\ny"],
        });
        let text = serde_json::to_string_pretty(&value).expect("JSON");
        let text = escaped(&text);
        assert!(is_harmless(&text), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
        assert!(text.contains("Zoë 日本 😀 é"), "{text}");
    }
}
