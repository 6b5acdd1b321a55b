//! The table of authorization responses.

use std::time::Duration;

use doorkey_discovery::{AuthorizationServerMetadata, Scopes};
use proptest::prelude::*;

use super::*;
use crate::authorize::AuthorizationPlan;
use crate::random::OsRandom;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn record(iss_advertised: bool) -> AuthorizationRecord {
    let mut server = AuthorizationServerMetadata::new(Issuer::new("https://as.example/t+1"));
    server.authorization_response_iss_parameter_supported = iss_advertised;
    let plan = AuthorizationPlan {
        server: &server,
        trusted_issuer: None,
        client_id: "client",
        redirect_uri: "http://127.0.0.1:1/cb",
        resource: None,
        scopes: &Scopes::default(),
    };
    AuthorizationRecord::new(&plan, &OsRandom, NOW).unwrap()
}

fn judged(record: &AuthorizationRecord, query: &str) -> String {
    told(record, query, judge)
}

fn told(
    record: &AuthorizationRecord,
    query: &str,
    judge: fn(&AuthorizationRecord, &str, SystemTime) -> Judgement,
) -> String {
    // The state comes last: it is random, and may hold any letters.
    let query = query
        .replace("ISS", ISS)
        .replace("STATE", record.state.expose_secret());
    match judge(record, &query, NOW) {
        Judgement::Foreign => String::from("foreign"),
        Judgement::Insufficient => String::from("insufficient"),
        Judgement::Code(code) => format!("code {}", code.expose_secret()),
        Judgement::Ended(error) => match *error {
            Error::IssuerMismatch { .. } => String::from("issuer"),
            Error::Denied(_) => String::from("denied"),
            Error::AuthorizationResponse(error) => format!("error {}", error.code),
            Error::InvalidAuthorizationResponse(why) => format!("invalid: {why}"),
            other => format!("{other:?}"),
        },
    }
}

const ISS: &str = "iss=https%3A%2F%2Fas.example%2Ft%2B1";

/// Whether the server promises `iss`, the query, and what becomes of it.
const RESPONSES: &[(bool, &str, &str)] = &[
    (false, "code=c&state=STATE", "code c"),
    (false, "state=STATE&code=a%2Bb+c", "code a+b c"),
    (false, "code=c", "foreign"),
    (false, "", "foreign"),
    (false, "code=c&state=other", "foreign"),
    (false, "code=c&state=", "foreign"),
    (false, "code=c&state=STATE&state=STATE", "foreign"),
    (false, "error=access_denied", "foreign"),
    (false, "error=access_denied&state=STATE", "denied"),
    (
        false,
        "error=invalid_scope&state=STATE",
        "error invalid_scope",
    ),
    (
        false,
        "code=c&error=x&state=STATE",
        "invalid: it carries both a code and an error",
    ),
    (
        false,
        "state=STATE",
        "invalid: it carries neither a code nor an error",
    ),
    (
        false,
        "code=&state=STATE",
        "invalid: it carries neither a code nor an error",
    ),
    (
        false,
        "code=a&code=b&state=STATE",
        "invalid: `code` occurs more than once",
    ),
    (
        false,
        "error=a&error=b&state=STATE",
        "invalid: `error` occurs more than once",
    ),
    // RSP-04 to RSP-08
    (true, "code=c&state=STATE&ISS", "code c"),
    (
        true,
        "code=c&state=STATE&iss=https://as.example/t%2B1",
        "code c",
    ),
    (true, "code=c&state=STATE", "issuer"),
    (
        true,
        "code=c&state=STATE&iss=https://evil.example",
        "issuer",
    ),
    (false, "code=c&state=STATE&ISS", "code c"),
    (
        false,
        "code=c&state=STATE&iss=https://evil.example",
        "issuer",
    ),
    (
        false,
        "code=c&state=STATE&iss=https://AS.example/t%2B1",
        "issuer",
    ),
    (
        false,
        "code=c&state=STATE&iss=https://as.example:443/t%2B1",
        "issuer",
    ),
    (
        false,
        "code=c&state=STATE&iss=https://as.example/t%2B1/",
        "issuer",
    ),
    (
        false,
        "code=c&state=STATE&iss=https://as.example/t+1",
        "issuer",
    ),
    (false, "code=c&state=STATE&iss=", "issuer"),
    (
        false,
        "code=c&state=STATE&ISS&ISS",
        "invalid: `iss` occurs more than once",
    ),
    // RSP-10
    (true, "error=access_denied&state=STATE", "issuer"),
    (
        false,
        "error=access_denied&state=STATE&iss=https://evil.example",
        "issuer",
    ),
    (true, "error=access_denied&state=STATE&ISS", "denied"),
    (
        false,
        "error=&state=STATE",
        "invalid: it carries neither a code nor an error",
    ),
];

#[test]
fn responses_are_judged_as_rsp_02_to_rsp_14_say() {
    for (advertised, query, expected) in RESPONSES {
        assert_eq!(
            judged(&record(*advertised), query),
            *expected,
            "{advertised} {query}"
        );
    }
}

#[test]
fn an_issuer_mismatch_shows_nothing_of_the_error_rsp_10() {
    let record = record(true);
    let query = format!(
        "error=server_error&error_description=phishing&state={}&iss=https://evil.example",
        record.state.expose_secret()
    );
    let Judgement::Ended(error) = judge(&record, &query, NOW) else {
        panic!("the response was not judged");
    };
    assert!(!format!("{error} {error:?}").contains("phishing"));
}

#[test]
fn a_trusted_issuer_is_accepted_as_well_as_07() {
    let mut record = record(true);
    record.trusted_issuer = Some(Issuer::new("https://login.example"));
    assert_eq!(
        judged(&record, "code=c&state=STATE&iss=https://login.example"),
        "code c"
    );
    assert_eq!(judged(&record, "code=c&state=STATE&ISS"), "code c");
}

