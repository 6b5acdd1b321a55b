//! When a token is refreshed, with what, and when it is left alone.

use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{Error, LoginReason, NextStep, ResourceChoice};
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, McpServer};
use http::HeaderMap;
use secrecy::ExposeSecret as _;

use crate::referee::{Person, Referee, login};
use crate::world::{LIMIT, World};

async fn signed_in(world: &World, store: &Store) -> doorkey_oauth::TokenSource {
    let source = world.source(store);
    world.signed_in(&source).await;
    source
}

#[tokio::test]
async fn a_fresh_token_costs_no_request_and_an_expired_one_costs_one_ref_10() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    let first = source.token().await.unwrap().unwrap();
    world.clock().advance(3600 - 61);
    assert_eq!(source.token().await.unwrap().unwrap(), first);
    assert!(world.all().is_empty());
    world.clock().advance(2);
    let second = source.token().await.unwrap().unwrap();
    assert_ne!(second, first);
    assert_eq!(world.legs(), [Leg::Token]);
    let request = world.seen(Leg::Token).remove(0);
    assert_eq!(request.form("grant_type"), ["refresh_token"]);
    assert_eq!(request.form("refresh_token"), ["refresh-2"]);
    assert!(request.form("scope").is_empty());
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-3");
    assert_eq!(grant.refresh_started_at, None);
    assert_eq!(grant.requested_scopes, ["files:read"]);
}

#[tokio::test]
async fn a_token_of_two_seconds_is_refreshed_once_in_its_life() {
    let world = World::new();
    world.set().lifetime = Some(2);
    let source = signed_in(&world, &Store::memory()).await;
    for _ in 0..5 {
        for _ in 0..10 {
            source.token().await.unwrap().unwrap();
        }
        world.clock().advance(1);
    }
    // Five seconds, a life of two: at most one refresh for each two seconds.
    assert_eq!(world.seen(Leg::Token).len(), 2);
}

