//! Logins that fail: how early, with which error, and what stays.

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{
    CallbackVerdict, Challenges, ClientChoice, Deny, Error, InteractionError, Issuer, NextStep,
};
use doorkey_store::Store;
use secrecy::SecretString;
use serde_json::json;

use crate::browser::{Act, Browser};
use crate::world::{ISSUER, LIMIT, World};

type Check = fn(&Error) -> bool;

async fn failed(world: &World, browser: &Arc<Browser>) -> Error {
    world
        .source(&Store::memory())
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn metadata_that_rules_the_flow_out_does_so_before_a_browser_opens_as_16_as_20_as_22() {
    let cases = [
        ("code_challenge_methods_supported", json!(null), "PKCE"),
        ("code_challenge_methods_supported", json!(["plain"]), "PKCE"),
        (
            "require_pushed_authorization_requests",
            json!(true),
            "pushed_authorization_request_endpoint",
        ),
        (
            "require_signed_request_object",
            json!(true),
            "require_signed_request_object",
        ),
        (
            "response_types_supported",
            json!(["token"]),
            "response_types_supported",
        ),
        (
            "grant_types_supported",
            json!(["client_credentials"]),
            "grant_types_supported",
        ),
        (
            "authorization_endpoint",
            json!(null),
            "authorization_endpoint",
        ),
    ];
    for (member, value, named) in cases {
        let world = World::new();
        world.set().metadata[member] = value;
        let browser = Arc::new(Browser::new(&world));
        let error = failed(&world, &browser).await;
        assert!(error.to_string().contains(named), "{error}");
        assert!(browser.hints().is_empty(), "{member}");
        assert_eq!(world.legs().len(), 2);
    }
}

#[tokio::test]
async fn a_wrong_issuer_in_the_callback_stops_before_the_token_endpoint_rsp_09() {
    let world = World::new();
    let acts = vec![Act::Answer("code=c&state=STATE&iss=https://evil.example")];
    let browser = Arc::new(Browser::acting(&world, acts));
    let error = failed(&world, &browser).await;
    assert!(matches!(error, Error::IssuerMismatch { .. }));
    assert!(world.seen(Leg::Token).is_empty());
    assert!(matches!(
        browser.verdicts()[0],
        CallbackVerdict::Refused { .. }
    ));
}

#[tokio::test]
async fn a_promised_issuer_that_is_missing_stops_too_rsp_05() {
    let world = World::new();
    world.set().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let browser = Arc::new(Browser::new(&world));
    let error = failed(&world, &browser).await;
    assert!(matches!(
        error,
        Error::IssuerMismatch { received: None, .. }
    ));
    assert!(world.seen(Leg::Token).is_empty());
}

#[tokio::test]
async fn a_refusal_leaves_the_grant_that_was_there_tok_21() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let before = source.token().await.unwrap();
    let cases: [(&'static str, Check); 3] = [
        ("error=access_denied&state=STATE", |e| {
            matches!(e, Error::Denied(_))
        }),
        ("error=server_error&state=STATE", Error::is_transient),
        ("code=wrong&state=STATE", |e| {
            matches!(e, Error::TokenEndpoint { .. })
        }),
    ];
    for (answer, is_expected) in cases {
        let browser = Arc::new(Browser::acting(&world, vec![Act::Answer(answer)]));
        let error = source
            .login(&Challenges::default(), browser)
            .await
            .unwrap_err();
        assert!(is_expected(&error), "{answer}: {error:?}");
        assert_eq!(source.token().await.unwrap(), before);
        assert_eq!(world.source(&store).token().await.unwrap(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_in_time_is_an_error_and_a_reused_registration_becomes_suspect_err_13() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let nobody = Arc::new(Browser::acting(
        &world,
        vec![Act::Answer("state=foreign"), Act::Stay],
    ));
    let error = source
        .login(&Challenges::default(), nobody.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::LoginTimedOut { limit } if limit == Duration::from_secs(300)));
    assert_eq!(nobody.open_channels(), 0);
    assert_eq!(error.next_step(), Some(NextStep::Login));
    let report = source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await
        .unwrap();
    assert!(report.registered);
}

#[tokio::test]
async fn a_client_of_another_issuer_is_not_tried_reg_05() {
    let world = World::new();
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: Some(SecretString::from("s")),
        signing_key: None,
        issuer: Some(Issuer::new("https://other.example")),
        auth_method: None,
    };
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::StaticClientIssuer { .. }),
        "{error:?}"
    );
    assert!(browser.prompts().is_empty());
    assert!(world.seen(Leg::Registration).is_empty());
}

#[tokio::test]
async fn a_configured_client_stays_with_the_issuer_it_first_signed_in_at_reg_04() {
    let world = World::new();
    let store = Store::memory();
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: None,
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    world.set().issuers = vec![String::from("https://evil.example")];
    world.set().metadata["issuer"] = json!("https://evil.example");
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::StaticClientIssuer { .. }),
        "{error:?}"
    );
    assert!(browser.prompts().is_empty());
}

/// The resource names another server, whose document claims the name that the user trusts.
fn impersonate(world: &World) {
    world.set().issuers = vec![String::from("https://evil.example")];
    world.set().metadata["token_endpoint"] = json!("https://evil.example/token");
}

