//! A login that one process starts and another one finishes (AZ-14, RSP-02 to RSP-16).

use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{
    Challenges, Error, Flow, InvalidResponse, LogoutOptions, NextStep, StartedLogin, StepOutcome,
    TokenSource,
};
use doorkey_store::Store;
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;

use crate::browser::{Browser, values};
use crate::world::World;

async fn start(source: &TokenSource) -> StartedLogin {
    let nothing = Challenges::default();
    source.start_login(&nothing, None).await.unwrap()
}

/// The address at which the browser of a willing person ends.
fn approved(world: &World, started: &StartedLogin) -> String {
    let query = world.approve(&started.url);
    format!("{}?{query}", started.redirect_uri)
}

fn invalid(error: &Error) -> InvalidResponse {
    let why = match error {
        Error::InvalidAuthorizationResponse(why) => Ok(*why),
        other => Err(other),
    };
    why.unwrap()
}

#[tokio::test]
async fn a_login_is_started_in_one_process_and_finished_in_another_rsp_16() {
    let world = World::new();
    let store = Store::memory();
    let started = start(&world.source(&store)).await;
    assert_eq!(values(&started.url, "code_challenge_method"), ["S256"]);
    assert_eq!(values(&started.url, "resource"), [crate::world::SERVER]);
    assert_eq!(
        values(&started.url, "redirect_uri"),
        [started.redirect_uri.as_str()]
    );
    assert!(!started.replaced && started.scopes.to_string() == "files:read");
    let port = url::Url::parse(&started.redirect_uri)
        .unwrap()
        .port()
        .unwrap();
    assert!(port >= 0xc000, "{port}");

    // Nothing is left in memory: another source knows of it, and finishes it.
    let later = world.source(&store);
    let pending = later.pending_login().await.unwrap().unwrap();
    assert_eq!(pending.redirect_uri, started.redirect_uri);
    assert_eq!(pending.expires_at, started.expires_at);
    world.start_over();
    let report = later
        .finish_login(&approved(&world, &started))
        .await
        .unwrap();
    assert!(report.registered && report.refreshable && !report.adopted);
    assert_eq!(world.legs(), [Leg::Token], "no discovery, no registration");
    let request = world.seen(Leg::Token).remove(0);
    assert_eq!(request.form("resource"), [crate::world::SERVER]);
    assert_eq!(
        request.form("redirect_uri"),
        [started.redirect_uri.as_str()]
    );
    assert_eq!(request.form("code_verifier").len(), 1);

    let grant = later.grant().await.unwrap().unwrap().value;
    assert!(grant.dynamic_registration && grant.login_id.is_some());
    assert_eq!(grant.issuer, crate::world::ISSUER);
    assert!(later.token().await.unwrap().is_some());
    assert!(later.pending_login().await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_is_used_once_however_many_bring_it_rsp_11() {
    let world = World::new();
    let store = Store::memory();
    let started = start(&world.source(&store)).await;
    let callback = approved(&world, &started);
    world.set().token_delay = Duration::from_millis(20);
    world.start_over();
    let sources: Vec<_> = (0..8).map(|_| world.source(&store)).collect();
    let outcomes = join_all(sources.iter().map(|source| source.finish_login(&callback))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(world.seen(Leg::Token).len(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::NoPendingLogin), "{error:?}");
        assert_eq!(error.next_step(), Some(NextStep::StartLogin));
        assert!(!error.is_transient() && !error.needs_login());
    }
}

#[tokio::test]
async fn a_wrong_paste_says_what_is_wrong_and_leaves_the_login_waiting_rsp_02() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let started = start(&source).await;
    let right = approved(&world, &started);
    let state = values(&started.url, "state").concat();
    let at = |query: &str| format!("{}?{query}", started.redirect_uri);
    for (pasted, why) in [
        (String::new(), InvalidResponse::NotTheAddress),
        ("yes".to_owned(), InvalidResponse::NotTheAddress),
        (started.redirect_uri.clone(), InvalidResponse::NotTheAddress),
        (started.url.to_string(), InvalidResponse::NotTheAddress),
        (
            format!("http://127.0.0.1:1/callback?code=a&state={state}"),
            InvalidResponse::NotTheAddress,
        ),
        (at("code=a"), InvalidResponse::NoState),
        (
            at(&format!("code=a&state={state}&state=x")),
            InvalidResponse::NoState,
        ),
        (at("code=a&state=other"), InvalidResponse::OtherState),
        (at(&format!("state={state}")), InvalidResponse::Neither),
        (
            at(&format!("code=a&error=b&state={state}")),
            InvalidResponse::CodeAndError,
        ),
    ] {
        let error = source.finish_login(&pasted).await.unwrap_err();
        assert_eq!(invalid(&error), why, "{pasted}");
    }
    let error = source.finish_login("state=other&code=a").await.unwrap_err();
    assert_eq!(error.next_step(), Some(NextStep::PasteAgain));
    // With the right state and of another issuer: a mix-up, and nothing of ours is spent on it.
    let foreign = at(&format!("code=a&state={state}&iss=https://evil.example"));
    let error = source.finish_login(&foreign).await.unwrap_err();
    assert!(matches!(error, Error::IssuerMismatch { .. }));
    assert!(world.seen(Leg::Token).is_empty());

    source
        .finish_login(&format!("  {right}#x \n"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refusal_of_the_server_ends_the_login_and_leaves_the_grant_tok_21() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let before = source.grant().await.unwrap().unwrap();
    let started = start(&source).await;
    let state = values(&started.url, "state").concat();
    let error = source
        .finish_login(&format!("?error=access_denied&state={state}"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)));
    assert!(source.pending_login().await.unwrap().is_none());
    let after = source.grant().await.unwrap().unwrap();
    assert_eq!(after.generation, before.generation);
}

#[tokio::test]
async fn an_answer_that_comes_after_ten_minutes_is_refused_and_the_login_removed_rsp_11() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    let started = start(&source).await;
    let callback = approved(&world, &started);
    world.clock().advance(600);
    assert!(source.pending_login().await.unwrap().is_some());
    world.clock().advance(1);
    // Whatever is pasted: it cannot be finished.
    let error = source.finish_login("yes").await.unwrap_err();
    assert_eq!(invalid(&error), InvalidResponse::Expired);
    assert_eq!(error.next_step(), Some(NextStep::StartLogin));
    let stored = store.login(&world.config().grant_key()).await.unwrap();
    assert!(stored.unwrap().value.pending.is_none());
    let error = source.finish_login(&callback).await.unwrap_err();
    assert!(matches!(error, Error::NoPendingLogin));
    assert!(world.seen(Leg::Token).is_empty());
}

#[tokio::test]
async fn a_second_start_replaces_the_first_and_says_so() {
    let world = World::new();
    let store = Store::memory();
    let first = start(&world.source(&store)).await;
    let source = world.source(&store);
    let second = start(&source).await;
    assert!(second.replaced);
    assert_eq!(world.seen(Leg::Registration).len(), 1, "the same client");
    assert_eq!(
        first.redirect_uri, second.redirect_uri,
        "as it is registered"
    );
    let error = source
        .finish_login(&approved(&world, &first))
        .await
        .unwrap_err();
    assert_eq!(invalid(&error), InvalidResponse::OtherState);
    source
        .finish_login(&approved(&world, &second))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_completed_login_and_a_logout_discard_one_that_was_started() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    start(&source).await;
    world.signed_in(&source).await;
    assert!(source.pending_login().await.unwrap().is_none());

    start(&source).await;
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.removed_local, StepOutcome::Done));
    let key = world.config().grant_key();
    assert!(store.login(&key).await.unwrap().is_none(), "no trace");
    // Also when nobody was signed in.
    start(&source).await;
    source.logout(LogoutOptions::default()).await.unwrap();
    assert!(store.login(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn accounts_start_and_finish_logins_of_their_own_st_11() {
    let world = World::new();
    let store = Store::memory();
    let account = |name: &str| {
        let mut config = world.config();
        config.account = name.to_owned();
        world.source_with(config, &store)
    };
    let (work, home) = (account("work"), account("home"));
    let started = start(&work).await;
    assert!(home.pending_login().await.unwrap().is_none());
    let callback = approved(&world, &started);
    let error = home.finish_login(&callback).await.unwrap_err();
    assert!(matches!(error, Error::NoPendingLogin));
    work.finish_login(&callback).await.unwrap();
    assert!(work.token().await.unwrap().is_some());
    assert!(home.token().await.unwrap().is_none());
}

#[tokio::test]
async fn only_the_flow_of_a_browser_is_started_and_finished_apart() {
    let world = World::new();
    let mut config = world.config();
    config.flow = Flow::Device;
    let source = world.source_with(config, &Store::memory());
    let started = source.start_login(&Challenges::default(), None).await;
    for error in [
        started.unwrap_err(),
        source.finish_login("code=a&state=b").await.unwrap_err(),
    ] {
        assert_eq!(error.next_step(), Some(NextStep::CheckSetting("flow")));
    }
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_given_redirect_uri_is_used_as_it_is_and_a_wrong_one_refused_az_15() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let nothing = Challenges::default();
    let own = "https://host.example/back".to_owned();
    let started = source
        .start_login(&nothing, Some(own.clone()))
        .await
        .unwrap();
    assert_eq!(values(&started.url, "redirect_uri"), [own]);
    let wrong = Some("http://host.example/back".to_owned());
    let error = source.start_login(&nothing, wrong).await.unwrap_err();
    assert!(matches!(error, Error::RedirectUri(_)));
}

#[tokio::test]
async fn a_client_that_is_gone_by_the_time_of_the_code_is_registered_anew_next_time_reg_23() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    let started = start(&source).await;
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    let callback = approved(&world, &started);
    let error = source.finish_login(&callback).await.unwrap_err();
    assert!(matches!(error, Error::TokenEndpoint { .. }));
    assert!(store.registrations().await.unwrap().entries.is_empty());
    start(&source).await;
    assert_eq!(world.seen(Leg::Registration).len(), 2);
}

#[tokio::test]
async fn what_is_kept_of_a_started_login_is_shown_nowhere() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    let started = start(&source).await;
    let stored = store.login(&world.config().grant_key()).await.unwrap();
    let pending = stored.as_ref().unwrap().value.pending.as_ref().unwrap();
    let shown = format!("{started:?} {stored:?} {:?}", source.pending_login().await);
    for secret in [&pending.state, &pending.verifier] {
        assert!(!shown.contains(secret.expose_secret()), "{shown}");
    }
    assert!(started.url.as_str().contains(pending.state.expose_secret()));
    let browser = Browser::new(&world);
    assert!(browser.prompts().is_empty());
}

