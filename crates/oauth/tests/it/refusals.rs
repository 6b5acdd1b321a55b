//! A refresh refused, class by class: what it means and what is kept (REF-07, REF-08, REF-15, REG-23).

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{ClientChoice, Error, LoginReason, NextStep, TokenSource};
use doorkey_store::{RegistrationKey, Store};
use http::HeaderValue;
use http::header::RETRY_AFTER;
use secrecy::SecretString;

use crate::browser::Browser;
use crate::stores::Fickle;
use crate::world::{ISSUER, World};

enum Meaning {
    /// A person has to sign in; whether the refresh token is dropped.
    Login {
        drops_refresh_token: bool,
    },
    Passing,
}

const DROPS: Meaning = Meaning::Login {
    drops_refresh_token: true,
};
const KEEPS: Meaning = Meaning::Login {
    drops_refresh_token: false,
};

/// Status, body, meaning. 418 stands for a connection that was reset.
const REFUSALS: &[(u16, &str, Meaning)] = &[
    (
        400,
        r#"{"error":"invalid_grant","error_description":"revoked"}"#,
        DROPS,
    ),
    (400, r#"{"error":"unauthorized_client"}"#, KEEPS),
    (400, r#"{"error":"invalid_scope"}"#, KEEPS),
    (400, r#"{"error":"invalid_target"}"#, KEEPS),
    (401, r#"{"error":"invalid_client"}"#, KEEPS),
    (200, r#"{"error":"invalid_grant"}"#, DROPS),
    // The status says nothing where the code does.
    (500, r#"{"error":"invalid_grant"}"#, DROPS),
    (403, r#"{"error":"invalid_client"}"#, KEEPS),
    (400, r#"{"error":"invalid_request"}"#, Meaning::Passing),
    (
        400,
        r#"{"error":"unsupported_grant_type"}"#,
        Meaning::Passing,
    ),
    (400, r#"{"error":"access_denied"}"#, Meaning::Passing),
    (400, r#"{"error":"slow_down"}"#, Meaning::Passing),
    (500, r#"{"error":"server_error"}"#, Meaning::Passing),
    (
        400,
        r#"{"error":"temporarily_unavailable"}"#,
        Meaning::Passing,
    ),
    (400, r#"{"error":"unknown_code"}"#, Meaning::Passing),
    (400, "{}", Meaning::Passing),
    (400, "<html>Bad Request</html>", Meaning::Passing),
    (401, "", Meaning::Passing),
    (403, "Forbidden", Meaning::Passing),
    (404, "", Meaning::Passing),
    (408, "", Meaning::Passing),
    (418, "", Meaning::Passing), // a reset connection
    (429, "", Meaning::Passing),
    (500, "<html>Internal</html>", Meaning::Passing),
    (502, "", Meaning::Passing),
    (503, "", Meaning::Passing),
    (200, "", Meaning::Passing),
    (200, "<html>Sign in to the network</html>", Meaning::Passing),
    (200, r#"{"access_token":7}"#, Meaning::Passing),
    (
        200,
        r#"{"access_token":"t","token_type":"Bea"#,
        Meaning::Passing,
    ),
    (400, r#"{"error":"invalid_gr"#, Meaning::Passing),
    (200, r#"{"token_type":"Bearer"}"#, Meaning::Passing),
    (200, r#"{"access_token":"t"}"#, Meaning::Passing),
    (200, r#"["t"]"#, Meaning::Passing),
    (200, "null", Meaning::Passing),
    (
        200,
        r#"{"access_token":"a b","token_type":"Bearer"}"#,
        Meaning::Passing,
    ),
    (
        200,
        r#"{"access_token":"t","token_type":"DPoP"}"#,
        Meaning::Passing,
    ),
    (
        200,
        r#"{"access_token":"t","token_type":"mac"}"#,
        Meaning::Passing,
    ),
    (302, "", Meaning::Passing),
    (307, "", Meaning::Passing),
    (504, "", Meaning::Passing),
];

async fn refused(
    world: &World,
    store: &Store,
    status: u16,
    body: &'static str,
) -> (TokenSource, Error) {
    let source = world.source(store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, status, body);
    let error = source.token().await.unwrap_err();
    (source, error)
}

#[tokio::test]
async fn the_table_of_refusals() {
    for (status, body, meaning) in REFUSALS {
        let world = World::new();
        let store = Store::memory();
        let (source, error) = refused(&world, &store, *status, body).await;
        let grant = source.grant().await.unwrap().unwrap().value;
        assert!(grant.access_token.is_some(), "{status} {body}");
        assert_eq!(world.seen(Leg::Token).len(), 1, "{status} {body}");
        match meaning {
            Meaning::Login {
                drops_refresh_token,
            } => {
                assert!(error.needs_login(), "{status} {body}: {error:?}");
                assert_eq!(
                    grant.refresh_token.is_none(),
                    *drops_refresh_token,
                    "{body}"
                );
                assert!(
                    std::error::Error::source(&error).is_some(),
                    "the cause is kept"
                );
                // Neither this process nor another asks again.
                assert!(source.token().await.unwrap_err().needs_login());
                assert!(
                    world
                        .source(&store)
                        .token()
                        .await
                        .unwrap_err()
                        .needs_login()
                );
                assert_eq!(world.seen(Leg::Token).len(), 1, "{status} {body}");
            }
            Meaning::Passing => {
                assert!(!error.needs_login(), "{status} {body}: {error:?}");
                assert!(error.is_transient(), "{status} {body}: {error:?}");
                assert_eq!(
                    error.next_step(),
                    Some(NextStep::Retry { after: None }),
                    "{status} {body}"
                );
                assert!(grant.refresh_token.is_some(), "{status} {body}");
                // Nothing was lost: later it works.
                world.clock().advance(60);
                assert!(source.token().await.unwrap().is_some(), "{status} {body}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_an_early_refresh_comes_to_the_token_serves_to_its_end_ref_07_ref_08_ref_15() {
    for (status, body, meaning) in REFUSALS {
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        let token = source.token().await.unwrap();
        world.clock().advance(3595);
        world.script(Leg::Token, *status, body);
        for _ in 0..3 {
            let now = source.token().await.unwrap();
            assert_eq!(now, token, "{status} {body}");
        }
        assert_eq!(world.seen(Leg::Token).len(), 1, "{status} {body}");
        world.clock().advance(5);
        let outcome = source.token().await;
        match meaning {
            Meaning::Login { .. } => assert!(outcome.unwrap_err().needs_login(), "{body}"),
            Meaning::Passing => assert_ne!(outcome.unwrap(), token, "{status} {body}"),
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_to_a_refresh_is_passing_ref_08() {
    let world = World::new();
    let store = Store::memory();
    let page = "x".repeat(2 << 20).leak();
    let (source, error) = refused(&world, &store, 200, page).await;
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(error.next_step(), Some(NextStep::Retry { after: None }));
    let cause = error.http().unwrap();
    assert!(
        matches!(cause, doorkey_http::Error::BodyTooLarge { .. }),
        "{cause:?}"
    );
    // Asked again at once, the server is left alone and the same is said.
    assert!(source.token().await.unwrap_err().is_transient());
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn an_answer_that_asks_to_wait_says_how_long_ref_08() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    let headers = [(RETRY_AFTER, HeaderValue::from_static("30"))];
    world.script_with(Leg::Token, 403, "slow down", headers.into_iter().collect());
    let error = source.token().await.unwrap_err();
    let after = Some(Duration::from_secs(30));
    assert_eq!(error.next_step(), Some(NextStep::Retry { after }));
}

#[tokio::test]
async fn a_dead_refresh_token_leaves_the_access_token_in_use_ref_07() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let token = source.token().await.unwrap();
    world.clock().advance(3595);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    assert_eq!(source.token().await.unwrap(), token);
    assert_eq!(source.token().await.unwrap(), token);
    assert_eq!(world.seen(Leg::Token).len(), 1);
    world.clock().advance(5);
    let error = source.token().await.unwrap_err();
    assert!(matches!(
        &error,
        Error::LoginRequired { reason: LoginReason::RefreshRefused(refusal), .. }
            if refusal.is("invalid_grant")
    ));
    let grant = source.grant().await.unwrap().unwrap().value;
    assert!(grant.last_error.unwrap().contains("invalid_grant"));
}

#[tokio::test]
async fn a_client_the_server_forgot_is_dropped_by_generation_and_the_next_login_registers_reg_23() {
    let world = World::new();
    let store = Store::memory();
    let (source, error) = refused(&world, &store, 401, r#"{"error":"invalid_client"}"#).await;
    assert!(matches!(
        error,
        Error::LoginRequired {
            reason: LoginReason::RegistrationGone(_),
            ..
        }
    ));
    let key = RegistrationKey::shared(ISSUER);
    assert!(store.registration(&key).await.unwrap().is_none());
    let report = world.signed_in(&source).await;
    assert!(report.registered);
    assert!(source.token().await.unwrap().is_some());
}

#[tokio::test]
async fn a_registration_made_since_is_not_dropped_law_6() {
    let world = World::new();
    let store = Store::memory();
    let first = world.source(&store);
    world.signed_in(&first).await;
    // Another account signs in with a new registration.
    world.set().registered = serde_json::json!({"client_id": "client-2"});
    let mut config = world.config();
    config.account = String::from("work");
    let browser = Arc::new(Browser::new(&world).on_port(4000));
    let second = world.source_with(config, &store);
    second
        .login(&doorkey_oauth::Challenges::default(), browser)
        .await
        .unwrap();
    world.clock().advance(3600);
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    assert!(first.token().await.unwrap_err().needs_login());
    let kept = store.registrations().await.unwrap().entries;
    let kept: Vec<_> = kept
        .iter()
        .map(|(_, stored)| &stored.value.client_id)
        .collect();
    assert_eq!(kept, ["client-2"]);
}

#[tokio::test]
async fn a_configured_client_is_reported_and_kept_reg_23() {
    let world = World::new();
    let store = Store::memory();
    let config = |secret: &str| {
        let mut config = world.config();
        config.client = ClientChoice::Static {
            client_id: String::from("mine"),
            client_secret: Some(SecretString::from(secret)),
            signing_key: None,
            issuer: None,
            auth_method: Some(doorkey_oauth::ClientAuthMethod::Post),
        };
        config
    };
    let source = world.source_with(config("old"), &store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    let error = source.token().await.unwrap_err();
    assert!(matches!(
        error,
        Error::LoginRequired {
            reason: LoginReason::ClientRefused(_),
            ..
        }
    ));
    assert_eq!(error.next_step(), Some(NextStep::CheckClient));
    // A corrected secret needs no new login.
    let source = world.source_with(config("new"), &store);
    assert!(source.token().await.unwrap().is_some());
    assert_eq!(world.seen(Leg::Token)[1].form("client_secret"), ["new"]);
}

#[tokio::test]
async fn no_error_shows_a_secret_err_11() {
    let bodies = [
        (400, r#"{"error":"invalid_grant","error_description":"no"}"#),
        (500, "<html>down</html>"),
        // Servers that repeat what they were sent.
        (
            400,
            r#"{"error":"invalid_grant","error_description":"refresh-2 is unknown"}"#,
        ),
        (500, "<pre>refresh_token=refresh-2</pre>"),
        (
            200,
            r#"{"access_token":"sentinel access","token_type":"Bearer"}"#,
        ),
        (418, ""),
    ];
    for (status, body) in bodies {
        let world = World::new();
        let (source, error) = refused(&world, &Store::memory(), status, body).await;
        let grant = source.grant().await.unwrap().unwrap().value;
        let mut text = format!("{error:?} {source:?} {grant:?}");
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        for secret in ["access-", "refresh-", "sentinel", "code-"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_no_end_while_the_store_cannot_say_whether_the_token_was_replaced_ref_07() {
    let world = World::new();
    let backend = Fickle::default();
    let source = world.source(&Store::new(backend.clone()));
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    let failing = backend.clone();
    world.set().before_token_answer = Some(Arc::new(Box::new(move || {
        failing.fail_loads(true);
        Box::pin(async {})
    })));
    let error = source.token().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert!(!error.needs_login());
    backend.fail_loads(false);
    world.set().before_token_answer = None;
    // Nobody asks at once.
    assert!(source.token().await.is_err());
    assert_eq!(world.seen(Leg::Token).len(), 1);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert!(grant.refresh_token.is_some() && grant.last_error.is_none());
    world.clock().advance(60);
    assert!(source.token().await.unwrap().is_some());
}

#[tokio::test]
async fn only_an_answer_that_the_server_gave_itself_says_that_no_token_was_lost_ref_08() {
    for (status, is_open) in [
        (200, false),
        (400, false),
        (429, false),
        (503, false),
        (500, true),
        (502, true),
        (504, true),
    ] {
        let world = World::new();
        let body = r#"{"error":"temporarily_unavailable"}"#;
        let (source, _) = refused(&world, &Store::memory(), status, body).await;
        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.refresh_started_at.is_some(), is_open, "{status}");
    }
}
