//! What people meet, in `docs/troubleshooting.md`: tables of `| no. | what you meet | what happens | held by |`.

use std::collections::BTreeSet;

use super::broken;
use super::page::{Level, Row, cells, proofs_of};
use crate::failure::Violation;

/// Reads the rows, each as a rule that has to hold. Every number up to the last stands in one row, alone or with others of its
/// kind, so that none is without an answer.
pub(super) fn read(text: &str) -> (Vec<Row>, Vec<Violation>) {
    let mut rows = Vec::new();
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let Some(cells) = cells(line) else { continue };
        let Some(numbers) = cells.first().and_then(|cell| numbers(cell)) else {
            continue;
        };
        let id = format!("{PAGE}: {}", cells[0]);
        for number in numbers {
            if !seen.insert(number) {
                let problem = format!("{number} stands in two rows");
                violations.push(broken(&id, problem, "keep one"));
            }
        }
        let read = match cells.as_slice() {
            [_, "", _, _] | [_, _, "", _] => Err("says nothing".to_owned()),
            [_, _, _, proofs] => proofs_of(proofs),
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
    let missing = (1..=LAST).filter(|number| !seen.contains(number));
    violations.extend(missing.map(|number| {
        let problem = format!("{number} stands in no row");
        broken(PAGE, problem, FORM)
    }));
    (rows, violations)
}

/// `4`, `4, 17` and `1–3, 5`.
fn numbers(cell: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in cell.split(',').map(str::trim) {
        let (first, last) = part.split_once('–').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The page, from the root.
pub(super) const PAGE: &str = "docs/troubleshooting.md";
/// The reports that were read, numbered.
const LAST: u32 = 106;
const FORM: &str = "write | no. | what you meet | what happens | `test`, `test` |";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_row_and_every_row_its_tests() {
        let (rows, broken) = read(
            "| no. | what you meet | what happens | held by |\n|---|---|---|---|\n\
             | 1–3, 5 | A. | B. | `http::a` |\n| 4 | A. | B. | `http::a`, `oauth::b` |\n| 6–106 | A. | B. | `http::a` |\n",
        );
        assert_eq!(broken, []);
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.proofs.len()))
            .collect();
        let page = |cell: &str| format!("{PAGE}: {cell}");
        assert_eq!(
            read,
            [
                (page("1–3, 5").as_str(), 1),
                (page("4").as_str(), 2),
                (page("6–106").as_str(), 1)
            ]
        );
    }

    #[test]
    fn a_number_that_is_missing_or_there_twice_and_a_row_that_says_nothing_are_told() {
        for (rows, problem) in [
            ("| 1–105 | A. | B. | `a` |", "106 stands in no row"),
            (
                "| 1–106 | A. | B. | `a` |\n| 7 | A. | B. | `a` |",
                "7 stands in two rows",
            ),
            ("| 1–106 |  | B. | `a` |", "says nothing"),
            ("| 1–106 | A. | B. |", "has 3 cells"),
            ("| 1–106 | A. | B. | a::b |", "names a::b"),
        ] {
            let (_, broken) = read(rows);
            let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
            assert!(
                matches!(told.as_slice(), [one] if one.contains(problem)),
                "{told:?}"
            );
        }
    }
}
