//! The intent before the request, the outcome after it, in one write each (ST-09; law 5).

use std::sync::{Arc, Mutex};

use doorkey_http::Leg;
use doorkey_oauth::{
    AuthorizationConfig, Challenges, ClientChoice, Deny, Error, Flow, LoginReason, TokenSource,
};
use doorkey_store::Store;

use crate::stores::Fickle;
use crate::world::World;

/// What the store has while the token endpoint thinks: whether a refresh is on record as begun, and
/// how many saves there were.
type Seen = Arc<Mutex<Vec<(bool, usize)>>>;

fn watched(world: &World, backend: &Fickle) -> Seen {
    let seen = Seen::default();
    let (store, backend) = (Store::new(backend.clone()), backend.clone());
    let (key, there) = (world.config().grant_key(), Arc::clone(&seen));
    world.set().before_token_answer = Some(Arc::new(Box::new(move || {
        let (store, backend) = (store.clone(), backend.clone());
        let (key, there) = (key.clone(), Arc::clone(&there));
        Box::pin(async move {
            let stored = store.grant(&key).await.unwrap();
            let begun = stored.is_some_and(|stored| stored.value.refresh_started_at.is_some());
            there.lock().unwrap().push((begun, backend.saves()));
        })
    })));
    seen
}

#[tokio::test]
async fn a_refresh_is_one_write_before_the_request_and_one_after_it() {
    let world = World::new();
    let backend = Fickle::default();
    let source = world.source(&Store::new(backend.clone()));
    world.signed_in(&source).await;
    world.clock().advance(3600);
    let before = backend.saves();
    let seen = watched(&world, &backend);
    source.token().await.unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(true, before + 1)]);
    assert_eq!(backend.saves(), before + 2);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_started_at, None);
}

#[tokio::test]
async fn what_spends_nothing_needs_no_intent() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source_with(robot(&world), &store);
    const ANSWER: &str = r#"{"access_token":"a","token_type":"Bearer","expires_in":3600}"#;
    const NEXT: &str = r#"{"access_token":"b","token_type":"Bearer","expires_in":3600}"#;
    world.script(Leg::Token, 200, ANSWER);
    world.script(Leg::Token, 200, NEXT);
    let nothing = Challenges::default();
    source.login(&nothing, Arc::new(Deny)).await.unwrap();
    world.clock().advance(3600);
    let before = backend.saves();
    let seen = watched(&world, &backend);
    source.token().await.unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), [(false, before)]);
    assert_eq!(backend.saves(), before + 1);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.recent_refreshes.len(), 1, "it counts all the same");
}

fn robot(world: &World) -> AuthorizationConfig {
    let mut config = world.config();
    config.flow = Flow::ClientCredentials;
    config.accept_discovered_issuer = true;
    config.client = ClientChoice::Static {
        client_id: "robot".to_owned(),
        client_secret: Some("hush".into()),
        signing_key: None,
        issuer: None,
        auth_method: None,
    };
    config
}

/// A process that dies while its refresh is out: all of its tasks end at once.
fn dies_in_a_refresh(world: &World, store: &Store) {
    let dying = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let reached = Arc::new(tokio::sync::Notify::new());
    let there = Arc::clone(&reached);
    world.set().before_token_answer = Some(Arc::new(Box::new(move || {
        there.notify_one();
        Box::pin(std::future::pending())
    })));
    let source = world.source(store);
    dying.block_on(async {
        tokio::select! {
            token = source.token() => drop(token),
            () = reached.notified() => {}
        }
    });
    dying.shutdown_background();
    world.set().before_token_answer = None;
}

fn reason(error: &Error) -> Option<&LoginReason> {
    match error {
        Error::LoginRequired { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn who_finds_an_open_intent_tries_once_and_says_so_if_the_token_was_lost() {
    let world = World::new();
    let store = Store::memory();
    let living = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sign_in = async {
        let source = world.source(&store);
        world.signed_in(&source).await;
    };
    living.block_on(sign_in);
    world.clock().advance(3600);
    dies_in_a_refresh(&world, &store);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    living.block_on(async {
        let sources: Vec<TokenSource> = (0..3).map(|_| world.source(&store)).collect();
        for source in sources {
            let error = source.token().await.unwrap_err();
            assert!(
                matches!(reason(&error), Some(LoginReason::RefreshInterrupted(_))),
                "{error:?}"
            );
        }
    });
    assert_eq!(world.seen(Leg::Token).len(), 2, "the lost one and one try");
}

#[test]
fn an_open_intent_whose_request_was_never_decided_costs_nothing() {
    let world = World::new();
    let store = Store::memory();
    let living = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sign_in = async {
        let source = world.source(&store);
        world.signed_in(&source).await;
    };
    living.block_on(sign_in);
    world.clock().advance(3600);
    dies_in_a_refresh(&world, &store);
    living.block_on(async {
        let source = world.source(&store);
        source.token().await.unwrap().unwrap();
        let grant = source.grant().await.unwrap().unwrap().value;
        assert_eq!(grant.refresh_started_at, None);
    });
}