#[tokio::test]
async fn a_token_without_expiry_is_used_until_it_is_rejected_tok_15() {
    let world = World::new();
    world.set().lifetime = None;
    let source = signed_in(&world, &Store::memory()).await;
    world.clock().advance(365 * 86_400);
    source.token().await.unwrap().unwrap();
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_refresh_token_that_is_not_rotated_stays_ref_04() {
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    world.script(
        Leg::Token,
        200,
        r#"{"access_token":"next","token_type":"bearer","expires_in":"60"}"#,
    );
    world.clock().advance(3600);
    source.token().await.unwrap().unwrap();
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-2");
    assert_eq!(grant.token_type, "Bearer");
    assert_eq!(grant.expires_at, Some(1_700_003_660));
}

#[tokio::test]
async fn requested_scopes_are_repeated_only_where_configured_ref_03() {
    let world = World::new();
    let mut config = world.config();
    config.scopes_on_refresh = true;
    let source = world.source_with(config, &Store::memory());
    world.signed_in(&source).await;
    world.clock().advance(3600);
    source.token().await.unwrap().unwrap();
    assert_eq!(world.seen(Leg::Token)[0].form("scope"), ["files:read"]);
}

#[tokio::test]
async fn a_spent_token_without_refresh_token_needs_a_login() {
    let world = World::new();
    world.set().issues_refresh_tokens = false;
    let source = signed_in(&world, &Store::memory()).await;
    world.clock().advance(3599);
    assert!(source.token().await.unwrap().is_some());
    world.clock().advance(1);
    let error = source.token().await.unwrap_err();
    assert!(error.needs_login());
    assert!(matches!(
        error,
        Error::LoginRequired {
            reason: LoginReason::RefreshTokenMissing,
            ..
        }
    ));
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn trouble_with_an_early_refresh_is_nobodys_problem_ref_08() {
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    let token = source.token().await.unwrap();
    world.clock().advance(3595);
    world.script(Leg::Token, 503, "");
    for _ in 0..5 {
        assert_eq!(source.token().await.unwrap(), token);
    }
    // The failure is not repeated at once.
    assert_eq!(world.seen(Leg::Token).len(), 1);
    world.clock().advance(2);
    assert_ne!(source.token().await.unwrap(), token);
}

#[tokio::test]
async fn retry_after_is_heeded_and_the_grant_kept_ref_08() {
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "120".parse().unwrap());
    world.script_with(Leg::Token, 429, r#"{"error":"slow_down"}"#, headers);
    world.clock().advance(3600);
    for _ in 0..3 {
        let error = source.token().await.unwrap_err();
        assert!(error.is_transient() && !error.needs_login());
        let after = Some(Duration::from_secs(120));
        assert_eq!(error.next_step(), Some(NextStep::Retry { after }));
        world.clock().advance(39);
    }
    assert_eq!(world.seen(Leg::Token).len(), 1);
    world.clock().advance(10);
    assert!(source.token().await.unwrap().is_some());
}

#[tokio::test]
async fn a_wait_may_be_asked_for_as_a_date_and_by_any_passing_answer_ref_08() {
    // The clock of these tests starts on 14 November 2023 at 22:13:20, and an hour goes by.
    let cases = [
        (503, "", "Tue, 14 Nov 2023 23:15:20 GMT", Some(120)),
        (429, "", "Tue, 14 Nov 2023 23:15:20 GMT", Some(120)),
        (429, r#"{"error":"slow_down"}"#, "120", Some(120)),
        (500, "<html></html>", "120", Some(120)),
        // A date that is past is no wait, and what is no time says nothing.
        (503, "", "Tue, 14 Nov 2023 23:00:00 GMT", Some(0)),
        (503, "", "soon", None),
        (503, "", "-5", None),
    ];
    for (status, body, told, expected) in cases {
        let world = World::new();
        let source = signed_in(&world, &Store::memory()).await;
        world.clock().advance(3600);
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, told.parse().unwrap())]);
        world.script_with(Leg::Token, status, body, headers);
        let error = source.token().await.unwrap_err();
        let after = expected.map(Duration::from_secs);
        assert_eq!(error.next_step(), Some(NextStep::Retry { after }), "{told}");
        assert!(error.is_transient() && !error.needs_login(), "{told}");
        if expected == Some(120) {
            world.clock().advance(119);
            assert!(source.token().await.is_err(), "{status} {told}");
        }
        assert_eq!(world.seen(Leg::Token).len(), 1, "{status} {told}");
        world.clock().advance(1);
        assert!(source.token().await.is_ok(), "{status} {told}");
    }
}

#[tokio::test]
async fn a_refresh_goes_to_the_endpoint_on_record_whatever_is_published_by_then_ref_05() {
    let world = World::new();
    let store = Store::memory();
    signed_in(&world, &store).await;
    world.set().issuers = vec![String::from("https://evil.example")];
    world.set().metadata["issuer"] = serde_json::json!("https://evil.example");
    world.set().metadata["token_endpoint"] = serde_json::json!("https://evil.example/token");
    world.clock().advance(3600);
    // A process that starts now asks nobody where to go.
    world.source(&store).token().await.unwrap().unwrap();
    assert_eq!(world.legs(), [Leg::Token]);
    let request = world.seen(Leg::Token).remove(0);
    assert_eq!(request.url.as_str(), "https://as.example/token");
    assert_eq!(request.form("resource"), [crate::world::SERVER]);
}

#[tokio::test]
async fn an_interrupted_refresh_is_known_for_what_it_was() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    world.clock().advance(3600);
    // The answer with the rotated token is lost on the way; 418 stands for a reset connection.
    world.script(Leg::Token, 418, "");
    assert!(source.token().await.is_err());
    let grant = source.grant().await.unwrap().unwrap().value;
    assert!(grant.refresh_started_at.is_some() && grant.refresh_token.is_some());
    for source in [source, world.source(&store)] {
        world.clock().advance(60);
        world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
        let error = source.token().await.unwrap_err();
        let Error::LoginRequired { reason, .. } = &error else {
            panic!("{error:?}");
        };
        // The process that saw it knows; a later one finds the refusal on record.
        assert!(
            matches!(
                reason,
                LoginReason::RefreshInterrupted(_) | LoginReason::RefreshRefused(_)
            ),
            "{reason:?}"
        );
    }
    assert_eq!(world.seen(Leg::Token).len(), 2);
}

