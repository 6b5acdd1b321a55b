//! A source in use notices what other processes did, without a rejection and without a restart.

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, LogoutOptions, TokenSource};
use doorkey_store::{Backend as _, Grant, Store};
use futures_util::FutureExt as _;

use crate::browser::Browser;
use crate::stores::Fickle;
use crate::world::World;

async fn bearer(source: &TokenSource) -> Option<String> {
    let token = source.token().await.unwrap()?;
    Some(token.header_value().unwrap().to_str().unwrap().to_owned())
}

/// Two sources of one store; the first is signed in and has used its token.
async fn two(world: &World, store: &Store) -> (TokenSource, TokenSource, String) {
    let source = world.source(store);
    world.signed_in(&source).await;
    let token = bearer(&source).await.unwrap();
    (source, world.source(store), token)
}

#[tokio::test]
async fn a_login_of_another_process_is_used_within_the_interval() {
    let world = World::new();
    let store = Store::memory();
    let (source, other, before) = two(&world, &store).await;
    world.signed_in(&other).await;
    // It looks once in a second at most.
    assert_eq!(bearer(&source).await.unwrap(), before);
    world.clock().advance(1);
    let after = bearer(&source).await.unwrap();
    assert_ne!(after, before);
    assert_eq!(Some(after), bearer(&other).await);
    assert!(world.all().is_empty(), "no request was needed");
}

#[tokio::test]
async fn a_refresh_of_another_process_is_used_before_the_own_token_is_due() {
    let world = World::new();
    let store = Store::memory();
    let (source, other, before) = two(&world, &store).await;
    let sent = other.token().await.unwrap().unwrap();
    other.accepted(&sent);
    world.clock().advance(10);
    other
        .rejected(Some(&sent), &Challenges::default())
        .await
        .unwrap();
    assert_eq!(world.seen(Leg::Token).len(), 1);
    world.clock().advance(1);
    assert_eq!(bearer(&source).await, bearer(&other).await);
    assert_ne!(bearer(&source).await.unwrap(), before);
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_logout_of_another_process_ends_the_use_of_the_token() {
    let world = World::new();
    let store = Store::memory();
    let (source, other, _) = two(&world, &store).await;
    let epoch = source.identity_epoch();
    other.logout(LogoutOptions::default()).await.unwrap();
    world.clock().advance(1);
    assert_eq!(bearer(&source).await, None);
    assert_eq!(source.identity_epoch(), epoch + 1);
    // And the next login is used again.
    world.signed_in(&other).await;
    assert_eq!(bearer(&source).await, bearer(&other).await);
}

#[tokio::test]
async fn a_store_that_fails_or_is_slow_keeps_the_token_in_use() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let (source, _, before) = two(&world, &store).await;
    backend.fail_loads(true);
    world.clock().advance(5);
    assert_eq!(bearer(&source).await.unwrap(), before);
    assert!(source.store_problem().is_none(), "nothing was lost");
    backend.fail_loads(false);

    let gate = backend.deliver_late();
    world.clock().advance(5);
    let asked = tokio::time::timeout(Duration::from_secs(10), bearer(&source));
    assert_eq!(asked.await.unwrap().unwrap(), before);
    gate.open.notify_one();
}

#[tokio::test]
async fn whoever_looks_at_the_store_holds_up_nobody_else() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let (source, _, before) = two(&world, &store).await;
    let gate = backend.deliver_late();
    world.clock().advance(5);
    let mut looking = Box::pin(bearer(&source));
    assert!((&mut looking).now_or_never().is_none(), "the store is slow");
    for _ in 0..100 {
        let read = bearer(&source).now_or_never();
        assert_eq!(read.expect("no wait").unwrap(), before);
    }
    gate.open.notify_one();
    assert_eq!(looking.await.unwrap(), before);
}

#[tokio::test]
async fn a_source_that_is_not_to_look_looks_only_when_it_has_to() {
    let world = World::new();
    let store = Store::memory();
    let mut config = world.config();
    config.notice_interval = Duration::MAX;
    let source = world.source_with(config, &store);
    world.signed_in(&source).await;
    let before = bearer(&source).await;
    world.signed_in(&world.source(&store)).await;
    world.clock().advance(1000);
    assert_eq!(bearer(&source).await, before);
}

