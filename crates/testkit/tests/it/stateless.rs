//! The wire of 2026-07-28.

use bytes::Bytes;
use doorkey_testkit::{Caching, McpServer, Wire};
use http::Request;
use serde_json::{Value, json};

use crate::support::{World, stateless, world_with_token};

#[tokio::test]
async fn the_stateless_wire_answers_self_contained_requests() {
    let (world, token) = world_with_token(McpServer::builder()).await;
    let url = world.mcp.url();
    let ask = async |method: &str, params: Value| {
        let reply = world
            .post(&url, Some(&token), &stateless(method, params))
            .await;
        (reply.status.as_u16(), reply.json())
    };
    let (status, discovered) = ask("server/discover", json!({})).await;
    assert_eq!(status, 200);
    let result = &discovered["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert!(result["capabilities"]["tools"].is_object());
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string());
    let (_, list) = ask("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 3);
    let echo = json!({ "name": "echo", "arguments": { "text": "hi" } });
    let (_, echo) = ask("tools/call", echo).await;
    assert_eq!(echo["result"]["content"][0]["text"], "hi");
    assert_eq!(echo["result"]["resultType"], "complete");
    let (status, unknown) = ask("resources/list", json!({})).await;
    assert_eq!(
        (status, unknown["error"]["code"].as_i64()),
        (404, Some(-32601))
    );
    let (status, unknown) = ask("tools/call", json!({ "name": "nothing" })).await;
    assert_eq!(
        (status, unknown["error"]["code"].as_i64()),
        (200, Some(-32602))
    );
}

#[tokio::test]
async fn the_server_says_how_long_its_discovery_may_be_kept_and_by_whom() {
    for (caching, milliseconds, scope) in [
        (Caching::Never, 0, "private"),
        (Caching::Private(5000), 5000, "private"),
        (Caching::Public(60_000), 60_000, "public"),
    ] {
        let (world, token) = world_with_token(McpServer::builder().caching(caching)).await;
        let discover = stateless("server/discover", json!({}));
        let reply = world.post(&world.mcp.url(), Some(&token), &discover).await;
        let result = &reply.json()["result"];
        assert_eq!(result["ttlMs"], milliseconds);
        assert_eq!(result["cacheScope"], scope);
    }
}

/// A call of `echo` with one header field changed or left out.
fn altered(
    world: &World,
    token: &str,
    body: &Value,
    (header, value): (&'static str, Option<&str>),
) -> Request<Bytes> {
    let mut request = Request::post(world.mcp.url())
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "=?base64?ZWNobw==?=")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    request.headers_mut().remove(header);
    if let Some(value) = value {
        request.headers_mut().insert(header, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn the_stateless_wire_checks_header_fields_against_the_body() {
    let (world, token) =
        world_with_token(McpServer::builder().wire(Wire::Stateless2026_07_28)).await;
    let call = stateless(
        "tools/call",
        json!({ "name": "echo", "arguments": { "text": "x" } }),
    );
    let mut no_meta = call.clone();
    no_meta["params"]["_meta"] = json!({});
    let mut no_capabilities = call.clone();
    no_capabilities["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = Value::Null;
    let mut other_version = call.clone();
    other_version["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] =
        json!("2025-11-25");
    let table: [(&Value, &'static str, Option<&str>, i64); 10] = [
        (&call, "mcp-protocol-version", None, -32020),
        (&call, "mcp-protocol-version", Some("2025-11-25"), -32022),
        (&call, "mcp-method", None, -32020),
        (&call, "mcp-method", Some("tools/list"), -32020),
        (&call, "mcp-name", None, -32020),
        (&call, "mcp-name", Some("fail"), -32020),
        (&call, "mcp-name", Some("=?base64?###?="), -32020),
        (&no_meta, "x-none", None, -32602),
        (&no_capabilities, "x-none", None, -32602),
        (&other_version, "x-none", None, -32020),
    ];
    for (body, header, value, code) in table {
        let request = altered(&world, &token, body, (header, value));
        let reply = world.client.send(request).await.unwrap();
        assert_eq!(reply.status, 400, "{header} {value:?}");
        assert_eq!(reply.json()["error"]["code"], code, "{header} {value:?}");
        if code == -32022 {
            assert_eq!(
                reply.json()["error"]["data"]["supported"],
                json!(["2026-07-28"])
            );
        }
    }
    assert_eq!(world.mcp.tool_calls(), 0);
    assert_eq!(world.mcp.refusals().len(), 10);
    let get = Request::get(world.mcp.url()).header("authorization", format!("Bearer {token}"));
    let get = world
        .client
        .send(get.body(Bytes::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (get.status.as_u16(), get.header("allow")),
        (405, Some("POST"))
    );
}
