//! Names that lead where nobody may be asked, at once or the second time.

use serde_json::json;

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::Stage,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let legs = Leg::ALL.into_iter().filter(|leg| leg.member().is_some());
    for leg in legs.chain([Leg::ResourceMetadata, Leg::Metadata]) {
        for (name, answers) in ANSWERS {
            let is_telling = ["loopback", "cloud metadata"].contains(name);
            if !is_telling && !matches!(leg, Leg::Token | Leg::Page | Leg::Metadata) {
                continue;
            }
            let case = Case::new(
                leg,
                Class::Rebinding,
                *name,
                Verdict::Refused,
                |stage, leg| {
                    stage.rebind(NAME, answers);
                    lead(stage, leg, &stage.trap("https", NAME));
                },
            );
            // Where a token is revoked was learned when somebody signed in.
            cases.push(match leg {
                Leg::Revocation => case.early(),
                _ => case,
            });
        }
    }
    cases
}

/// Has the requests of the leg go to this origin.
pub(super) fn lead(stage: &Stage, leg: Leg, origin: &str) {
    if let Some((_, member)) = leg.member() {
        stage.publish(leg, member, json!(format!("{origin}/e")));
        return;
    }
    let fault = match leg {
        Leg::ResourceMetadata => doorkey_testkit::Fault::Status(
            401,
            vec![(
                "www-authenticate".to_owned(),
                format!("Bearer resource_metadata=\"{origin}/m\""),
            )],
            String::new(),
        ),
        _ => doorkey_testkit::Fault::json(
            200,
            &json!({ "resource": stage.mcp.url(), "authorization_servers": [origin] }),
        ),
    };
    let before = match leg {
        Leg::ResourceMetadata => Leg::Challenge,
        _ => Leg::ResourceMetadata,
    };
    let rule = before.rule().expect("a request");
    stage.fault(before, rule.respond(fault));
}

/// What the name leads to, lookup by lookup.
const ANSWERS: &[(&str, &[&[&str]])] = &[
    ("loopback", &[&["127.0.0.1"]]),
    ("loopback of the newer protocol", &[&["::1"]]),
    ("an intranet", &[&["10.0.0.1"]]),
    ("cloud metadata", &[&["169.254.169.254"]]),
    ("a mapped address", &[&["::ffff:127.0.0.1"]]),
    ("a translated address", &[&["64:ff9b::7f00:1"]]),
    ("no address", &[&["0.0.0.0"]]),
    (
        "several that are all near",
        &[&["10.0.0.1", "127.0.0.1", "169.254.169.254"]],
    ),
    (
        "an intranet, then loopback",
        &[&["10.0.0.1"], &["127.0.0.1"]],
    ),
];

const NAME: &str = "rebound.test";
