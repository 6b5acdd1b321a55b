//! Errors that the browser brings back: each with its code and its meaning, and none of them with a
//! token request (RSP-10, RSP-12 to RSP-14, REG-23).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{
    AuthorizationConfig, CallbackVerdict, Challenges, ClientChoice, Error, InvalidResponse,
    NextStep, ProtocolError,
};
use doorkey_store::Store;
use serde_json::json;

use crate::browser::{Act, Browser};
use crate::world::World;

/// What an error of the authorization endpoint means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The person, or the server's policy, said no.
    Denied,
    /// It may pass by itself.
    Passing,
    /// The `resource` is to be looked at.
    Resource,
    /// The same request would be refused again.
    Permanent,
}

/// RFC 6749 §4.1.2.1, RFC 8707 §2, OpenID Connect Core §3.1.2.6, and a code that nobody knows.
const ERRORS: &[(&str, Meaning)] = &[
    ("access_denied", Meaning::Denied),
    ("invalid_request", Meaning::Permanent),
    ("unauthorized_client", Meaning::Permanent),
    ("unsupported_response_type", Meaning::Permanent),
    ("invalid_scope", Meaning::Permanent),
    ("server_error", Meaning::Passing),
    ("temporarily_unavailable", Meaning::Passing),
    ("invalid_target", Meaning::Resource),
    ("login_required", Meaning::Permanent),
    ("consent_required", Meaning::Permanent),
    ("interaction_required", Meaning::Permanent),
    ("account_selection_required", Meaning::Permanent),
    ("invalid_request_uri", Meaning::Permanent),
    ("of_their_own", Meaning::Permanent),
];

/// A client that cannot register anew, so that a refusal stands.
fn configured(world: &World) -> AuthorizationConfig {
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    config
}

fn meaning(error: &Error) -> Option<(Meaning, &ProtocolError)> {
    Some(match error {
        Error::Denied(told) => (Meaning::Denied, told),
        Error::AuthorizationResponse(told) => match error.next_step() {
            Some(NextStep::Retry { after: None }) => (Meaning::Passing, told),
            Some(NextStep::CheckResource) => (Meaning::Resource, told),
            _ => (Meaning::Permanent, told),
        },
        _ => return None,
    })
}

