//! DPoP at the MCP server (RFC 9449 §7 and §9).

use std::time::Duration;

use doorkey_testkit::{AuthorizationServer, Dpop, DpopNonces, McpServer, McpServerBuilder, Reply};
use http::Method;
use serde_json::{Value, json};

use crate::{
    proofs::{Prover, ping_with, send},
    signing::now,
    support::{World, stateless, text},
};

struct Scene {
    world: World,
    prover: Prover,
    token: String,
}

async fn scene(mcp: McpServerBuilder) -> Scene {
    let auth = AuthorizationServer::builder().dpop(Dpop::Supported);
    let world = World::with(auth, mcp).await;
    let prover = Prover::new();
    let (_, tokens) = prover.log_in(&world).await;
    let token = text(&tokens, "access_token").to_owned();
    Scene {
        world,
        prover,
        token,
    }
}

impl Scene {
    async fn ping(&self, changes: &Value) -> Reply {
        let proof = self.prover.mcp_proof(&self.world, &self.token, changes);
        ping_with(&self.world, &format!("DPoP {}", self.token), &[&proof]).await
    }
}

fn challenge(reply: &Reply) -> String {
    let lines = reply.headers.get_all("www-authenticate").iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
    lines.join(" | ")
}

fn required() -> McpServerBuilder {
    McpServer::builder().dpop(Dpop::Required)
}

#[tokio::test]
async fn a_bound_token_with_a_proof_gets_in_by_every_method() {
    for dpop in [Dpop::Supported, Dpop::Required] {
        let scene = scene(McpServer::builder().dpop(dpop)).await;
        let reply = scene.ping(&json!({})).await;
        assert_eq!(reply.status, 200, "{}", challenge(&reply));
        for method in [Method::GET, Method::DELETE] {
            let changes = json!({ "htm": method.as_str() });
            let proof = scene.prover.mcp_proof(&scene.world, &scene.token, &changes);
            let authorization = format!("dpop {}", scene.token);
            let message = stateless("ping", json!({}));
            let reply = send(
                &scene.world,
                method.clone(),
                &message,
                &authorization,
                &[&proof],
            )
            .await;
            assert_ne!(reply.status, 401, "{method} {}", challenge(&reply));
        }
        assert_eq!(scene.world.mcp.dpop_proofs(), 3);
    }
}

#[tokio::test]
async fn a_wrong_proof_is_refused() {
    let scene = scene(required()).await;
    let url = scene.world.mcp.url();
    let table = [
        json!({ "ath": null }),
        json!({ "ath": "AAAA" }),
        json!({ "htm": "GET" }),
        json!({ "htu": scene.world.at("token") }),
        json!({ "htu": format!("{url}?") }),
        json!({ "htu": format!("{url}/") }),
        json!({ "iat": now() - 400 }),
        json!({ "jti": null }),
        json!({ "nonce": "another server's" }),
    ];
    let rows = table.len();
    for changes in table {
        let reply = scene.ping(&changes).await;
        assert_eq!(reply.status, 401, "{changes}");
        let challenge = challenge(&reply);
        assert!(challenge.starts_with("DPoP "), "{challenge}");
        assert!(
            challenge.contains("error=\"invalid_dpop_proof\""),
            "{challenge}"
        );
    }
    let bare = ping_with(&scene.world, &format!("DPoP {}", scene.token), &[]).await;
    assert!(challenge(&bare).contains("error=\"invalid_dpop_proof\""));
    let proof = || {
        scene
            .prover
            .mcp_proof(&scene.world, &scene.token, &json!({}))
    };
    let (first, second) = (proof(), proof());
    let authorization = format!("DPoP {}", scene.token);
    let twice = ping_with(&scene.world, &authorization, &[&first, &second]).await;
    assert!(challenge(&twice).contains("error=\"invalid_dpop_proof\""));
    assert_eq!(
        ping_with(&scene.world, &authorization, &[&first])
            .await
            .status,
        200
    );
    let replayed = ping_with(&scene.world, &authorization, &[&first]).await;
    assert!(challenge(&replayed).contains("error=\"invalid_dpop_proof\""));
    assert_eq!(scene.world.mcp.refusals().len(), rows + 3);
}

#[tokio::test]
async fn token_scheme_and_key_belong_together() {
    let scene = scene(McpServer::builder().dpop(Dpop::Supported)).await;
    let world = &scene.world;
    let (_, tokens) = world.log_in(&[]).await;
    let bearer = text(&tokens, "access_token");
    let other = Prover::new();
    let stolen = other.mcp_proof(world, &scene.token, &json!({}));
    let unbound = scene.prover.mcp_proof(world, bearer, &json!({}));
    let own = scene.prover.mcp_proof(world, &scene.token, &json!({}));
    let bound = &scene.token;
    let table = [
        (format!("Bearer {bound}"), vec![]),
        (format!("Bearer {bound}"), vec![own.as_str()]),
        (format!("DPoP {bound}"), vec![stolen.as_str()]),
        (format!("DPoP {bearer}"), vec![unbound.as_str()]),
    ];
    for (authorization, proofs) in table {
        let reply = ping_with(world, &authorization, &proofs).await;
        assert_eq!(reply.status, 401, "{authorization}");
        assert!(challenge(&reply).contains("error=\"invalid_token\""));
    }
    assert_eq!(world.ping(bearer).await.status, 200);
    assert_eq!(scene.ping(&json!({})).await.status, 200);

    world.mcp.set_dpop(Dpop::Required);
    assert_eq!(world.ping(bearer).await.status, 401);
    assert_eq!(scene.ping(&json!({})).await.status, 200);
    world.mcp.set_dpop(Dpop::Off);
    assert_eq!(world.ping(bearer).await.status, 200);
    assert_eq!(scene.ping(&json!({})).await.status, 401);
}

