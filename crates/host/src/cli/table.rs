//! A table that fits the terminal of its reader: names are whole, addresses are shortened, sentences are wrapped.

use comfy_table::{ColumnConstraint, ContentArrangement, Table as Layout, presets};

use super::output::clean;

/// Columns with their rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Fit)>,
    rows: Vec<Vec<String>>,
}

/// What happens to the cells of a column where there is not room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// They are never cut.
    Whole,
    /// Addresses lose their middle.
    Address,
    /// Sentences take several lines.
    Wrap,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Fit)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// A row with a cell for each column.
    pub(crate) fn add(&mut self, cells: &[String]) {
        let cells = cells.iter().map(|cell| clean(cell));
        self.rows.push(cells.collect());
    }

    /// The text, at most so many characters wide where that is known. Columns with nothing in them are left out.
    pub(crate) fn text(mut self, width: Option<u16>) -> String {
        self.drop_empty();
        if let Some(width) = width {
            self.shorten_addresses(usize::from(width));
        }
        let mut layout = Layout::new();
        layout.load_preset(presets::NOTHING);
        layout.set_header(self.columns.iter().map(|(heading, _)| *heading));
        if let Some(width) = width {
            layout.set_content_arrangement(ContentArrangement::Dynamic);
            layout.set_width(width);
        }
        for row in self.rows {
            layout.add_row(row);
        }
        for (column, (_, fit)) in layout.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, GAP));
            if *fit != Fit::Wrap {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        layout.trim_fmt()
    }

    fn drop_empty(&mut self) {
        for index in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row[index].is_empty()) {
                self.columns.remove(index);
                for row in &mut self.rows {
                    row.remove(index);
                }
            }
        }
    }

    fn shorten_addresses(&mut self, width: usize) {
        let taken: usize = (0..self.columns.len())
            .map(|index| match self.columns[index].1 {
                Fit::Whole => self.width_of(index),
                Fit::Address => usize::from(GAP),
                Fit::Wrap => self.width_of(index).min(LEAST_OF_A_SENTENCE),
            })
            .sum();
        let is_address = |fit: Fit| fit == Fit::Address;
        let count = self
            .columns
            .iter()
            .filter(|(_, fit)| is_address(*fit))
            .count();
        if count == 0 {
            return;
        }
        let each = (width.saturating_sub(taken) / count).max(LEAST_OF_AN_ADDRESS);
        for index in (0..self.columns.len()).filter(|index| is_address(self.columns[*index].1)) {
            for row in &mut self.rows {
                row[index] = shortened(&row[index], each);
            }
        }
    }

    fn width_of(&self, index: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[index].chars().count());
        let widest = cells.chain([self.columns[index].0.len()]).max();
        widest.unwrap_or_default() + usize::from(GAP)
    }
}

/// An address within so many characters: the scheme that goes without saying goes first, then the middle of the path. The
/// host is what a person knows it by.
fn shortened(address: &str, most: usize) -> String {
    if address.chars().count() <= most {
        return address.to_owned();
    }
    let plain = address.strip_prefix("https://").unwrap_or(address);
    let length = plain.chars().count();
    if length <= most {
        return plain.to_owned();
    }
    let start = plain.find("://").map_or(0, |at| at + 3);
    let host = plain[start..]
        .find('/')
        .map_or(length, |at| plain[..start + at].chars().count());
    let tail = most.saturating_sub(host + 2);
    if tail < LEAST_OF_A_TAIL {
        let kept = plain.chars().take(most.saturating_sub(1));
        return format!("{}…", kept.collect::<String>());
    }
    let (front, back): (String, String) = (
        plain.chars().take(host + 1).collect(),
        plain.chars().skip(length - tail).collect(),
    );
    format!("{front}…{back}")
}

/// Characters between two columns.
const GAP: u16 = 2;
/// Characters that a wrapped column has in any case.
const LEAST_OF_A_SENTENCE: usize = 30;
/// Characters that an address has in any case.
const LEAST_OF_AN_ADDRESS: usize = 20;
/// A path of which less than this is left says nothing.
const LEAST_OF_A_TAIL: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_scheme_and_its_middle_and_never_its_host_before_its_path() {
        for (address, most, expected) in [
            (
                "https://mcp.example.com/mcp",
                30,
                "https://mcp.example.com/mcp",
            ),
            ("https://mcp.example.com/mcp", 20, "mcp.example.com/mcp"),
            (
                "https://mcp.example.com/a/long/way/to/mcp",
                24,
                "mcp.example.com/…/to/mcp",
            ),
            (
                "http://127.0.0.1:8080/mcp/one/two",
                28,
                "http://127.0.0.1:8080/…e/two",
            ),
            ("https://mcp.example.com/mcp", 12, "mcp.example…"),
            (
                "https://müller.example/ä/ö/ü/ß/mcp",
                22,
                "müller.example/…/ß/mcp",
            ),
        ] {
            let told = shortened(address, most);
            assert_eq!(told, expected);
            assert!(told.chars().count() <= most, "{told}");
        }
    }

    #[test]
    fn a_table_fits_its_width_and_leaves_names_whole_and_empty_columns_out() {
        let name = "a-server-with-a-rather-long-name";
        for width in [80_u16, 100, 120] {
            let mut table = Table::new(&[
                ("NAME", Fit::Whole),
                ("EMPTY", Fit::Whole),
                ("URL", Fit::Address),
                ("CHECK", Fit::Wrap),
            ]);
            for cells in [
                ["one", "", "https://a.example/", "ok"],
                [name, "", LONG, SENTENCE],
            ] {
                table.add(&cells.map(str::to_owned));
            }
            let text = table.text(Some(width));
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{line}");
            }
            assert!(text.contains(name) && !text.contains("EMPTY"), "{text}");
            assert!(text.lines().count() > 3, "the sentence is wrapped: {text}");
            for word in SENTENCE.split(' ') {
                assert!(text.contains(word), "{word} is not in {text}");
            }
        }
    }

    const LONG: &str = "https://mcp.example.com/a/very/long/path/that/nobody/can/remember/to/mcp";
    const SENTENCE: &str = "the server did not answer within the five seconds that a check may take, and \
                            nobody knows why it did not";
}
