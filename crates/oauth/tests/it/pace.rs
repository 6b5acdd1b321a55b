//! How often a token is refreshed: its life, the brake, and what the server asked for (REF-08, REF-10).

use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{AccessToken, Challenges, Error, NextStep, TokenSource};
use doorkey_store::Store;
use futures_util::future::join_all;
use http::HeaderMap;

use crate::world::World;

fn refreshes(world: &World) -> usize {
    let seen = world.seen(Leg::Token);
    let is_refresh = |seen: &&crate::world::Seen| seen.form("grant_type") == ["refresh_token"];
    seen.iter().filter(is_refresh).count()
}

async fn signed_in(world: &World, store: &Store) -> TokenSource {
    let source = world.source(store);
    world.signed_in(&source).await;
    source
}

#[tokio::test]
async fn a_token_of_seconds_is_refreshed_once_in_its_life_by_many_tasks_and_processes_ref_10() {
    // One for each token: a tenth of its life before its end, and never two within a second.
    for (lifetime, most) in [(0, 0), (1, 60), (2, 34), (5, 14)] {
        let world = World::new();
        world.set().lifetime = Some(lifetime);
        let store = Store::memory();
        let first = signed_in(&world, &store).await;
        let sources = [
            first.clone(),
            first,
            world.source(&store),
            world.source(&store),
        ];
        for _ in 0..600 {
            let tokens = join_all(sources.iter().map(TokenSource::token)).await;
            for token in tokens {
                token.unwrap().unwrap();
            }
            world.clock().advance_by(Duration::from_millis(100));
        }
        let count = refreshes(&world);
        assert!(count <= most, "{lifetime} s: {count} refreshes in a minute");
        // It is refreshed at all.
        assert!(count * 2 >= most, "{lifetime} s: {count}");
    }
}

#[tokio::test]
async fn a_token_without_a_life_is_used_until_it_is_rejected_and_then_replaced_once_tok_15() {
    let world = World::new();
    world.set().lifetime = Some(0);
    let source = signed_in(&world, &Store::memory()).await;
    let sent = source.token().await.unwrap().unwrap();
    source.accepted(&sent);
    let nothing = Challenges::default();
    let rejected = (0..64).map(|_| source.rejected(Some(&sent), &nothing));
    for token in join_all(rejected).await {
        assert_ne!(token.unwrap(), sent);
    }
    assert_eq!(refreshes(&world), 1);
}

/// A server that rejects every token after its first use: what a loop without a brake would ride on.
async fn reject_again(source: &TokenSource) -> Result<AccessToken, Error> {
    let sent = source.token().await?.unwrap();
    source.accepted(&sent);
    source.rejected(Some(&sent), &Challenges::default()).await
}

#[tokio::test]
async fn too_many_refreshes_within_a_minute_are_stopped_in_every_process() {
    let world = World::new();
    let store = Store::memory();
    signed_in(&world, &store).await;
    let mut config = world.config();
    config.refreshes_per_minute = 30;
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        // A process each, which knows of the others by the record alone.
        let source = world.source_with(config.clone(), &store);
        for _ in 0..10 {
            outcomes.push(reject_again(&source).await);
        }
    }
    let stopped: Vec<_> = outcomes.split_off(30);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(refreshes(&world), 30);
    for outcome in stopped {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::TooManyAttempts { limit: 30, .. }),
            "{error:?}"
        );
        assert!(error.is_transient() && !error.needs_login());
        let after = Some(Duration::from_secs(60));
        assert_eq!(error.next_step(), Some(NextStep::Retry { after }));
    }
    let source = world.source_with(config, &store);
    assert!(source.token().await.unwrap().is_some(), "it is valid still");
    world.clock().advance(60);
    reject_again(&source).await.unwrap();
    let grant = source.grant().await.unwrap().unwrap().value;
    assert!(grant.recent_refreshes.len() <= 30);
}

#[tokio::test]
async fn a_clock_that_is_set_back_lifts_the_brake_and_the_wait() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    world.clock().advance(7200);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "1800".parse().unwrap());
    world.script_with(Leg::Token, 503, "", headers);
    source.token().await.unwrap_err();
    let waits = world.source(&store).token().await.unwrap_err();
    assert!(matches!(waits, Error::RefreshDelayed { .. }), "{waits:?}");
    // Half an hour back: the token of then has not ended, so it has to be rejected.
    world.clock().set_back(5400);
    world.set().forget_access_tokens();
    reject_again(&world.source(&store)).await.unwrap();
    assert_eq!(refreshes(&world), 2);
}

#[tokio::test]
async fn retry_after_is_obeyed_by_every_process_ref_08() {
    for (status, body) in [
        (503, "<html>busy</html>"),
        (429, r#"{"error":"temporarily_unavailable"}"#),
        (429, ""),
    ] {
        let world = World::new();
        let store = Store::memory();
        let source = signed_in(&world, &store).await;
        let token = source.token().await.unwrap();
        world.clock().advance(3590);
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "120".parse().unwrap());
        world.script_with(Leg::Token, status, body, headers);
        assert_eq!(source.token().await.unwrap(), token, "it is valid");
        assert_eq!(refreshes(&world), 1);

        let other = world.source(&store);
        assert_eq!(other.token().await.unwrap(), token);
        world.clock().advance(10);
        let error = other.token().await.unwrap_err();
        assert!(matches!(error, Error::RefreshDelayed { .. }), "{error:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(110)));
        assert!(error.is_transient() && !error.needs_login());
        assert_eq!(refreshes(&world), 1, "nobody was bothered");

        world.clock().advance(110);
        assert!(other.token().await.unwrap().is_some());
        let grant = other.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.refresh_not_before, None);
        assert_eq!(refreshes(&world), 2);
    }
}

#[tokio::test]
async fn a_wait_that_nobody_would_obey_is_cut_to_an_hour() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    world.clock().advance(3600);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "99999999".parse().unwrap());
    world.script_with(Leg::Token, 503, "", headers);
    source.token().await.unwrap_err();
    let error = world.source(&store).token().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    world.clock().advance(3600);
    world.source(&store).token().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_login_is_not_kept_waiting_for_what_the_old_grant_was_told() {
    let world = World::new();
    let store = Store::memory();
    let source = signed_in(&world, &store).await;
    world.clock().advance(3600);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "600".parse().unwrap());
    world.script_with(Leg::Token, 503, "", headers);
    source.token().await.unwrap_err();
    world.signed_in(&source).await;
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_not_before, None);
    assert!(source.token().await.unwrap().is_some());
}
