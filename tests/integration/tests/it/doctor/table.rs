//! The table of faults, the cases and the page are about the same faults.

use std::collections::BTreeSet;

use doorkey::doctor::faults;

use super::{discovery, first, network, server, session, settings, token};

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
    let rows: BTreeSet<_> = faults().map(|fault| fault.id.to_owned()).collect();
    assert_eq!(cases, rows);
}
