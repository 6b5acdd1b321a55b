//! The client metadata document that the program prints, before a server that judges such documents.

use std::time::Duration;

use doorkey::Silent;
use doorkey_testkit::Leg;
use futures_util::future::join_all;
use integration::{Home, World};
use serde_json::{Value, json};

use crate::support::login;

/// What the program prints for its user to publish.
async fn printed() -> Value {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let printed = home.run(&["client-metadata", URL]).await.succeeded();
    serde_json::from_str(&printed.stdout).expect("JSON")
}

/// Servers that know of this document alone, at its URL.
async fn world(document: Value) -> (World, Home) {
    let settings = format!("[mcp_servers.it.oauth]\nclient_metadata_url = {URL:?}");
    let world = World::with(
        |auth| {
            auth.dynamic_registration(false)
                .metadata_document_clients(true)
                .metadata_document(URL, document)
                .loopback_any_port(true)
        },
        |mcp| mcp,
    )
    .await;
    let home = Home::new(&world, &settings);
    (world, home)
}

#[tokio::test]
async fn the_printed_document_names_itself_and_no_secret_and_is_a_client_reg_09_reg_10() {
    let document = printed().await;
    assert_eq!(document["client_id"], URL);
    assert!(document["client_name"].is_string());
    let redirects = document["redirect_uris"].as_array().expect("a list");
    assert!(!redirects.is_empty());
    assert_eq!(document["token_endpoint_auth_method"], "none");
    assert!(document.get("client_secret").is_none());

    let (world, home) = world(document.clone()).await;
    login(&world, &home).await;
    home.run(&["tools", Home::SERVER]).await.succeeded();
    home.expire().await;
    home.run(&["tools", Home::SERVER]).await.succeeded();
    assert_eq!(world.auth.refreshes(), 1);
    for request in world.recorder.of(Leg::Authorization) {
        assert_eq!(request.query("client_id"), [URL]);
    }
    for request in world.recorder.of(Leg::Token) {
        assert_eq!(request.form("client_id"), [URL]);
        assert_eq!(request.form("client_secret"), [] as [String; 0]);
        assert_eq!(request.header("authorization"), None);
    }
    assert!(
        world.auth.refusals().is_empty(),
        "{:?}",
        world.auth.refusals()
    );
}

#[tokio::test]
async fn a_document_that_says_less_or_has_a_secret_is_no_client_reg_09_reg_10() {
    let changes = [
        (
            "client_id",
            json!("https://client.example/oauth/client.json/"),
        ),
        ("client_id", json!(null)),
        ("client_name", json!(null)),
        ("redirect_uris", json!(null)),
        ("redirect_uris", json!(["http://127.0.0.1/elsewhere"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
    ];
    let sound = printed().await;
    let refused = changes.map(|(member, value)| {
        let mut document = sound.clone();
        assert_ne!(document[member], value, "{member}");
        document[member] = value;
        Box::pin(is_no_client(document))
    });
    join_all(refused).await;
}

async fn is_no_client(document: Value) {
    let (world, home) = world(document.clone()).await;
    let host = home.host();
    let person = world.person.interaction();
    let login = host.login(Home::SERVER, person, &Silent);
    // Nobody is sent back from such a page, so nobody waits for it.
    let outcome = tokio::time::timeout(PATIENCE, login).await;
    assert!(!matches!(outcome, Ok(Ok(_))), "{document}");
    assert!(!world.auth.refusals().is_empty(), "{document}");
    assert_eq!(world.recorder.count(Leg::Token), 0, "{document}");
}

const URL: &str = "https://client.example/oauth/client.json";
const PATIENCE: Duration = Duration::from_secs(3);
