//! What a hostile party can do, as data.

mod answers;
mod callbacks;
mod challenges;
mod documents;
mod rebinding;
mod redirects;
mod registrations;
mod streams;
mod tokens;

use std::sync::OnceLock;

use doorkey_testkit::Fault;

use super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
};

/// Every case of a leg.
pub(super) fn of(leg: Leg) -> Vec<Case> {
    let wanted = wanted().unwrap_or_default();
    let cases = all().iter().filter(|case| case.leg == leg);
    let cases = cases.filter(|case| case.to_string().contains(&wanted));
    cases.cloned().collect()
}

/// Every case there is.
pub(super) fn all() -> &'static [Case] {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    ALL.get_or_init(made)
}

fn made() -> Vec<Case> {
    let sources = [
        answers::cases,
        callbacks::cases,
        challenges::cases,
        documents::cases,
        rebinding::cases,
        redirects::cases,
        registrations::cases,
        streams::cases,
        tokens::cases,
    ];
    sources.into_iter().flat_map(|cases| cases()).collect()
}

/// A fault in place of the answer on the leg.
fn on_answer(leg: Leg, class: Class, name: &str, verdict: Verdict, fault: Fault) -> Case {
    Case::new(leg, class, name, verdict, move |stage, leg| {
        let rule = leg.rule().expect("a leg with an answer");
        stage.fault(leg, rule.respond(fault.clone()));
    })
}

fn json_type() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a developer's own narrowing of a run"
)]
fn wanted() -> Option<String> {
    std::env::var("HOSTILE_CASE").ok()
}

/// A header field of a raw answer.
const JSON: &str = "content-type: application/json\r\n";
