//! Things of a server with what is said about each: columns on a terminal, tabs elsewhere.

use comfy_table::{ContentArrangement, Table, presets};
use doorkey::Error;
use doorkey_rmcp::rmcp::model::ErrorCode;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, clean};

/// What a server lists; one that does not know how it is asked for has nothing of the kind, which is no failure.
pub(crate) fn or_none<T>(listed: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    let is_unknown = |error: &Error| {
        let answered = error.protocol_error();
        answered.is_some_and(|answered| answered.code == ErrorCode::METHOD_NOT_FOUND)
    };
    match listed {
        Err(error) if is_unknown(&error) => Ok(Vec::new()),
        listed => listed,
    }
}

/// Shows what a server lists: as JSON, else one thing a row with what is said about it. `none` says that there is nothing.
pub(crate) fn present<T: Serialize>(
    things: &[T],
    is_json: bool,
    header: [&'static str; 2],
    row: impl Fn(&T) -> (String, String),
    none: &str,
    output: &Output,
) -> Result<Exit, Failure> {
    if is_json {
        output.json(things)?;
        return Ok(Exit::Done);
    }
    let mut listing = Listing::new(header);
    for (name, said) in things.iter().map(row) {
        listing.add(&name, &said);
    }
    listing.show(output)?;
    if things.is_empty() {
        output.note(none);
    }
    Ok(Exit::Done)
}

/// A list to be shown, one thing a row.
struct Listing {
    header: [&'static str; 2],
    rows: Vec<[String; 2]>,
}

impl Listing {
    fn new(header: [&'static str; 2]) -> Self {
        Self {
            header,
            rows: Vec::new(),
        }
    }

    /// Adds a thing, with the first line of what is said about it.
    fn add(&mut self, name: &str, said: &str) {
        let mut lines = said.lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
        self.rows.push([clean(name), clean(first)]);
    }

    /// Shows all; a program gets one line for each, without a head.
    fn show(&self, output: &Output) -> Result<(), Failure> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let Some(width) = output.width() else {
            for [name, said] in &self.rows {
                match said.is_empty() {
                    true => output.data(name)?,
                    false => output.data(&format!("{name}\t{said}"))?,
                }
            }
            return Ok(());
        };
        output.data(&self.table(width).trim_fmt())
    }

    fn table(&self, width: u16) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(self.header)
            .add_rows(&self.rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::columns::columns;

    #[test]
    fn a_table_fits_the_terminal_however_much_is_said_and_however_wide_its_characters_are() {
        let mut listing = Listing::new(["TOOL", "WHAT IT DOES"]);
        listing.add("echo", "\n  Says it again. \nAnd more.");
        listing.add("search_日本語", &"検索する ".repeat(40));
        let text = listing.table(60).trim_fmt();
        assert!(text.lines().count() > 6, "{text}");
        for line in text.lines() {
            assert!(columns(line) <= 60, "{line}");
        }
        assert!(
            text.contains("echo") && text.contains("Says it again."),
            "{text}"
        );
        assert!(!text.contains("And more"), "{text}");
    }
}
