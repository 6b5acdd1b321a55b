//! That the model bites: a store that breaks one promise is found out.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::play::{Action, Plan, play};
use crate::random::{choices, pick};
use crate::stage::{Budget, Flaw};

/// The first breach of a store with that flaw.
fn breach_of(flaw: Flaw, scripts: &[&[Action]], budget: Budget) -> String {
    let plan = Plan {
        scripts: scripts.iter().map(|script| script.to_vec()).collect(),
        budget,
        flaw,
    };
    let mut runner = TestRunner::deterministic();
    for run in 1..=MOST {
        let choices = choices().new_tree(&mut runner).unwrap().current();
        let mut choices = choices.iter();
        let outcome = play(&plan, |steps| pick(*choices.next().unwrap_or(&0), steps));
        if let Some(breach) = outcome.breaches.into_iter().next() {
            println!("{flaw:?} after {run} schedules: {breach}");
            return breach;
        }
    }
    panic!("{flaw:?} was not found in {MOST} schedules");
}

#[test]
fn a_store_without_flaws_breaches_nothing_in_as_many_schedules() {
    let plan = |scripts: &[&[Action]], budget| Plan {
        scripts: scripts.iter().map(|script| script.to_vec()).collect(),
        budget,
        flaw: Flaw::None,
    };
    let plans = [plan(TOKENS, LEASE), plan(MIXED, LEASE)];
    let mut runner = TestRunner::deterministic();
    for _ in 0..MOST {
        let choices = choices().new_tree(&mut runner).unwrap().current();
        for plan in &plans {
            let mut choices = choices.iter();
            let outcome = play(plan, |steps| pick(*choices.next().unwrap_or(&0), steps));
            assert!(
                outcome.breaches.is_empty(),
                "{:?} {:#?}",
                outcome.breaches,
                outcome.story
            );
        }
    }
}

#[test]
fn a_save_that_ignores_the_expected_generation_is_found() {
    breach_of(Flaw::IgnoresGenerations, MIXED, LEASE);
}

#[test]
fn a_lock_that_keeps_nobody_out_is_found() {
    breach_of(Flaw::LocksNobodyOut, TOKENS, Budget::default());
}

#[test]
fn a_save_that_is_not_made_is_found() {
    breach_of(Flaw::ForgetsASave, TOKENS, Budget::default());
}

#[test]
fn a_read_of_what_was_there_before_is_found() {
    breach_of(Flaw::ReadsThePast, TOKENS, Budget::default());
}

#[test]
fn a_lease_that_claims_to_be_held_is_found() {
    let breach = breach_of(Flaw::HidesLostLeases, TOKENS, LEASE);
    assert!(breach.contains("without the lock"), "{breach}");
}

#[test]
fn a_removal_that_is_not_made_is_found() {
    breach_of(Flaw::UndoesRemovals, MIXED, Budget::default());
}

const TOKENS: &[&[Action]] = &[&[Action::Token], &[Action::Token], &[Action::Token]];
const MIXED: &[&[Action]] = &[&[Action::Token], &[Action::Logout], &[Action::Login]];
const LEASE: Budget = Budget {
    expiries: 0,
    store_faults: 0,
    wire_faults: 0,
    kills: 0,
    leases: 1,
    switches: None,
};
const MOST: u32 = 300;