#[test]
fn a_request_older_than_ten_minutes_is_answered_too_late_rsp_11() {
    let record = record(false);
    let query = format!("code=c&state={}", record.state.expose_secret());
    assert_eq!(RECORD_LIFETIME, Duration::from_secs(600));
    let late = NOW + RECORD_LIFETIME + Duration::from_secs(1);
    assert!(matches!(judge(&record, &query, late), Judgement::Ended(_)));
    assert!(matches!(
        judge(&record, &query, NOW + RECORD_LIFETIME),
        Judgement::Code(_)
    ));
}

#[test]
fn an_error_is_told_with_its_description_and_page() {
    let record = record(false);
    let query = format!(
        "error=invalid_scope&error_description=no+such+scope&error_uri=https://as.example/help&state={}",
        record.state.expose_secret()
    );
    let Judgement::Ended(error) = judge(&record, &query, NOW) else {
        panic!("the response was not judged");
    };
    let Error::AuthorizationResponse(said) = *error else {
        panic!("{error:?} is no error of the server");
    };
    assert_eq!(said.description.as_deref(), Some("no such scope"));
    assert_eq!(said.uri.as_deref(), Some("https://as.example/help"));
}

#[test]
fn server_text_is_cleaned_sec_13() {
    let record = record(false);
    let query = format!(
        "error=invalid_request&error_description=%1B%5B31mred%07&state={}",
        record.state.expose_secret()
    );
    let Judgement::Ended(error) = judge(&record, &query, NOW) else {
        panic!("the response was not judged");
    };
    assert!(
        !error.to_string().contains(['\u{1b}', '\u{7}']),
        "{error:?}"
    );
}

proptest! {
    #[test]
    fn nothing_without_our_state_gets_anywhere(query in "\\PC{0,80}") {
        let judgement = judge(&record(false), &query, NOW);
        prop_assert!(matches!(judgement, Judgement::Foreign));
    }

    #[test]
    fn nothing_with_our_state_panics(rest in "[ -~]{0,80}") {
        let record = record(true);
        let query = format!("state={}&{rest}", record.state.expose_secret());
        drop(judge(&record, &query, NOW));
    }
}

#[test]
fn the_code_is_in_no_debug_of_a_judgement_law_9() {
    let record = record(false);
    let query = format!("code=secret-code&state={}", record.state.expose_secret());
    let judgement = judge(&record, &query, NOW);
    assert_eq!(format!("{judgement:?}"), "Code(..)");
    let foreign = judge(&record, "code=secret-code", NOW);
    assert_eq!(format!("{foreign:?}"), "Foreign");
}

#[test]
fn what_an_answer_repeats_of_the_request_is_not_shown_err_11() {
    let mut record = record(false);
    record.note_sent(&SecretString::from("urn:example:a-pushed-request-4711"));
    let state = record.state.expose_secret().to_owned();
    for query in [
        "error=invalid_request&error_description=no+use+for+SENT&error_uri=https://as.example/SENT",
        "error=about+SENT",
        "code=c&iss=https://as.example/SENT",
    ] {
        for sent in [state.as_str(), "urn:example:a-pushed-request-4711"] {
            let query = format!("{}&state={state}", query.replace("SENT", sent));
            let Judgement::Ended(error) = judge(&record, &query, NOW) else {
                panic!("{query}");
            };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&sent[..12]), "{shown}");
        }
    }
}

#[test]
fn a_code_alone_is_taken_where_pkce_holds_it_to_the_request_and_no_iss_is_promised_rsp_05_rsp_16() {
    for (iss, pkce, query, expected) in [
        (false, true, "code=c", "code c"),
        (false, false, "code=c", "insufficient"),
        (true, true, "code=c", "insufficient"),
        (false, true, "code=c&state=STATE", "code c"),
        (false, false, "code=c&state=STATE", "code c"),
        (true, true, "code=c&state=STATE", "insufficient"),
        (false, true, "code=c&state=other", "foreign"),
        (false, true, "code=c&state=", "foreign"),
    ] {
        let mut record = record(iss);
        record.pkce_advertised = pkce;
        assert_eq!(
            told(&record, query, judge_code),
            expected,
            "{iss} {pkce} {query}"
        );
    }
    let mut old = record(false);
    old.pkce_advertised = true;
    let late = NOW + RECORD_LIFETIME + Duration::from_secs(1);
    assert!(matches!(
        judge_code(&old, "code=c", late),
        Judgement::Ended(_)
    ));
}

#[test]
fn what_is_pasted_from_elsewhere_is_an_address_a_query_or_a_code_with_its_state_rsp_16() {
    let redirect = "http://127.0.0.1:1/cb";
    let record = record(false);
    let state = record.state.expose_secret();
    for (pasted, expected) in [
        (
            format!("http://127.0.0.1:1/cb?code=c&state={state}"),
            Some("code c"),
        ),
        (format!("?code=c&state={state}#x"), Some("code c")),
        (format!(" c#{state}\n"), Some("code c")),
        (format!("c#{state}x"), Some("foreign")),
        ("c".to_owned(), None),
        ("c#".to_owned(), None),
        ("a b#c".to_owned(), None),
        (format!("http://127.0.0.1:2/cb?code=c&state={state}"), None),
    ] {
        let judged =
            pasted_answer(&pasted, redirect)
                .ok()
                .map(|pasted| match pasted.judge(&record, NOW) {
                    Judgement::Code(code) => format!("code {}", code.expose_secret()),
                    Judgement::Foreign => "foreign".to_owned(),
                    other => format!("{other:?}"),
                });
        assert_eq!(judged.as_deref(), expected, "{pasted}");
    }
}
