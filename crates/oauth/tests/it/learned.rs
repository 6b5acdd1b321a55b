//! What is learned of an issuer is used by every login there, whoever found it out (TOK-05).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{
    AuthorizationConfig, Challenges, ClientAuthMethod, ClientChoice, Error, TokenSource,
};
use doorkey_store::Store;

use crate::browser::Browser;
use crate::world::{ISSUER, World};

const REFUSED: &str = r#"{"error":"invalid_client"}"#;

/// A client with a secret, whose way of authenticating is left to the server's metadata.
fn config(world: &World, account: &str, method: Option<ClientAuthMethod>) -> AuthorizationConfig {
    let mut config = world.config();
    config.account = account.to_owned();
    config.client = ClientChoice::Static {
        client_id: "c".to_owned(),
        client_secret: Some("hush".into()),
        signing_key: None,
        issuer: None,
        auth_method: method,
    };
    config
}

async fn login(world: &World, source: &TokenSource) -> Result<(), Error> {
    let browser = Arc::new(Browser::new(world));
    let outcome = source.login(&Challenges::default(), browser).await;
    outcome.map(drop)
}

/// For each request to the token endpoint: whether it used HTTP Basic.
fn basic(world: &World) -> Vec<bool> {
    let seen = world.seen(Leg::Token);
    let is_basic = |seen: &crate::world::Seen| seen.headers.contains_key("authorization");
    seen.iter().map(is_basic).collect()
}

async fn learned(store: &Store) -> Option<ClientAuthMethod> {
    let facts = store.issuer_facts(ISSUER).await.unwrap();
    facts.and_then(|facts| facts.value.client_auth_method)
}

#[tokio::test]
async fn a_login_that_had_to_change_its_way_saves_the_next_one_the_refusal_tok_05() {
    let world = World::new();
    let store = Store::memory();
    world.script(Leg::Token, 401, REFUSED);
    let first = world.source_with(config(&world, "a", None), &store);
    login(&world, &first).await.unwrap();
    assert_eq!(basic(&world), [true, false]);
    assert_eq!(learned(&store).await, Some(ClientAuthMethod::Post));

    // Another account, in another process.
    world.start_over();
    let second = world.source_with(config(&world, "b", None), &store);
    login(&world, &second).await.unwrap();
    assert_eq!(basic(&world), [false]);
    // What the user says counts more.
    world.start_over();
    let said = config(&world, "c", Some(ClientAuthMethod::Basic));
    login(&world, &world.source_with(said, &store))
        .await
        .unwrap();
    assert_eq!(basic(&world), [true]);
}

#[tokio::test]
async fn a_refresh_learns_it_as_well() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source_with(config(&world, "a", None), &store);
    login(&world, &source).await.unwrap();
    assert_eq!(learned(&store).await, None);
    world.clock().advance(3600);
    world.start_over();
    world.script(Leg::Token, 401, REFUSED);
    source.token().await.unwrap().unwrap();
    assert_eq!(basic(&world), [true, false]);
    assert_eq!(learned(&store).await, Some(ClientAuthMethod::Post));
    world.clock().advance(3600);
    world
        .source_with(config(&world, "a", None), &store)
        .token()
        .await
        .unwrap();
    assert_eq!(
        basic(&world),
        [true, false, false],
        "and the grant keeps it"
    );
}

#[tokio::test]
async fn what_was_learned_and_is_refused_is_forgotten() {
    let world = World::new();
    let store = Store::memory();
    world.script(Leg::Token, 401, REFUSED);
    let source = world.source_with(config(&world, "a", None), &store);
    login(&world, &source).await.unwrap();
    world.start_over();
    world.script(Leg::Token, 401, REFUSED);
    let other = world.source_with(config(&world, "b", None), &store);
    assert!(login(&world, &other).await.is_err());
    assert_eq!(learned(&store).await, None);
    login(&world, &other).await.unwrap();
    assert_eq!(basic(&world), [false, true], "as the metadata say again");
}

#[tokio::test]
async fn a_started_login_that_is_finished_elsewhere_learns_and_uses_it_too() {
    let world = World::new();
    let store = Store::memory();
    for expected in [vec![true, false], vec![false]] {
        world.start_over();
        if expected.len() == 2 {
            world.script(Leg::Token, 401, REFUSED);
        }
        let start = world.source_with(config(&world, "a", None), &store);
        let started = start.start_login(&Challenges::default(), None).await;
        let query = world.approve(&started.unwrap().url);
        let finish = world.source_with(config(&world, "a", None), &store);
        finish.finish_login(&query).await.unwrap();
        assert_eq!(basic(&world), expected);
    }
}
