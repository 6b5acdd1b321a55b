//! DPoP at the authorization server (RFC 9449 §5, §8 and §10).

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, ClientCredentials, Dpop,
    DpopNonces, McpServer, Reply, StaticClient,
};
use serde_json::{Value, json};

use crate::{
    proofs::{Prover, token_with},
    signing::{jwt, now, unique},
    support::{World, refusal, text},
};

async fn world(auth: AuthorizationServerBuilder) -> World {
    World::with(auth, McpServer::builder()).await
}

fn server(dpop: Dpop) -> AuthorizationServerBuilder {
    let robot = StaticClient::confidential("robot", "secret", ClientAuthMethod::Post)
        .grant_types(["client_credentials", "refresh_token"]);
    AuthorizationServer::builder()
        .client_credentials(ClientCredentials::WithRefreshToken)
        .static_client(robot)
        .dpop(dpop)
}

/// A token request that takes no preparation.
async fn ask(world: &World, proofs: &[&str]) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "secret"),
        ("resource", world.mcp.resource()),
    ];
    token_with(world, &fields, proofs).await
}

#[tokio::test]
async fn a_proof_binds_the_token_to_its_key() {
    for dpop in [Dpop::Supported, Dpop::Required] {
        let world = world(server(dpop)).await;
        let prover = Prover::new();
        let (_, tokens) = prover.log_in(&world).await;
        assert_eq!(tokens["token_type"], "DPoP");
        let facts = world.auth.inspect(text(&tokens, "access_token")).unwrap();
        assert_eq!(facts.thumbprint, Some(prover.thumbprint()));
        assert_eq!(world.auth.counters().dpop_proofs, 1);
        assert!(world.auth.refusals().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_proof_is_refused() {
    let world = world(server(Dpop::Supported)).await;
    let prover = Prover::new();
    let url = world.at("token");
    let table = [
        json!({ "jti": null }),
        json!({ "jti": 7 }),
        json!({ "htm": null }),
        json!({ "htm": "GET" }),
        json!({ "htm": "post" }),
        json!({ "htu": null }),
        json!({ "htu": format!("{url}?x=y") }),
        json!({ "htu": format!("{url}#x") }),
        json!({ "htu": format!("{url}/") }),
        json!({ "htu": world.auth.issuer() }),
        json!({ "htu": "/token" }),
        json!({ "iat": null }),
        json!({ "iat": now().to_string() }),
        json!({ "iat": now() - 302 }),
        json!({ "iat": now() + 302 }),
        json!({ "nonce": "another server's" }),
    ];
    for changes in table {
        let proof = prover.token_proof(&world, &changes);
        let reply = ask(&world, &[&proof]).await;
        assert_eq!(
            refusal(&reply),
            (400, "invalid_dpop_proof".into()),
            "{changes}"
        );
    }
    assert_eq!(world.auth.counters().dpop_proofs, 0);
    for changes in [
        json!({ "iat": now() - 295 }),
        json!({ "iat": now() + 295 }),
        json!({ "htu": url.replace("http://", "HTTP://") }),
    ] {
        let proof = prover.token_proof(&world, &changes);
        let reply = ask(&world, &[&proof]).await;
        assert_eq!(reply.status, 200, "{changes}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_proof_is_one_signed_jwt_of_its_type_with_a_public_key() {
    let world = world(server(Dpop::Supported)).await;
    let (prover, other) = (Prover::new(), Prover::new());
    let sound = || prover.token_proof(&world, &json!({}));
    let claims =
        || json!({ "jti": unique(), "htm": "POST", "htu": world.at("token"), "iat": now() });
    let headed = |change: &dyn Fn(&mut Value)| {
        let mut header = json!({ "typ": "dpop+jwt", "jwk": prover.key.public_key().jwk() });
        change(&mut header);
        prover.key.sign(&header, &claims()).unwrap()
    };
    let private = headed(&|h| h["jwk"]["d"] = json!("AAAA"));
    let table = [
        ("typ", vec![headed(&|h| h["typ"] = json!("JWT"))]),
        ("no jwk", vec![headed(&|h| h["jwk"] = json!(null))]),
        ("private jwk", vec![private]),
        ("none", vec![headed(&|h| h["alg"] = json!("none"))]),
        ("HMAC", vec![headed(&|h| h["alg"] = json!("HS256"))]),
        ("not offered", vec![headed(&|h| h["alg"] = json!("EdDSA"))]),
        (
            "signature",
            vec![jwt(&other.key, &prover.header(), &claims())],
        ),
        ("empty", vec![String::new()]),
        ("two fields", vec![sound(), sound()]),
        ("a list", vec![format!("{}, {}", sound(), sound())]),
    ];
    for (what, proofs) in table {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let reply = ask(&world, &proofs).await;
        assert_eq!(
            refusal(&reply),
            (400, "invalid_dpop_proof".into()),
            "{what}"
        );
    }
    let once = headed(&|_| {});
    assert_eq!(ask(&world, &[&once]).await.status, 200);
    let replayed = ask(&world, &[&once]).await;
    assert_eq!(refusal(&replayed), (400, "invalid_dpop_proof".into()));
}

#[tokio::test]
async fn what_a_server_makes_of_requests_with_and_without_proof() {
    let table = [
        (Dpop::Off, "Bearer", "Bearer"),
        (Dpop::Supported, "Bearer", "DPoP"),
        (Dpop::Required, "invalid_dpop_proof", "DPoP"),
        (Dpop::Ignored, "Bearer", "Bearer"),
    ];
    let world = world(server(Dpop::Off)).await;
    for (dpop, without, with) in table {
        world.auth.set_dpop(dpop);
        let proof = Prover::new().token_proof(&world, &json!({}));
        for (proofs, expected) in [(&[][..], without), (&[proof.as_str()][..], with)] {
            let answer = ask(&world, proofs).await.json();
            let outcome = answer.get("token_type").unwrap_or(&answer["error"]);
            assert_eq!(*outcome, expected, "{dpop:?} {proofs:?}");
        }
        let listed = world.metadata().await;
        let listed = listed.get("dpop_signing_alg_values_supported").cloned();
        let expected = (dpop != Dpop::Off).then(|| json!(["ES256"]));
        assert_eq!(listed, expected, "{dpop:?}");
    }
}

#[tokio::test]
async fn a_client_may_register_for_bound_tokens_only() {
    let world = world(server(Dpop::Supported)).await;
    let asked = json!({
        "redirect_uris": [crate::support::REDIRECT],
        "token_endpoint_auth_method": "none",
        "dpop_bound_access_tokens": true,
    });
    let reply = world.client.post_json(&world.at("register"), &asked).await;
    let registered = reply.unwrap().json();
    let id = text(&registered, "client_id");
    let code = world.code(id).await;
    let fields = world.exchange_fields(id, &code);
    let bare = token_with(&world, &fields, &[]).await;
    assert_eq!(refusal(&bare), (400, "invalid_dpop_proof".into()));
    let proof = Prover::new().token_proof(&world, &json!({}));
    let bound = token_with(&world, &fields, &[&proof]).await;
    assert_eq!(bound.json()["token_type"], "DPoP");
}

#[tokio::test]
async fn a_nonce_is_demanded_before_the_code_is_used() {
    let world = world(server(Dpop::Required).dpop_nonces(true)).await;
    let prover = Prover::new();
    let client = world.register().await;
    let code = world.code(&client.id).await;
    let fields = world.exchange_fields(&client.id, &code);
    let proof = prover.token_proof(&world, &json!({}));
    let challenged = token_with(&world, &fields, &[&proof]).await;
    assert_eq!(refusal(&challenged), (400, "use_dpop_nonce".into()));
    let nonce = challenged.header("dpop-nonce").unwrap();

    let replayed = token_with(&world, &fields, &[&proof]).await;
    assert_eq!(refusal(&replayed), (400, "invalid_dpop_proof".into()));
    let proof = prover.token_proof(&world, &json!({ "nonce": nonce }));
    let reply = token_with(&world, &fields, &[&proof]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("dpop-nonce"), None);

    // The nonce holds until it is rotated, or is not wanted any more.
    world.auth.set_dpop_nonces(false);
    for nonces in [json!({}), json!({ "nonce": nonce })] {
        let proof = prover.token_proof(&world, &nonces);
        assert_eq!(ask(&world, &[&proof]).await.status, 200);
    }
    world.auth.set_dpop_nonces(true);
    let proof = prover.token_proof(&world, &json!({ "nonce": nonce }));
    assert_eq!(ask(&world, &[&proof]).await.status, 200);
    world.auth.rotate_nonces();
    let proof = prover.token_proof(&world, &json!({ "nonce": nonce }));
    let stale = ask(&world, &[&proof]).await;
    assert_eq!(refusal(&stale), (400, "use_dpop_nonce".into()));
    assert_ne!(stale.header("dpop-nonce"), Some(nonce));
    assert_eq!(world.auth.counters().nonce_challenges, 2);
}

#[tokio::test]
async fn a_new_nonce_comes_with_every_answer_where_that_is_asked_for() {
    let auth = server(Dpop::Supported).dpop_nonces(DpopNonces::OnEveryAnswer);
    let world = world(auth).await;
    let prover = Prover::new();
    let proof = prover.token_proof(&world, &json!({}));
    let mut reply = ask(&world, &[&proof]).await;
    assert_eq!(refusal(&reply), (400, "use_dpop_nonce".into()));
    let mut nonces = Vec::new();
    for _ in 0..3 {
        let nonce = reply.header("dpop-nonce").unwrap().to_owned();
        let proof = prover.token_proof(&world, &json!({ "nonce": nonce }));
        reply = ask(&world, &[&proof]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        nonces.push(nonce);
    }
    let proof = prover.token_proof(&world, &json!({ "nonce": nonces[2] }));
    let old = ask(&world, &[&proof]).await;
    assert_eq!(refusal(&old), (400, "use_dpop_nonce".into()));
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn a_refresh_token_of_a_public_client_is_bound_to_the_key() {
    let world = world(server(Dpop::Supported)).await;
    let (prover, other) = (Prover::new(), Prover::new());
    let (id, tokens) = prover.log_in(&world).await;
    let token = text(&tokens, "refresh_token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", &id),
        ("refresh_token", token),
        ("resource", world.mcp.resource()),
    ];
    let stolen = token_with(&world, &fields, &[]).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    let stolen = token_with(&world, &fields, &[&other.token_proof(&world, &json!({}))]).await;
    assert_eq!(refusal(&stolen), (400, "invalid_grant".into()));
    let proof = prover.token_proof(&world, &json!({}));
    let renewed = token_with(&world, &fields, &[&proof]).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert_eq!(renewed.json()["token_type"], "DPoP");
    let facts = world.auth.inspect(text(&renewed.json(), "access_token"));
    assert_eq!(facts.unwrap().thumbprint, Some(prover.thumbprint()));
}

#[tokio::test]
async fn a_refresh_token_of_a_confidential_client_is_not() {
    let world = world(server(Dpop::Supported)).await;
    let (prover, other) = (Prover::new(), Prover::new());
    let tokens = ask(&world, &[&prover.token_proof(&world, &json!({}))]).await;
    let tokens = tokens.json();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "robot"),
        ("client_secret", "secret"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("resource", world.mcp.resource()),
    ];
    let renewed = token_with(&world, &fields, &[&other.token_proof(&world, &json!({}))]).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let facts = world.auth.inspect(text(&renewed.json(), "access_token"));
    assert_eq!(facts.unwrap().thumbprint, Some(other.thumbprint()));
}

#[tokio::test]
async fn a_downgrade_answers_a_bound_refresh_with_a_bearer_token() {
    let world = world(server(Dpop::Supported)).await;
    let prover = Prover::new();
    let (id, tokens) = prover.log_in(&world).await;
    world.auth.set_dpop(Dpop::Ignored);
    let token = text(&tokens, "refresh_token");
    let renewed = world.refresh(&id, token, &[]).await.json();
    assert_eq!(renewed["token_type"], "Bearer");
    world.auth.set_dpop(Dpop::Supported);
    let token = text(&renewed, "refresh_token");
    let unproved = world.refresh(&id, token, &[]).await;
    assert_eq!(refusal(&unproved), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn the_key_that_was_announced_is_the_key_of_the_exchange() {
    let world = world(server(Dpop::Supported)).await;
    let (prover, other) = (Prover::new(), Prover::new());
    let client = world.register().await;
    let announced = prover.thumbprint();
    let table = [(&prover, true), (&other, false)];
    for (by, accepted) in table {
        let visit = world
            .visit(&client.id, &[("dpop_jkt", Some(&announced))])
            .await;
        let code = visit.parameter("code").unwrap();
        let fields = world.exchange_fields(&client.id, &code);
        let proof = by.token_proof(&world, &json!({}));
        let reply = token_with(&world, &fields, &[&proof]).await;
        assert_eq!(reply.status == 200, accepted, "{}", reply.text());
    }
    let refusals = world.auth.refusals();
    assert!(refusals[0].contains("invalid_grant"), "{refusals:?}");
    let visit = world
        .visit(&client.id, &[("dpop_jkt", Some("short"))])
        .await;
    assert_eq!(visit.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn proofs_are_judged_by_the_clock_of_the_server() {
    let world = world(server(Dpop::Supported)).await;
    let prover = Prover::new();
    world.auth.advance(Duration::from_secs(400));
    let proof = prover.token_proof(&world, &json!({}));
    let late = ask(&world, &[&proof]).await;
    assert_eq!(refusal(&late), (400, "invalid_dpop_proof".into()));
    let proof = prover.token_proof(&world, &json!({ "iat": now() + 400 }));
    assert_eq!(ask(&world, &[&proof]).await.status, 200);
}
