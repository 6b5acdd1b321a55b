//! Random schedules of three and four processes with everything that may go wrong; a breach is shrunk to a short one.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::exhaustive::Explored;
use crate::play::{Action, Plan, play};
use crate::stage::{Budget, Flaw, Go, Step};

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => Just(Action::Token),
        2 => Just(Action::Rejected),
        1 => Just(Action::Note),
        1 => Just(Action::Login),
        1 => Just(Action::Logout),
    ]
}

fn budget() -> impl Strategy<Value = Budget> {
    (0..3_usize, 0..2_usize, 0..2_usize, 0..2_usize, 0..2_usize).prop_map(
        |(expiries, store_faults, wire_faults, kills, leases)| Budget {
            expiries,
            store_faults,
            wire_faults,
            kills,
            leases,
            switches: None,
        },
    )
}

pub(crate) fn plan(budget: impl Strategy<Value = Budget>) -> impl Strategy<Value = Plan> {
    let script = prop::collection::vec(action(), 1..3);
    let scripts = prop::collection::vec(script, 3..=4);
    (scripts, budget).prop_map(|(scripts, budget)| Plan {
        scripts,
        budget,
        flaw: Flaw::None,
    })
}

/// Which step is taken each time; the first one, once they are used up.
pub(crate) fn choices() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..120)
}

/// Mostly something usual, or what may go wrong would go wrong at the very start.
pub(crate) fn pick(choice: u16, steps: &[Step]) -> usize {
    let usual = |step: &&Step| matches!(step, Step::Let(.., Go::Well));
    let of = match choice % UNUSUAL {
        0 => steps.len(),
        _ => steps.iter().filter(usual).count().max(1),
    };
    usize::from(choice / UNUSUAL) % of
}

const UNUSUAL: u16 = 6;

/// Plays so many random schedules; fails with the shortest breach that was found.
pub(crate) fn schedules(cases: u32, budget: impl Strategy<Value = Budget>) -> Explored {
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let explored = RefCell::new(Explored::default());
    let outcome = TestRunner::new(config).run(&(plan(budget), choices()), |(plan, choices)| {
        let mut choices = choices.iter();
        let outcome = play(&plan, |steps| pick(*choices.next().unwrap_or(&0), steps));
        explored.borrow_mut().note(&outcome);
        let story = outcome.story.join("\n");
        prop_assert!(
            outcome.breaches.is_empty(),
            "{:#?}\n{story}",
            outcome.breaches
        );
        Ok(())
    });
    let explored = explored.into_inner();
    println!("{explored}");
    if let Err(error) = outcome {
        panic!("{error}");
    }
    explored
}

#[test]
fn thousands_of_random_schedules_without_a_fault_lose_nothing_and_never_use_a_token_twice_ref_09() {
    let explored = schedules(
        1000,
        (0..3_usize).prop_map(|expiries| Budget {
            expiries,
            ..Budget::default()
        }),
    );
    assert_eq!(explored.lost, 0, "{explored}");
}

#[test]
fn thousands_of_random_schedules_with_faults_lose_a_login_only_with_a_cause() {
    let explored = schedules(2000, budget());
    assert!(explored.lost > 0, "{explored}");
}
