//! Client authentication with a secret, or without (RFC 6749 §2.3).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use doorkey_testkit::{
    AuthorizationServer, Client, ClientAuthMethod, McpServer, Reply, StaticClient,
};
use http::Request;
use url::form_urlencoded;

use crate::support::{Change, REDIRECT, VERIFIER, World, changed, refusal, text};

/// Where a test puts id and secret.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Proof {
    Nothing,
    InBody,
    /// Form-encoded, as RFC 6749 §2.3.1 has it.
    Basic,
    /// The habit of clients that skip the form-encoding.
    RawBasic,
    BasicAndBody,
}

async fn exchange_as(world: &World, proof: Proof, id: &str, secret: &str) -> Reply {
    let code = world.code(id).await;
    let right = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", world.mcp.resource()),
    ];
    let body_id: &[Change<'_>] = &[("client_id", Some(id))];
    let body_both: &[Change<'_>] = &[("client_id", Some(id)), ("client_secret", Some(secret))];
    let extra = match proof {
        Proof::Nothing => body_id,
        Proof::InBody | Proof::BasicAndBody => body_both,
        Proof::Basic | Proof::RawBasic => &[],
    };
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = match proof {
        Proof::Basic | Proof::BasicAndBody => Some(format!("{}:{}", encode(id), encode(secret))),
        Proof::RawBasic => Some(format!("{id}:{secret}")),
        Proof::Nothing | Proof::InBody => None,
    };
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(changed(&right, extra))
        .finish();
    let mut request = Request::post(world.at("token"))
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(pair) = pair {
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
    }
    let request = request.body(Bytes::from(body)).unwrap();
    Client::new().send(request).await.unwrap()
}

#[tokio::test]
async fn a_client_authenticates_by_its_own_method_and_by_no_other() {
    use Proof::{Basic, BasicAndBody, InBody, Nothing, RawBasic};
    let secret = "s%c:r+t &";
    let table = [
        (ClientAuthMethod::None, Nothing, None),
        (ClientAuthMethod::None, InBody, Some("invalid_client")),
        (ClientAuthMethod::None, Basic, Some("invalid_client")),
        (ClientAuthMethod::Basic, Basic, None),
        (ClientAuthMethod::Basic, RawBasic, Some("invalid_client")),
        (ClientAuthMethod::Basic, InBody, Some("invalid_client")),
        (ClientAuthMethod::Basic, Nothing, Some("invalid_client")),
        (
            ClientAuthMethod::Basic,
            BasicAndBody,
            Some("invalid_request"),
        ),
        (ClientAuthMethod::Post, InBody, None),
        (ClientAuthMethod::Post, Basic, Some("invalid_client")),
        (ClientAuthMethod::Post, Nothing, Some("invalid_client")),
    ];
    for (method, proof, error) in table {
        let client = match method {
            ClientAuthMethod::None => StaticClient::public("https id"),
            method => StaticClient::confidential("https id", secret, method),
        };
        let auth = AuthorizationServer::builder().static_client(client.redirect_uri(REDIRECT));
        let world = World::with(auth, McpServer::builder()).await;
        let reply = exchange_as(&world, proof, "https id", secret).await;
        match error {
            None => assert_eq!(reply.status, 200, "{method:?} {proof:?}: {}", reply.text()),
            Some(error) => assert_eq!(refusal(&reply).1, error, "{method:?} {proof:?}"),
        }
        if error.is_none() && method != ClientAuthMethod::None {
            let wrong = exchange_as(&world, proof, "https id", "wrong").await;
            assert_eq!(refusal(&wrong), (401, "invalid_client".into()));
        }
    }
}

#[tokio::test]
async fn a_client_secret_that_has_expired_is_refused() {
    let auth = AuthorizationServer::builder()
        .registration_auth_method("client_secret_post")
        .registration_secret_expires_in(Duration::from_secs(30));
    let world = World::with(auth, McpServer::builder()).await;
    let client = world.register().await;
    let secret = text(&client.answer, "client_secret");
    let fresh = exchange_as(&world, Proof::InBody, &client.id, secret).await;
    assert_eq!(fresh.status, 200, "{}", fresh.text());
    world.auth.advance(Duration::from_secs(31));
    let late = exchange_as(&world, Proof::InBody, &client.id, secret).await;
    assert_eq!(refusal(&late), (401, "invalid_client".into()));
}
