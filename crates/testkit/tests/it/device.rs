//! Device authorization (RFC 8628).

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Browser, ClientAuthMethod, DeviceGrant, Dpop,
    Error, Leg, McpServer, Reply, SigningAlgorithm, StaticClient,
};
use serde_json::{Value, json};

use crate::{
    proofs::{Prover, token_with},
    signing::{key, now, signed, unique},
    support::{Change, World, changed, refusal, text},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn server(rules: DeviceGrant) -> AuthorizationServerBuilder {
    let tv = StaticClient::public("tv").grant_types([GRANT, "refresh_token"]);
    AuthorizationServer::builder()
        .issuer_path("/tenant1")
        .scopes_supported(["mcp:read"])
        .device_grant(rules)
        .static_client(tv)
}

async fn world(rules: DeviceGrant) -> World {
    World::with(server(rules), McpServer::builder()).await
}

async fn start(world: &World, changes: &[Change<'_>]) -> Reply {
    let right = [("client_id", "tv"), ("resource", world.mcp.resource())];
    let url = world.at("device_authorization");
    let fields = changed(&right, changes);
    world.client.post_form(&url, &fields).await.unwrap()
}

fn poll_fields<'a>(world: &'a World, device_code: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", GRANT),
        ("client_id", "tv"),
        ("device_code", device_code),
        ("resource", world.mcp.resource()),
    ]
}

