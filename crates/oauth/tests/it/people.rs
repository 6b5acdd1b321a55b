//! Who is to sign in, who did, and that nobody's calls run as another's (ST-11, USE-12).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorkey_http::Leg;
use doorkey_oauth::{AuthorizationConfig, Challenges, NextStep, TokenSource};
use doorkey_store::Store;
use serde_json::json;

use crate::browser::Browser;
use crate::world::World;

/// An answer of the token endpoint that says who signed in.
fn answer(number: u32, claims: &serde_json::Value) -> &'static str {
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let answer = json!({
        "access_token": format!("access-of-{number}"), "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": format!("refresh-of-{number}"), "id_token": format!("e30.{payload}.c2ln"),
    });
    // The script of a test world wants text that lives as long as the program.
    Box::leak(answer.to_string().into_boxed_str())
}

fn account(world: &World, name: &str) -> AuthorizationConfig {
    let mut config = world.config();
    config.account = name.to_owned();
    config.login_hint = Some(format!("{name}@example.org"));
    config
}

async fn login(world: &World, source: &TokenSource) -> (doorkey_oauth::LoginReport, Browser) {
    let browser = Browser::new(world);
    let there = Arc::new(browser.clone());
    let report = source.login(&Challenges::default(), there).await.unwrap();
    (report, browser)
}

#[tokio::test]
async fn two_accounts_of_one_server_stay_apart_and_each_is_hinted_at_st_11() {
    let world = World::new();
    let store = Store::memory();
    let mut bearers = Vec::new();
    for (number, name) in [(1, "ada"), (2, "bob")] {
        let claims = json!({
            "iss": crate::world::ISSUER, "aud": "client-1", "sub": name, "email": format!("{name}@example.org"),
        });
        world.script(Leg::Token, 200, answer(number, &claims));
        let source = world.source_with(account(&world, name), &store);
        let (report, browser) = login(&world, &source).await;
        assert_eq!(
            browser.asked("login_hint"),
            [[format!("{name}@example.org")]]
        );
        assert_eq!(report.account_label, Some(format!("{name}@example.org")));
        assert_eq!(report.subject.as_deref(), Some(name));
        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(
            (grant.account_label, grant.subject),
            (report.account_label, report.subject)
        );
        assert!(grant.id_token.is_none(), "the token itself is kept nowhere");
    }
    for name in ["ada", "bob"] {
        // Another process, with nothing but the store.
        let source = world.source_with(account(&world, name), &store);
        let token = source.token().await.unwrap().unwrap();
        bearers.push(token.header_value().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(bearers, ["Bearer access-of-1", "Bearer access-of-2"]);
    assert!(
        world.source(&store).token().await.unwrap().is_none(),
        "the default is a third"
    );

    // A refresh of one is none of the other.
    let spent = |world: &World| world.seen(Leg::Token).pop().unwrap().form("refresh_token");
    world.clock().advance(3600);
    world.script(
        Leg::Token,
        200,
        r#"{"access_token":"ada-2","token_type":"Bearer"}"#,
    );
    let ada = world.source_with(account(&world, "ada"), &store);
    ada.token().await.unwrap().unwrap();
    assert_eq!(spent(&world), ["refresh-of-1"]);
    let grant = ada.grant().await.unwrap().unwrap().value;
    assert_eq!(
        grant.subject.as_deref(),
        Some("ada"),
        "a refresh changes nobody"
    );
    let bob = world.source_with(account(&world, "bob"), &store);
    let grant = bob.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.subject.as_deref(), Some("bob"));
    assert!(grant.recent_refreshes.is_empty());
}

#[tokio::test]
async fn an_identity_that_is_not_of_this_issuer_and_client_names_nobody() {
    for (issuer, audience) in [
        ("https://evil.example", "client-1"),
        (crate::world::ISSUER, "client-2"),
    ] {
        let world = World::new();
        let claims =
            json!({"iss": issuer, "aud": audience, "sub": "7", "email": "mallory@evil.example"});
        world.script(Leg::Token, 200, answer(1, &claims));
        let (report, _) = login(&world, &world.source(&Store::memory())).await;
        assert_eq!((report.account_label, report.subject), (None, None));
    }
}

#[tokio::test]
async fn a_hint_is_said_once_or_the_configuration_is_wrong() {
    let world = World::new();
    let mut config = account(&world, "ada");
    config.extra_authorize_params = vec![("login_hint".to_owned(), "bob".to_owned())];
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let error = source.login(&Challenges::default(), browser).await;
    let step = NextStep::CheckSetting("extra_authorize_params");
    assert_eq!(error.unwrap_err().next_step(), Some(step));
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn another_person_in_the_browser_changes_the_epoch_and_the_same_one_does_not_use_12() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let mut epochs = Vec::new();
    for (number, name) in [(1, "ada"), (2, "ada"), (3, "bob")] {
        let claims = json!({"iss": crate::world::ISSUER, "aud": "client-1", "sub": name});
        world.script(Leg::Token, 200, answer(number, &claims));
        login(&world, &source).await;
        epochs.push(source.identity_epoch());
    }
    assert_eq!(epochs, [0, 0, 1]);
}
