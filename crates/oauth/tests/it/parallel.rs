//! Many callers, several processes, callers that go away, writers that heed no lock (law 5, REF-09).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, Error, LoginReason, TokenSource};
use doorkey_store::{Proof, Store};
use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};

use crate::world::{LIMIT, World};

async fn expired(world: &World, store: &Store) -> TokenSource {
    let source = world.source(store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.set().token_delay = Duration::from_millis(20);
    source
}

/// Does something to the store while the token endpoint is thinking.
fn meanwhile<F, Fut>(world: &World, act: F)
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    world.set().before_token_answer = Some(Arc::new(Box::new(move || Box::pin(act()))));
}

async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(LIMIT, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_at_expiry_make_one_refresh() {
    let world = World::new();
    let source = expired(&world, &Store::memory()).await;
    let tasks = (0..64).map(|_| {
        let source = source.clone();
        tokio::spawn(async move { source.token().await.unwrap().unwrap() })
    });
    let tokens: Vec<_> = join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_processes_at_expiry_make_one_refresh() {
    let world = World::new();
    let store = Store::memory();
    expired(&world, &store).await;
    let processes: Vec<_> = (0..8).map(|_| world.source(&store)).collect();
    let tokens = join_all(processes.iter().map(TokenSource::token)).await;
    let tokens: Vec<_> = tokens
        .into_iter()
        .map(|token| token.unwrap().unwrap())
        .collect();
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_cancelled_caller_loses_no_rotated_token_law_5() {
    let world = World::new();
    let store = Store::memory();
    let source = expired(&world, &store).await;
    let caller = {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    until(|| !world.seen(Leg::Token).is_empty()).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    source.drain(LIMIT).await.unwrap();
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-3");
    assert!(source.token().await.unwrap().is_some());
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn drain_says_what_still_runs_at_its_limit() {
    let world = World::new();
    let source = expired(&world, &Store::memory()).await;
    world.set().token_delay = Duration::from_millis(500);
    let caller = {
        let source = source.clone();
        tokio::spawn(async move { source.token().await })
    };
    until(|| !world.seen(Leg::Token).is_empty()).await;
    let timeout = source.drain(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(timeout.tasks, 1);
    source.drain(LIMIT).await.unwrap();
    assert!(caller.await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_note_written_meanwhile_does_not_cost_the_rotated_token() {
    let world = World::new();
    let store = Store::memory();
    let source = expired(&world, &store).await;
    let key = world.config().grant_key();
    let (other, writes) = (store.clone(), Arc::new(AtomicUsize::new(0)));
    let key_there = key.clone();
    meanwhile(&world, move || {
        let (store, key, writes) = (other.clone(), key_there.clone(), Arc::clone(&writes));
        async move {
            if writes.fetch_add(1, Ordering::SeqCst) == 0 {
                let stored = store.grant(&key).await.unwrap().unwrap();
                let mut grant = stored.value;
                grant.account_label = Some(String::from("ada"));
                grant.proof = Proof::Accepted;
                store
                    .save_grant(&key, &grant, Some(stored.generation))
                    .await
                    .unwrap();
            }
        }
    });
    assert!(source.token().await.unwrap().is_some());
    let grant = store.grant(&key).await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-3");
    assert_eq!(grant.account_label.as_deref(), Some("ada"));
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn the_loser_of_a_race_adopts_the_winners_grant() {
    for loses_at_the_server in [false, true] {
        let world = World::new();
        let store = Store::memory();
        let source = expired(&world, &store).await;
        let key = world.config().grant_key();
        let (other, key_there) = (store.clone(), key.clone());
        meanwhile(&world, move || {
            let (store, key) = (other.clone(), key_there.clone());
            async move {
                let stored = store.grant(&key).await.unwrap().unwrap();
                let mut grant = stored.value;
                grant.access_token = Some(SecretString::from("winner"));
                grant.refresh_token = Some(SecretString::from("winner-refresh"));
                grant.expires_at = Some(1_700_010_000);
                grant.issued_at = 1_700_003_600;
                store
                    .save_grant(&key, &grant, Some(stored.generation))
                    .await
                    .unwrap();
            }
        });
        if loses_at_the_server {
            world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
        }
        let token = source.token().await.unwrap().unwrap();
        assert_eq!(token.header_value().unwrap(), "Bearer winner");
        let grant = store.grant(&key).await.unwrap().unwrap().value;
        assert_eq!(
            grant.refresh_token.unwrap().expose_secret(),
            "winner-refresh"
        );
        assert_eq!(world.seen(Leg::Token).len(), 1);
    }
}

#[tokio::test]
async fn a_logout_meanwhile_is_not_undone_by_a_refresh() {
    let world = World::new();
    let store = Store::memory();
    let source = expired(&world, &store).await;
    let key = world.config().grant_key();
    let (other, key_there) = (store.clone(), key.clone());
    meanwhile(&world, move || {
        let (store, key) = (other.clone(), key_there.clone());
        async move {
            let stored = store.grant(&key).await.unwrap().unwrap();
            store.remove_grant(&key, stored.generation).await.unwrap();
        }
    });
    let error = source.token().await.unwrap_err();
    assert!(matches!(
        error,
        Error::LoginRequired {
            reason: LoginReason::NoGrant,
            ..
        }
    ));
    assert!(store.grant(&key).await.unwrap().is_none());
    assert!(source.token().await.unwrap().is_none());
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_keeps_a_valid_token_in_use() {
    let world = World::new();
    let store = Store::memory();
    let mut config = world.config();
    config.refresh_lock_limit = Duration::from_millis(20);
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    let token = source.token().await.unwrap();
    let key = world.config().grant_key();
    let lock = store.lock_grant(&key, LIMIT).await.unwrap();
    world.clock().advance(3595);
    assert_eq!(source.token().await.unwrap(), token);
    world.clock().advance(5);
    let error = source.token().await.unwrap_err();
    assert!(error.is_transient() && matches!(error, Error::Store(_)));
    drop(lock);
    assert!(source.token().await.unwrap().is_some());
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_rejections_share_one_recovery_ch_10() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    source.accepted(&sent);
    world.set().token_delay = Duration::from_millis(20);
    let tasks = (0..64).map(|_| {
        let (source, sent) = (source.clone(), sent.clone());
        tokio::spawn(async move {
            let challenges = Challenges::parse([r#"Bearer error="invalid_token""#]);
            source.rejected(Some(&sent), &challenges).await.unwrap()
        })
    });
    for token in join_all(tasks).await {
        assert_ne!(token.unwrap(), sent);
    }
    assert_eq!(world.legs(), [Leg::ResourceMetadata, Leg::Token]);
}

#[tokio::test]
async fn rejections_that_come_one_after_the_other_make_no_storm() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    source.accepted(&sent);
    world.script(Leg::Token, 503, "");
    for _ in 0..20 {
        let error = source
            .rejected(Some(&sent), &Challenges::default())
            .await
            .unwrap_err();
        assert!(error.is_transient());
    }
    assert_eq!(world.legs(), [Leg::ResourceMetadata, Leg::Token]);
}
