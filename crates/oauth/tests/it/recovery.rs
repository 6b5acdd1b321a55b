//! What a 401 leads to (CH-01 to CH-05, REF-06, REF-11, WWW-13).

use std::sync::Arc;

use doorkey_discovery::ConfiguredServer;
use doorkey_http::Leg;
use doorkey_oauth::{
    AccessToken, Challenges, ClientChoice, Deny, Error, Issuer, LoginReason, NextStep, TokenSource,
};
use doorkey_store::{Proof, Store};
use secrecy::SecretString;
use serde_json::json;

use crate::browser::Browser;
use crate::world::{ISSUER, World, server};

fn challenges() -> Challenges {
    Challenges::parse([r#"Bearer error="invalid_token", scope="files:read""#])
}

fn reason(error: &Error) -> Option<&LoginReason> {
    match error {
        Error::LoginRequired { reason, .. } => Some(reason),
        _ => None,
    }
}

async fn accepted(world: &World, store: &Store) -> (TokenSource, AccessToken) {
    let source = world.source(store);
    world.signed_in(&source).await;
    let token = in_use(&source).await;
    (source, token)
}

async fn in_use(source: &TokenSource) -> AccessToken {
    let token = source.token().await.unwrap().unwrap();
    source.accepted(&token);
    token
}

#[tokio::test]
async fn without_a_token_sent_invalid_token_means_login_needed_www_13() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let error = source.rejected(None, &challenges()).await.unwrap_err();
    assert_eq!(reason(&error), Some(&LoginReason::NoGrant));
    assert!(error.needs_login());
    assert_eq!(
        error.challenges().and_then(Challenges::scope),
        challenges().scope()
    );
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_token_that_is_no_longer_current_is_answered_with_the_current_one() {
    let world = World::new();
    let (source, old) = accepted(&world, &Store::memory()).await;
    world.clock().advance(3600);
    let current = source.token().await.unwrap().unwrap();
    world.start_over();
    assert_eq!(
        source.rejected(Some(&old), &challenges()).await.unwrap(),
        current
    );
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn past_its_expiry_it_is_refreshed_without_discovery_ref_06() {
    let world = World::new();
    let (source, sent) = accepted(&world, &Store::memory()).await;
    world.clock().advance(3600);
    let token = source.rejected(Some(&sent), &challenges()).await.unwrap();
    assert_ne!(token, sent);
    assert_eq!(world.legs(), [Leg::Token]);
}

#[tokio::test]
async fn unexpired_yet_rejected_asks_the_resource_once_and_refreshes_ref_06() {
    let world = World::new();
    let (source, sent) = accepted(&world, &Store::memory()).await;
    let token = source.rejected(Some(&sent), &challenges()).await.unwrap();
    assert_ne!(token, sent);
    assert_eq!(world.legs(), [Leg::ResourceMetadata, Leg::Token]);
}

#[tokio::test]
async fn metadata_that_cannot_be_had_does_not_keep_from_refreshing_ref_06() {
    for (status, body) in [
        (404, ""),
        (403, "<html>Forbidden</html>"),
        (200, "<html>Home</html>"),
        (200, r#"{"resource":"https://mcp"#),
        (429, ""),
        (500, ""),
        (418, ""),
    ] {
        let world = World::new();
        let (source, sent) = accepted(&world, &Store::memory()).await;
        for _ in 0..2 {
            world.script(Leg::ResourceMetadata, status, body);
        }
        assert!(
            source.rejected(Some(&sent), &challenges()).await.is_ok(),
            "{status} {body}"
        );
        assert_eq!(world.seen(Leg::Token).len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn a_resource_that_moved_to_another_issuer_or_identifier_needs_a_login_ref_06_ref_05() {
    for (issuer, resource, expected) in [
        (
            "https://new.example",
            "https://mcp.example/mcp",
            LoginReason::IssuerChanged,
        ),
        (
            "https://as.example",
            "https://mcp.example",
            LoginReason::ResourceChanged,
        ),
    ] {
        let world = World::new();
        let (source, sent) = accepted(&world, &Store::memory()).await;
        world.set().issuers = vec![issuer.to_owned()];
        world.set().resource = resource.to_owned();
        for _ in 0..3 {
            let error = source
                .rejected(Some(&sent), &challenges())
                .await
                .unwrap_err();
            assert_eq!(reason(&error), Some(&expected));
        }
        assert_eq!(world.legs(), [Leg::ResourceMetadata]);
    }
}

#[tokio::test]
async fn what_counts_is_who_the_resource_names_and_not_the_name_that_is_published_ref_06_as_07() {
    let world = World::new();
    world.set().metadata["issuer"] = json!("https://login.example");
    let mut config = world.config();
    config.discovery.trusted_issuer = Some(Issuer::new("https://login.example"));
    let store = Store::memory();
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    let sent = in_use(&source).await;
    let renewed = source.rejected(Some(&sent), &challenges()).await.unwrap();
    source.accepted(&renewed);
    world.start_over();

    world.set().issuers = vec![String::from("https://login.example")];
    let error = source
        .rejected(Some(&renewed), &challenges())
        .await
        .unwrap_err();
    assert_eq!(reason(&error), Some(&LoginReason::IssuerChanged));
    assert_eq!(world.legs(), [Leg::ResourceMetadata]);
}

#[tokio::test]
async fn a_resource_that_names_nobody_leaves_it_to_the_configuration_ref_06() {
    let world = World::new();
    world.set().issuers = Vec::new();
    let mut config = world.config();
    let issuer = Issuer::new(ISSUER);
    config.discovery.authorization_server = Some(ConfiguredServer::Issuer(issuer));
    let source = world.source_with(config, &Store::memory());
    world.signed_in(&source).await;
    let sent = in_use(&source).await;
    let renewed = source.rejected(Some(&sent), &challenges()).await.unwrap();
    assert_ne!(renewed, sent);
    assert_eq!(world.legs(), [Leg::ResourceMetadata, Leg::Token]);
}

#[tokio::test]
async fn a_fresh_token_that_is_rejected_is_not_refreshed_again_ref_11() {
    let world = World::new();
    let store = Store::memory();
    let (source, sent) = accepted(&world, &store).await;
    let fresh = source.rejected(Some(&sent), &challenges()).await.unwrap();
    world.start_over();
    for _ in 0..3 {
        let error = source
            .rejected(Some(&fresh), &challenges())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::TokenRejectedByResource { .. }));
        assert_eq!(error.next_step(), Some(NextStep::CheckResource));
    }
    // It is not sent again either, neither here nor twice by the next process (CH-05).
    assert!(matches!(
        source.token().await,
        Err(Error::TokenRejectedByResource { .. })
    ));
    assert_eq!(
        source.grant().await.unwrap().unwrap().value.proof,
        Proof::Rejected
    );
    let next = world.source(&store);
    let sent = next.token().await.unwrap().unwrap();
    let error = next.rejected(Some(&sent), &challenges()).await.unwrap_err();
    assert!(matches!(error, Error::TokenRejectedByResource { .. }));
    assert!(world.all().is_empty());
    // A new login mends it, and so does the next token after expiry.
    world.signed_in(&next).await;
    assert!(source.token().await.unwrap().is_some());
}

#[tokio::test]
async fn after_its_expiry_a_rejected_token_gives_way_to_a_new_one() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    let error = source
        .rejected(Some(&sent), &challenges())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TokenRejectedByResource { .. }));
    world.clock().advance(3600);
    assert_ne!(source.token().await.unwrap().unwrap(), sent);
}

#[tokio::test]
async fn an_accepted_token_without_refresh_token_needs_a_login_when_it_is_rejected() {
    let world = World::new();
    world.set().issues_refresh_tokens = false;
    let (source, sent) = accepted(&world, &Store::memory()).await;
    let error = source
        .rejected(Some(&sent), &challenges())
        .await
        .unwrap_err();
    assert_eq!(reason(&error), Some(&LoginReason::RefreshTokenMissing));
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_login_in_another_process_is_taken_over() {
    let world = World::new();
    let store = Store::memory();
    let (source, sent) = accepted(&world, &store).await;
    let other = world.source(&store);
    world.signed_in(&other).await;
    let token = source.rejected(Some(&sent), &challenges()).await.unwrap();
    assert_eq!(Some(token), other.token().await.unwrap());
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn where_a_person_may_be_asked_a_rejection_leads_to_a_login_ch_01() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    let token = source.rejected(None, &challenges()).await.unwrap();
    assert_eq!(source.token().await.unwrap(), Some(token.clone()));
    assert_eq!(browser.prompts().len(), 1);
    // A token straight from a login that is refused is not asked for again.
    let error = source
        .rejected(Some(&token), &challenges())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TokenRejectedByResource { .. }));
    assert_eq!(browser.prompts().len(), 1);
}

#[tokio::test]
async fn a_policy_that_denies_turns_into_login_required_law_11() {
    let world = World::new();
    let source = world.interactive(&Store::memory(), Deny);
    let error = source.rejected(None, &challenges()).await.unwrap_err();
    assert_eq!(reason(&error), Some(&LoginReason::NoGrant));
}

#[tokio::test]
async fn a_refresh_never_opens_a_browser_law_11() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    source
        .login(&Challenges::default(), Arc::new(browser.clone()))
        .await
        .unwrap();
    world.clock().advance(3600);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    assert!(source.token().await.unwrap_err().needs_login());
    assert_eq!(browser.prompts().len(), 1);
}

