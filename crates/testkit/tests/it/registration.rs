//! RFC 7591 and RFC 7592.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{
    AuthorizationServer, ClientAuthMethod, Document, McpServer, RegistrationUpdates, Reply,
};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    signing::with,
    support::{REDIRECT, World, refusal, text},
};

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

/// A request to a client configuration endpoint.
async fn configure(world: &World, method: Method, registered: &Value, body: &Value) -> Reply {
    let token = text(registered, "registration_access_token");
    let request = Request::builder()
        .method(method)
        .uri(text(registered, "registration_client_uri"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    let request = request.body(Bytes::from(body.to_string())).unwrap();
    world.client.send(request).await.unwrap()
}

/// A whole update: what was registered, without what only the server sets.
fn whole(registered: &Value) -> Value {
    let assigned = json!({
        "registration_access_token": null,
        "registration_client_uri": null,
        "client_secret_expires_at": null,
        "client_id_issued_at": null,
    });
    with(registered.clone(), &assigned)
}

async fn updating(rule: RegistrationUpdates) -> World {
    let auth = AuthorizationServer::builder().registration_updates(rule);
    World::with(auth, McpServer::builder()).await
}

#[tokio::test]
async fn an_update_takes_the_place_of_the_registration() {
    let world = updating(RegistrationUpdates::Allowed).await;
    let registered = world.register_with("client_secret_post").await.answer;
    let other = "http://127.0.0.1:9/other";
    let changes = json!({ "redirect_uris": [other], "client_name": "renamed" });
    let update = with(whole(&registered), &changes);
    let reply = configure(&world, Method::PUT, &registered, &update).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    for (name, value) in registered.as_object().unwrap() {
        let expected = changes.get(name).unwrap_or(value);
        assert_eq!(answer[name], *expected, "{name}");
    }
    let read = configure(&world, Method::GET, &registered, &json!(null)).await;
    assert_eq!(read.json(), answer);
    let id = text(&registered, "client_id");
    let old = world.authorization_url(id, &[]);
    assert_eq!(world.client.get(&old).await.unwrap().status, 400);
    let new = world.authorization_url(id, &[("redirect_uri", Some(other))]);
    assert_eq!(world.client.get(&new).await.unwrap().status, 302);
    assert_eq!(world.auth.counters().registration_updates, 1);
}

#[tokio::test]
async fn an_update_that_is_not_whole_or_says_too_much_is_refused() {
    let world = updating(RegistrationUpdates::Allowed).await;
    let registered = world.register_with("client_secret_basic").await.answer;
    let sound = whole(&registered);
    let table = [
        (json!({ "client_id": null }), "invalid_client_metadata"),
        (json!({ "client_id": "other" }), "invalid_client_metadata"),
        (
            json!({ "client_secret": "wrong" }),
            "invalid_client_metadata",
        ),
        (json!({ "client_name": null }), "invalid_client_metadata"),
        (json!({ "grant_types": null }), "invalid_client_metadata"),
        (
            json!({ "client_id_issued_at": 1 }),
            "invalid_client_metadata",
        ),
        (
            json!({ "client_secret_expires_at": 0 }),
            "invalid_client_metadata",
        ),
        (
            json!({ "registration_client_uri": "x" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "registration_access_token": "x" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "grant_types": ["implicit"] }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": ["http://example.com"] }),
            "invalid_redirect_uri",
        ),
    ];
    for (changes, error) in table {
        let update = with(sound.clone(), &changes);
        let reply = configure(&world, Method::PUT, &registered, &update).await;
        assert_eq!(refusal(&reply), (400, error.into()), "{changes}");
    }
    let no_object = configure(&world, Method::PUT, &registered, &json!([])).await;
    assert_eq!(refusal(&no_object), (400, "invalid_client_metadata".into()));
    let mut stranger = registered.clone();
    stranger["registration_access_token"] = json!("guessed");
    let reply = configure(&world, Method::PUT, &stranger, &sound).await;
    assert_eq!(refusal(&reply), (401, "invalid_token".into()));
    assert_eq!(world.auth.counters().registration_updates, 0);
    let read = configure(&world, Method::GET, &registered, &json!(null)).await;
    assert_eq!(read.json(), registered);
    // The secret may be left out.
    let update = with(sound, &json!({ "client_secret": null }));
    let reply = configure(&world, Method::PUT, &registered, &update).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["client_secret"], registered["client_secret"]);
}

#[tokio::test]
async fn an_update_may_turn_a_client_public() {
    let world = updating(RegistrationUpdates::Allowed).await;
    let registered = world.register_with("client_secret_post").await.answer;
    let public = json!({ "token_endpoint_auth_method": "none" });
    let update = with(whole(&registered), &public);
    let answer = configure(&world, Method::PUT, &registered, &update)
        .await
        .json();
    assert!(answer.get("client_secret").is_none(), "{answer}");
    let id = text(&answer, "client_id");
    let code = world.code(id).await;
    assert_eq!(world.exchange(id, &code, &[]).await.status, 200);
}

#[tokio::test]
async fn the_registration_access_token_may_be_replaced() {
    let world = updating(RegistrationUpdates::RotatingToken).await;
    let registered = world.register().await.answer;
    let update = whole(&registered);
    let answer = configure(&world, Method::PUT, &registered, &update)
        .await
        .json();
    let (old, new) = (
        text(&registered, "registration_access_token"),
        text(&answer, "registration_access_token"),
    );
    assert_ne!(old, new);
    let by_old = configure(&world, Method::GET, &registered, &json!(null)).await;
    assert_eq!(by_old.status, 401);
    let by_new = configure(&world, Method::GET, &answer, &json!(null)).await;
    assert_eq!(by_new.json(), answer);
    assert_eq!(
        configure(&world, Method::DELETE, &answer, &json!(null))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn without_updates_a_put_is_not_allowed() {
    let world = World::new().await;
    let registered = world.register().await.answer;
    let update = whole(&registered);
    let reply = configure(&world, Method::PUT, &registered, &update).await;
    assert_eq!(reply.status, 405);
}
