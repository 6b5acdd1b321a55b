//! A table that fits the terminal of its reader: names are whole, addresses are shortened, sentences are wrapped.

use super::columns::{beginning, broken, columns, end, padded, wrapped};
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

    /// The text, at most so many columns wide where that is known. What has nothing in it is left out; sentences that
    /// have no room beside the rest stand below it.
    pub(crate) fn text(mut self, width: Option<u16>) -> String {
        self.drop_empty();
        let mut widths: Vec<_> = (0..self.columns.len())
            .map(|index| self.width_of(index))
            .collect();
        let mut below = None;
        if let Some(width) = width.map(usize::from) {
            self.drop_addresses_without_room(width);
            self.shorten_addresses(width);
            below = self.sentences_without_room(width);
            widths = self.fitted(width, below);
        }
        let head: Vec<_> = self
            .columns
            .iter()
            .map(|column| column.0.to_owned())
            .collect();
        let mut lines = Vec::new();
        beside_each_other(&head, &widths, below, &mut lines);
        for row in &self.rows {
            beside_each_other(row, &widths, below, &mut lines);
            let sentence = below.map_or("", |index| &row[index]);
            if let (false, Some(width)) = (sentence.is_empty(), width) {
                let room = usize::from(width).saturating_sub(INDENT);
                let parts = wrapped(sentence, room);
                lines.extend(parts.iter().map(|part| format!("{:INDENT$}{part}", "")));
            }
        }
        lines.join("\n")
    }

    /// The column of sentences, if there is too little room for it, or one of its words, beside the others.
    fn sentences_without_room(&self, width: usize) -> Option<usize> {
        let is_wrapped = |index: &usize| self.columns[*index].1 == Fit::Wrap;
        let index = (0..self.columns.len()).find(is_wrapped)?;
        let room = width.saturating_sub(self.others_than(index));
        let words = self.rows.iter().flat_map(|row| row[index].split(' '));
        let longest = words.map(columns).max().unwrap_or_default();
        let needed = longest.max(LEAST_OF_A_SENTENCE - usize::from(GAP));
        let has_room = self.width_of(index) <= room + usize::from(GAP) || needed <= room;
        (!has_room).then_some(index)
    }

    fn others_than(&self, index: usize) -> usize {
        let others = (0..self.columns.len()).filter(|other| *other != index);
        others.map(|other| self.width_of(other)).sum()
    }

    /// The width of each column with its gap: sentences take what is left, and where it is all too wide, the first column
    /// alone stays in one piece.
    fn fitted(&self, width: usize, below: Option<usize>) -> Vec<usize> {
        let gap = usize::from(GAP);
        let mut widths: Vec<_> = (0..self.columns.len())
            .map(|index| match below == Some(index) {
                true => 0,
                false => self.width_of(index),
            })
            .collect();
        // The last column needs no gap.
        let mut excess = widths.iter().sum::<usize>().saturating_sub(width + gap);
        let sentences = |index: &usize| self.columns[*index].1 == Fit::Wrap;
        if let Some(index) = (0..widths.len()).find(sentences)
            && below.is_none()
        {
            let taken = excess.min(widths[index].saturating_sub(LEAST_OF_A_SENTENCE));
            widths[index] -= taken;
            excess -= taken;
        }
        while excess > 0 {
            let others = widths.iter_mut().skip(1);
            match others.max() {
                Some(widest) if *widest > LEAST_OF_A_COLUMN => *widest -= 1,
                _ => break,
            }
            excess -= 1;
        }
        widths
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
        let cells = self.rows.iter().map(|row| columns(&row[index]));
        let widest = cells.chain([self.columns[index].0.len()]).max();
        widest.unwrap_or_default() + usize::from(GAP)
    }
}

/// Adds the lines of one row; a cell with no room for all of it takes several.
fn beside_each_other(
    row: &[String],
    widths: &[usize],
    below: Option<usize>,
    lines: &mut Vec<String>,
) {
    let cells = row.iter().zip(widths).enumerate();
    let cells = cells.filter(|(index, _)| below != Some(*index));
    let cells: Vec<_> = cells
        .map(|(_, (cell, width))| (broken(cell, width - usize::from(GAP)), *width))
        .collect();
    let height = cells.iter().map(|(parts, _)| parts.len()).max();
    for line in 0..height.unwrap_or_default() {
        let parts = cells.iter().map(|(parts, width)| {
            let part = parts.get(line).map_or("", String::as_str);
            padded(part, *width)
        });
        lines.push(parts.collect::<String>().trim_end().to_owned());
    }
}

/// An address within so many columns: it loses the middle of its path. The host is what a person knows it by.
fn shortened(plain: &str, most: usize) -> String {
    if columns(plain) <= most {
        return plain.to_owned();
    }
    let start = plain.find("://").map_or(0, |at| at + 3);
    let host = plain[start..]
        .find('/')
        .map_or(plain, |at| &plain[..=start + at]);
    let tail = most.saturating_sub(columns(host) + 1);
    match tail < LEAST_OF_A_TAIL {
        true => format!("{}…", beginning(plain, most.saturating_sub(1))),
        false => format!("{host}…{}", end(plain, tail)),
    }
}

/// Blanks between two columns.
const GAP: u16 = 2;
/// Columns that sentences have in any case, unless they stand below.
const LEAST_OF_A_SENTENCE: usize = 30;
/// Columns that an address has in any case.
const LEAST_OF_AN_ADDRESS: usize = 20;
/// Columns that anything has in any case, with the gap.
const LEAST_OF_A_COLUMN: usize = 8;
/// Blanks before a sentence that stands below its row.
const INDENT: usize = 4;
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
            assert!(columns(&told) <= most, "{told}");
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
                assert!(columns(line) <= usize::from(width), "{line}");
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
            assert!(columns(line) <= 60, "{line}");
        }
        assert!(text.lines().count() > 2, "{text}");
    }

    #[test]
    fn a_sentence_with_an_address_that_has_no_room_beside_the_rest_stands_below_in_one_piece() {
        let mut table = Table::new(&[
            ("NAME", Fit::Whole),
            ("LOGIN", Fit::Whole),
            ("CHECK", Fit::Wrap),
        ]);
        let url = "http://127.0.0.1:42395/a/path";
        table.add(&["日本語のサーバー", "renews with next use", "ok"].map(str::to_owned));
        let failed = format!("unreachable: {url}: could not connect to it at all");
        table.add(&["zwei".to_owned(), "login required".to_owned(), failed]);
        let text = table.text(Some(60));
        assert!(text.contains(url), "{text}");
        for line in text.lines() {
            assert!(columns(line) <= 60, "{line}");
        }
        assert!(
            text.contains("\nzwei              login required\n    unreachable: "),
            "{text}"
        );
    }

    #[test]
    fn wide_characters_keep_columns_in_line() {
        let mut table = Table::new(&[("NAME", Fit::Whole), ("URL", Fit::Address)]);
        table.add(&["日本語".to_owned(), "https://a.example/".to_owned()]);
        table.add(&[
            "abcdef".to_owned(),
            LONG.replace("long", "日本語日本語日本語日本語"),
        ]);
        let text = table.text(Some(60));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("日本語  a.example/"), "{text}");
        assert!(lines[2].starts_with("abcdef  mcp.example.com/…"), "{text}");
        assert!(columns(lines[2]) <= 60 && columns(lines[2]) > 55, "{text}");
    }

    const LONG: &str = "https://mcp.example.com/a/very/long/path/that/nobody/can/remember/to/mcp";
    const SENTENCE: &str = "the server did not answer within the five seconds that a check may take, and \
                            nobody knows why it did not";
}