#[tokio::test]
async fn a_configured_bearer_is_reported_and_never_replaced_use_09() {
    let source = TokenSource::fixed(server(), SecretString::from("from|config"));
    let token = source.token().await.unwrap().unwrap();
    assert_eq!(token.header_value().unwrap(), "Bearer from|config");
    let error = source
        .rejected(Some(&token), &challenges())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BearerRejected { .. }));
    assert_eq!(error.next_step(), Some(NextStep::CheckBearer));
    assert!(!format!("{source:?} {token:?} {error:?}").contains("from|config"));
    assert!(source.login(&challenges(), Arc::new(Deny)).await.is_err());
    assert!(source.config().is_none() && source.grant().await.unwrap().is_none());
}

/// What processes that follow one another say, each with the stored token in hand.
async fn process_after_process(world: &World, store: &Store, count: usize) -> Vec<Error> {
    let mut errors = Vec::new();
    for _ in 0..count {
        let source = world.source(store);
        let sent = source.token().await.unwrap().unwrap();
        let error = source.rejected(Some(&sent), &challenges()).await;
        errors.push(error.unwrap_err());
        // In the same process it is not sent again.
        assert!(source.token().await.is_err());
    }
    errors
}

#[tokio::test]
async fn a_revoked_grant_needs_a_login_in_every_later_process_ref_07_ch_05() {
    let refused = [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"revoked"}"#,
            "the refresh was refused (invalid_grant)",
        ),
        (
            400,
            r#"{"error":"invalid_target"}"#,
            "the refresh was refused (invalid_target)",
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            "the client registration is gone (invalid_client)",
        ),
    ];
    for (status, body, expected) in refused {
        let world = World::new();
        let store = Store::memory();
        let (source, _) = accepted(&world, &store).await;
        source.record_proof(Proof::Accepted, None).await.unwrap();
        world.script(Leg::Token, status, body);
        let errors = process_after_process(&world, &store, 4).await;
        let first = reason(&errors[0]).cloned();
        assert_eq!(first.as_ref().unwrap().to_string(), expected);
        for error in &errors {
            assert_eq!(reason(error).cloned(), first, "{body}");
            assert!(error.needs_login(), "{error:?}");
            assert_eq!(error.next_step(), Some(NextStep::Login));
        }
        // One attempt to refresh, however many processes came after it.
        assert_eq!(world.legs(), [Leg::ResourceMetadata, Leg::Token], "{body}");
        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.proof, Proof::Rejected);
        assert!(grant.access_token.is_some());

        let next = world.source(&store);
        world.signed_in(&next).await;
        let grant = next.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.proof, Proof::Unproven);
        world.clock().advance(3600);
        assert!(world.source(&store).token().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn what_a_rejection_led_to_is_the_same_in_every_later_process_ch_05() {
    for (refreshable, issuer, expected) in [
        (
            false,
            "https://as.example",
            LoginReason::RefreshTokenMissing,
        ),
        (true, "https://new.example", LoginReason::IssuerChanged),
    ] {
        let world = World::new();
        world.set().issues_refresh_tokens = refreshable;
        let store = Store::memory();
        accepted(&world, &store).await;
        world.set().issuers = vec![issuer.to_owned()];
        for error in process_after_process(&world, &store, 4).await {
            assert_eq!(reason(&error), Some(&expected));
        }
        assert!(world.seen(Leg::ResourceMetadata).len() <= 1);
        assert!(world.seen(Leg::Token).is_empty());
        world.clock().advance(3600);
        let error = world.source(&store).token().await.unwrap_err();
        assert_eq!(reason(&error), Some(&expected), "also past the expiry");
    }
}

#[tokio::test]
async fn a_token_that_is_taken_after_all_is_refreshed_again() {
    let world = World::new();
    let store = Store::memory();
    accepted(&world, &store).await;
    world.set().issuers = vec![String::from("https://new.example")];
    process_after_process(&world, &store, 2).await;
    let source = world.source(&store);
    source.token().await.unwrap().unwrap();
    source.record_proof(Proof::Accepted, None).await.unwrap();
    world.clock().advance(3600);
    assert!(source.token().await.unwrap().is_some());
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_configured_client_that_is_corrected_works_without_a_login() {
    let world = World::new();
    let store = Store::memory();
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: Some(SecretString::from("wrong")),
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    let source = world.source_with(config.clone(), &store);
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    source.accepted(&sent);
    for _ in 0..2 {
        world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    }
    for _ in 0..2 {
        let error = source.rejected(Some(&sent), &challenges()).await;
        assert_eq!(error.unwrap_err().next_step(), Some(NextStep::CheckClient));
    }
    let next = world.source_with(config, &store);
    assert!(next.rejected(Some(&sent), &challenges()).await.is_ok());
}