#[tokio::test]
async fn a_nonce_is_demanded_renewed_and_rotated() {
    let mcp = required().dpop_nonces(true).challenges(["Scripted"]);
    let scene = scene(mcp).await;
    let first = scene.ping(&json!({})).await;
    assert_eq!(first.status, 401);
    let line = challenge(&first);
    assert!(line.starts_with("DPoP "), "{line}");
    assert!(line.contains("error=\"use_dpop_nonce\""), "{line}");
    let nonce = first.header("dpop-nonce").unwrap();
    for _ in 0..2 {
        let reply = scene.ping(&json!({ "nonce": nonce })).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("dpop-nonce"), None);
    }
    scene.world.mcp.rotate_nonces();
    let stale = scene.ping(&json!({ "nonce": nonce })).await;
    assert!(challenge(&stale).contains("error=\"use_dpop_nonce\""));
    assert_ne!(stale.header("dpop-nonce"), Some(nonce));
    assert_eq!(scene.world.mcp.nonce_challenges(), 2);

    // A token that is no good is told so whatever the nonce.
    scene.world.auth.expire_access_tokens();
    let expired = scene.ping(&json!({})).await;
    assert_eq!(challenge(&expired), "Scripted");
}

#[tokio::test]
async fn a_new_nonce_comes_with_every_answer_where_that_is_asked_for() {
    let scene = scene(required()).await;
    assert_eq!(scene.ping(&json!({})).await.status, 200);
    let renewed = DpopNonces::OnEveryAnswer;
    scene.world.mcp.set_dpop_nonces(renewed);
    let mut reply = scene.ping(&json!({})).await;
    assert_eq!(reply.status, 401);
    for _ in 0..3 {
        let nonce = reply.header("dpop-nonce").unwrap().to_owned();
        reply = scene.ping(&json!({ "nonce": nonce })).await;
        assert_eq!(reply.status, 200);
        let again = scene.ping(&json!({ "nonce": nonce })).await;
        assert_eq!(again.status, 401, "used up");
    }
    assert_eq!(scene.world.mcp.nonce_challenges(), 4);
}

#[tokio::test]
async fn challenges_and_metadata_say_what_is_accepted() {
    let table = [
        (Dpop::Off, &["Bearer"][..], None, false),
        (Dpop::Ignored, &["Bearer"], None, false),
        (Dpop::Supported, &["DPoP", "Bearer"], Some(()), false),
        (Dpop::Required, &["DPoP"], Some(()), true),
    ];
    for (dpop, schemes, algorithms, bound_only) in table {
        let mcp = McpServer::builder()
            .dpop(dpop)
            .required_scopes(["mcp:basic"]);
        let world = World::with(AuthorizationServer::builder(), mcp).await;
        let reply = world.client.get(&world.mcp.url()).await.unwrap();
        let lines = challenge(&reply);
        let lines: Vec<&str> = lines.split(" | ").collect();
        assert_eq!(lines.len(), schemes.len(), "{lines:?}");
        for (line, scheme) in lines.iter().zip(schemes) {
            assert!(line.starts_with(&format!("{scheme} ")), "{line}");
            assert_eq!(line.contains("algs=\"ES256\""), *scheme == "DPoP", "{line}");
            assert!(line.contains("resource_metadata=\""), "{line}");
            assert!(line.contains("scope=\"mcp:basic\""), "{line}");
            assert!(!line.contains("error="), "{line}");
        }
        let place = format!(
            "{}/.well-known/oauth-protected-resource/mcp",
            world.mcp.origin()
        );
        let document = world.client.get(&place).await.unwrap().json();
        let listed = document.get("dpop_signing_alg_values_supported").cloned();
        assert_eq!(listed, algorithms.map(|()| json!(["ES256"])), "{dpop:?}");
        let required = document.get("dpop_bound_access_tokens_required").cloned();
        assert_eq!(required, bound_only.then_some(json!(true)), "{dpop:?}");
    }
}

#[tokio::test]
async fn missing_scopes_are_challenged_by_the_scheme_of_the_token() {
    let scene = scene(required().required_scopes(["mcp:admin"])).await;
    let reply = scene.ping(&json!({})).await;
    assert_eq!(reply.status, 403);
    assert!(
        challenge(&reply).starts_with("DPoP "),
        "{}",
        challenge(&reply)
    );
}

#[tokio::test]
async fn proofs_are_judged_by_the_clock_of_the_mcp_server() {
    let scene = scene(required()).await;
    scene.world.auth.advance(Duration::from_secs(400));
    assert_eq!(scene.ping(&json!({})).await.status, 200);
    scene.world.mcp.advance(Duration::from_secs(400));
    assert_eq!(scene.ping(&json!({})).await.status, 401);
    let ahead = json!({ "iat": now() + 400 });
    assert_eq!(scene.ping(&ahead).await.status, 200);
}