#[tokio::test]
async fn a_started_login_that_expired_or_is_of_the_future_is_removed_when_it_is_seen_rsp_11() {
    let world = World::new();
    let store = Store::memory();
    let key = world.config().grant_key();
    let source = world.source(&store);
    let removed = async || {
        assert!(source.pending_login().await.unwrap().is_none());
        let stored = store.login(&key).await.unwrap();
        assert!(stored.unwrap().value.pending.is_none());
    };
    start(&source).await;
    world.clock().advance(601);
    removed().await;
    start(&source).await;
    world.clock().set_back(60);
    assert!(source.pending_login().await.unwrap().is_some(), "a little");
    world.clock().set_back(1);
    removed().await;

    let started = start(&source).await;
    world.clock().set_back(3600);
    let callback = approved(&world, &started);
    let error = source.finish_login(&callback).await.unwrap_err();
    assert_eq!(invalid(&error), InvalidResponse::Expired);
    assert!(world.seen(Leg::Token).is_empty());
}

#[tokio::test(start_paused = true)]
async fn half_a_login_is_neither_begun_nor_finished_while_another_is_under_way_az_22() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    let callback = approved(&world, &start(&source).await);
    world.start_over();
    let key = world.config().grant_key();
    let lock = store.lock_login(&key, Duration::ZERO).await.unwrap();
    let nothing = Challenges::default();
    for error in [
        source
            .start_login(&nothing, None)
            .await
            .map(drop)
            .unwrap_err(),
        source.finish_login(&callback).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Store(_)), "{error:?}");
        assert!(error.is_transient());
    }
    assert!(world.all().is_empty());
    drop(lock);
    source.finish_login(&callback).await.unwrap();
    assert_eq!(world.legs(), [Leg::Token]);
}

