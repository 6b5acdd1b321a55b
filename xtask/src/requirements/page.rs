//! The page: tables of `| id | level | rule | tests |`.

use super::broken;
use crate::failure::Violation;
use crate::ran;

/// Every row of every table.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    /// What is promised besides, on a page of its own.
    pub(super) promises: Vec<Row>,
    /// What people meet, with what is done about it, on another one.
    pub(super) symptoms: Vec<Row>,
    /// What many servers do, which needs no rule about them.
    pub(super) customs: Vec<Row>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Row {
    /// Such as `DISC-17`.
    pub(super) id: String,
    pub(super) level: Level,
    pub(super) proofs: Vec<Proof>,
}

/// How much a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Must,
    Should,
    May,
    /// What was decided where the documents leave it open.
    Decision,
}

/// What shows that a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// A test by its name in [`ran`].
    Test(String),
    /// A scenario of the official suite.
    Scenario(String),
}

impl Page {
    /// The rules, the promises, the symptoms and the customs.
    pub(super) fn all(&self) -> impl Iterator<Item = &Row> {
        let more = self.symptoms.iter().chain(&self.customs);
        self.rows.iter().chain(&self.promises).chain(more)
    }

    pub(super) fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.all().flat_map(|row| &row.proofs)
    }
}

impl Row {
    /// Whether a test of ours is named.
    pub(super) fn is_tested(&self) -> bool {
        self.proofs
            .iter()
            .any(|proof| matches!(proof, Proof::Test(_)))
    }
}

impl Proof {
    /// The step that runs it.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self::Test(name) => ran::step_of(name),
            Self::Scenario(_) => "conformance",
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Test(name) | Self::Scenario(name) => name,
        }
    }
}

/// Reads the page. A row that cannot be read is a violation, and so is a page without any.
pub(super) fn read(text: &str) -> (Page, Vec<Violation>) {
    let mut page = Page::default();
    let mut violations = Vec::new();
    for line in text.lines() {
        let Some(cells) = cells(line) else { continue };
        let Some(id) = cells.first().filter(|cell| is_id(cell)) else {
            continue;
        };
        match row(id, &cells) {
            Ok(row) => page.rows.push(row),
            Err(problem) => violations.push(broken(*id, problem, FORM)),
        }
    }
    if page.rows.is_empty() && violations.is_empty() {
        violations.push(broken(super::PAGE, "has no rule", FORM));
    }
    (page, violations)
}

/// The cells of a line of a table.
pub(super) fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![];
    let mut rest = inner;
    let mut from = 0;
    while let Some(at) = rest[from..].find('|').map(|at| at + from) {
        if rest[..at].ends_with('\\') {
            from = at + 1;
            continue;
        }
        cells.push(rest[..at].trim());
        rest = &rest[at + 1..];
        from = 0;
    }
    cells.push(rest.trim());
    Some(cells)
}

/// Whether this is an id: capital letters, a hyphen, two digits.
fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(prefix, number)| {
        !prefix.is_empty()
            && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn row(id: &str, cells: &[&str]) -> Result<Row, String> {
    let [_, level, rule, proofs] = cells else {
        return Err(format!("has {} cells", cells.len()));
    };
    if rule.is_empty() {
        return Err("says nothing".to_owned());
    }
    Ok(Row {
        id: id.to_owned(),
        level: level_of(level).ok_or_else(|| format!("has the level `{level}`"))?,
        proofs: proofs_of(proofs)?,
    })
}

/// The level; a dagger says that the rule is ours.
fn level_of(text: &str) -> Option<Level> {
    match text.strip_suffix('†').unwrap_or(text) {
        "MUST" => Some(Level::Must),
        "SHOULD" => Some(Level::Should),
        "MAY" => Some(Level::May),
        "—" => Some(Level::Decision),
        _ => None,
    }
}

/// Reads `` `a::b`, `conformance: auth/dpop` ``; nothing, or a dash, is none.
pub(super) fn proofs_of(text: &str) -> Result<Vec<Proof>, String> {
    if text.is_empty() || text == "—" {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|proof| {
            let name = proof.trim();
            name.strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'))
                .filter(|name| !name.is_empty() && !name.contains('`'))
                .map(|name| match name.strip_prefix("conformance: ") {
                    Some(scenario) => Proof::Scenario(scenario.to_owned()),
                    None => Proof::Test(name.to_owned()),
                })
                .ok_or_else(|| format!("names {name}, which is no test in backticks"))
        })
        .collect()
}

const FORM: &str = "write | id | level | rule | `test`, `test` |";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_wherever_they_stand_and_other_tables_are_passed_over() {
        let (page, broken) = read(
            "# Rules\n\n| id | level | rule | tests |\n|---|---|---|---|\n\
             | AS-07 | MUST† | One \\| two. | `oauth::a`, `conformance: auth/dpop` |\n\
             text\n| AS-08 | SHOULD | Three. | — |\n| AS-09 | MAY† | Four. | |\n\
             | CON-01 | — | Five. | `xtask::b` |\n| Short | Document |\n",
        );
        assert_eq!(broken, []);
        let read: Vec<_> = page
            .rows
            .iter()
            .map(|row| {
                (
                    row.id.as_str(),
                    row.level,
                    row.proofs.len(),
                    row.is_tested(),
                )
            })
            .collect();
        let expected = [
            ("AS-07", Level::Must, 2, true),
            ("AS-08", Level::Should, 0, false),
            ("AS-09", Level::May, 0, false),
            ("CON-01", Level::Decision, 1, true),
        ];
        assert_eq!(read, expected);
        let proofs: Vec<_> = page.proofs().cloned().collect();
        assert_eq!(
            proofs[..2],
            [
                Proof::Test("oauth::a".to_owned()),
                Proof::Scenario("auth/dpop".to_owned())
            ]
        );
    }

    #[test]
    fn a_row_that_cannot_be_read_is_told_and_not_passed_over() {
        for (row, problem) in [
            ("| AS-07 | MUST | One. |", "has 3 cells"),
            ("| AS-07 | MUST | One. | `a` | `b` |", "has 5 cells"),
            ("| AS-07 | must | One. | `a` |", "has the level `must`"),
            ("| AS-07 | MUST |  | `a` |", "says nothing"),
            ("| AS-07 | MUST | One. | a::b |", "names a::b,"),
            (
                "| AS-07 | MUST | One. | `a` and `b` |",
                "names `a` and `b`,",
            ),
            ("| AS-07 | MUST | One. | `a`, |", "no test in backticks"),
            ("no table", "has no rule"),
        ] {
            let (page, broken) = read(row);
            assert!(page.rows.is_empty(), "{row}");
            assert!(
                matches!(broken.as_slice(), [one] if one.to_string().contains(problem)),
                "{row}: {broken:?}"
            );
        }
    }
}
