//! The wire through 2025-11-25.

use std::time::Duration;

use bytes::Bytes;
use doorkey_testkit::{Answer, GetStream, McpServer, Reply, Wire};
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{World, stateless, text, world_with_token};

/// A client of the stateful wire, right by default.
struct Stateful<'a> {
    world: &'a World,
    token: String,
    session: Option<String>,
    version: Option<&'static str>,
}

impl<'a> Stateful<'a> {
    async fn connect(world: &'a World, token: &str) -> Self {
        let mut client = Self {
            world,
            token: token.to_owned(),
            session: None,
            version: None,
        };
        let reply = client.send(&initialize("2025-11-25")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        client.session = reply.header("mcp-session-id").map(str::to_owned);
        client.version = Some("2025-11-25");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(client.send(&initialized).await.status, 202);
        client
    }

    fn request(&self, method: Method, body: String) -> Request<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.world.mcp.url())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        if let Some(version) = self.version {
            request = request.header("mcp-protocol-version", version);
        }
        request.body(Bytes::from(body)).unwrap()
    }

    async fn send(&self, message: &Value) -> Reply {
        let request = self.request(Method::POST, message.to_string());
        self.world.client.send(request).await.unwrap()
    }

    async fn call(&self, method: &str, params: Value) -> Reply {
        self.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }))
            .await
    }

    async fn other(&self, method: Method) -> u16 {
        let request = self.request(method, String::new());
        self.world
            .client
            .send(request)
            .await
            .unwrap()
            .status
            .as_u16()
    }
}

fn initialize(version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "0" },
    }})
}

/// The JSON-RPC message of an answer in either media type.
fn message(reply: &Reply) -> Value {
    if reply.header("content-type") != Some("text/event-stream") {
        return reply.json();
    }
    let text = reply.text();
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap()).unwrap()
}

#[tokio::test]
async fn a_stateful_session_from_initialize_to_delete() {
    for answer in [Answer::Json, Answer::Sse] {
        let (world, token) = world_with_token(McpServer::builder().answer_with(answer)).await;
        let client = Stateful::connect(&world, &token).await;
        let list = message(&client.call("tools/list", json!({})).await);
        let names: Vec<&str> = list["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["echo", "whoami", "fail"]);
        let echo = json!({ "name": "echo", "arguments": { "text": "hi" } });
        let echo = message(&client.call("tools/call", echo).await);
        assert_eq!(echo["result"]["content"][0]["text"], "hi");
        assert_eq!(echo["id"], 7);
        let fail = message(&client.call("tools/call", json!({ "name": "fail" })).await);
        assert_eq!(fail["result"]["isError"], true);
        let whoami = message(&client.call("tools/call", json!({ "name": "whoami" })).await);
        let facts = &whoami["result"]["structuredContent"];
        assert_eq!(facts["audience"], world.mcp.resource());
        assert_eq!(facts["subject"], "alice");
        assert_eq!(facts["scopes"], json!(["mcp:basic"]));
        let resources = client.call("resources/list", json!({})).await;
        assert_eq!(resources.status, 200);
        assert_eq!(message(&resources)["error"]["code"], -32601);
        assert_eq!(
            message(&client.call("ping", json!({})).await)["result"],
            json!({})
        );
        assert_eq!(world.mcp.tool_calls(), 3);
        assert_eq!(client.other(Method::DELETE).await, 204);
        assert_eq!(client.call("ping", json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn the_stateful_wire_wants_session_version_and_media_types() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let mut client = Stateful::connect(&world, &token).await;
    let session = client.session.take();
    assert_eq!(
        client.call("ping", json!({})).await.status,
        400,
        "no session"
    );
    client.session = Some("guessed".into());
    assert_eq!(client.call("ping", json!({})).await.status, 404);
    client.session = session;
    for version in [None, Some("2025-06-18"), Some("1999-01-01")] {
        client.version = version;
        assert_eq!(
            client.call("ping", json!({})).await.status,
            400,
            "{version:?}"
        );
    }
    client.version = Some("2025-11-25");
    for (header, value, status) in [
        ("accept", "application/json", 406),
        ("accept", "*/*", 406),
        ("content-type", "text/plain", 415),
    ] {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let mut request = client.request(Method::POST, ping.to_string());
        request.headers_mut().insert(header, value.parse().unwrap());
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, status, "{header}: {value}");
    }
    for (body, code) in [("{", -32700), ("[]", -32600), ("{}", -32600), ("7", -32600)] {
        let request = client.request(Method::POST, body.to_owned());
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.json()["error"]["code"], code, "{body}");
    }
    world.mcp.end_sessions();
    assert_eq!(client.call("ping", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_session_does_not_outlive_a_change_of_person() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let mut client = Stateful::connect(&world, &token).await;
    let (_, tokens) = world.log_in(&[("login_hint", Some("bob"))]).await;
    client.token = text(&tokens, "access_token").to_owned();
    assert_eq!(client.call("ping", json!({})).await.status, 404);
}

#[tokio::test]
async fn initialize_negotiates_down_to_what_the_server_speaks() {
    let (world, token) = world_with_token(McpServer::builder().sessions(false)).await;
    for (asked, got) in [
        ("2025-06-18", "2025-06-18"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let client = Stateful {
            world: &world,
            token: token.clone(),
            session: None,
            version: None,
        };
        let reply = client.send(&initialize(asked)).await;
        assert_eq!(reply.json()["result"]["protocolVersion"], got, "{asked}");
        assert_eq!(reply.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn a_get_stream_stays_open_and_carries_notifications() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let client = Stateful::connect(&world, &token).await;
    let request = client.request(Method::GET, String::new());
    let reply = world.client.stream(request).await.unwrap();
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    assert_eq!(world.mcp.open_streams(), 1);
    let told = world
        .mcp
        .notify("notifications/tools/list_changed", &json!({}));
    assert_eq!(told, 1);
    let mut body = reply.into_body();
    let mut seen = String::new();
    while !seen.contains("list_changed") {
        let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
        let data = frame.unwrap().unwrap().unwrap().into_data().unwrap();
        seen.push_str(&String::from_utf8_lossy(&data));
    }
    // Ending the session ends the stream.
    world.mcp.end_sessions();
    let end = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    assert!(end.unwrap().is_none());
}

#[tokio::test]
async fn get_and_delete_can_be_missing() {
    for (get, status) in [(GetStream::NotAllowed, 405), (GetStream::NotFoundPage, 404)] {
        let (world, token) =
            world_with_token(McpServer::builder().get_stream(get).delete(false)).await;
        let client = Stateful::connect(&world, &token).await;
        assert_eq!(client.other(Method::GET).await, status);
        assert_eq!(client.other(Method::DELETE).await, 405);
    }
}

#[tokio::test]
async fn a_server_of_one_wire_refuses_the_other() {
    let (world, token) =
        world_with_token(McpServer::builder().wire(Wire::Stateful2025_11_25)).await;
    let discover = stateless("server/discover", json!({}));
    let reply = world.post(&world.mcp.url(), Some(&token), &discover).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("Unsupported protocol version"));

    let (world, token) =
        world_with_token(McpServer::builder().wire(Wire::Stateless2026_07_28)).await;
    let client = Stateful {
        world: &world,
        token,
        session: None,
        version: None,
    };
    let reply = client.send(&initialize("2025-11-25")).await;
    assert_eq!(
        (
            reply.status.as_u16(),
            reply.json()["error"]["code"].as_i64()
        ),
        (400, Some(-32020))
    );
}