#[tokio::test]
async fn a_started_login_is_not_finished_with_other_settings_st_02() {
    let world = World::new();
    let store = Store::memory();
    let started = start(&world.source(&store)).await;
    let callback = approved(&world, &started);
    let mut config = world.config();
    config.dpop = doorkey_oauth::DpopChoice::Require;
    let source = world.source_with(config, &store);
    let error = source.finish_login(&callback).await.unwrap_err();
    assert_eq!(invalid(&error), InvalidResponse::OtherSettings);
    assert_eq!(error.next_step(), Some(NextStep::StartLogin));
    assert!(world.seen(Leg::Token).is_empty());
    let error = source.finish_login(&callback).await.unwrap_err();
    assert!(matches!(error, Error::NoPendingLogin), "taken away");
}

#[tokio::test]
async fn the_reference_to_a_pushed_request_is_struck_from_the_answer_in_whatever_process_err_11() {
    const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:s3cr3t-Reference-0123456789";
    let world = World::new();
    let store = Store::memory();
    world.set().metadata["pushed_authorization_request_endpoint"] =
        serde_json::json!("https://as.example/par");
    let body = r#"{"request_uri":"urn:ietf:params:oauth:request_uri:s3cr3t-Reference-0123456789","expires_in":60}"#;
    world.script(Leg::PushedAuthorization, 201, body);
    let started = start(&world.source(&store)).await;
    assert_eq!(values(&started.url, "request_uri"), [REFERENCE]);
    let pushed = world.seen(Leg::PushedAuthorization).remove(0);
    let state = pushed.form("state").concat();
    let refusal = format!(
        "{}?error=invalid_request_uri&error_description=no+{REFERENCE}+here&error_uri=https://as.example/{REFERENCE}&state={state}",
        started.redirect_uri
    );
    let error = world
        .source(&store)
        .finish_login(&refusal)
        .await
        .unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("invalid_request_uri"), "{told}");
    assert!(
        !told.contains("s3cr3t") && !told.contains("0123456789"),
        "{told}"
    );
}
