//! `private_key_jwt` (RFC 7523 §2.2 and §3).

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, McpServer, PublicKey, Reply, SigningAlgorithm,
    SigningKey, StaticClient,
};
use serde_json::{Value, json};

use crate::{
    signing::{key, now, signed, unique, with},
    support::{Change, World, changed, refusal, text},
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const GRANT: &str = "client_credentials";

fn server(key: &PublicKey) -> AuthorizationServerBuilder {
    AuthorizationServer::builder()
        .issuer_path("/tenant1")
        .client_credentials(true)
        .private_key_jwt([SigningAlgorithm::Es256])
        .static_client(StaticClient::with_key("robot", key).grant_types([GRANT]))
}

fn claims(world: &World) -> Value {
    json!({
        "iss": "robot",
        "sub": "robot",
        "aud": world.auth.issuer(),
        "iat": now(),
        "exp": now() + 300,
        "jti": unique(),
    })
}

async fn ask(world: &World, assertion: &str, changes: &[Change<'_>]) -> Reply {
    let right = [
        ("grant_type", GRANT),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
        ("resource", world.mcp.resource()),
    ];
    world.token(&changed(&right, changes)).await
}

#[tokio::test]
async fn a_sound_assertion_of_every_algorithm_is_accepted() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let from_jwk = PublicKey::from_jwk(&key.public_key().jwk()).unwrap();
        for public in [key.public_key(), &from_jwk] {
            let auth = server(public).private_key_jwt([algorithm]);
            let world = World::with(auth, McpServer::builder()).await;
            let reply = ask(&world, &signed(&key, &claims(&world)), &[]).await;
            assert_eq!(reply.status, 200, "{algorithm:?}: {}", reply.text());
            let token = reply.json();
            let facts = world.auth.inspect(text(&token, "access_token")).unwrap();
            assert_eq!(facts.client_id, "robot");
            assert_eq!(world.auth.counters().client_assertions, 1);
        }
    }
}

#[tokio::test]
async fn an_assertion_with_wrong_claims_is_refused() {
    let key = key(SigningAlgorithm::Es256);
    let world = World::with(server(key.public_key()), McpServer::builder()).await;
    let issuer = world.auth.issuer();
    let table = [
        json!({ "iss": null }),
        json!({ "iss": "other" }),
        json!({ "sub": null }),
        json!({ "sub": "other" }),
        json!({ "aud": null }),
        json!({ "aud": [issuer] }),
        json!({ "aud": format!("{issuer}/") }),
        json!({ "aud": format!("{issuer}/token") }),
        json!({ "exp": null }),
        json!({ "exp": now() - 1 }),
        json!({ "exp": now() + 302 }),
        json!({ "exp": (now() + 60).to_string() }),
        json!({ "iat": null }),
        json!({ "iat": now() + 60 }),
        json!({ "iat": now() - 301 }),
        json!({ "nbf": now() + 60 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "jti": 7 }),
    ];
    let rows = table.len();
    for changes in table {
        let assertion = signed(&key, &with(claims(&world), &changes));
        let reply = ask(&world, &assertion, &[]).await;
        assert_eq!(refusal(&reply), (401, "invalid_client".into()), "{changes}");
    }
    assert_eq!(world.auth.refusals().len(), rows);
    assert_eq!(world.auth.counters().client_assertions, 0);
    let sound = ask(&world, &signed(&key, &claims(&world)), &[]).await;
    assert_eq!(sound.status, 200, "{}", sound.text());
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let key = key(SigningAlgorithm::Es256);
    let world = World::with(server(key.public_key()), McpServer::builder()).await;
    let assertion = signed(&key, &claims(&world));
    assert_eq!(ask(&world, &assertion, &[]).await.status, 200);
    let again = ask(&world, &assertion, &[]).await;
    assert_eq!(refusal(&again), (401, "invalid_client".into()));
    let refusals = world.auth.refusals();
    assert!(refusals[0].contains("used before"), "{refusals:?}");

    world.auth.advance(Duration::from_secs(301));
    let old = ask(&world, &signed(&key, &claims(&world)), &[]).await;
    assert_eq!(refusal(&old), (401, "invalid_client".into()));
}

/// An assertion whose header is not what the key does.
fn forged(key: &SigningKey, world: &World, header: &Value) -> String {
    key.sign(header, &claims(world)).unwrap()
}

#[tokio::test]
async fn the_algorithm_is_one_that_is_offered_and_fits_the_key() {
    let right = key(SigningAlgorithm::Es256);
    let other = key(SigningAlgorithm::Es256);
    let rsa = key(SigningAlgorithm::Rs256);
    let auth = server(right.public_key())
        .private_key_jwt([SigningAlgorithm::Es256, SigningAlgorithm::Rs256]);
    let world = World::with(auth, McpServer::builder()).await;
    let sound = signed(&right, &claims(&world));
    let (unsigned, _) = sound.rsplit_once('.').unwrap();
    let table = [
        ("another key's", signed(&other, &claims(&world))),
        ("another kind of key's", signed(&rsa, &claims(&world))),
        ("not signed", format!("{unsigned}.")),
        ("none", forged(&right, &world, &json!({ "alg": "none" }))),
        ("HS256", forged(&right, &world, &json!({ "alg": "HS256" }))),
        (
            "not offered",
            forged(&right, &world, &json!({ "alg": "EdDSA" })),
        ),
        (
            "critical",
            forged(&right, &world, &json!({ "crit": ["x"] })),
        ),
        ("two parts", unsigned.to_owned()),
        ("no JWT", "text".to_owned()),
    ];
    for (what, assertion) in table {
        let reply = ask(&world, &assertion, &[]).await;
        assert_eq!(refusal(&reply), (401, "invalid_client".into()), "{what}");
    }
    assert_eq!(ask(&world, &sound, &[]).await.status, 200);
}