#[tokio::test]
async fn a_grant_that_does_not_fit_the_configuration_is_not_taken_over_st_02() {
    let world = World::new();
    let store = Store::memory();
    let (source, _, before) = two(&world, &store).await;
    change(&world, &store, |grant| grant.resource = None).await;
    world.clock().advance(1);
    assert_eq!(bearer(&source).await.unwrap(), before);
}

#[tokio::test]
async fn the_epoch_changes_when_another_person_signs_in_elsewhere_use_12() {
    let world = World::new();
    let store = Store::memory();
    let (source, _, _) = two(&world, &store).await;
    let epochs = |seconds| {
        world.clock().advance(seconds);
        async {
            bearer(&source).await.unwrap();
            source.identity_epoch()
        }
    };
    // The same login, of which more is known by now, is no other person.
    change(&world, &store, |grant| grant.subject = Some("ada".into())).await;
    let epoch = epochs(1).await;
    let login = |name: &'static str| {
        move |grant: &mut Grant| {
            grant.login_id = Some(name.to_owned());
            grant.subject = Some(name.to_owned());
        }
    };
    change(&world, &store, login("bob")).await;
    assert_eq!(epochs(1).await, epoch + 1);
    change(&world, &store, |grant| {
        grant.login_id = Some("again".into());
    })
    .await;
    assert_eq!(epochs(1).await, epoch + 1, "bob again");
}

async fn change(world: &World, store: &Store, change: impl FnOnce(&mut Grant)) {
    let key = world.config().grant_key();
    let stored = store.grant(&key).await.unwrap().unwrap();
    let mut grant = stored.value;
    change(&mut grant);
    let saved = store.save_grant(&key, &grant, Some(stored.generation));
    saved.await.unwrap();
}

#[tokio::test]
async fn who_signs_in_while_others_use_the_old_token_disturbs_nobody() {
    let world = World::new();
    let store = Store::memory();
    let (source, _, before) = two(&world, &store).await;
    world.set().token_delay = Duration::from_millis(30);
    let other = world.source(&store);
    let browser = Arc::new(Browser::new(&world));
    let login = tokio::spawn(async move { other.login(&Challenges::default(), browser).await });
    while !login.is_finished() {
        world.clock().advance(1);
        let token = bearer(&source).await.unwrap();
        assert!(token == before || login.is_finished() || world.seen(Leg::Token).len() == 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    login.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_record_of_a_newer_version_ends_no_use_and_sends_nobody_to_a_page_st_07() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let (source, other, before) = two(&world, &store).await;
    let key = world.config().grant_key();
    let id = key.record_id();
    let record = backend.load(&id).await.unwrap().unwrap();
    let mut newer: serde_json::Value = serde_json::from_slice(&record.bytes).unwrap();
    newer["version"] = 99.into();
    let bytes = serde_json::to_vec(&newer).unwrap().into();
    let saved = backend.save(&id, bytes, Some(record.generation));
    saved.await.unwrap();
    world.clock().advance(1);
    assert_eq!(bearer(&source).await, Some(before));

    let browser = Browser::new(&world);
    let nothing = Challenges::default();
    let login = other.login(&nothing, Arc::new(browser.clone())).await;
    let started = other.start_login(&nothing, None).await;
    for error in [login.unwrap_err(), started.unwrap_err()] {
        assert!(format!("{error:?}").contains("NewerVersion"), "{error:?}");
        assert!(!error.is_transient() && !error.needs_login());
    }
    assert!(browser.prompts().is_empty() && world.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_a_caller_less_and_less() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let (source, _, before) = two(&world, &store).await;
    let began = tokio::time::Instant::now();
    for _ in 0..30 {
        let _gate = backend.deliver_late();
        world.clock().advance(1);
        assert_eq!(bearer(&source).await.as_deref(), Some(before.as_str()));
    }
    // After 1, 3, 7 and 15 seconds.
    let held_up = began.elapsed();
    assert!(held_up <= Duration::from_millis(4500), "{held_up:?}");
}
