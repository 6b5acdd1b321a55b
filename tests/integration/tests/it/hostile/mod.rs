//! Whatever a server, a document, a redirect or a callback says: it gets nothing, and it breaks nothing.
//!
//! A generated table of every leg × every class of attack that applies to it. Each case runs the library against servers in
//! this process, over TLS, and is asked the same questions: was anybody contacted who should not be, did a secret come
//! where it does not belong, did anything panic or not end, is what was stored still there, and does the message say
//! where it happened and what to do.
//!
//! `docs/hostile.md` shows the table; `HOSTILE_PAGE=write cargo test -p integration hostile::page` writes it anew.
//! `HOSTILE_CASE=words cargo test -p integration hostile` runs the cases alone whose name has these words.

mod attacks;
mod case;
mod cell;
mod class;
mod drive;
mod failure;
mod leg;
mod message;
mod names;
mod page;
mod planted;
mod program;
mod secrets;
mod stage;
mod visitor;
mod watch;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    thread,
};

use case::Case;
use class::Class;
use leg::Leg;

/// One test for each leg, so that they run side by side and a failure is named.
macro_rules! legs {
    ($($test:ident: $leg:ident;)+) => {
        $(#[test]
        fn $test() {
            hold(Leg::$leg);
        })+

        #[test]
        fn every_leg_has_a_test() {
            assert_eq!([$(Leg::$leg),+], Leg::ALL);
        }
    };
}

legs! {
    initialize: Initialize;
    tools_list: ToolsList;
    tools_call: ToolsCall;
    stream: Stream;
    delete: Delete;
    challenge: Challenge;
    resource_metadata: ResourceMetadata;
    authorization_server_metadata: Metadata;
    openid_metadata: OpenIdMetadata;
    registration: Registration;
    pushed_authorization_request: Pushed;
    authorization_page: Page;
    callback: Callback;
    token: Token;
    refresh: Refresh;
    device_authorization: Device;
    device_polling: Poll;
    revocation: Revocation;
    registration_deletion: Deregistration;
    identity_provider: Exchange;
    assertion: Assertion;
}

#[test]
fn there_are_many_cases_of_every_leg_and_class_and_none_twice() {
    let cases = attacks::all();
    assert!(cases.len() >= 150, "{}", cases.len());
    let names: BTreeSet<String> = cases.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), cases.len(), "a case is there twice");
    for leg in Leg::ALL {
        assert!(cases.iter().any(|case| case.leg == leg), "no case of {leg}");
    }
    for class in Class::ALL {
        let count = cases.iter().filter(|case| case.class == class).count();
        assert!(count >= 5, "{count} cases of {class}");
    }
}

/// Runs every case of a leg and fails with all that is held against them.
fn hold(leg: Leg) {
    let mut cases = attacks::of(leg);
    cases.retain(|case| !case.ground.impatient);
    run(cases, LANES);
}

/// What comes late takes time, but none of the machine's.
#[test]
fn slowness() {
    let legs = Leg::ALL.into_iter();
    let mut cases: Vec<_> = legs.flat_map(attacks::of).collect();
    cases.retain(|case| case.ground.impatient);
    run(cases, LATE_LANES);
}

fn run(cases: Vec<Case>, lanes: usize) {
    let queue = Mutex::new(cases);
    let objections = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some(case) = next(&queue) {
                    for objection in cell::objections(&case) {
                        let mut all = objections.lock().unwrap_or_else(PoisonError::into_inner);
                        all.push(format!("== {case}\n{objection}"));
                    }
                }
            });
        }
    });
    let objections = objections
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    assert!(
        objections.is_empty(),
        "{} objections\n{}",
        objections.len(),
        objections.join("\n")
    );
}

fn next(queue: &Mutex<Vec<Case>>) -> Option<Case> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// How many cases of a leg run at once.
const LANES: usize = 2;
/// How many of those that only wait.
const LATE_LANES: usize = 12;
