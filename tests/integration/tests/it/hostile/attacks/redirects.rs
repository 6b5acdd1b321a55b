//! Answers that lead somewhere else.

use doorkey_testkit::Fault;

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::Stage,
};

/// Where an answer leads.
type Target = fn(&Stage, Leg) -> Vec<String>;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for leg in Leg::ALL {
        if leg.rule().is_none() {
            continue;
        }
        for (name, status, target) in TARGETS {
            if leg.is_thorough() || TELLING.contains(name) {
                cases.push(case(leg, name, *status, *target));
            }
        }
    }
    cases
}

fn case(leg: Leg, name: &str, status: u16, target: Target) -> Case {
    let verdict = verdict(leg, name);
    let case = Case::new(leg, Class::Redirect, name, verdict, move |stage, leg| {
        let fields = target(stage, leg).into_iter();
        let fields = fields.map(|to| ("location".to_owned(), to)).collect();
        let fault = Fault::Status(status, fields, "moved\n".to_owned());
        let rule = leg.rule().expect("a request");
        stage.fault(leg, rule.respond(fault));
    });
    let leads = name.contains("foreign") || name == "to two places";
    match leg.is_metadata() && leads {
        true => case.elsewhere(),
        false => case,
    }
}

fn verdict(leg: Leg, name: &str) -> Verdict {
    let _ = name;
    match leg {
        Leg::Refresh => Verdict::Passing,
        Leg::Delete | Leg::Stream => Verdict::Works,
        _ => Verdict::Refused,
    }
}

/// What is tried on every leg.
const TELLING: &[&str] = &[
    "to a foreign origin",
    "to plain http",
    "to cloud metadata",
    "to localhost",
    "to two places",
];

const TARGETS: &[(&str, u16, Target)] = &[
    ("to the same origin", 307, |stage, leg| {
        vec![format!("{}/moved", stage.attacked(leg))]
    }),
    ("to a foreign origin", 307, |stage, _| {
        vec![format!("{}/moved", stage.elsewhere.url())]
    }),
    ("303 to a foreign origin", 303, |stage, _| {
        vec![format!("{}/moved", stage.elsewhere.url())]
    }),
    ("308 to a foreign origin", 308, |stage, _| {
        vec![format!("{}/moved", stage.elsewhere.url())]
    }),
    ("to plain http", 307, |stage, leg| {
        let target = format!("{}/moved", stage.attacked(leg));
        vec![target.replacen("https:", "http:", 1)]
    }),
    ("to cloud metadata", 302, |_, _| {
        vec!["http://169.254.169.254/latest/meta-data/".to_owned()]
    }),
    ("to cloud metadata by https", 307, |_, _| {
        vec!["https://169.254.169.254/latest/meta-data/".to_owned()]
    }),
    ("to an intranet", 307, |_, _| {
        vec!["https://10.0.0.1/".to_owned()]
    }),
    ("to localhost", 307, |stage, _| {
        vec![stage.trap("https", "localhost")]
    }),
    ("to loopback in plain http", 307, |stage, _| {
        vec![stage.trap("http", "127.0.0.1")]
    }),
    ("to a name on loopback", 307, |stage, _| {
        vec![stage.trap("https", "trap.test")]
    }),
    ("to a script", 302, |_, _| {
        vec!["javascript:alert(1)".to_owned()]
    }),
    ("to itself", 307, |stage, leg| {
        // Wherever it leads, it is answered in the same way.
        vec![format!("{}{LOOP}", stage.attacked(leg))]
    }),
    ("without a place", 302, |_, _| Vec::new()),
    ("to two places", 307, |stage, _| {
        vec![
            format!("{}/moved", stage.elsewhere.url()),
            stage.trap("https", "127.0.0.1"),
        ]
    }),
    ("relative to a foreign origin", 307, |stage, _| {
        let foreign = stage.elsewhere.url();
        vec![format!("{}/moved", foreign.trim_start_matches("https:"))]
    }),
    ("with a user in the URL", 307, |stage, leg| {
        let target = stage
            .attacked(leg)
            .replacen("https://", "https://somebody@", 1);
        vec![target]
    }),
];

const LOOP: &str = "/.well-known/oauth-authorization-server/loop";
