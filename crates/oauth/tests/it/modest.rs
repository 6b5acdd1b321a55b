//! What a client may do and this one does not: so little that a test says what happens instead.

use std::sync::Arc;

use doorkey_oauth::{Challenges, DpopChoice, Error, NextStep};
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, Dpop, Leg, McpServer};
use serde_json::json;

use crate::browser::Browser;
use crate::referee::{Person, Referee, login};
use crate::world::World;

#[tokio::test]
async fn a_server_that_wants_an_initial_access_token_is_told_with_what_to_do_instead_reg_21() {
    let auth = AuthorizationServer::builder().initial_access_token("initial-secret");
    let referee = Referee::with(auth, McpServer::builder()).await;
    let tokens = referee.source(referee.config());
    let error = login(&referee, &tokens, &Person::at(3118))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::RegistrationRefused { .. }),
        "{error}"
    );
    assert_eq!(error.next_step(), Some(NextStep::ConfigureClientId));
    // None can be configured, and nothing else of ours is taken for one.
    let asked = referee.recorder.of(Leg::Registration);
    assert!(
        asked
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
    assert_eq!(referee.recorder.count(Leg::Authorization), 0);
}

#[tokio::test]
async fn a_registration_promises_nothing_about_bound_tokens_reg_25() {
    let auth = AuthorizationServer::builder().dpop(Dpop::Supported);
    let referee = Referee::with(auth, McpServer::builder()).await;
    for choice in [DpopChoice::Require, DpopChoice::Off] {
        let mut config = referee.config();
        config.dpop = choice;
        let tokens = referee.source(config);
        login(&referee, &tokens, &Person::at(3118)).await.unwrap();
    }
    // So one client serves both.
    let [asked]: [_; 1] = referee.recorder.of(Leg::Registration).try_into().unwrap();
    let asked = asked.json().unwrap();
    assert_eq!(asked.get("dpop_bound_access_tokens"), None, "{asked}");
}

#[tokio::test]
async fn a_document_is_asked_for_at_each_login_however_valid_the_last_one_was_as_21() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    // The first login used the endpoint of then, the second uses that of now.
    world.set().metadata["token_endpoint"] = json!("https://as.example/token/2");
    let browser = Arc::new(Browser::new(&world));
    let nothing = Challenges::default();
    source.login(&nothing, browser).await.unwrap();
    assert_eq!(
        world
            .seen(doorkey_http::Leg::AuthorizationServerMetadata)
            .len(),
        1
    );
    assert_eq!(
        world.seen(doorkey_http::Leg::Token).remove(0).url.path(),
        "/token/2"
    );
}
