//! Token exchange at an identity provider (RFC 8693), and an ID-JAG's whole way.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Client, ClientAuthMethod, Document, Dpop,
    McpServer, Reply, SigningAlgorithm, SigningKey, StaticClient, TrustedIssuer,
};
use serde_json::{Value, json};

use crate::{
    proofs::{Prover, token_with},
    signing::{key, now, unique},
    support::{Change, World, changed, refusal, text},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
const AUDIENCE: &str = "https://as.example";
const RESOURCE: &str = "https://mcp.example/mcp";

fn provider(key: &SigningKey) -> AuthorizationServerBuilder {
    let agent = StaticClient::public("agent").grant_types([GRANT, "refresh_token"]);
    AuthorizationServer::builder()
        .openid(key)
        .token_exchange(true)
        .static_client(agent)
        .static_client(StaticClient::public("other").grant_types([GRANT]))
}

struct Scene {
    key: SigningKey,
    world: World,
}

async fn scene() -> Scene {
    let key = key(SigningAlgorithm::Es256);
    let world = World::with(provider(&key), McpServer::builder()).await;
    Scene { key, world }
}

fn fields(subject_token: &str) -> [(&str, &str); 7] {
    [
        ("grant_type", GRANT),
        ("client_id", "agent"),
        ("subject_token", subject_token),
        ("subject_token_type", ID_TOKEN),
        ("requested_token_type", ID_JAG),
        ("audience", AUDIENCE),
        ("resource", RESOURCE),
    ]
}

impl Scene {
    fn id_token(&self) -> String {
        self.world.auth.issue_id_token("agent", "alice").unwrap()
    }

    async fn ask(&self, subject_token: &str, changes: &[Change<'_>]) -> Reply {
        self.world
            .token(&changed(&fields(subject_token), changes))
            .await
    }
}

fn part(jwt: &str, n: usize) -> Value {
    let part = jwt.split('.').nth(n).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn an_id_token_is_exchanged_for_an_id_jag() {
    let scene = scene().await;
    let scope = [("scope", Some("mcp:read mcp:write"))];
    let reply = scene.ask(&scene.id_token(), &scope).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    assert_eq!(answer["issued_token_type"], ID_JAG);
    assert_eq!(answer["token_type"], "N_A");
    assert_eq!(answer["expires_in"], 300);
    assert_eq!(answer["scope"], "mcp:read mcp:write");
    assert!(answer.get("refresh_token").is_none());

    let id_jag = text(&answer, "access_token");
    assert_eq!(part(id_jag, 0)["typ"], "oauth-id-jag+jwt");
    let claims = part(id_jag, 1);
    let issuer = scene.world.auth.issuer();
    for (name, expected) in [
        ("iss", issuer.as_str()),
        ("sub", "alice"),
        ("aud", AUDIENCE),
        ("client_id", "agent"),
        ("resource", RESOURCE),
        ("scope", "mcp:read mcp:write"),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    let lives = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lives, 300);
    assert!(
        scene.world.auth.inspect(id_jag).is_none(),
        "no access token"
    );
    assert_eq!(scene.world.auth.counters().token_exchanges, 1);
}

#[tokio::test]
async fn an_unsound_exchange_is_refused() {
    let scene = scene().await;
    let token = scene.id_token();
    let access = "urn:ietf:params:oauth:token-type:access_token";
    let table: [(&[Change<'_>], &str); 15] = [
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_id", Some("other"))], "invalid_request"),
        (&[("subject_token", None)], "invalid_request"),
        (&[("subject_token", Some("text"))], "invalid_request"),
        (&[("subject_token_type", None)], "invalid_request"),
        (&[("subject_token_type", Some(access))], "invalid_request"),
        (&[("subject_token_type", Some(SAML2))], "invalid_request"),
        (&[("requested_token_type", None)], "invalid_request"),
        (&[("requested_token_type", Some(access))], "invalid_request"),
        (&[("audience", None)], "invalid_request"),
        (
            &[("audience", Some(AUDIENCE)), ("audience", Some(AUDIENCE))],
            "invalid_request",
        ),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some(RESOURCE)), ("resource", Some(RESOURCE))],
            "invalid_target",
        ),
        (&[("scope", Some("a  b"))], "invalid_scope"),
        (&[("actor_token", Some("x"))], "invalid_request"),
    ];
    for (changes, error) in table {
        let reply = scene.ask(&token, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    assert_eq!(scene.world.auth.counters().token_exchanges, 0);

    let registered = scene.world.register().await.id;
    let unregistered = [("client_id", Some(registered.as_str()))];
    let reply = scene.ask(&token, &unregistered).await;
    assert_eq!(refusal(&reply), (400, "unauthorized_client".into()));
    let off = World::new().await;
    let reply = off.token(&fields(&token)).await;
    assert_eq!(refusal(&reply), (400, "unsupported_grant_type".into()));
}

#[tokio::test]
async fn an_id_token_is_this_providers_for_this_client_and_alive() {
    let scene = scene().await;
    let issuer = scene.world.auth.issuer();
    let made = |by: &SigningKey, changes: &Value| {
        let claims = json!({
            "iss": issuer, "sub": "alice", "aud": "agent",
            "iat": now(), "exp": now() + 60, "jti": unique(),
        });
        let claims = crate::signing::with(claims, changes);
        by.sign(&json!({ "typ": "JWT" }), &claims).unwrap()
    };
    let sound = made(&scene.key, &json!({}));
    assert_eq!(scene.ask(&sound, &[]).await.status, 200);
    for changes in [
        json!({ "iss": "https://evil.example" }),
        json!({ "aud": "other" }),
        json!({ "sub": null }),
        json!({ "exp": now() - 1 }),
    ] {
        let reply = scene.ask(&made(&scene.key, &changes), &[]).await;
        assert_eq!(
            refusal(&reply),
            (400, "invalid_request".into()),
            "{changes}"
        );
    }
    let forged = made(&key(SigningAlgorithm::Es256), &json!({}));
    let reply = scene.ask(&forged, &[]).await;
    assert_eq!(refusal(&reply), (400, "invalid_request".into()));
    // An ID-JAG is no ID token.
    let id_jag = scene.ask(&sound, &[]).await.json();
    let reply = scene.ask(text(&id_jag, "access_token"), &[]).await;
    assert_eq!(refusal(&reply), (400, "invalid_request".into()));

    let token = scene.id_token();
    scene.world.auth.advance(Duration::from_secs(3601));
    let expired = scene.ask(&token, &[]).await;
    assert_eq!(refusal(&expired), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_saml_sign_on_becomes_a_refresh_token_and_that_an_id_jag() {
    let scene = scene().await;
    let assertion = "PHNhbWxwOkFzc2VydGlvbj4";
    let as_saml = [
        ("subject_token_type", Some(SAML2)),
        ("requested_token_type", Some(REFRESH_TOKEN)),
        ("audience", None),
        ("resource", None),
        ("scope", Some("openid offline_access")),
    ];
    let unknown = scene.ask(assertion, &as_saml).await;
    assert_eq!(refusal(&unknown), (400, "invalid_request".into()));
    scene.world.auth.register_saml_assertion(assertion, "carol");
    let reply = scene.ask(assertion, &as_saml).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["issued_token_type"], REFRESH_TOKEN);
    assert_eq!(answer["token_type"], "N_A");
    assert_eq!(answer["scope"], "openid offline_access");

    let refresh_token = text(&answer, "access_token");
    let as_refresh = ("subject_token_type", Some(REFRESH_TOKEN));
    let id_jag = scene.ask(refresh_token, &[as_refresh]).await;
    assert_eq!(id_jag.status, 200, "{}", id_jag.text());
    let claims = part(text(&id_jag.json(), "access_token"), 1);
    assert_eq!(claims["sub"], "carol");
    let thief = [as_refresh, ("client_id", Some("other"))];
    let stolen = scene.ask(refresh_token, &thief).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    let guessed = scene.ask("guessed", &[as_refresh]).await;
    assert_eq!(refusal(&guessed), (400, "invalid_grant".into()));

    // It refreshes too, and an ID token comes with it.
    let none = [("resource", None)];
    let renewed = scene.world.refresh("agent", refresh_token, &none).await;
    let renewed = renewed.json();
    assert_eq!(part(text(&renewed, "id_token"), 1)["sub"], "carol");
    let spent = scene.ask(refresh_token, &[as_refresh]).await;
    assert_eq!(refusal(&spent), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn the_provider_knows_what_its_clients_are_called_elsewhere() {
    let scene = scene().await;
    scene
        .world
        .auth
        .know_client_at(AUDIENCE, "agent", "agent-there");
    let answer = scene.ask(&scene.id_token(), &[]).await.json();
    let claims = part(text(&answer, "access_token"), 1);
    assert_eq!(claims["client_id"], "agent-there");
    let elsewhere = [("audience", Some("https://evil.example"))];
    let reply = scene.ask(&scene.id_token(), &elsewhere).await;
    assert_eq!(refusal(&reply), (400, "invalid_target".into()));
}

#[tokio::test]
async fn the_provider_grants_fewer_scopes_and_lies_on_demand() {
    let key = key(SigningAlgorithm::Es256);
    let auth = provider(&key)
        .id_jag_scopes(["mcp:read"])
        .field(
            Document::TokenExchange,
            "issued_token_type",
            json!(ID_TOKEN),
        )
        .field(Document::IdJag, "aud", json!("https://evil.example"));
    let world = World::with(auth, McpServer::builder()).await;
    let scene = Scene { key, world };
    let scope = [("scope", Some("mcp:read mcp:write"))];
    let answer = scene.ask(&scene.id_token(), &scope).await.json();
    assert_eq!(answer["scope"], "mcp:read");
    assert_eq!(answer["issued_token_type"], ID_TOKEN);
    let claims = part(text(&answer, "access_token"), 1);
    assert_eq!(claims["scope"], "mcp:read");
    assert_eq!(claims["aud"], "https://evil.example");
}

#[tokio::test]
async fn a_proof_at_the_exchange_binds_the_id_jag() {
    let scene = scene().await;
    scene.world.auth.set_dpop(Dpop::Supported);
    let prover = Prover::new();
    let token = scene.id_token();
    let proof = prover.token_proof(&scene.world, &json!({}));
    let answer = token_with(&scene.world, &fields(&token), &[&proof]).await;
    let answer = answer.json();
    assert_eq!(answer["token_type"], "N_A");
    let claims = part(text(&answer, "access_token"), 1);
    assert_eq!(claims["cnf"]["jkt"], prover.thumbprint());
}

#[tokio::test]
async fn an_id_jag_goes_all_the_way_to_the_mcp_server() {
    let key = key(SigningAlgorithm::EdDsa);
    let idp = provider(&key).start().await.unwrap();
    let jwt_bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let there = StaticClient::confidential("agent-there", "secret", ClientAuthMethod::Post);
    let auth = AuthorizationServer::builder()
        .jwt_bearer(TrustedIssuer::id_jag(idp.issuer(), key.public_key()))
        .static_client(there.grant_types([jwt_bearer]));
    let world = World::with(auth, McpServer::builder()).await;
    idp.know_client_at(&world.auth.issuer(), "agent", "agent-there");

    let id_token = idp.issue_id_token("agent", "alice").unwrap();
    let (issuer, resource) = (world.auth.issuer(), world.mcp.resource());
    let changes = [
        ("audience", Some(issuer.as_str())),
        ("resource", Some(resource)),
    ];
    let exchange = changed(&fields(&id_token), &changes);
    let url = format!("{}/token", idp.issuer());
    let answer = Client::new()
        .post_form(&url, &exchange)
        .await
        .unwrap()
        .json();
    let fields = [
        ("grant_type", jwt_bearer),
        ("client_id", "agent-there"),
        ("client_secret", "secret"),
        ("assertion", text(&answer, "access_token")),
        ("resource", resource),
    ];
    let tokens = world.token(&fields).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let tokens = tokens.json();
    assert_eq!(world.ping(text(&tokens, "access_token")).await.status, 200);
    assert!(world.auth.refusals().is_empty() && idp.refusals().is_empty());
}

#[tokio::test]
async fn the_metadata_says_that_id_jags_are_issued() {
    let scene = scene().await;
    let place = format!(
        "{}/.well-known/openid-configuration",
        scene.world.auth.issuer()
    );
    let document = scene.world.client.get(&place).await.unwrap().json();
    let grants = document["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!(GRANT)));
    let listed = &document["identity_chaining_requested_token_types_supported"];
    assert_eq!(*listed, json!([ID_JAG]));
}