#[tokio::test]
async fn one_way_to_authenticate_and_the_type_named() {
    let key = key(SigningAlgorithm::Es256);
    let world = World::with(server(key.public_key()), McpServer::builder()).await;
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let table: [(&[Change<'_>], Option<&str>); 8] = [
        (&[("client_assertion_type", None)], Some("invalid_request")),
        (
            &[("client_assertion_type", Some(saml))],
            Some("invalid_client"),
        ),
        (&[("client_assertion", None)], Some("invalid_request")),
        (&[("client_secret", Some("x"))], Some("invalid_request")),
        (&[("client_id", Some("other"))], Some("invalid_client")),
        (&[("client_id", Some(""))], Some("invalid_client")),
        (&[("client_id", Some("robot"))], None),
        (&[], None),
    ];
    for (changes, error) in table {
        let reply = ask(&world, &signed(&key, &claims(&world)), changes).await;
        match error {
            Some(error) => assert_eq!(refusal(&reply).1, error, "{changes:?}"),
            None => assert_eq!(reply.status, 200, "{changes:?}: {}", reply.text()),
        }
    }
    // A client with a key does not get by without it, and others do not get by with it.
    let bare = [("client_assertion", None), ("client_assertion_type", None)];
    let named = [bare[0], bare[1], ("client_id", Some("robot"))];
    let reply = ask(&world, "", &named).await;
    assert_eq!(refusal(&reply), (401, "invalid_client".into()));
    let registered = world.register().await;
    let foreign = json!({ "iss": registered.id, "sub": registered.id });
    let assertion = signed(&key, &with(claims(&world), &foreign));
    let reply = ask(&world, &assertion, &[]).await;
    assert_eq!(refusal(&reply), (401, "invalid_client".into()));
}

#[tokio::test]
async fn another_audience_can_be_demanded() {
    let key = key(SigningAlgorithm::Es256);
    let audience = "https://as.example/token";
    let auth = server(key.public_key()).client_assertion_audience(audience);
    let world = World::with(auth, McpServer::builder()).await;
    let own = ask(&world, &signed(&key, &claims(&world)), &[]).await;
    assert_eq!(refusal(&own), (401, "invalid_client".into()));
    let demanded = with(claims(&world), &json!({ "aud": audience }));
    assert_eq!(ask(&world, &signed(&key, &demanded), &[]).await.status, 200);
}

#[tokio::test]
async fn revocation_takes_assertions_too() {
    let key = key(SigningAlgorithm::Es256);
    let world = World::with(server(key.public_key()), McpServer::builder()).await;
    let reply = ask(&world, &signed(&key, &claims(&world)), &[])
        .await
        .json();
    let token = text(&reply, "access_token");
    let revoke = async |assertion: &str| {
        let fields = [
            ("token", token),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        let url = world.at("revoke");
        world.client.post_form(&url, &fields).await.unwrap().status
    };
    let to_endpoint = json!({ "aud": world.at("revoke") });
    let wrong = signed(&key, &with(claims(&world), &to_endpoint));
    assert_eq!(revoke(&wrong).await, 401);
    assert_eq!(revoke(&signed(&key, &claims(&world))).await, 200);
    assert_eq!(world.ping(token).await.status, 401);
}

#[tokio::test]
async fn the_metadata_lists_method_and_algorithms_where_they_are_on() {
    let world = World::new().await;
    let document = world.metadata().await;
    let methods = json!(["none", "client_secret_basic", "client_secret_post"]);
    assert_eq!(document["token_endpoint_auth_methods_supported"], methods);
    let algorithms = "token_endpoint_auth_signing_alg_values_supported";
    assert!(document.get(algorithms).is_none());

    let auth = AuthorizationServer::builder()
        .private_key_jwt([SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]);
    let world = World::with(auth, McpServer::builder()).await;
    let document = world.metadata().await;
    for endpoint in ["token", "revocation"] {
        let methods = &document[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert_eq!(methods[3], "private_key_jwt");
        let algorithms =
            &document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert_eq!(*algorithms, json!(["ES256", "EdDSA"]));
    }
}

#[test]
fn a_key_that_is_none_is_said_to_be_none() {
    let key = key(SigningAlgorithm::Es256);
    assert!(PublicKey::from_pem(key.pem()).is_err(), "a private key");
    assert!(PublicKey::from_pem("text").is_err());
    let mut jwk = key.public_key().jwk();
    jwk["d"] = json!("AAAA");
    assert!(PublicKey::from_jwk(&jwk).is_err(), "a private key");
    let mut jwk = key.public_key().jwk();
    jwk["x"] = json!("AAAA");
    assert!(PublicKey::from_jwk(&jwk).is_err(), "a short coordinate");
    let symmetric = json!({ "kty": "oct", "k": "AAAA" });
    assert!(PublicKey::from_jwk(&symmetric).is_err());
    let printed = format!("{key:?}");
    assert!(
        !printed.contains("PRIVATE") && !printed.contains(key.pem()),
        "{printed}"
    );
}

/// RFC 7638 §3.1 and RFC 8037 appendix A.3.
#[test]
fn thumbprints_are_those_of_the_specifications() {
    let rsa = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    let ed25519 = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (jwk, thumbprint) in [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        assert_eq!(PublicKey::from_jwk(&jwk).unwrap().thumbprint(), thumbprint);
    }
}
