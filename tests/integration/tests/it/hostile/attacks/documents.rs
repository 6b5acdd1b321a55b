//! Documents that are forged: of somebody else, of other types, with endpoints that must not be asked.

use doorkey_testkit::{Edit, Fault};
use serde_json::{Value, json};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    stage::Stage,
};
use super::on_answer;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = resource_metadata();
    cases.extend(metadata(Leg::Metadata));
    let mut openid = metadata(Leg::OpenIdMetadata);
    openid.retain(|case| {
        case.class == Class::Unicode
            || case.name.contains("issuer of")
            || case.name.contains("S256")
    });
    cases.extend(openid);
    cases.extend(members());
    cases.extend(endpoints());
    cases.extend(duplicates());
    cases
}

/// A member of the resource metadata.
type Forged = fn(&Stage) -> Value;

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
fn resource_metadata() -> Vec<Case> {
    let leg = Leg::ResourceMetadata;
    let case = |class, name: &str, verdict, member: &'static str, forged: Forged| {
        Case::new(leg, class, name, verdict, move |stage, leg| {
            let mut document = json!({
                "resource": stage.mcp.url(),
                "authorization_servers": [stage.auth.issuer()],
            });
            document[member] = forged(stage);
            let rule = leg.rule().expect("a request");
            stage.fault(leg, rule.respond(Fault::json(200, &document)));
        })
    };
    let forged = |name, member, value| case(Class::Forged, name, Verdict::Refused, member, value);
    let unicode = |name, member, value| case(Class::Unicode, name, Verdict::Refused, member, value);
    let harmless = |name, member, value| case(Class::Unicode, name, Verdict::Works, member, value);
    vec![
        forged("the resource of somebody else", "resource", |stage| {
            json!(format!("{}/mcp", stage.elsewhere.url()))
        }),
        forged("a resource below the server", "resource", |stage| {
            json!(format!("{}/deeper", stage.mcp.url()))
        }),
        forged("a resource with a user", "resource", |stage| {
            json!(stage.mcp.url().replacen("https://", "https://somebody@", 1))
        }),
        forged("a resource with a fragment", "resource", |stage| {
            json!(format!("{}#part", stage.mcp.url()))
        }),
        forged("no resource", "resource", |_| Value::Null),
        forged("a resource that is a number", "resource", |_| json!(7)),
        forged("resources in a list", "resource", |stage| {
            json!([stage.mcp.url()])
        }),
        forged("an empty resource", "resource", |_| json!("")),
        forged("a server on loopback", "authorization_servers", |stage| {
            json!([stage.trap("https", "127.0.0.1")])
        }),
        forged(
            "a server on loopback in plain http",
            "authorization_servers",
            |stage| json!([stage.trap("http", "127.0.0.1")]),
        ),
        forged(
            "a server that is localhost",
            "authorization_servers",
            |stage| json!([stage.trap("https", "localhost")]),
        ),
        forged("a server on an intranet", "authorization_servers", |_| {
            json!(["https://10.0.0.1"])
        }),
        forged(
            "a server that is cloud metadata",
            "authorization_servers",
            |_| json!(["http://169.254.169.254"]),
        ),
        forged(
            "a server in a mapped address",
            "authorization_servers",
            |stage| json!([stage.trap("https", "[::ffff:127.0.0.1]")]),
        ),
        forged(
            "a server in a decimal address",
            "authorization_servers",
            |stage| json!([stage.trap("https", "2130706433")]),
        ),
        forged(
            "a server by a name on loopback",
            "authorization_servers",
            |stage| json!([stage.trap("https", "trap.test")]),
        ),
        forged("a server that is a script", "authorization_servers", |_| {
            json!(["javascript:alert(1)"])
        }),
        forged("a server with a query", "authorization_servers", |stage| {
            json!([format!("{}?tenant=1", stage.auth.issuer())])
        }),
        forged("a server that is a number", "authorization_servers", |_| {
            json!([7])
        }),
        forged("a server not in a list", "authorization_servers", |stage| {
            json!(stage.auth.issuer())
        }),
        forged("no servers", "authorization_servers", |_| json!([])),
        forged("no header for tokens", "bearer_methods_supported", |_| {
            json!(["query"])
        }),
        forged(
            "ten thousand servers that are none",
            "authorization_servers",
            |_| json!(vec!["javascript:alert(1)"; 10_000]),
        ),
        unicode(
            "a resource with a letter that looks alike",
            "resource",
            |stage| json!(stage.mcp.url().replacen("mcp.test", "m\u{441}p.test", 1)),
        ),
        unicode("a resource with a hidden character", "resource", |stage| {
            json!(format!("{}\u{200b}", stage.mcp.url()))
        }),
        // Nobody knows that name: it may be a matter of the network.
        case(
            Class::Unicode,
            "a server with a letter that looks alike",
            Verdict::Passing,
            "authorization_servers",
            |stage| json!([stage.auth.issuer().replacen("as.test", "\u{430}s.test", 1)]),
        ),
        unicode(
            "a server that is written backwards",
            "authorization_servers",
            |stage| json!([format!("{}/\u{202e}tset", stage.auth.url())]),
        ),
        harmless("a name that turns the line around", "resource_name", |_| {
            json!("safe\u{202e}gnp.exe \u{1b}[31m\u{1b}]0;title\u{7}")
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
fn metadata(leg: Leg) -> Vec<Case> {
    let case = |class, name: &str, member: &'static str, forged: Forged| {
        Case::new(leg, class, name, Verdict::Refused, move |stage, leg| {
            stage.publish(leg, member, forged(stage));
        })
    };
    let forged = |name, value| case(Class::Forged, name, "issuer", value);
    let unicode = |name, value| case(Class::Unicode, name, "issuer", value);
    vec![
        forged("the issuer of somebody else", |stage| {
            json!(stage.elsewhere.issuer())
        }),
        forged("an issuer with a slash more", |stage| {
            json!(format!("{}/", stage.auth.issuer()))
        }),
        forged("an issuer in capitals", |stage| {
            json!(stage.auth.issuer().replacen("as.test", "AS.TEST", 1))
        }),
        forged("an issuer without its path", |stage| {
            json!(stage.auth.url())
        }),
        forged("no issuer", |_| Value::Null),
        forged("an issuer that is a number", |_| json!(7)),
        forged("issuers in a list", |stage| json!([stage.auth.issuer()])),
        case(
            Class::Forged,
            "no S256",
            "code_challenge_methods_supported",
            |_| json!(["plain"]),
        ),
        case(
            Class::Forged,
            "no methods of PKCE",
            "code_challenge_methods_supported",
            |_| Value::Null,
        ),
        case(Class::Forged, "no code", "response_types_supported", |_| {
            json!(["token"])
        }),
        case(
            Class::Forged,
            "no grant by code",
            "grant_types_supported",
            |_| json!(["implicit"]),
        ),
        case(
            Class::Forged,
            "signed requests demanded",
            "require_signed_request_object",
            |_| json!(true),
        ),
        case(
            Class::Forged,
            "pushed requests to nowhere",
            "require_pushed_authorization_requests",
            |_| json!(true),
        ),
        unicode("an issuer with a letter that looks alike", |stage| {
            json!(stage.auth.issuer().replacen("as.test", "\u{430}s.test", 1))
        }),
        unicode("an issuer with a hidden character", |stage| {
            json!(
                stage
                    .auth
                    .issuer()
                    .replacen("as.test", "a\u{200b}s.test", 1)
            )
        }),
        unicode("an issuer with composed letters", |stage| {
            json!(format!("{}\u{e9}", stage.auth.issuer()))
        }),
        unicode("an issuer with decomposed letters", |stage| {
            json!(format!("{}e\u{301}", stage.auth.issuer()))
        }),
        unicode("an issuer with an international name", |stage| {
            json!(stage.auth.issuer().replacen("as.test", "xn--s-7sb.test", 1))
        }),
        unicode("an issuer that writes to the terminal", |stage| {
            json!(format!(
                "{}\u{1b}[2J\u{1b}]0;owned\u{7}",
                stage.auth.issuer()
            ))
        }),
    ]
}

/// Each member that counts, in each other type.
fn members() -> Vec<Case> {
    let wrong: [(&str, Value); 5] = [
        ("a number", json!(7)),
        ("an object", json!({})),
        ("true", json!(true)),
        ("an empty text", json!("")),
        ("null", Value::Null),
    ];
    let members = [
        ("authorization_endpoint", 0b11111),
        ("token_endpoint", 0b11111),
        ("registration_endpoint", 0b11111),
        ("code_challenge_methods_supported", 0b11111),
        ("response_types_supported", 0b01111),
        ("scopes_supported", 0b00111),
        ("token_endpoint_auth_methods_supported", 0b01111),
        ("authorization_response_iss_parameter_supported", 0b00011),
    ];
    let mut cases = Vec::new();
    for (member, which) in members {
        for (at, (name, value)) in wrong.iter().enumerate() {
            if which >> at & 1 == 0 {
                continue;
            }
            let (name, value) = (format!("{member} is {name}"), value.clone());
            let case = Case::new(
                Leg::Metadata,
                Class::Forged,
                name,
                Verdict::Refused,
                move |stage, leg| stage.publish(leg, member, value.clone()),
            );
            cases.push(case);
        }
    }
    cases
}

/// Endpoints where nobody may be asked, on the leg that would ask there.
fn endpoints() -> Vec<Case> {
    let places: [(&str, Forged); 9] = [
        ("an endpoint on loopback", |stage| {
            json!(format!("{}/e", stage.trap("https", "127.0.0.1")))
        }),
        ("an endpoint on loopback in plain http", |stage| {
            json!(format!("{}/e", stage.trap("http", "127.0.0.1")))
        }),
        ("an endpoint by a name on loopback", |stage| {
            json!(format!("{}/e", stage.trap("https", "trap.test")))
        }),
        ("an endpoint on an intranet", |_| {
            json!("https://10.0.0.1/e")
        }),
        ("an endpoint that is cloud metadata", |_| {
            json!("https://169.254.169.254/e")
        }),
        ("an endpoint in plain http", |_| json!("http://as.test/e")),
        ("an endpoint that is a script", |_| {
            json!("javascript:alert(1)")
        }),
        ("an endpoint that is a file", |_| {
            json!("file:///etc/passwd")
        }),
        ("an endpoint with a user", |stage| {
            json!(format!("{}/e", stage.auth.url()).replacen("https://", "https://a:b@", 1))
        }),
    ];
    let mut cases = Vec::new();
    for leg in Leg::ALL {
        let Some((_, member)) = leg.member() else {
            continue;
        };
        for (name, forged) in places {
            let inflict = move |stage: &Stage, leg| stage.publish(leg, member, forged(stage));
            let case =
                |leg, name: String| Case::new(leg, Class::Forged, name, Verdict::Refused, inflict);
            // Where a token is revoked was learned when somebody signed in, unless nobody can sign in with it.
            cases.push(match leg {
                Leg::Revocation if UNFIT.contains(&name) => {
                    case(Leg::Metadata, format!("{name}, to revoke at"))
                }
                Leg::Revocation => case(leg, name.to_owned()).early(),
                _ => case(leg, name.to_owned()),
            });
        }
    }
    cases
}

/// What is no endpoint at all: a document that names one is not used.
const UNFIT: &[&str] = &[
    "an endpoint in plain http",
    "an endpoint that is a script",
    "an endpoint that is a file",
    "an endpoint with a user",
];

/// Members that come twice, in either order, of which one is somebody else's.
fn duplicates() -> Vec<Case> {
    let mut cases = Vec::new();
    for leg in Leg::ALL {
        for (member, other) in twice(leg) {
            for (order, edit) in [
                ("first", Edit::FirstMembers as fn(String) -> Edit),
                ("last", Edit::LastMembers),
            ] {
                let members = format!("{member:?}:{other}");
                let name = format!("another {member} comes {order}");
                let fault = Fault::Edited(vec![edit(members)]);
                let verdict = twice_verdict(leg, member);
                cases.push(on_answer(leg, Class::DuplicateKeys, &name, verdict, fault));
            }
        }
    }
    cases
}

/// What is said twice counts for nothing, where it counts at all.
fn twice_verdict(leg: Leg, member: &str) -> Verdict {
    match leg {
        _ if member == "scope" => Verdict::Works,
        Leg::Refresh => Verdict::Passing,
        _ => Verdict::Refused,
    }
}

fn twice(leg: Leg) -> &'static [(&'static str, &'static str)] {
    match leg {
        Leg::ResourceMetadata => &[
            ("resource", r#""https://elsewhere.test/mcp""#),
            ("authorization_servers", r#"["https://elsewhere.test"]"#),
        ],
        Leg::Metadata | Leg::OpenIdMetadata => &[
            ("issuer", r#""https://elsewhere.test""#),
            ("token_endpoint", r#""https://elsewhere.test/token""#),
            (
                "authorization_endpoint",
                r#""https://elsewhere.test/authorize""#,
            ),
            ("code_challenge_methods_supported", r#"["plain"]"#),
        ],
        Leg::Registration => &[
            ("client_id", r#""another""#),
            ("redirect_uris", r#"["https://elsewhere.test/callback"]"#),
        ],
        Leg::Token | Leg::Refresh | Leg::Poll => &[
            ("access_token", r#""ha-1Pz4Xc7Vb0Nm3Qw6Ty9U""#),
            ("token_type", r#""mac""#),
            ("scope", r#""everything""#),
        ],
        Leg::Device => &[
            ("device_code", r#""hd-2Rf5Tg8Yh1Uj4Ik7Ol0P""#),
            ("verification_uri", r#""https://elsewhere.test/device""#),
        ],
        Leg::Pushed => &[("request_uri", r#""urn:another""#)],
        Leg::Exchange => &[("access_token", r#""hj-5Gt9Hy2Ju6Ki3Lo8Za1X""#)],
        Leg::Assertion => &[("access_token", r#""ha-1Pz4Xc7Vb0Nm3Qw6Ty9U""#)],
        _ => &[],
    }
}
