//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Browser, ClientAuthMethod, Dpop, Leg,
    McpServer, PushedRequests, Reply, SigningAlgorithm, StaticClient,
};
use http::Request;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    proofs::{Prover, token_with},
    signing::{key, now, signed, unique},
    support::{CHALLENGE, Change, REDIRECT, World, changed, refusal, text},
};

fn server(rule: PushedRequests) -> AuthorizationServerBuilder {
    AuthorizationServer::builder()
        .issuer_path("/tenant1")
        .pushed_requests(rule)
}

async fn world(rule: PushedRequests) -> World {
    World::with(server(rule), McpServer::builder()).await
}

fn fields<'a>(world: &'a World, client_id: &'a str) -> [(&'a str, &'a str); 7] {
    [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("state", "the-state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", world.mcp.resource()),
    ]
}

async fn push(world: &World, client_id: &str, changes: &[Change<'_>]) -> Reply {
    let fields = changed(&fields(world, client_id), changes);
    let url = world.at("par");
    world.client.post_form(&url, &fields).await.unwrap()
}

fn with_uri(world: &World, client_id: &str, request_uri: &str) -> String {
    let mut url = Url::parse(&world.at("authorize")).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("request_uri", request_uri);
    url.into()
}

#[tokio::test]
async fn a_pushed_request_is_authorized_like_a_plain_one() {
    let world = world(PushedRequests::Required).await;
    let client = world.register().await;
    let reply = push(&world, &client.id, &[]).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    assert_eq!(answer["expires_in"], 60);
    let url = with_uri(&world, &client.id, text(&answer, "request_uri"));
    let visit = Browser::new()
        .stop_before_callback()
        .open(&url)
        .await
        .unwrap();
    assert_eq!(visit.parameter("state").as_deref(), Some("the-state"));
    assert_eq!(visit.parameter("iss"), Some(world.auth.issuer()));
    let code = visit.parameter("code").unwrap();
    let tokens = world.exchange(&client.id, &code, &[]).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert_eq!(world.auth.counters().pushed_requests, 1);
    assert_eq!(world.recorder.count(Leg::PushedAuthorization), 1);
    assert!(world.auth.refusals().is_empty());
}

#[tokio::test]
async fn an_unsound_request_is_refused_when_it_is_pushed() {
    let world = world(PushedRequests::Offered).await;
    let client = world.register().await;
    let other = world.register().await;
    let table: [(&[Change<'_>], &str); 12] = [
        (
            &[("response_type", Some("token"))],
            "unsupported_response_type",
        ),
        (&[("client_id", None)], "invalid_request"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_secret", Some("x"))], "invalid_client"),
        (&[("redirect_uri", None)], "invalid_request"),
        (
            &[("redirect_uri", Some("http://127.0.0.1:9/other"))],
            "invalid_request",
        ),
        (&[("state", None)], "invalid_request"),
        (&[("code_challenge", None)], "invalid_request"),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some("https://evil.example/mcp"))],
            "invalid_target",
        ),
        (&[("request_uri", Some("urn:x"))], "invalid_request"),
        (&[("request", Some("jwt"))], "invalid_request"),
    ];
    for (changes, error) in table {
        let reply = push(&world, &client.id, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    let get = world.client.get(&world.at("par")).await.unwrap();
    assert_eq!(get.status, 405);
    assert_eq!(world.auth.counters().pushed_requests, 0);

    // A request is its client's alone.
    let answer = push(&world, &client.id, &[]).await.json();
    let uri = text(&answer, "request_uri");
    let stolen = world.client.get(&with_uri(&world, &other.id, uri)).await;
    assert_eq!(stolen.unwrap().status, 400);
    let own = world.client.get(&with_uri(&world, &client.id, uri)).await;
    assert_eq!(own.unwrap().status, 302);
}

#[tokio::test]
async fn a_request_uri_is_used_once_and_within_its_time() {
    let world = world(PushedRequests::Offered).await;
    let client = world.register().await;
    let open = async |uri: &str| {
        let url = with_uri(&world, &client.id, uri);
        world.client.get(&url).await.unwrap().status
    };
    let answer = push(&world, &client.id, &[]).await.json();
    let uri = text(&answer, "request_uri");
    assert_eq!(open(uri).await, 302);
    assert_eq!(open(uri).await, 400);
    assert_eq!(open("urn:ietf:params:oauth:request_uri:guessed").await, 400);

    let answer = push(&world, &client.id, &[]).await.json();
    world.auth.advance(Duration::from_secs(61));
    assert_eq!(open(text(&answer, "request_uri")).await, 400);
    assert_eq!(world.auth.counters().approvals, 1);
    let refusals = world.auth.refusals();
    assert!(
        refusals.iter().all(|r| r.contains("invalid_request_uri")),
        "{refusals:?}"
    );
}

#[tokio::test]
async fn nothing_that_was_pushed_is_repeated_in_the_url() {
    let world = world(PushedRequests::Offered).await;
    let client = world.register().await;
    for (name, value) in fields(&world, &client.id) {
        let answer = push(&world, &client.id, &[]).await.json();
        let uri = text(&answer, "request_uri");
        let mut url = Url::parse(&with_uri(&world, &client.id, uri)).unwrap();
        url.query_pairs_mut().append_pair(name, value);
        let reply = world.client.get(url.as_str()).await.unwrap();
        assert_eq!(reply.status, 400, "{name}");
        // The refusal has used nothing up.
        let url = with_uri(&world, &client.id, uri);
        assert_eq!(world.client.get(&url).await.unwrap().status, 302, "{name}");
    }
}

#[tokio::test]
async fn plain_requests_are_refused_where_pushing_is_required() {
    let world = world(PushedRequests::Required).await;
    let client = world.register().await;
    let visit = world.visit(&client.id, &[]).await;
    assert_eq!(visit.parameter("error").as_deref(), Some("invalid_request"));
    assert_eq!(visit.parameter("state").as_deref(), Some("the-state"));
    world.auth.set_pushed_requests(PushedRequests::Offered);
    let visit = world.visit(&client.id, &[]).await;
    assert!(visit.parameter("code").is_some());
    world.auth.set_pushed_requests(PushedRequests::Off);
    assert_eq!(push(&world, &client.id, &[]).await.status, 404);
    let url = with_uri(&world, &client.id, "urn:x");
    assert_eq!(world.client.get(&url).await.unwrap().status, 400);
}

#[tokio::test]
async fn the_metadata_says_what_is_offered_and_what_required() {
    for (rule, endpoint, required) in [
        (PushedRequests::Off, false, None),
        (PushedRequests::Offered, true, None),
        (PushedRequests::Required, true, Some(json!(true))),
    ] {
        let world = world(rule).await;
        let document = world.metadata().await;
        let listed = document.get("pushed_authorization_request_endpoint");
        let expected = endpoint.then(|| json!(world.at("par")));
        assert_eq!(listed, expected.as_ref(), "{rule:?}");
        let listed = document.get("require_pushed_authorization_requests");
        assert_eq!(listed, required.as_ref(), "{rule:?}");
    }
}

#[tokio::test]
async fn confidential_clients_authenticate_by_their_own_method() {
    let key = key(SigningAlgorithm::Es256);
    let basic = StaticClient::confidential("basic", "secret", ClientAuthMethod::Basic);
    let post = StaticClient::confidential("post", "secret", ClientAuthMethod::Post);
    let signer = StaticClient::with_key("signer", key.public_key());
    let auth = [basic, post, signer].into_iter().fold(
        server(PushedRequests::Offered).private_key_jwt([SigningAlgorithm::Es256]),
        |auth, client| auth.static_client(client.redirect_uri(REDIRECT)),
    );
    let world = World::with(auth, McpServer::builder()).await;
    for (id, secret, status) in [
        ("basic", Some("basic:secret"), 201),
        ("basic", Some("basic:wrong"), 401),
        ("basic", Some("post:secret"), 401),
        ("basic", None, 401),
        ("post", None, 401),
        ("signer", None, 401),
    ] {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields(&world, id))
            .finish();
        let mut request = Request::post(world.at("par"))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(pair) = secret {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        let request = request.body(Bytes::from(body)).unwrap();
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, status, "{id} {secret:?}: {}", reply.text());
    }
    let reply = push(&world, "post", &[("client_secret", Some("secret"))]).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let claims = json!({
        "iss": "signer", "sub": "signer", "aud": world.auth.issuer(),
        "iat": now(), "exp": now() + 60, "jti": unique(),
    });
    let assertion = signed(&key, &claims);
    let changes = [
        ("client_assertion_type", Some(JWT)),
        ("client_assertion", Some(assertion.as_str())),
    ];
    assert_eq!(push(&world, "signer", &changes).await.status, 201);
    let again = push(&world, "signer", &changes).await;
    assert_eq!(refusal(&again), (401, "invalid_client".into()));
}

#[tokio::test]
async fn a_proof_at_the_push_binds_the_code() {
    let auth = server(PushedRequests::Offered).dpop(Dpop::Supported);
    let world = World::with(auth, McpServer::builder()).await;
    let client = world.register().await;
    let (prover, other) = (Prover::new(), Prover::new());
    let announced = other.thumbprint();
    let push_with = async |changes: &[Change<'_>]| -> Value {
        let proof = prover.proof(&world.at("par"), &json!({}));
        let fields = changed(&fields(&world, &client.id), changes);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(world.at("par"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("dpop", proof)
            .body(Bytes::from(body))
            .unwrap();
        world.client.send(request).await.unwrap().json()
    };
    let contradicted = push_with(&[("dpop_jkt", Some(&announced))]).await;
    assert_eq!(contradicted["error"], "invalid_dpop_proof");
    for (by, accepted) in [(&prover, true), (&other, false)] {
        let answer = push_with(&[]).await;
        let url = with_uri(&world, &client.id, text(&answer, "request_uri"));
        let visit = Browser::new()
            .stop_before_callback()
            .open(&url)
            .await
            .unwrap();
        let code = visit.parameter("code").unwrap();
        let fields = world.exchange_fields(&client.id, &code);
        let proof = by.token_proof(&world, &json!({}));
        let reply = token_with(&world, &fields, &[&proof]).await;
        assert_eq!(reply.status == 200, accepted, "{}", reply.text());
    }
}

const JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