#[tokio::test]
async fn a_later_process_knows_that_a_refresh_was_interrupted() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 418, "");
    assert!(source.token().await.is_err());
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    let error = world.source(&store).token().await.unwrap_err();
    assert!(matches!(
        error,
        Error::LoginRequired {
            reason: LoginReason::RefreshInterrupted(_),
            ..
        }
    ));
}

#[tokio::test]
async fn a_grant_for_another_resource_yields_nothing_st_02() {
    let world = World::new();
    let store = Store::memory();
    signed_in(&world, &store).await;
    for choice in [
        ResourceChoice::Omit,
        ResourceChoice::Value(String::from("urn:x")),
    ] {
        let mut config = world.config();
        config.resource = choice;
        let error = world.source_with(config, &store).token().await.unwrap_err();
        assert!(matches!(
            error,
            Error::LoginRequired {
                reason: LoginReason::ResourceChanged,
                ..
            }
        ));
    }
    // Another account sees nothing of it (ST-11).
    let mut config = world.config();
    config.account = String::from("work");
    assert!(
        world
            .source_with(config, &store)
            .token()
            .await
            .unwrap()
            .is_none()
    );
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_login_in_another_process_ends_the_need_for_one() {
    let world = World::new();
    let store = Store::memory();
    world.set().issues_refresh_tokens = false;
    let source = signed_in(&world, &store).await;
    world.clock().advance(3600);
    assert!(source.token().await.unwrap_err().needs_login());
    world.signed_in(&world.source(&store)).await;
    assert!(source.token().await.unwrap().is_some());
    assert!(world.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_authorization_server_does_not_keep_a_valid_token_waiting() {
    let world = World::new();
    let source = signed_in(&world, &Store::memory()).await;
    let token = source.token().await.unwrap();
    world.clock().advance(3595);
    world.set().token_delay = Duration::from_secs(20);
    let started = tokio::time::Instant::now();
    assert_eq!(source.token().await.unwrap(), token);
    assert!(started.elapsed() < Duration::from_secs(10));
    // The refresh went on and its result is there.
    source.drain(LIMIT * 2).await.unwrap();
    assert_ne!(source.token().await.unwrap(), token);
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[test]
fn without_a_runtime_the_error_says_so() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let logout = source.logout(doorkey_oauth::LogoutOptions::default());
    let mut logout = std::pin::pin!(logout);
    let waker = futures_util::task::noop_waker();
    let mut context = std::task::Context::from_waker(&waker);
    let std::task::Poll::Ready(outcome) = logout.as_mut().poll(&mut context) else {
        panic!("it waits");
    };
    assert!(matches!(outcome, Err(Error::NoRuntime)));
}

#[tokio::test]
async fn the_intent_of_a_refresh_that_never_left_is_cleared() {
    let referee = Referee::with(AuthorizationServer::builder(), McpServer::builder()).await;
    let tokens = referee.source(referee.config());
    login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    referee.advance(Duration::from_secs(3600 + 60));
    referee.auth.stop().await;
    let error = tokens.token().await.unwrap_err();
    assert!(
        error.http().is_some_and(doorkey_http::Error::is_connect),
        "{error}"
    );
    assert!(error.is_transient());
    let grant = referee.grant().await.value;
    assert_eq!(grant.refresh_started_at, None, "nothing was sent");
    assert!(grant.refresh_token.is_some() && !grant.recent_refreshes.is_empty());
    // Whoever comes next has no reason to doubt the refresh token.
    referee.auth.restart().await.unwrap();
    referee.advance(Duration::from_secs(60));
    let later = referee.source(referee.config());
    referee.calls(&later).await;
    assert_eq!(referee.auth.refreshes(), 1);
    referee.spotless();
}
