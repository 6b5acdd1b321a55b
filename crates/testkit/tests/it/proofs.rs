//! DPoP proofs by hand, right by default and wrong where a test says so.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use doorkey_testkit::{Client, Reply, SigningAlgorithm, SigningKey};
use http::{Method, Request};
use jsonwebtoken::Header;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::{
    signing::{header, jwt, key, now, unique, with},
    support::{World, stateless},
};

/// A client with a key of its own.
pub(crate) struct Prover {
    pub(crate) key: SigningKey,
}

impl Prover {
    pub(crate) fn new() -> Self {
        let key = key(SigningAlgorithm::Es256);
        Self { key }
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.key.public_key().thumbprint()
    }

    pub(crate) fn header(&self) -> Header {
        let jwk = serde_json::from_value(self.key.public_key().jwk()).unwrap();
        let mut header = header(&self.key);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(jwk);
        header
    }

    /// A proof for a POST to `url` with some claims changed.
    pub(crate) fn proof(&self, url: &str, changes: &Value) -> String {
        let claims = json!({ "jti": unique(), "htm": "POST", "htu": url, "iat": now() });
        jwt(&self.key, &self.header(), &with(claims, changes))
    }

    /// A proof for the token endpoint.
    pub(crate) fn token_proof(&self, world: &World, changes: &Value) -> String {
        self.proof(&world.at("token"), changes)
    }

    /// A proof for a POST to the MCP server that presents `token`.
    pub(crate) fn mcp_proof(&self, world: &World, token: &str, changes: &Value) -> String {
        let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
        let mut claims = json!({ "ath": ath });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.proof(&world.mcp.url(), &claims)
    }

    /// Registers, authorizes and exchanges with a proof; returns client id and token answer.
    pub(crate) async fn log_in(&self, world: &World) -> (String, Value) {
        let client = world.register().await;
        let code = world.code(&client.id).await;
        let fields = world.exchange_fields(&client.id, &code);
        let proof = self.token_proof(world, &json!({}));
        let reply = token_with(world, &fields, &[&proof]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        (client.id, reply.json())
    }
}

/// A token request with these `DPoP` fields.
pub(crate) async fn token_with(world: &World, fields: &[(&str, &str)], proofs: &[&str]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut request = Request::post(world.at("token"))
        .header("content-type", "application/x-www-form-urlencoded");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let request = request.body(Bytes::from(body)).unwrap();
    Client::new().send(request).await.unwrap()
}

/// A ping of the MCP server with this `Authorization` field and these `DPoP` fields.
pub(crate) async fn ping_with(world: &World, authorization: &str, proofs: &[&str]) -> Reply {
    send(
        world,
        Method::POST,
        &stateless("ping", json!({})),
        authorization,
        proofs,
    )
    .await
}

pub(crate) async fn send(
    world: &World,
    method: Method,
    message: &Value,
    authorization: &str,
    proofs: &[&str],
) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(world.mcp.url())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message["method"].as_str().unwrap())
        .header("authorization", authorization);
    if let Some(name) = message["params"]["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let request = request.body(Bytes::from(message.to_string())).unwrap();
    world.client.send(request).await.unwrap()
}
