//! The promises of `SECURITY.md`: tables of `| promise | held by |`, in one section.

use super::broken;
use super::page::{Level, Row, cells, proofs_of};
use crate::failure::Violation;

/// Reads the promises, each as a rule that has to hold. What is promised outside of a table is a violation: nothing would
/// hold it.
pub(super) fn read(text: &str) -> (Vec<Row>, Vec<Violation>) {
    let mut promises = Vec::new();
    let mut violations = Vec::new();
    for line in section(text) {
        if line.starts_with("- ") || line.starts_with("* ") {
            let name = named(line.trim_start_matches(['-', '*', ' ']));
            violations.push(broken(name, "stands in no table", FORM));
        }
        let Some(cells) = cells(line) else { continue };
        if cells == HEADER || cells.iter().all(|cell| is_rule(cell)) {
            continue;
        }
        let read = match cells.as_slice() {
            ["", _] => Err("says nothing".to_owned()),
            [promise, proofs] => proofs_of(proofs).map(|proofs| Row {
                id: named(promise),
                level: Level::Must,
                proofs,
            }),
            _ => Err(format!("has {} cells", cells.len())),
        };
        match read {
            Ok(row) => promises.push(row),
            Err(problem) => violations.push(broken(named(cells[0]), problem, FORM)),
        }
    }
    if promises.is_empty() && violations.is_empty() {
        violations.push(broken(
            PAGE,
            format!("promises nothing below `{SECTION}`"),
            FORM,
        ));
    }
    (promises, violations)
}

/// The lines below the heading of the section, up to the next one of its rank.
fn section(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().skip_while(|line| *line != SECTION).skip(1);
    lines.take_while(|line| !line.starts_with("## "))
}

/// Whether this is the line under a table's head.
fn is_rule(cell: &str) -> bool {
    !cell.is_empty() && cell.bytes().all(|byte| matches!(byte, b'-' | b':'))
}

/// A promise by its first words, which tell it from the others.
fn named(promise: &str) -> String {
    let words: Vec<_> = promise.split_whitespace().collect();
    let start = words[..words.len().min(SHOWN_WORDS)].join(" ");
    let rest = if words.len() > SHOWN_WORDS {
        " …"
    } else {
        ""
    };
    format!("{PAGE}: {start}{rest}")
}

/// The page, from the root.
pub(super) const PAGE: &str = "SECURITY.md";
const SECTION: &str = "## What we promise";
const HEADER: [&str; 2] = ["promise", "held by"];
const FORM: &str = "write | promise | `test`, `test` |";
const SHOWN_WORDS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &str) -> String {
        format!(
            "# Security\n\n| a | b |\n\n{SECTION}\n\nText.\n\n### One\n\n| promise | held by |\n|---|---|\n{rows}\n\
             ## What else\n\n- No promise.\n| no | promise |\n"
        )
    }

    #[test]
    fn promises_are_the_rows_of_one_section() {
        let (promises, broken) = read(&page(
            "| One. | `http::a` |\n\n### Two\n\n| promise | held by |\n|---|---|\n\
             | Two words and so many more that nobody wants to read all of them. | `http::a`, `conformance: x` |",
        ));
        assert_eq!(broken, []);
        let read: Vec<_> = promises
            .iter()
            .map(|row| (row.id.as_str(), row.proofs.len(), row.level))
            .collect();
        let long = "SECURITY.md: Two words and so many more that nobody wants to read all …";
        let expected = [
            ("SECURITY.md: One.", 1, Level::Must),
            (long, 2, Level::Must),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_promise_that_nothing_could_hold_is_told() {
        for (rows, problem) in [
            (
                "- A token goes nowhere.",
                "A token goes nowhere.: stands in no table",
            ),
            ("| One. |", "One.: has 1 cells"),
            ("| One. | http::a |", "One.: names http::a,"),
            ("|  | `http::a` |", "says nothing"),
            ("", "promises nothing"),
        ] {
            let (promises, broken) = read(&page(rows));
            assert!(promises.is_empty(), "{rows}");
            let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(
                told[0].replace("SECURITY.md: ", "").contains(problem),
                "{told:?}"
            );
        }
    }
}
