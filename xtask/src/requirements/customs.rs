//! What needs no rule, in `docs/quirks.md`: a table of `| what | held by |` below one heading.

use super::broken;
use super::page::{Level, Row, cells, proofs_of};
use crate::failure::Violation;

/// Reads the rows, each as a rule that has to hold.
pub(super) fn read(text: &str) -> (Vec<Row>, Vec<Violation>) {
    let mut rows = Vec::new();
    let mut violations = Vec::new();
    let section = text.lines().skip_while(|line| *line != SECTION).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    let tables = section.filter_map(cells);
    for cells in tables.filter(|cells| !is_head(cells)) {
        let id = format!("{PAGE}: {}", cells[0]);
        let read = match cells.as_slice() {
            ["", _] => Err("says nothing".to_owned()),
            [_, proofs] => proofs_of(proofs),
            _ => Err(format!("has {} cells", cells.len())),
        };
        match read {
            Ok(proofs) => rows.push(Row {
                id,
                level: Level::Must,
                proofs,
            }),
            Err(problem) => violations.push(broken(id, problem, FORM)),
        }
    }
    if rows.is_empty() && violations.is_empty() {
        let problem = format!("has no row below `{SECTION}`");
        violations.push(broken(PAGE, problem, FORM));
    }
    (rows, violations)
}

/// Whether this is the head of a table, or the line under it.
fn is_head(cells: &[&str]) -> bool {
    let is_rule = |cell: &&str| !cell.is_empty() && cell.bytes().all(|byte| byte == b'-');
    cells == HEADER || cells.iter().all(is_rule)
}

/// The page, from the root.
pub(super) const PAGE: &str = "docs/quirks.md";
const SECTION: &str = "## What needs no rule";
const HEADER: [&str; 2] = ["what", "held by"];
const FORM: &str = "write | what | `test`, `test` |";

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &str) -> String {
        format!(
            "# Page\n\n| a | b |\n\n{SECTION}\n\n| what | held by |\n|---|---|\n{rows}\n\n## More\n\n| c | d |\n"
        )
    }

    #[test]
    fn rows_are_those_of_one_section() {
        let (rows, broken) = read(&page(
            "| One. | `http::a` |\n| Two. | `http::a`, `oauth::b` |",
        ));
        assert_eq!(broken, []);
        let read: Vec<_> = rows.iter().map(|row| row.proofs.len()).collect();
        assert_eq!(read, [1, 2]);
        assert_eq!(rows[0].id, "docs/quirks.md: One.");
    }

    #[test]
    fn a_row_that_cannot_be_read_and_a_section_without_any_are_told() {
        for (rows, problem) in [
            ("|  | `http::a` |", "says nothing"),
            ("| One. |", "has 1 cells"),
            ("| One. | always |", "names always"),
            ("", "has no row"),
        ] {
            let (_, broken) = read(&page(rows));
            let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
            assert!(
                matches!(told.as_slice(), [one] if one.contains(problem)),
                "{told:?}"
            );
        }
    }
}
