//! What differs from the record.

use std::fmt;

use crate::failure::Violation;

use super::kind::Kind;
use super::record::FILE;

/// A figure that is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    name: String,
    was: Option<u64>,
    is: Option<u64>,
}

/// Every figure that was put on record, is counted no more, or differs at all.
pub(super) fn changes(was: &[(String, u64)], is: &[(String, u64)]) -> Vec<Change> {
    let of = |figures: &[(String, u64)], name: &str| {
        let found = figures.iter().find(|(known, _)| known == name);
        found.map(|(_, number)| *number)
    };
    let gone = was.iter().filter(|(name, _)| of(is, name).is_none());
    let names = is.iter().chain(gone).map(|(name, _)| name);
    names
        .map(|name| Change {
            name: name.clone(),
            was: of(was, name),
            is: of(is, name),
        })
        .filter(|change| change.was != change.is)
        .collect()
}

/// The changes that are more than the kind allows for, and what is above its ceiling.
pub(super) fn compare(kind: Kind, was: &[(String, u64)], is: &[(String, u64)]) -> Vec<Violation> {
    let differs = changes(was, is)
        .into_iter()
        .filter(|change| !change.is_within(kind.tolerance()))
        .map(|change| change.violation(kind));
    let ceiling = kind.ceiling().unwrap_or(u64::MAX);
    let above = is
        .iter()
        .filter(|(_, number)| *number > ceiling)
        .map(|(name, number)| {
            Violation::new(
                CEILING,
                format!("{kind}: {name}"),
                format!(
                    "is {}, and {} is the most",
                    grouped(*number),
                    grouped(ceiling)
                ),
                "find what came in: `cargo bloat --release -p doorkey --bin doorkey --crates` shows the bytes of each crate",
            )
        });
    differs.chain(above).collect()
}

impl Change {
    fn is_within(&self, tolerance: u64) -> bool {
        match (self.was, self.is) {
            (Some(was), Some(is)) => {
                u128::from(was.abs_diff(is)) * 1000 <= u128::from(was) * u128::from(tolerance)
            }
            _ => false,
        }
    }

    fn violation(&self, kind: Kind) -> Violation {
        let update = format!("`cargo xtask {} --update`", kind.step());
        let instead = match (self.was, self.is) {
            (Some(was), Some(is)) if is > was => format!(
                "take back what added to it; if it has to be, {update} writes it into {FILE}, and the commit says why"
            ),
            (Some(_), Some(_)) => format!("keep what was won: {update} writes it into {FILE}"),
            (None, _) => format!("{update} writes it into {FILE}"),
            (Some(_), None) => format!("count it again, or {update} takes it out of {FILE}"),
        };
        Violation::new(
            LAW,
            format!("{kind}: {}", self.name),
            self.problem(),
            instead,
        )
    }

    fn problem(&self) -> String {
        match (self.was, self.is) {
            (Some(was), Some(is)) => {
                let side = if is > was { "worse" } else { "better" };
                format!("was {}, is {}: {side}", grouped(was), grouped(is))
            }
            (None, Some(is)) => format!("is {}, and not on record", grouped(is)),
            (Some(was), None) => format!("was {}, and is not counted any more", grouped(was)),
            (None, None) => "is nothing".to_owned(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.problem())
    }
}

/// A number as people read it: `12,582,912`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const LAW: &str = "what can be counted is on record";
const CEILING: &str = "the program stays small";
