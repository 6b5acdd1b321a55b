//! Assertions as grants (RFC 7523 §2.1): workload identity and ID-JAGs.

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, ClientAuthMethod, Dpop, McpServer, Reply, SigningAlgorithm, SigningKey,
    StaticClient, TrustedIssuer,
};
use jsonwebtoken::Header;
use serde_json::{Value, json};

use crate::{
    proofs::{Prover, token_with},
    signing::{header, jwt, key, now, signed, unique, with},
    support::{Change, World, changed, refusal, text},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const PLATFORM: &str = "https://platform.example";
const IDP: &str = "https://idp.example";

/// A server that trusts a platform and an identity provider, and their keys.
struct Scene {
    world: World,
    platform: SigningKey,
    idp: SigningKey,
}

async fn scene() -> Scene {
    let (platform, idp) = (key(SigningAlgorithm::Rs256), key(SigningAlgorithm::Es256));
    let agent = StaticClient::confidential("agent", "secret", ClientAuthMethod::Post);
    let auth = AuthorizationServer::builder()
        .issuer_path("/tenant1")
        .scopes_supported(["mcp:read", "mcp:write", "mcp:admin"])
        .jwt_bearer(TrustedIssuer::workload(PLATFORM, platform.public_key()))
        .jwt_bearer(TrustedIssuer::id_jag(IDP, idp.public_key()))
        .static_client(agent.grant_types([GRANT]))
        .static_client(StaticClient::public("pod").grant_types([GRANT]));
    Scene {
        world: World::with(auth, McpServer::builder()).await,
        platform,
        idp,
    }
}

impl Scene {
    fn workload(&self) -> Value {
        json!({
            "iss": PLATFORM,
            "sub": "system:serviceaccount:agents:builder",
            "aud": self.world.auth.issuer(),
            "iat": now(),
            "exp": now() + 3600,
        })
    }

    fn id_jag(&self) -> Value {
        json!({
            "iss": IDP,
            "sub": "alice",
            "aud": self.world.auth.issuer(),
            "client_id": "agent",
            "resource": self.world.mcp.resource(),
            "scope": "mcp:read mcp:write",
            "jti": unique(),
            "iat": now(),
            "exp": now() + 300,
        })
    }

    async fn ask(&self, assertion: &str, changes: &[Change<'_>]) -> Reply {
        let right = [
            ("grant_type", GRANT),
            ("assertion", assertion),
            ("resource", self.world.mcp.resource()),
        ];
        self.world.token(&changed(&right, changes)).await
    }

    async fn ask_as_agent(&self, claims: &Value, changes: &[Change<'_>]) -> Reply {
        let assertion = jwt(&self.idp, &typed(&self.idp), claims);
        let mut all = vec![
            ("client_id", Some("agent")),
            ("client_secret", Some("secret")),
        ];
        all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        all.extend(changes);
        self.ask(&assertion, &all).await
    }
}

fn typed(key: &SigningKey) -> Header {
    let mut header = header(key);
    header.typ = Some("oauth-id-jag+jwt".to_owned());
    header
}

#[tokio::test]
async fn a_workload_gets_a_token_without_being_a_client() {
    let scene = scene().await;
    let assertion = signed(&scene.platform, &scene.workload());
    for (client, expected) in [
        (None, "system:serviceaccount:agents:builder"),
        (Some("pod"), "pod"),
    ] {
        let changes = [("client_id", client), ("scope", Some("mcp:read"))];
        let reply = scene.ask(&assertion, &changes).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let tokens = reply.json();
        assert!(tokens.get("refresh_token").is_none());
        let token = text(&tokens, "access_token");
        let facts = scene.world.auth.inspect(token).unwrap();
        assert_eq!(facts.subject, "system:serviceaccount:agents:builder");
        assert_eq!(facts.client_id, expected);
        assert_eq!(facts.audience, scene.world.mcp.resource());
        assert_eq!(facts.scopes, ["mcp:read"]);
        assert_eq!(scene.world.ping(token).await.status, 200);
    }
    assert_eq!(scene.world.auth.counters().jwt_bearer_grants, 2);
    let listed = json!({ "aud": ["https://other.example", scene.world.auth.issuer()] });
    let assertion = signed(&scene.platform, &with(scene.workload(), &listed));
    assert_eq!(scene.ask(&assertion, &[]).await.status, 200);
}

#[tokio::test]
async fn an_assertion_with_wrong_claims_is_refused() {
    let scene = scene().await;
    let issuer = scene.world.auth.issuer();
    let table = [
        json!({ "iss": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": IDP }),
        json!({ "sub": null }),
        json!({ "aud": null }),
        json!({ "aud": "https://other.example" }),
        json!({ "aud": [] }),
        json!({ "aud": format!("{issuer}/token") }),
        json!({ "exp": null }),
        json!({ "exp": now() - 1 }),
        json!({ "iat": null }),
        json!({ "iat": now() + 60 }),
        json!({ "nbf": now() + 60 }),
    ];
    for changes in table {
        let assertion = signed(&scene.platform, &with(scene.workload(), &changes));
        let reply = scene.ask(&assertion, &[]).await;
        assert_eq!(refusal(&reply), (400, "invalid_grant".into()), "{changes}");
    }
    let forged = signed(&key(SigningAlgorithm::Rs256), &scene.workload());
    let mistyped = jwt(&scene.platform, &typed(&scene.platform), &scene.workload());
    for assertion in [forged.as_str(), &mistyped, "text", ""] {
        let reply = scene.ask(assertion, &[]).await;
        assert_eq!(refusal(&reply), (400, "invalid_grant".into()));
    }
    assert_eq!(scene.world.auth.counters().jwt_bearer_grants, 0);
}

#[tokio::test]
async fn an_unsound_request_is_refused_by_its_own_error() {
    let scene = scene().await;
    let assertion = signed(&scene.platform, &scene.workload());
    let registered = scene.world.register().await.id;
    let table: [(&[Change<'_>], &str); 8] = [
        (&[("assertion", None)], "invalid_request"),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some("https://evil.example/mcp"))],
            "invalid_target",
        ),
        (&[("scope", Some("mcp:unknown"))], "invalid_scope"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_id", Some("agent"))], "invalid_client"),
        (&[("client_id", Some(&registered))], "unauthorized_client"),
        (&[("client_secret", Some("secret"))], "invalid_request"),
    ];
    for (changes, error) in table {
        let reply = scene.ask(&assertion, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    let off = World::new().await;
    let fields = [("grant_type", GRANT), ("assertion", assertion.as_str())];
    let reply = off.token(&fields).await;
    assert_eq!(refusal(&reply), (400, "unsupported_grant_type".into()));
}

#[tokio::test]
async fn replays_are_refused_where_that_is_asked_for() {
    let platform = key(SigningAlgorithm::EdDsa);
    let trusted = TrustedIssuer::workload(PLATFORM, platform.public_key());
    for once in [false, true] {
        let world = World::new().await;
        world.auth.trust(trusted.clone().once(once));
        let scene = Scene {
            world,
            platform: platform.clone(),
            idp: key(SigningAlgorithm::Es256),
        };
        let bare = signed(&platform, &scene.workload());
        assert_eq!(scene.ask(&bare, &[]).await.status == 200, !once);
        let identified = with(scene.workload(), &json!({ "jti": "one" }));
        let assertion = signed(&platform, &identified);
        assert_eq!(scene.ask(&assertion, &[]).await.status, 200);
        assert_eq!(scene.ask(&assertion, &[]).await.status == 200, !once);
    }
}

#[tokio::test]
async fn an_id_jag_is_for_its_client_and_its_resource() {
    let scene = scene().await;
    let reply = scene.ask_as_agent(&scene.id_jag(), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let facts = scene
        .world
        .auth
        .inspect(text(&reply.json(), "access_token"));
    let facts = facts.unwrap();
    assert_eq!((&*facts.client_id, &*facts.subject), ("agent", "alice"));
    assert_eq!(facts.audience, scene.world.mcp.resource());
    assert_eq!(facts.scopes, ["mcp:read", "mcp:write"]);

    let other = McpServer::builder().path("/other");
    let other = other
        .authorization(&scene.world.auth)
        .start()
        .await
        .unwrap();
    let issuer = scene.world.auth.issuer();
    let claims_table = [
        (json!({ "client_id": null }), "invalid_grant"),
        (json!({ "client_id": "other" }), "invalid_grant"),
        (json!({ "resource": null }), "invalid_grant"),
        (json!({ "resource": other.resource() }), "invalid_target"),
        (json!({ "jti": null }), "invalid_grant"),
        (json!({ "aud": [issuer] }), "ok"),
        (json!({ "aud": [issuer, IDP] }), "invalid_grant"),
        (json!({ "scope": "mcp:admin" }), "ok"),
    ];
    for (changes, error) in claims_table {
        let reply = scene
            .ask_as_agent(&with(scene.id_jag(), &changes), &[])
            .await;
        let got = refusal(&reply).1;
        assert_eq!(got.replace("none", "ok"), error, "{changes}");
    }
    let table: [(&[Change<'_>], &str); 6] = [
        (
            &[("client_id", None), ("client_secret", None)],
            "invalid_client",
        ),
        (&[("client_secret", None)], "invalid_client"),
        (
            &[("client_id", Some("pod")), ("client_secret", None)],
            "invalid_grant",
        ),
        (&[("resource", None)], "invalid_target"),
        (&[("scope", Some("mcp:admin"))], "invalid_scope"),
        (&[("scope", Some("mcp:read"))], "none"),
    ];
    for (changes, error) in table {
        let reply = scene.ask_as_agent(&scene.id_jag(), changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn an_id_jag_is_typed_short_lived_and_used_once_where_that_is_asked_for() {
    let scene = scene().await;
    let claims = scene.id_jag();
    let untyped = signed(&scene.idp, &claims);
    let as_agent = [
        ("client_id", Some("agent")),
        ("client_secret", Some("secret")),
    ];
    let reply = scene.ask(&untyped, &as_agent).await;
    assert_eq!(refusal(&reply), (400, "invalid_grant".into()));
    assert_eq!(scene.ask_as_agent(&claims, &[]).await.status, 200);
    assert_eq!(scene.ask_as_agent(&claims, &[]).await.status, 200);
    let late = scene.id_jag();
    scene.world.auth.advance(Duration::from_secs(301));
    let reply = scene.ask_as_agent(&late, &[]).await;
    assert_eq!(refusal(&reply), (400, "invalid_grant".into()));

    let idp = key(SigningAlgorithm::Es256);
    let agent = StaticClient::confidential("agent", "secret", ClientAuthMethod::Post);
    let auth = AuthorizationServer::builder()
        .jwt_bearer(TrustedIssuer::id_jag(IDP, idp.public_key()).once(true))
        .static_client(agent.grant_types([GRANT]));
    let world = World::with(auth, McpServer::builder()).await;
    let scene = Scene {
        world,
        platform: idp.clone(),
        idp,
    };
    let claims = scene.id_jag();
    assert_eq!(scene.ask_as_agent(&claims, &[]).await.status, 200);
    let again = scene.ask_as_agent(&claims, &[]).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn an_id_jag_bound_to_a_key_needs_that_key() {
    let scene = scene().await;
    scene.world.auth.set_dpop(Dpop::Supported);
    let (prover, other) = (Prover::new(), Prover::new());
    let claims = with(
        scene.id_jag(),
        &json!({ "cnf": { "jkt": prover.thumbprint() } }),
    );
    let assertion = jwt(&scene.idp, &typed(&scene.idp), &claims);
    let fields = [
        ("grant_type", GRANT),
        ("client_id", "agent"),
        ("client_secret", "secret"),
        ("assertion", assertion.as_str()),
        ("resource", scene.world.mcp.resource()),
    ];
    let bare = token_with(&scene.world, &fields, &[]).await;
    assert_eq!(refusal(&bare), (400, "invalid_grant".into()));
    for (by, status) in [(&other, 400), (&prover, 200)] {
        let proof = by.token_proof(&scene.world, &json!({}));
        let reply = token_with(&scene.world, &fields, &[&proof]).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
}

#[tokio::test]
async fn tokens_for_assertions_can_be_bound() {
    let scene = scene().await;
    scene.world.auth.set_dpop(Dpop::Required);
    let assertion = signed(&scene.platform, &scene.workload());
    let bare = scene.ask(&assertion, &[]).await;
    assert_eq!(refusal(&bare), (400, "invalid_dpop_proof".into()));
    let prover = Prover::new();
    let fields = [
        ("grant_type", GRANT),
        ("assertion", assertion.as_str()),
        ("resource", scene.world.mcp.resource()),
    ];
    let proof = prover.token_proof(&scene.world, &json!({}));
    let bound = token_with(&scene.world, &fields, &[&proof]).await.json();
    let facts = scene.world.auth.inspect(text(&bound, "access_token"));
    assert_eq!(facts.unwrap().thumbprint, Some(prover.thumbprint()));
}

#[tokio::test]
async fn the_metadata_says_which_assertions_are_taken() {
    let profiles = "authorization_grant_profiles_supported";
    let world = World::new().await;
    let key = key(SigningAlgorithm::Es256);
    let listed = async || {
        let document = world.metadata().await;
        let grants = document["grant_types_supported"].as_array().unwrap();
        (grants.contains(&json!(GRANT)), document[profiles].clone())
    };
    assert_eq!(listed().await, (false, Value::Null));
    let platform = TrustedIssuer::workload(PLATFORM, key.public_key());
    world.auth.trust(platform);
    assert_eq!(listed().await, (true, Value::Null));
    world
        .auth
        .trust(TrustedIssuer::id_jag(IDP, key.public_key()));
    let profile = json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert_eq!(listed().await, (true, profile));
}
