//! Data on standard output, messages on standard error.

use std::io::{self, Write as _};

use doorkey::Terminal;
use serde::Serialize;

use super::exit::Failure;

/// Where a command writes.
#[derive(Debug)]
pub(crate) struct Output {
    terminal: Terminal,
}

impl Output {
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { terminal }
    }

    pub(crate) fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// One line of data.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        writeln!(anstream::stdout(), "{text}").map_err(Failure::Output)
    }

    /// One document of data, in JSON for programs.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Output(io::Error::other(error)))?;
        self.data(&text)
    }

    /// A message.
    pub(crate) fn note(&self, text: &str) {
        // Who closed standard error does not want to know.
        drop(writeln!(anstream::stderr(), "{text}"));
    }

    /// A message about something to be put right.
    pub(crate) fn warn(&self, text: &str) {
        let style = anstyle::AnsiColor::Yellow.on_default();
        self.note(&format!("{style}warning:{style:#} {}", clean(text)));
    }
}

/// Text from elsewhere on one line, without what a terminal would obey (SEC-13).
pub(crate) fn clean(text: &str) -> String {
    doorkey_http::clean_text(text, LINE_CHARACTERS)
}

/// The same for text of several lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines()
        .map(|line| doorkey_http::clean_text(line, usize::MAX))
        .collect::<Vec<_>>()
        .join("\n")
}

const LINE_CHARACTERS: usize = 2_000;
