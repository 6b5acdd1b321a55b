//! An authorization server as OpenID provider.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Document, Leg, McpServer, SigningAlgorithm,
    SigningKey,
};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::{
    signing::{key, now},
    support::{Change, World, text},
};

fn provider(key: &SigningKey) -> AuthorizationServerBuilder {
    AuthorizationServer::builder()
        .issuer_path("/acme")
        .openid(key)
}

async fn world(key: &SigningKey) -> World {
    World::with(provider(key), McpServer::builder()).await
}

const SIGN_IN: [Change<'static>; 3] = [
    ("resource", None),
    ("scope", Some("openid profile")),
    ("nonce", Some("the-nonce")),
];

/// Signs in without `resource`; returns client id and token answer.
async fn sign_in(world: &World, changes: &[Change<'_>]) -> (String, Value) {
    let client = world.register().await;
    let code = world.visit(&client.id, changes).await.parameter("code");
    let none = [("resource", None)];
    let reply = world.exchange(&client.id, &code.unwrap(), &none).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    (client.id, reply.json())
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn signing_in_gives_an_id_token_that_the_published_keys_verify() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let world = world(&key).await;
        let place = format!("{}/.well-known/openid-configuration", world.auth.issuer());
        let document = world.client.get(&place).await.unwrap().json();
        assert_eq!(document["issuer"], world.auth.issuer());
        let listed = &document["id_token_signing_alg_values_supported"];
        assert_eq!(*listed, json!([algorithm.as_str()]));
        let keys = world.client.get(text(&document, "jwks_uri")).await.unwrap();
        let keys: JwkSet = serde_json::from_value(keys.json()).unwrap();
        assert_eq!(world.recorder.count(Leg::Keys), 1);

        let (id, tokens) = sign_in(&world, &SIGN_IN).await;
        let token = text(&tokens, "id_token");
        let header = jsonwebtoken::decode_header(token).unwrap();
        let jwk = keys.find(header.kid.as_deref().unwrap()).unwrap();
        let mut rules = Validation::new(header.alg);
        rules.set_audience(&[&id]);
        rules.set_issuer(&[world.auth.issuer()]);
        let verifier = DecodingKey::from_jwk(jwk).unwrap();
        let decoded = jsonwebtoken::decode::<Value>(token, &verifier, &rules).unwrap();
        assert_eq!(decoded.claims["sub"], "alice");
        assert_eq!(decoded.claims["nonce"], "the-nonce");
        assert_eq!(world.auth.counters().id_tokens, 1);
    }
}

#[tokio::test]
async fn an_id_token_comes_only_with_its_scope_and_from_a_provider() {
    let key = key(SigningAlgorithm::Es256);
    let provider = world(&key).await;
    let changes = [("resource", None), ("scope", Some("profile"))];
    let (_, tokens) = sign_in(&provider, &changes).await;
    assert!(tokens.get("id_token").is_none());
    // With a resource it is an authorization server like any other.
    let (_, tokens) = provider.log_in(&[("scope", Some("openid"))]).await;
    let facts = provider.auth.inspect(text(&tokens, "access_token"));
    assert_eq!(facts.unwrap().audience, provider.mcp.resource());
    assert!(tokens.get("id_token").is_some());

    let plain = World::new().await;
    let (_, tokens) = plain.log_in(&[("scope", Some("openid"))]).await;
    assert!(tokens.get("id_token").is_none());
    assert!(plain.auth.issue_id_token("client", "alice").is_err());
    let keys = plain.client.get(&plain.at("jwks")).await.unwrap().json();
    assert_eq!(keys, json!({ "keys": [] }));
}

#[tokio::test]
async fn a_refresh_gives_a_new_id_token_without_nonce() {
    let key = key(SigningAlgorithm::Es256);
    let world = world(&key).await;
    let (id, tokens) = sign_in(&world, &SIGN_IN).await;
    world.auth.advance(Duration::from_secs(100));
    world.auth.set_id_token_lifetime(Duration::from_secs(60));
    let none = [("resource", None)];
    let token = text(&tokens, "refresh_token");
    let renewed = world.refresh(&id, token, &none).await.json();
    let first = claims(text(&tokens, "id_token"));
    let second = claims(text(&renewed, "id_token"));
    let seconds = |claims: &Value, name: &str| claims[name].as_u64().unwrap();
    assert_eq!(seconds(&first, "exp") - seconds(&first, "iat"), 3600);
    assert_eq!(seconds(&second, "exp") - seconds(&second, "iat"), 60);
    assert!(seconds(&second, "iat") >= seconds(&first, "iat") + 99);
    assert_eq!(first["auth_time"], second["auth_time"]);
    assert!(second.get("nonce").is_none());
}

#[tokio::test]
async fn claims_can_be_tampered_with_and_tokens_made_without_a_sign_in() {
    let key = key(SigningAlgorithm::Es256);
    let auth = provider(&key).id_token_lifetime(Duration::from_secs(10));
    let world = World::with(auth, McpServer::builder()).await;
    let made = claims(&world.auth.issue_id_token("client", "bob").unwrap());
    assert_eq!(
        (&made["aud"], &made["sub"]),
        (&json!("client"), &json!("bob"))
    );
    assert!(made["exp"].as_u64().unwrap() <= now() + 10);
    world
        .auth
        .set_field(Document::IdToken, "nonce", json!("other"));
    let (_, tokens) = sign_in(&world, &SIGN_IN).await;
    assert_eq!(claims(text(&tokens, "id_token"))["nonce"], "other");
}

#[tokio::test]
async fn the_scope_openid_exists_at_a_provider() {
    let key = key(SigningAlgorithm::Es256);
    let auth = provider(&key).scopes_supported(["profile"]);
    let world = World::with(auth, McpServer::builder()).await;
    let (_, tokens) = sign_in(&world, &SIGN_IN).await;
    assert_eq!(tokens["scope"], "openid profile");
    let place = format!("{}/.well-known/openid-configuration", world.auth.issuer());
    let document = world.client.get(&place).await.unwrap().json();
    assert_eq!(document["scopes_supported"], json!(["profile", "openid"]));
}
