//! Every schedule there is of two processes, within bounds: depth first, each run from the start.

use std::collections::BTreeMap;
use std::fmt;

use crate::law::Cause;
use crate::play::{Action, Outcome, Plan, play};
use crate::stage::{Budget, Flaw};

/// What was found in all schedules.
#[derive(Debug, Default)]
pub(crate) struct Explored {
    pub(crate) runs: usize,
    pub(crate) steps: usize,
    /// In how many runs a login was lost.
    pub(crate) lost: usize,
    /// In how many runs there was a cause for that.
    causes: BTreeMap<Cause, usize>,
}

impl Explored {
    pub(crate) fn note(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.steps += outcome.choices.len();
        self.lost += usize::from(outcome.lost);
        for cause in &outcome.causes {
            *self.causes.entry(*cause).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.lost += other.lost;
        for (cause, runs) in other.causes {
            *self.causes.entry(cause).or_default() += runs;
        }
    }

    /// Whether logins were lost, and none but by these causes.
    fn only_lost_by(&self, causes: &[Cause]) -> bool {
        self.lost > 0 && self.causes.keys().eq(causes)
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            steps,
            lost,
            causes,
        } = self;
        write!(
            f,
            "{runs} schedules, {steps} steps, {lost} logins lost, causes met: {causes:?}"
        )
    }
}

/// Plays every schedule of the plan, and panics at the first breach.
pub(crate) fn explore(plan: &Plan) -> Explored {
    match search(plan, usize::MAX) {
        Ok(explored) => explored,
        Err(outcome) => panic!(
            "{:#?}\n{}\nchoices {:?} of {plan:?}",
            outcome.breaches,
            outcome.story.join("\n"),
            outcome.choices,
        ),
    }
}

/// Plays schedules of the plan, at most so many, up to the first breach.
pub(crate) fn search(plan: &Plan, most: usize) -> Result<Explored, Box<Outcome>> {
    let mut explored = Explored::default();
    let mut prefix: Vec<usize> = Vec::new();
    while explored.runs < most {
        let mut at = 0;
        let outcome = play(plan, |_| {
            at += 1;
            prefix.get(at - 1).copied().unwrap_or(0)
        });
        if !outcome.breaches.is_empty() {
            return Err(Box::new(outcome));
        }
        explored.note(&outcome);
        let taken: Vec<usize> = outcome.choices.iter().map(|(choice, _)| *choice).collect();
        assert!(taken.starts_with(&prefix), "a run that cannot be repeated");
        let open = outcome
            .choices
            .iter()
            .rposition(|(choice, of)| choice + 1 < *of);
        let Some(open) = open else {
            break;
        };
        prefix = taken[..=open].to_vec();
        prefix[open] += 1;
    }
    Ok(explored)
}

fn two(one: &[Action], other: &[Action], budget: Budget) -> Plan {
    Plan {
        scripts: vec![one.to_vec(), other.to_vec()],
        budget,
        flaw: Flaw::None,
    }
}

/// A race between two shows with few switches from one to the other.
fn switches(most: usize) -> Budget {
    Budget {
        switches: Some(most),
        ..Budget::default()
    }
}

/// Every pair of these actions, each by a process of its own.
fn pairs(actions: &[Action], budget: Budget) -> Explored {
    let mut total = Explored::default();
    for (index, one) in actions.iter().enumerate() {
        for other in &actions[index..] {
            total.add(explore(&two(&[*one], &[*other], budget)));
        }
    }
    println!("{total}");
    total
}

#[test]
fn every_schedule_of_two_processes_at_expiry_keeps_the_login_and_refreshes_once_ref_09() {
    let explored = explore(&two(&[Action::Token], &[Action::Token], Budget::default()));
    println!("{explored}");
    assert!(explored.runs > 50, "{explored}");
    assert_eq!(explored.lost, 0, "{explored}");
}

#[test]
fn every_pair_of_actions_without_a_fault_keeps_the_login_ref_09_st_06() {
    use Action::{Login, Logout, Note, Rejected, Token};
    let explored = pairs(&[Token, Rejected, Login, Logout, Note], switches(2));
    assert!(explored.runs > 500, "{explored}");
    assert_eq!(explored.lost, 0, "{explored}");
}

#[test]
fn a_kill_at_any_step_loses_a_login_only_between_the_answer_and_the_save() {
    let budget = Budget {
        kills: 1,
        ..switches(1)
    };
    let explored = pairs(&[Action::Token, Action::Logout], budget);
    assert!(explored.only_lost_by(&[Cause::KilledUnsaved]), "{explored}");
}

#[test]
fn a_fault_of_the_network_at_any_step_loses_a_login_only_with_a_lost_answer() {
    let budget = Budget {
        wire_faults: 1,
        ..switches(2)
    };
    let explored = pairs(&[Action::Token, Action::Rejected, Action::Logout], budget);
    assert!(explored.only_lost_by(&[Cause::AnswerLost]), "{explored}");
}

#[test]
fn a_fault_of_the_store_at_any_step_loses_a_login_only_if_others_go_on_without_the_answer() {
    let budget = Budget {
        store_faults: 1,
        ..switches(2)
    };
    let explored = pairs(&[Action::Token, Action::Login], budget);
    assert!(explored.only_lost_by(&[Cause::NotSaved]), "{explored}");
    // One process alone keeps in memory what the store did not take, and saves it in the end.
    let alone = Plan {
        scripts: vec![vec![Action::Token, Action::Rejected]],
        budget,
        flaw: Flaw::None,
    };
    let explored = explore(&alone);
    println!("{explored}");
    assert_eq!(explored.lost, 0, "{explored}");
}

#[test]
fn a_lease_that_ends_at_any_step_loses_a_login_only_while_the_token_is_in_use() {
    let budget = Budget {
        leases: 1,
        ..switches(2)
    };
    let explored = pairs(&[Action::Token, Action::Logout], budget);
    assert!(explored.only_lost_by(&[Cause::LeaseEnded]), "{explored}");
}

#[test]
fn time_that_passes_at_any_step_costs_at_most_one_more_refresh() {
    let budget = Budget {
        expiries: 1,
        ..switches(2)
    };
    let explored = pairs(&[Action::Token, Action::Note], budget);
    assert_eq!(explored.lost, 0, "{explored}");
}