#[tokio::test]
async fn each_error_of_the_page_has_its_code_its_meaning_and_no_second_page_rsp_14_err_08() {
    for (code, expected) in ERRORS {
        let world = World::new();
        let source = world.source_with(configured(&world), &Store::memory());
        world.signed_in(&source).await;
        let before = source.token().await.unwrap();

        let answer = format!(
            "error={code}&error_description=told+so&error_uri=https%3A%2F%2Fas.example%2Fhelp&state=STATE"
        );
        let browser = Arc::new(Browser::acting(&world, vec![Act::Answer(answer.leak())]));
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        let (what, told) = meaning(&error).unwrap();
        assert_eq!(what, *expected, "{code}");
        assert_eq!(error.is_transient(), what == Meaning::Passing, "{code}");
        assert_eq!(told.code, *code);
        assert_eq!(told.description.as_deref(), Some("told so"), "{code}");
        assert_eq!(told.uri.as_deref(), Some("https://as.example/help"));
        assert!(!error.needs_login(), "{code}");

        let [CallbackVerdict::Refused { message }] = &browser.verdicts()[..] else {
            panic!("{code}: {:?}", browser.verdicts());
        };
        assert!(
            message.contains(code) && message.contains("told so"),
            "{message}"
        );
        assert_eq!(browser.prompts().len(), 1, "{code}");
        assert!(world.seen(Leg::Token).is_empty(), "{code}");
        assert_eq!(source.token().await.unwrap(), before, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_protocol_ends_the_login_rsp_12_rsp_13() {
    let iss = "iss=https%3A%2F%2Fas.example";
    let cases = [
        (
            "code=a&code=b&state=STATE",
            InvalidResponse::Repeated("code"),
        ),
        (
            "code=a&code=a&state=STATE",
            InvalidResponse::Repeated("code"),
        ),
        (
            "error=a&error=b&state=STATE",
            InvalidResponse::Repeated("error"),
        ),
        (
            "code=c&error=access_denied&state=STATE",
            InvalidResponse::CodeAndError,
        ),
        ("state=STATE", InvalidResponse::Neither),
        ("code=&state=STATE", InvalidResponse::Neither),
        ("error=&state=STATE", InvalidResponse::Neither),
        (
            format!("code=c&state=STATE&{iss}&{iss}").leak(),
            InvalidResponse::Repeated("iss"),
        ),
    ];
    for (answer, expected) in cases {
        let world = World::new();
        let source = world.source(&Store::memory());
        let browser = Arc::new(Browser::acting(&world, vec![Act::Answer(answer)]));
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::InvalidAuthorizationResponse(why) if *why == expected),
            "{answer}: {error:?}"
        );
        assert!(!error.is_transient() && !error.needs_login(), "{answer}");
        assert_eq!(browser.prompts().len(), 1, "{answer}");
        assert!(world.seen(Leg::Token).is_empty(), "{answer}");
        assert!(source.grant().await.unwrap().is_none(), "{answer}");
    }
}

#[tokio::test]
async fn an_error_of_another_issuer_is_neither_believed_nor_shown_rsp_10() {
    // Whether `iss` is promised, and the one that came.
    for (promised, iss) in [
        (true, "&iss=https%3A%2F%2Fevil.example"),
        (false, "&iss=https%3A%2F%2Fevil.example"),
        (true, ""),
    ] {
        let world = World::new();
        world.set().metadata["authorization_response_iss_parameter_supported"] = json!(promised);
        let source = world.source(&Store::memory());
        for code in [
            "access_denied",
            "temporarily_unavailable",
            "unauthorized_client",
        ] {
            let answer = format!(
                "error={code}&error_description=phish&error_uri=https%3A%2F%2Fevil.example%2Fphish&state=STATE{iss}"
            );
            let browser = Arc::new(Browser::acting(&world, vec![Act::Answer(answer.leak())]));
            let error = source
                .login(&Challenges::default(), browser.clone())
                .await
                .unwrap_err();
            assert!(matches!(error, Error::IssuerMismatch { .. }), "{error:?}");
            assert!(!error.is_transient(), "{code}");
            let text = format!("{error} {error:?} {:?}", browser.verdicts());
            assert!(!text.contains("phish") && !text.contains(code), "{text}");
            assert_eq!(browser.prompts().len(), 1, "{code}");
        }
        // The client was not believed to be unknown either.
        assert_eq!(world.seen(Leg::Registration).len(), 1);
        assert!(world.seen(Leg::Token).is_empty());
    }
}

#[tokio::test]
async fn a_page_that_no_longer_knows_the_client_leads_to_one_more_registration_reg_23() {
    for code in ["unauthorized_client", "invalid_client"] {
        let world = World::new();
        world.set().numbers_clients = true;
        let store = Store::memory();
        world.signed_in(&world.source(&store)).await;
        let refused: &'static str = format!("error={code}&state=STATE").leak();

        let turns = vec![vec![Act::Answer(refused)], vec![Act::Approve]];
        let browser = Arc::new(Browser::in_turn(&world, turns));
        let source = world.source(&store);
        let report = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap();
        assert!(report.registered, "{code}");
        assert_eq!(browser.asked("client_id"), [["client-1"], ["client-2"]]);

        // A client that was registered for this very page gets no third one.
        let browser = Arc::new(Browser::acting(&world, vec![Act::Answer(refused)]));
        world.start_over();
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::AuthorizationResponse(told) if told.is(code)),
            "{error:?}"
        );
        assert_eq!(browser.asked("client_id"), [["client-2"], ["client-3"]]);
        assert_eq!(world.seen(Leg::Registration).len(), 1);
        assert!(world.seen(Leg::Token).is_empty());
        let kept = store.registrations().await.unwrap().entries;
        assert!(kept.is_empty(), "{code}: {kept:?}");
    }
}

#[tokio::test]
async fn a_configured_client_that_the_page_refuses_is_not_replaced_reg_23_reg_05() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source_with(configured(&world), &store);
    let answer = Act::Answer("error=unauthorized_client&state=STATE");
    let browser = Arc::new(Browser::acting(&world, vec![answer]));
    let error = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::AuthorizationResponse(_)),
        "{error:?}"
    );
    assert_eq!(browser.asked("client_id"), [["mine"]]);
    assert!(world.seen(Leg::Registration).is_empty());
}
