//! RFC 6749 §4.4.

use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, ClientCredentials,
    McpServer, StaticClient,
};
use serde_json::json;

use crate::support::{Change, World, changed, refusal, text};

const GRANT: &str = "client_credentials";

fn robot() -> StaticClient {
    StaticClient::confidential("robot", "secret", ClientAuthMethod::Post)
}

fn server() -> AuthorizationServerBuilder {
    AuthorizationServer::builder()
        .client_credentials(true)
        .scopes_supported(["mcp:read"])
        .static_client(robot().grant_types([GRANT, "refresh_token"]))
}

async fn ask(world: &World, changes: &[Change<'_>]) -> doorkey_testkit::Reply {
    let right = [
        ("grant_type", GRANT),
        ("client_id", "robot"),
        ("client_secret", "secret"),
        ("resource", world.mcp.resource()),
    ];
    world.token(&changed(&right, changes)).await
}

#[tokio::test]
async fn a_client_gets_a_token_for_itself_and_the_resource() {
    let world = World::with(server(), McpServer::builder()).await;
    let reply = ask(&world, &[("scope", Some("mcp:read"))]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let tokens = reply.json();
    assert_eq!(tokens["scope"], "mcp:read");
    assert!(tokens.get("refresh_token").is_none());
    let token = text(&tokens, "access_token");
    let facts = world.auth.inspect(token).unwrap();
    assert_eq!(facts.audience, world.mcp.resource());
    assert_eq!(
        (facts.client_id.as_str(), facts.subject.as_str()),
        ("robot", "robot")
    );
    assert_eq!(world.ping(token).await.status, 200);
    assert_eq!(world.auth.counters().client_credentials_grants, 1);
    assert!(world.auth.refusals().is_empty());
}

#[tokio::test]
async fn an_unsound_request_is_refused() {
    let world = World::with(server(), McpServer::builder()).await;
    let right = world.mcp.resource();
    let slash = format!("{right}/");
    let table: [(&[Change<'_>], &str); 8] = [
        (&[("client_secret", Some("wrong"))], "invalid_client"),
        (&[("client_secret", None)], "invalid_client"),
        (&[("client_id", Some("nobody"))], "invalid_client"),
        (&[("resource", None)], "invalid_target"),
        (&[("resource", Some(&slash))], "invalid_target"),
        (
            &[("resource", Some(right)), ("resource", Some(right))],
            "invalid_target",
        ),
        (&[("scope", Some("mcp:write"))], "invalid_scope"),
        (&[("scope", Some(""))], "invalid_scope"),
    ];
    for (changes, error) in table {
        let reply = ask(&world, changes).await;
        assert_eq!(refusal(&reply).1, error, "{changes:?}");
    }
    assert_eq!(world.auth.counters().client_credentials_grants, 0);
    assert_eq!(world.auth.refusals().len(), 8);
}

#[tokio::test]
async fn the_grant_is_for_confidential_clients_that_were_given_it() {
    let public = StaticClient::public("robot").grant_types([GRANT]);
    let table = [
        (true, robot(), "unauthorized_client"),
        (
            false,
            robot().grant_types([GRANT]),
            "unsupported_grant_type",
        ),
        (true, public, "unauthorized_client"),
    ];
    for (offered, client, error) in table {
        let without_secret: &[Change<'_>] = &[("client_secret", None)];
        let changes = client.secret.as_ref().map_or(without_secret, |_| &[]);
        let auth = AuthorizationServer::builder()
            .client_credentials(offered)
            .static_client(client.clone());
        let world = World::with(auth, McpServer::builder()).await;
        let reply = ask(&world, changes).await;
        assert_eq!(refusal(&reply), (400, error.into()), "{client:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_comes_only_where_it_is_asked_for() {
    let auth = server().client_credentials(ClientCredentials::WithRefreshToken);
    let world = World::with(auth, McpServer::builder()).await;
    let tokens = ask(&world, &[]).await.json();
    world.auth.advance(Duration::from_secs(3601));
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "robot"),
        ("client_secret", "secret"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("resource", world.mcp.resource()),
    ];
    let renewed = world.token(&fields).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert_ne!(renewed.json()["refresh_token"], tokens["refresh_token"]);
}

#[tokio::test]
async fn the_metadata_lists_the_grant_and_nobody_registers_for_it() {
    for (on, listed) in [(true, true), (false, false)] {
        let auth = AuthorizationServer::builder().client_credentials(on);
        let world = World::with(auth, McpServer::builder()).await;
        let document = world.metadata().await;
        let grants = document["grant_types_supported"].as_array().unwrap();
        assert_eq!(grants.contains(&json!(GRANT)), listed);
        let asked = json!({ "grant_types": [GRANT], "redirect_uris": ["https://client.example"] });
        let reply = world.client.post_json(&world.at("register"), &asked).await;
        let refused = refusal(&reply.unwrap());
        assert_eq!(refused, (400, "invalid_client_metadata".into()));
    }
}