async fn poll(world: &World, started: &Value, changes: &[Change<'_>]) -> Reply {
    let right = poll_fields(world, text(started, "device_code"));
    world.token(&changed(&right, changes)).await
}

fn at_any_pace() -> DeviceGrant {
    DeviceGrant::new().interval(Duration::ZERO)
}

#[tokio::test]
async fn a_device_gets_tokens_once_the_person_approved() {
    let world = world(at_any_pace()).await;
    let reply = start(&world, &[("scope", Some("mcp:read"))]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let started = reply.json();
    let pending = poll(&world, &started, &[]).await;
    assert_eq!(refusal(&pending), (400, "authorization_pending".into()));
    assert_eq!(world.auth.waiting_devices(), [text(&started, "user_code")]);

    let typed = text(&started, "user_code").to_lowercase().replace('-', " ");
    assert!(world.auth.approve_device(&typed));
    assert!(world.auth.waiting_devices().is_empty());
    let reply = poll(&world, &started, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let tokens = reply.json();
    assert_eq!(tokens["scope"], "mcp:read");
    let token = text(&tokens, "access_token");
    let facts = world.auth.inspect(token).unwrap();
    assert_eq!(facts.audience, world.mcp.resource());
    assert_eq!((&*facts.client_id, &*facts.subject), ("tv", "alice"));
    assert_eq!(world.ping(token).await.status, 200);
    let renewed = world
        .refresh("tv", text(&tokens, "refresh_token"), &[])
        .await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());

    let again = poll(&world, &started, &[]).await;
    assert_eq!(refusal(&again), (400, "invalid_grant".into()));
    let counters = world.auth.counters();
    let counted = [
        counters.device_authorizations,
        counters.device_polls,
        counters.device_grants,
    ];
    assert_eq!(counted, [1, 3, 1]);
    assert_eq!(world.recorder.count(Leg::DeviceAuthorization), 1);
}

#[tokio::test]
async fn an_unsound_authorization_is_refused() {
    let world = world(at_any_pace()).await;
    let right = world.mcp.resource();
    let registered = world.register().await.id;
    let table: [(&[Change<'_>], &str); 8] = [
        (&[("client_id", None)], "invalid_request"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_id", Some(&registered))], "unauthorized_client"),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some("https://evil.example/mcp"))],
            "invalid_target",
        ),
        (
            &[("resource", Some(right)), ("resource", Some(right))],
            "invalid_target",
        ),
        (&[("scope", Some("mcp:write"))], "invalid_scope"),
        (
            &[("client_id", Some("tv")), ("client_id", Some("tv"))],
            "invalid_request",
        ),
    ];
    for (changes, error) in table {
        let reply = start(&world, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    let get = world.client.get(&world.at("device_authorization")).await;
    assert_eq!(get.unwrap().status, 405);
    assert!(world.auth.waiting_devices().is_empty());

    let off = World::new().await;
    let reply = start(&off, &[]).await;
    assert_eq!(reply.status, 404);
    let client = off.register().await;
    let fields = [("grant_type", GRANT), ("client_id", client.id.as_str())];
    let reply = off.token(&fields).await;
    assert_eq!(refusal(&reply).1, "unsupported_grant_type");
}

#[tokio::test]
async fn a_poll_is_for_its_device_its_client_and_its_resource() {
    let world = world(at_any_pace()).await;
    let second = McpServer::builder().path("/other");
    let second = second.authorization(&world.auth).start().await.unwrap();
    let started = start(&world, &[]).await.json();
    assert!(world.auth.approve_device(text(&started, "user_code")));
    let table: [(&[Change<'_>], &str); 6] = [
        (&[("device_code", None)], "invalid_request"),
        (&[("device_code", Some("guessed"))], "invalid_grant"),
        (&[("resource", None)], "invalid_target"),
        (&[("resource", Some(second.resource()))], "invalid_target"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("client_secret", Some("x"))], "invalid_client"),
    ];
    for (changes, error) in table {
        let reply = poll(&world, &started, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    let mut asked = json!({ "grant_types": [GRANT], "token_endpoint_auth_method": "none" });
    // RFC 7591 §2: what is not said means `code`, which does not go with these grants.
    let reply = world.client.post_json(&world.at("register"), &asked).await;
    assert_eq!(refusal(&reply.unwrap()).1, "invalid_client_metadata");
    asked["response_types"] = json!([]);
    let reply = world.client.post_json(&world.at("register"), &asked).await;
    let registered = reply.unwrap().json();
    assert_eq!(registered["response_types"], json!([]));
    let thief = text(&registered, "client_id");
    let stolen = poll(&world, &started, &[("client_id", Some(thief))]).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    assert_eq!(poll(&world, &started, &[]).await.status, 200);
}

#[tokio::test]
async fn a_device_that_was_denied_or_came_too_late_gets_nothing() {
    let world = world(at_any_pace().expires_in(Duration::from_secs(30))).await;
    let denied = start(&world, &[]).await.json();
    assert!(world.auth.deny_device(text(&denied, "user_code")));
    assert!(!world.auth.approve_device(text(&denied, "user_code")));
    let reply = poll(&world, &denied, &[]).await;
    assert_eq!(refusal(&reply), (400, "access_denied".into()));

    let late = start(&world, &[]).await.json();
    assert_eq!(late["expires_in"], 30);
    world.auth.advance(Duration::from_secs(31));
    assert!(!world.auth.approve_device(text(&late, "user_code")));
    let reply = poll(&world, &late, &[]).await;
    assert_eq!(refusal(&reply), (400, "expired_token".into()));
}

#[tokio::test]
async fn polls_that_come_too_soon_have_to_slow_down() {
    let table = [
        (DeviceGrant::new(), Some(5), 5),
        (DeviceGrant::new().interval(None), None, 5),
        (
            DeviceGrant::new().interval(Duration::from_secs(2)),
            Some(2),
            2,
        ),
    ];
    for (rules, announced, pace) in table {
        let world = world(rules).await;
        let started = start(&world, &[]).await.json();
        let interval = started.get("interval").and_then(Value::as_u64);
        assert_eq!(interval, announced);
        let after = async |seconds| {
            world.auth.advance(Duration::from_secs(seconds));
            refusal(&poll(&world, &started, &[]).await).1
        };
        assert_eq!(after(0).await, "authorization_pending");
        assert_eq!(after(pace).await, "authorization_pending");
        assert_eq!(after(pace - 1).await, "slow_down");
        // From here on the interval is five seconds longer.
        assert_eq!(after(pace + 4).await, "slow_down");
        assert_eq!(after(pace + 10).await, "authorization_pending");
        assert!(world.auth.approve_device(text(&started, "user_code")));
        assert_eq!(after(0).await, "slow_down");
    }
}

#[tokio::test]
async fn slow_downs_can_be_scripted() {
    let world = world(at_any_pace()).await;
    let started = start(&world, &[]).await.json();
    world.auth.slow_downs(2);
    for expected in ["slow_down", "slow_down", "authorization_pending"] {
        let reply = poll(&world, &started, &[]).await;
        assert_eq!(refusal(&reply), (400, expected.into()));
        // Who was told to slow down is held to it.
        world.auth.advance(Duration::from_secs(10));
    }
}

#[tokio::test]
async fn the_browser_decides_on_the_page() {
    let world = world(at_any_pace()).await;
    let deny = Browser::new().denying();
    for (browser, outcome) in [(Browser::new(), 200), (deny, 400)] {
        for complete in [false, true] {
            let started = start(&world, &[]).await.json();
            let page = if complete {
                "verification_uri_complete"
            } else {
                "verification_uri"
            };
            let page = text(&started, page);
            let wrong = browser.enter_code(page, "BBBB-BBBB").await.unwrap_err();
            assert!(matches!(wrong, Error::DeadEnd { .. }), "{wrong}");
            let code = text(&started, "user_code");
            let done = browser.enter_code(page, code).await.unwrap();
            assert_eq!(done.status, 200);
            let reply = poll(&world, &started, &[]).await;
            assert_eq!(reply.status, outcome, "{}", reply.text());
            let again = browser.enter_code(page, code).await;
            assert!(again.is_err(), "decided already");
        }
    }
    assert!(world.recorder.count(Leg::DeviceVerification) > 0);
    let bare = self::world(at_any_pace().verification_uri_complete(false)).await;
    let started = start(&bare, &[]).await.json();
    assert!(started.get("verification_uri_complete").is_none());
}

#[tokio::test]
async fn devices_that_have_credentials_authenticate() {
    let key = key(SigningAlgorithm::Es256);
    let secret = StaticClient::confidential("box", "secret", ClientAuthMethod::Post);
    let signer = StaticClient::with_key("signer", key.public_key());
    let auth = server(at_any_pace())
        .private_key_jwt([SigningAlgorithm::Es256])
        .static_client(secret.grant_types([GRANT]))
        .static_client(signer.grant_types([GRANT]));
    let world = World::with(auth, McpServer::builder()).await;
    let named = ("client_id", Some("box"));
    let bare = start(&world, &[named]).await;
    assert_eq!(refusal(&bare), (401, "invalid_client".into()));
    let right = start(&world, &[named, ("client_secret", Some("secret"))]).await;
    assert_eq!(right.status, 200, "{}", right.text());

    let assertion = || {
        let claims = json!({
            "iss": "signer", "sub": "signer", "aud": world.auth.issuer(),
            "iat": now(), "exp": now() + 60, "jti": unique(),
        });
        signed(&key, &claims)
    };
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let first = assertion();
    let proof = |assertion| {
        [
            ("client_id", None),
            ("client_assertion_type", Some(jwt)),
            ("client_assertion", Some(assertion)),
        ]
    };
    let started = start(&world, &proof(&first)).await;
    assert_eq!(started.status, 200, "{}", started.text());
    let started = started.json();
    assert!(world.auth.approve_device(text(&started, "user_code")));
    // Each poll needs an assertion of its own.
    let replayed = poll(&world, &started, &proof(&first)).await;
    assert_eq!(refusal(&replayed), (401, "invalid_client".into()));
    let reply = poll(&world, &started, &proof(&assertion())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_device_can_have_its_tokens_bound() {
    let auth = server(at_any_pace()).dpop(Dpop::Required);
    let world = World::with(auth, McpServer::builder()).await;
    let started = start(&world, &[]).await.json();
    assert!(world.auth.approve_device(text(&started, "user_code")));
    let fields = poll_fields(&world, text(&started, "device_code"));
    let bare = token_with(&world, &fields, &[]).await;
    assert_eq!(refusal(&bare), (400, "invalid_dpop_proof".into()));
    let prover = Prover::new();
    let proof = prover.token_proof(&world, &json!({}));
    let bound = token_with(&world, &fields, &[&proof]).await.json();
    assert_eq!(bound["token_type"], "DPoP");
    let facts = world.auth.inspect(text(&bound, "access_token")).unwrap();
    assert_eq!(facts.thumbprint, Some(prover.thumbprint()));
}

#[tokio::test]
async fn the_metadata_says_where_devices_go() {
    let world = world(at_any_pace()).await;
    let document = world.metadata().await;
    let endpoint = world.at("device_authorization");
    assert_eq!(document["device_authorization_endpoint"], endpoint);
    let grants = document["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!(GRANT)));
    let document = World::new().await.metadata().await;
    assert!(document.get("device_authorization_endpoint").is_none());
}
