//! RFC 7591 and RFC 7592.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{AuthorizationServer, ClientAuthMethod, Document, McpServer};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{REDIRECT, World, refusal, text};

fn sound() -> Value {
    json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" })
}

#[tokio::test]
async fn a_registration_that_rfc_7591_does_not_allow_is_refused() {
    let table = [
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        (
            "redirect_uris",
            json!(["http://example.com/cb"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["https://example.com/cb#x"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["/callback"]),
            "invalid_redirect_uri",
        ),
        (
            "redirect_uris",
            json!(["myapp:/cb"]),
            "invalid_redirect_uri",
        ),
        ("application_type", json!("web"), "invalid_redirect_uri"),
        (
            "application_type",
            json!("desktop"),
            "invalid_client_metadata",
        ),
        (
            "grant_types",
            json!(["implicit"]),
            "invalid_client_metadata",
        ),
        ("grant_types", json!([]), "invalid_client_metadata"),
        (
            "response_types",
            json!(["token"]),
            "invalid_client_metadata",
        ),
        (
            "token_endpoint_auth_method",
            json!("private_key_jwt"),
            "invalid_client_metadata",
        ),
    ];
    let world = World::new().await;
    for (member, value, error) in table {
        let mut asked = sound();
        asked[member] = value.clone();
        let reply = world.client.post_json(&world.at("register"), &asked).await;
        let got = refusal(&reply.unwrap());
        assert_eq!(got, (400, error.to_owned()), "{member}: {value}");
    }
    assert_eq!(world.auth.registrations(), 0);
    assert_eq!(world.auth.refusals().len(), 11);
}

#[tokio::test]
async fn the_answer_has_what_the_client_has_to_keep() {
    let auth =
        AuthorizationServer::builder().registration_secret_expires_in(Duration::from_secs(60));
    let world = World::with(auth, McpServer::builder()).await;

    let public = world.register().await.answer;
    assert_eq!(public["token_endpoint_auth_method"], "none");
    assert!(public.get("client_secret").is_none());

    let confidential = world.register_with("client_secret_post").await.answer;
    assert_eq!(
        confidential["token_endpoint_auth_method"],
        "client_secret_post"
    );
    assert!(!text(&confidential, "client_secret").is_empty());
    let issued = confidential["client_id_issued_at"].as_u64().unwrap();
    let expires = confidential["client_secret_expires_at"].as_u64().unwrap();
    assert_eq!(expires - issued, 60);
    assert_eq!(world.auth.registrations(), 2);
    assert_eq!(world.auth.client_ids().len(), 2);
}

#[tokio::test]
async fn the_server_may_grant_another_method_than_the_one_asked_for() {
    let auth = AuthorizationServer::builder().registration_auth_method(ClientAuthMethod::Basic);
    let auth = auth.field(Document::Registration, "client_name", json!("renamed"));
    let world = World::with(auth, McpServer::builder()).await;
    let answer = world.register_with("none").await.answer;
    assert_eq!(answer["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(answer["client_name"], "renamed");
}

#[tokio::test]
async fn an_initial_access_token_is_wanted_where_it_is_configured() {
    let auth = AuthorizationServer::builder().initial_access_token("first");
    let world = World::with(auth, McpServer::builder()).await;
    for (header, status) in [
        (None, 401),
        (Some("Bearer other"), 401),
        (Some("Bearer first"), 201),
    ] {
        let mut request =
            Request::post(world.at("register")).header("content-type", "application/json");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let request = request.body(Bytes::from(sound().to_string())).unwrap();
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, status, "{header:?}");
    }
}

#[tokio::test]
async fn a_registration_is_deleted_with_its_own_token_only() {
    let world = World::new().await;
    let client = world.register().await;
    let place = text(&client.answer, "registration_client_uri");
    let token = text(&client.answer, "registration_access_token");
    let ask = async |method: Method, token: &str| {
        let request = Request::builder()
            .method(method)
            .uri(place)
            .header("authorization", format!("Bearer {token}"));
        let request = request.body(Bytes::new()).unwrap();
        world.client.send(request).await.unwrap().status.as_u16()
    };
    assert_eq!(ask(Method::DELETE, "wrong").await, 401);
    assert_eq!(ask(Method::GET, token).await, 200);
    assert_eq!(ask(Method::DELETE, token).await, 204);
    assert_eq!(ask(Method::GET, token).await, 401);
    assert_eq!(world.auth.counters().deletions, 1);
    assert!(world.auth.client_ids().is_empty());
}

#[tokio::test]
async fn a_pruned_client_is_an_invalid_client() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    world.auth.forget_clients();
    let reply = world
        .refresh(&id, text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(refusal(&reply), (401, "invalid_client".to_owned()));
}
