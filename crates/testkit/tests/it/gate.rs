//! Who gets in, and what the others are told.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{AuthorizationServer, McpServer, Protect};
use http::Request;
use serde_json::json;

use crate::support::{World, stateless, text, world_with_token};

#[tokio::test]
async fn only_unexpired_tokens_for_this_very_resource_get_in() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let other = McpServer::builder()
        .path("/other")
        .authorization(&world.auth);
    let other = other.start().await.unwrap();
    let list = stateless("tools/list", json!({}));
    assert_eq!(world.ping(&token).await.status, 200);

    let foreign = world.post(&other.url(), Some(&token), &list).await;
    assert_eq!(foreign.status, 401);
    let challenge = foreign.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(other.refusals()[0].contains("another resource"));

    let guessed = world.ping("guessed").await;
    assert_eq!(guessed.status, 401);
    let tokenless = world.post(&world.mcp.url(), None, &list).await;
    assert_eq!(tokenless.status, 401);
    let challenge = tokenless.header("www-authenticate").unwrap();
    assert!(!challenge.contains("error="), "{challenge}");

    world.mcp.reject_tokens(true);
    assert_eq!(world.ping(&token).await.status, 401);
    world.mcp.reject_tokens(false);
    world.auth.advance(Duration::from_secs(3601));
    assert_eq!(world.ping(&token).await.status, 401);
}

#[tokio::test]
async fn a_token_goes_into_one_bearer_header_and_nowhere_else() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let bearer = format!("Bearer {token}");
    let basic = format!("Basic {token}");
    let in_url = format!("{}?access_token={token}", world.mcp.url());
    let table: [(&str, &[&str], u16); 4] = [
        (&world.mcp.url(), &[&basic], 401),
        (&world.mcp.url(), &[&bearer, &bearer], 400),
        (&in_url, &[&bearer], 400),
        (&in_url, &[], 400),
    ];
    for (url, values, status) in table {
        let mut request = Request::post(url).header("content-type", "application/json");
        for value in values {
            request = request.header("authorization", *value);
        }
        let request = request.body(Bytes::from_static(b"{}")).unwrap();
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, status, "{values:?}");
    }
}

#[tokio::test]
async fn protection_begins_where_it_is_said_to() {
    let table = [
        (Protect::Everything, [401, 401, 401, 401]),
        (Protect::FromToolsList, [200, 200, 401, 401]),
        (Protect::ToolCallsOnly, [200, 200, 200, 401]),
    ];
    for (protect, expected) in table {
        let mcp = McpServer::builder().protect(protect);
        let world = World::with(AuthorizationServer::builder(), mcp).await;
        let messages = [
            stateless("server/discover", json!({})),
            stateless("ping", json!({})),
            stateless("tools/list", json!({})),
            stateless("tools/call", json!({ "name": "whoami" })),
        ];
        for (message, expected) in messages.iter().zip(expected) {
            let reply = world.post(&world.mcp.url(), None, message).await;
            assert_eq!(reply.status, expected, "{protect:?} {}", message["method"]);
            // A bad token is refused even where none is needed.
            let bad = world.post(&world.mcp.url(), Some("bad"), message).await;
            assert_eq!(bad.status, 401, "{protect:?} {}", message["method"]);
        }
        let get = world.client.get(&world.mcp.url()).await.unwrap();
        assert_eq!(
            get.status == 401,
            protect == Protect::Everything,
            "{protect:?}"
        );
    }
}

#[tokio::test]
async fn missing_scopes_are_challenged_with_403() {
    let mcp = McpServer::builder()
        .required_scopes(["mcp:basic"])
        .tool_scope("admin_tool", "mcp:admin");
    let (world, token) = world_with_token(mcp).await;
    let url = world.mcp.url();
    let admin = stateless("tools/call", json!({ "name": "admin_tool" }));
    let refused = world.post(&url, Some(&token), &admin).await;
    assert_eq!(refused.status, 403);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"mcp:admin\""), "{challenge}");
    assert!(challenge.contains("resource_metadata=\""), "{challenge}");

    let (_, tokens) = world
        .log_in(&[("scope", Some("mcp:basic mcp:admin"))])
        .await;
    let allowed = world
        .post(&url, Some(text(&tokens, "access_token")), &admin)
        .await;
    assert_eq!(allowed.json()["result"]["content"][0]["text"], "done");

    let tokenless = world.post(&url, None, &admin).await;
    let challenge = tokenless.header("www-authenticate").unwrap();
    assert!(challenge.contains("scope=\"mcp:basic\""), "{challenge}");
    world.mcp.set_required_scopes(["mcp:other"]);
    assert_eq!(world.ping(&token).await.status, 403);
}

#[tokio::test]
async fn challenges_are_sent_as_scripted() {
    let lines = [
        "Negotiate abc==, Basic realm=\"x, y\"",
        "Bearer resource_metadata=\"{resource_metadata}\", scope=\"{scope}\"",
    ];
    let mcp = McpServer::builder()
        .required_scopes(["a", "b"])
        .challenges(lines);
    let world = World::with(AuthorizationServer::builder(), mcp).await;
    let reply = world.client.get(&world.mcp.url()).await.unwrap();
    let sent: Vec<&str> = reply
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let place = format!(
        "{}/.well-known/oauth-protected-resource/mcp",
        world.mcp.origin()
    );
    let second = format!("Bearer resource_metadata=\"{place}\", scope=\"a b\"");
    assert_eq!(sent, [lines[0], &second]);

    let bare = McpServer::builder().challenges(Vec::<String>::new());
    let world = World::with(AuthorizationServer::builder(), bare).await;
    let reply = world.client.get(&world.mcp.url()).await.unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), None);
}

#[tokio::test]
async fn the_authorization_server_can_move() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let second = AuthorizationServer::builder().start().await.unwrap();
    world.mcp.set_authorization(&second);
    assert_eq!(world.ping(&token).await.status, 401);
    let place = format!(
        "{}/.well-known/oauth-protected-resource/mcp",
        world.mcp.origin()
    );
    let document = world.client.get(&place).await.unwrap().json();
    assert_eq!(document["authorization_servers"], json!([second.issuer()]));
}

#[tokio::test]
async fn an_open_server_asks_nobody() {
    let mcp = McpServer::builder().open().start().await.unwrap();
    let world = World::new().await;
    let whoami = stateless("tools/call", json!({ "name": "whoami" }));
    let reply = world.post(&mcp.url(), None, &whoami).await;
    assert_eq!(
        reply.json()["result"]["structuredContent"]["anonymous"],
        true
    );
}
