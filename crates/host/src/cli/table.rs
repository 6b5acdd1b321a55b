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
        let mut is_tight = false;
        if let Some(width) = width.map(usize::from) {
            self.drop_addresses_without_room(width);
            self.shorten_addresses(width);
            let all: usize = (0..self.columns.len())
                .filter(|index| self.columns[*index].1 != Fit::Wrap)
                .map(|index| self.width_of(index))
                .sum();
            is_tight = all > width;
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
        let columns = layout.column_iter_mut().zip(&self.columns);
        for (index, (column, (_, fit))) in columns.enumerate() {
            column.set_padding((0, GAP));
            // Where it is all too wide, the first column alone stays in one piece.
            if *fit != Fit::Wrap && (index == 0 || !is_tight) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        layout.trim_fmt()
    }

    fn drop_empty(&mut self) {
        for index in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row[index].is_empty()) {
                self.drop_column(index);
            }
        }
    }

    /// Addresses of which next to nothing would be left go, the last first; what they are about is shown by other commands.
    fn drop_addresses_without_room(&mut self, width: usize) {
        for index in (1..self.columns.len()).rev() {
            let needed: usize = (0..self.columns.len())
                .map(|index| match self.columns[index].1 {
                    Fit::Whole => self.width_of(index),
                    Fit::Address => self.width_of(index).min(LEAST_OF_AN_ADDRESS),
                    Fit::Wrap => self.width_of(index).min(LEAST_OF_A_SENTENCE),
                })
                .sum();
            if needed > width && self.columns[index].1 == Fit::Address {
                self.drop_column(index);
            }
        }
    }

    fn drop_column(&mut self, index: usize) {
        self.columns.remove(index);
        for row in &mut self.rows {
            row.remove(index);
        }
    }

    fn shorten_addresses(&mut self, width: usize) {
        let columns = 0..self.columns.len();
        let (addresses, others): (Vec<_>, Vec<_>) =
            columns.partition(|index| self.columns[*index].1 == Fit::Address);
        let taken: usize = others
            .iter()
            .map(|index| match self.columns[*index].1 {
                Fit::Wrap => self.width_of(*index).min(LEAST_OF_A_SENTENCE),
                _ => self.width_of(*index),
            })
            .sum();
        // What is short leaves its room to what is long.
        let mut by_width: Vec<_> = addresses;
        by_width.sort_by_key(|index| self.width_of(*index));
        let mut room = width.saturating_sub(taken);
        for (position, index) in by_width.iter().enumerate() {
            let most = (room / (by_width.len() - position)).max(LEAST_OF_AN_ADDRESS);
            self.shorten_column(*index, most - usize::from(GAP));
            room = room.saturating_sub(self.width_of(*index));
        }
    }

    /// Where one address is too long, the scheme that goes without saying is left out of them all.
    fn shorten_column(&mut self, index: usize, most: usize) {
        if self.width_of(index) <= most + usize::from(GAP) {
            return;
        }
        for row in &mut self.rows {
            let plain = row[index].strip_prefix("https://").unwrap_or(&row[index]);
            row[index] = shortened(plain, most);
        }
    }

    fn width_of(&self, index: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[index].chars().count());
        let widest = cells.chain([self.columns[index].0.len()]).max();
        widest.unwrap_or_default() + usize::from(GAP)
    }
}

/// An address within so many characters: it loses the middle of its path. The host is what a person knows it by.
fn shortened(plain: &str, most: usize) -> String {
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
    fn an_address_loses_its_middle_and_never_its_host_before_its_path() {
        for (address, most, expected) in [
            (
                "https://mcp.example.com/mcp",
                30,
                "https://mcp.example.com/mcp",
            ),
            ("mcp.example.com/mcp", 19, "mcp.example.com/mcp"),
            (
                "mcp.example.com/a/long/way/to/mcp",
                24,
                "mcp.example.com/…/to/mcp",
            ),
            (
                "http://127.0.0.1:8080/mcp/one/two",
                28,
                "http://127.0.0.1:8080/…e/two",
            ),
            ("mcp.example.com/mcp", 12, "mcp.example…"),
            ("müller.example/ä/ö/ü/ß/mcp", 22, "müller.example/…/ß/mcp"),
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
            assert!(!text.contains("https://"), "of all or of none: {text}");
            assert!(text.lines().count() > 3, "the sentence is wrapped: {text}");
            for word in SENTENCE.split(' ') {
                assert!(text.contains(word), "{word} is not in {text}");
            }
        }
    }

    #[test]
    fn a_narrow_table_gives_up_addresses_first_and_then_breaks_what_is_no_name() {
        let mut table = Table::new(&[
            ("NAME", Fit::Whole),
            ("LOGIN", Fit::Whole),
            ("URL", Fit::Address),
        ]);
        let name = "the-documents-of-the-whole-company";
        table.add(&[name, "renews with next use (login started)", LONG].map(str::to_owned));
        let text = table.text(Some(60));
        assert!(text.contains(name) && !text.contains("URL"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 60, "{line}");
        }
        assert!(text.lines().count() > 2, "{text}");
    }

    const LONG: &str = "https://mcp.example.com/a/very/long/path/that/nobody/can/remember/to/mcp";
    const SENTENCE: &str = "the server did not answer within the five seconds that a check may take, and \
                            nobody knows why it did not";
}
