//! Several registrations at one issuer: made once each, used again, deleted with their grant
//! (REG-02, REG-22, REG-23, REV-06, REV-07).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, Error, LoginReport, LogoutOptions, StepOutcome, TokenSource};
use doorkey_store::Store;

use crate::browser::{Act, Browser};
use crate::world::World;

fn numbered() -> World {
    let world = World::new();
    world.set().numbers_clients = true;
    world
}

fn account(world: &World, store: &Store, name: &str, scope: Option<&str>) -> TokenSource {
    let mut config = world.config();
    config.account = name.to_owned();
    config.scopes = scope.into_iter().map(str::to_owned).collect();
    world.source_with(config, store)
}

async fn login(world: &World, source: &TokenSource, port: u16) -> LoginReport {
    let browser = Arc::new(Browser::new(world).on_port(port));
    source.login(&Challenges::default(), browser).await.unwrap()
}

async fn client_of(source: &TokenSource) -> String {
    source.grant().await.unwrap().unwrap().value.client_id
}

async fn kept(store: &Store) -> Vec<String> {
    let listing = store.registrations().await.unwrap();
    let ids = listing
        .entries
        .into_iter()
        .map(|(_, stored)| stored.value.client_id);
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn two_accounts_with_redirect_uris_of_their_own_register_once_each_reg_02_reg_22() {
    let world = numbered();
    let store = Store::memory();
    for round in 0..3 {
        for (name, port, client) in [("a", 3118, "client-1"), ("b", 4000, "client-2")] {
            // A process each, as the command line has it.
            let source = account(&world, &store, name, None);
            let report = login(&world, &source, port).await;
            assert_eq!(report.registered, round == 0, "{name} in round {round}");
            assert_eq!(client_of(&source).await, client);
        }
    }
    let seen = world.seen(Leg::Registration);
    assert_eq!(seen.iter().filter(|seen| seen.method == "POST").count(), 2);
    assert_eq!(kept(&store).await, ["client-1", "client-2"]);
}

#[tokio::test]
async fn each_login_is_offered_the_redirect_uri_of_its_own_client_first_reg_22() {
    let world = numbered();
    let store = Store::memory();
    for (name, port) in [("a", 3118), ("b", 4000)] {
        login(&world, &account(&world, &store, name, None), port).await;
    }
    let own = [
        "http://127.0.0.1:3118/callback",
        "http://127.0.0.1:4000/callback",
    ];
    for (name, port, expected) in [("a", 3118, own), ("b", 4000, [own[1], own[0]])] {
        let browser = Arc::new(Browser::new(&world).on_port(port));
        let source = account(&world, &store, name, None);
        source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap();
        assert_eq!(browser.hints(), [expected], "{name}");
    }
}

#[tokio::test]
async fn other_scopes_alone_register_nothing_reg_02() {
    let world = numbered();
    let store = Store::memory();
    for round in 0..2 {
        for (name, scope) in [("a", None), ("b", Some("mail:send"))] {
            let source = account(&world, &store, name, scope);
            let report = login(&world, &source, 3118).await;
            assert_eq!(report.registered, round == 0 && name == "a");
            assert_eq!(client_of(&source).await, "client-1");
        }
    }
    assert_eq!(world.seen(Leg::Registration).len(), 1);
}

#[tokio::test]
async fn scopes_that_the_server_refuses_an_old_client_are_registered_beside_it_reg_23() {
    let world = numbered();
    let store = Store::memory();
    let narrow = account(&world, &store, "a", None);
    login(&world, &narrow, 3118).await;
    let wide = account(&world, &store, "b", Some("mail:send"));
    let browser = Browser::in_turn(
        &world,
        vec![
            vec![Act::Answer("error=invalid_scope&state=STATE")],
            vec![Act::Approve],
        ],
    );
    let report = wide
        .login(&Challenges::default(), Arc::new(browser.clone()))
        .await
        .unwrap();
    assert!(report.registered);
    assert_eq!(browser.prompts().len(), 2);
    assert_eq!(client_of(&wide).await, "client-2");
    // From now on everybody has a client that serves.
    for (source, client) in [
        (&narrow, "client-1"),
        (&wide, "client-2"),
        (&narrow, "client-1"),
    ] {
        assert!(!login(&world, source, 3118).await.registered);
        assert_eq!(client_of(source).await, client);
    }
    let seen = world.seen(Leg::Registration);
    assert_eq!(seen.iter().filter(|seen| seen.method == "POST").count(), 2);
    assert_eq!(kept(&store).await, ["client-1", "client-2"]);
}

#[tokio::test]
async fn scopes_a_client_was_registered_for_and_is_refused_are_not_registered_again() {
    let world = numbered();
    let store = Store::memory();
    let source = account(&world, &store, "a", Some("mail:send"));
    login(&world, &source, 3118).await;
    let browser = Browser::acting(&world, vec![Act::Answer("error=invalid_scope&state=STATE")]);
    let error = source
        .login(&Challenges::default(), Arc::new(browser.clone()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::AuthorizationResponse(error) if error.is("invalid_scope")));
    assert_eq!(browser.prompts().len(), 1);
    assert_eq!(world.seen(Leg::Registration).len(), 1);
}

#[tokio::test]
async fn logout_deletes_the_client_of_its_own_grant_rev_06_rev_07() {
    let world = numbered();
    let store = Store::memory();
    let sources = [("a", 3118), ("b", 4000)].map(|(name, port)| {
        let source = account(&world, &store, name, None);
        (source, port)
    });
    for (source, port) in &sources {
        login(&world, source, *port).await;
    }
    world.start_over();
    for (index, (source, _)) in sources.iter().enumerate().rev() {
        let report = source
            .logout(LogoutOptions::default().forget_client(true))
            .await
            .unwrap();
        assert!(
            matches!(report.registration, StepOutcome::Done),
            "{report:?}"
        );
        let request = world.seen(Leg::Registration).pop().unwrap();
        let id = format!("client-{}", index + 1);
        assert_eq!(request.method, "DELETE");
        assert!(request.url.path().ends_with(&id), "{}", request.url);
        assert_eq!(
            request.headers["authorization"],
            format!("Bearer manage-{id}")
        );
        assert!(!kept(&store).await.contains(&id));
    }
    assert!(kept(&store).await.is_empty());
}

#[tokio::test]
async fn a_client_that_the_server_forgot_is_dropped_alone_reg_23() {
    let world = numbered();
    let store = Store::memory();
    for (name, port) in [("a", 3118), ("b", 4000)] {
        login(&world, &account(&world, &store, name, None), port).await;
    }
    world.script(Leg::Token, 400, r#"{"error":"invalid_client"}"#);
    let source = account(&world, &store, "b", None);
    assert!(login(&world, &source, 4000).await.registered);
    assert_eq!(client_of(&source).await, "client-3");
    assert_eq!(kept(&store).await, ["client-1", "client-3"]);
}

#[tokio::test]
async fn a_suspect_client_that_another_grant_has_stays_deletable_rev_07() {
    let world = numbered();
    let store = Store::memory();
    let first = account(&world, &store, "a", None);
    login(&world, &first, 3118).await;
    let second = account(&world, &store, "b", None);
    let nobody = Arc::new(Browser::acting(&world, vec![Act::Stay]));
    tokio::time::pause();
    let error = second.login(&Challenges::default(), nobody).await;
    assert!(matches!(error.unwrap_err(), Error::LoginTimedOut { .. }));
    tokio::time::resume();
    assert!(login(&world, &second, 3118).await.registered);
    assert_eq!(kept(&store).await, ["client-1", "client-2"]);
    let report = first
        .logout(LogoutOptions::default().forget_client(true))
        .await
        .unwrap();
    assert!(
        matches!(report.registration, StepOutcome::Done),
        "{report:?}"
    );
    assert_eq!(kept(&store).await, ["client-2"]);
}
