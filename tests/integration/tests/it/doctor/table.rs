//! The table of faults, the cases and the page are about the same faults.

use std::collections::BTreeSet;

use doorkey::doctor::faults;

use super::{discovery, first, network, server, session, settings, token};

/// Faults whose case is still to be written.
const TO_COME: &[&str] = &["connection-failed"];

#[test]
fn every_fault_of_the_table_has_a_case_and_every_case_a_fault() {
    let parts = [
        settings::CASES,
        network::CASES,
        first::CASES,
        discovery::CASES,
        server::CASES,
        token::CASES,
        session::CASES,
    ];
    let cases: BTreeSet<_> = parts
        .concat()
        .into_iter()
        .map(|it| it.replace('_', "-"))
        .collect();
    let to_come: BTreeSet<_> = TO_COME.iter().map(|it| (*it).to_owned()).collect();
    let rows: BTreeSet<_> = faults().map(|fault| fault.id.to_owned()).collect();
    let covered: BTreeSet<_> = cases.union(&to_come).cloned().collect();
    assert_eq!(covered, rows);
    let both: Vec<_> = cases.intersection(&to_come).collect();
    assert!(both.is_empty(), "{both:?} have a case");
}