#[tokio::test]
async fn who_takes_a_trusted_name_gets_no_configured_client_of_it_reg_04_reg_05_disc_16() {
    for (issuer, signed_in_before) in [(Some(Issuer::new(ISSUER)), false), (None, true)] {
        let world = World::new();
        let store = Store::memory();
        let mut config = world.config();
        config.discovery.trusted_issuer = Some(Issuer::new(ISSUER));
        config.client = ClientChoice::Static {
            client_id: String::from("mine"),
            client_secret: Some(SecretString::from("s")),
            signing_key: None,
            issuer,
            auth_method: None,
        };
        let source = world.source_with(config, &store);
        if signed_in_before {
            world.signed_in(&source).await;
        }
        impersonate(&world);
        let browser = Arc::new(Browser::new(&world));
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        let Error::StaticClientIssuer { discovered, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(discovered.as_str(), "https://evil.example");
        assert!(browser.prompts().is_empty());
        assert!(world.seen(Leg::Token).is_empty());
    }
}

#[tokio::test]
async fn who_takes_a_trusted_name_gets_no_registration_of_it_reg_04_disc_16() {
    let world = World::new();
    world.set().numbers_clients = true;
    let store = Store::memory();
    let mut config = world.config();
    config.discovery.trusted_issuer = Some(Issuer::new(ISSUER));
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    impersonate(&world);
    let report = world.signed_in(&source).await;
    assert!(report.registered);
    assert_eq!(report.issuer.as_str(), "https://evil.example");

    let listing = store.registrations().await.unwrap();
    let kept: Vec<_> = listing
        .entries
        .iter()
        .map(|(key, stored)| (key.issuer.as_str(), stored.value.client_id.as_str()))
        .collect();
    assert_eq!(
        kept,
        [(ISSUER, "client-1"), ("https://evil.example", "client-2")]
    );
    let grants = store.grants().await.unwrap().entries;
    assert_eq!(grants[0].1.value.issuer, "https://evil.example");
}

#[tokio::test]
async fn without_any_way_to_a_client_the_error_says_what_to_configure_reg_02() {
    let world = World::new();
    world.set().metadata["registration_endpoint"] = json!(null);
    let error = failed(&world, &Arc::new(Browser::new(&world))).await;
    assert!(matches!(error, Error::NoClient { .. }));
    assert_eq!(error.next_step(), Some(NextStep::ConfigureClientId));
}

#[tokio::test]
async fn a_server_that_objects_to_scopes_is_asked_without_them_reg_20() {
    let world = World::new();
    world.script(
        Leg::Registration,
        400,
        r#"{"error":"invalid_client_metadata"}"#,
    );
    let source = world.source(&Store::memory());
    source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await
        .unwrap();
    let bodies: Vec<_> = world
        .seen(Leg::Registration)
        .iter()
        .map(|seen| seen.body.windows(7).any(|part| part == b"\"scope\""))
        .collect();
    assert_eq!(bodies, [true, false]);
}

#[tokio::test]
async fn a_denied_interaction_is_told_apart_from_a_failure() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let error = source
        .login(&Challenges::default(), Arc::new(Deny))
        .await
        .unwrap_err();
    let Error::Interaction(cause) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(&*cause, InteractionError::Denied));
}

#[tokio::test]
async fn a_login_that_everybody_left_closes_its_listener() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::acting(&world, vec![Act::Stay]));
    let waiting = {
        let (source, browser) = (source.clone(), browser.clone());
        tokio::spawn(async move { source.login(&Challenges::default(), browser).await })
    };
    tokio::time::timeout(LIMIT, async {
        while browser.prompts().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    waiting.abort();
    source.drain(LIMIT).await.unwrap();
    assert_eq!(browser.open_channels(), 0);
}

#[tokio::test]
async fn callers_that_come_together_share_one_login_az_22() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let challenges = Challenges::default();
    let logins = (0..8).map(|_| source.login(&challenges, browser.clone()));
    let reports = futures_util::future::join_all(logins).await;
    assert!(reports.iter().all(Result::is_ok));
    assert_eq!(browser.prompts().len(), 1);
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_named() {
    let world = World::new();
    let mut config = world.config();
    config.extra_authorize_params = vec![(String::from("resource"), String::from("x"))];
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser)
        .await
        .unwrap_err();
    assert_eq!(
        error.next_step(),
        Some(NextStep::CheckSetting("extra_authorize_params"))
    );
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn scopes_without_end_are_refused_before_a_page_opens_sec_12() {
    let world = World::new();
    // A challenge of 15 KiB on top of what the metadata lists.
    let scope = |n: usize| format!("scope-{n:03}-{}", "x".repeat(50));
    let challenged: Vec<_> = (0..240).map(scope).collect();
    let challenge = format!("Bearer scope=\"{}\"", challenged.join(" "));
    let challenges = Challenges::parse([challenge.as_str()]);
    assert!(challenges.scope().is_some_and(|scopes| scopes.len() == 240));
    let mut config = world.config();
    config.scopes = (240..400).map(scope).collect();
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let error = source.login(&challenges, browser).await.unwrap_err();
    assert!(matches!(error, Error::TooManyScopes { .. }), "{error}");
    assert!(
        error.to_string().contains("longer than 16384 bytes"),
        "{error}"
    );
    assert_eq!(
        world.legs(),
        [Leg::ResourceMetadata, Leg::AuthorizationServerMetadata]
    );
}
