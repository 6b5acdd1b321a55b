//! Every fault that is recognised, step by step; `docs/doctor.md` shows the same table.

pub(super) mod discovery;
pub(super) mod first;
pub(super) mod network;
pub(super) mod server;
pub(super) mod session;
pub(super) mod settings;
pub(super) mod token;

use super::fault::Fault;

/// Names the rows of one part of the table, and lists them.
macro_rules! rows {
    ($($name:ident = $row:expr;)+) => {
        $(pub(in crate::doctor) static $name: Fault = $row;)+
        pub(super) static ROWS: &[&Fault] = &[$(&$name),+];
    };
}
use rows;

/// Every fault that is recognised, in the order of the steps.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    let parts = [
        settings::ROWS,
        network::ROWS,
        first::ROWS,
        discovery::ROWS,
        server::ROWS,
        token::ROWS,
        session::ROWS,
    ];
    parts.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ErrorCode;

    #[test]
    fn every_fault_has_a_name_of_its_own_a_meaning_a_rule_and_something_to_do() {
        let mut ids = BTreeSet::new();
        for fault in faults() {
            assert!(ids.insert(fault.id), "{} twice", fault.id);
            assert!(!fault.means.is_empty(), "{}", fault.id);
            assert!(!fault.mend.is_empty(), "{}", fault.id);
            let code = ErrorCode::named(fault.code);
            assert!(fault.code.is_empty() || code.is_some(), "{}", fault.id);
            assert!(!fault.rule.is_empty(), "{}", fault.id);
            let can = [fault.command, fault.setting, fault.tell];
            assert!(can.iter().any(|text| !text.is_empty()), "{}", fault.id);
            for text in [fault.title, fault.means, fault.mend] {
                assert!(!text.ends_with(' ') && !text.contains("  "), "{}", fault.id);
            }
        }
        assert!(ids.len() >= 75, "{} faults", ids.len());
    }

    #[test]
    fn every_rule_is_one_of_the_requirements() {
        let requirements = include_str!("../../../../docs/requirements.md");
        let steps = super::super::fault::Step::ALL
            .iter()
            .flat_map(|step| step.rules());
        for rule in faults().map(|fault| fault.rule).chain(steps.copied()) {
            assert!(requirements.contains(&format!("| {rule} |")), "{rule}");
        }
    }

    #[test]
    fn the_page_shows_every_fault_and_no_other() {
        let page = include_str!("../../../../docs/doctor.md");
        let on_page: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("| <a id="))
            .collect();
        let expected: Vec<_> = faults().map(row).collect();
        for row in &expected {
            assert!(
                on_page.contains(&row.as_str()),
                "docs/doctor.md lacks: {row}"
            );
        }
        assert_eq!(on_page.len(), expected.len());
    }

    /// The row of a fault on the page.
    fn row(fault: &Fault) -> String {
        let (id, step) = (fault.id, fault.step.title());
        let (title, means, mend) = (plain(fault.title), plain(fault.means), plain(fault.mend));
        format!("| <a id=\"{id}\"></a>`{id}` | {step} | {title}. {means} | {mend} |")
    }

    fn plain(text: &str) -> String {
        Fault::in_general(text).replace('|', "\\|")
    }
}
