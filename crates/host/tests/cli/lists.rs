//! Lists in pages, from servers that know no end.

use std::time::{Duration, Instant};

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Whose every list leads from each page to the same next one, which may be kept for a day where `is_kept`.
async fn circular_server(is_kept: bool) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
                "serverInfo": {"name": "circular", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": [{"name": "t", "inputSchema": {}}]}),
            Some("resources/list") => json!({"resources": [{"uri": "file:///r", "name": "r"}]}),
            Some("resources/templates/list") => json!({"resourceTemplates": []}),
            Some("prompts/list") => json!({"prompts": []}),
            Some("notifications/initialized") => return ResponseTemplate::new(202),
            _ => return ResponseTemplate::new(404),
        };
        result["nextCursor"] = json!("again");
        if is_kept {
            result["ttlMs"] = json!(86_400_000);
            result["cacheScope"] = json!("public");
        }
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(respond)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_leads_back_to_itself_is_told_at_once() {
    const COMMANDS: &[&[&str]] = &[
        &["tools", "one"],
        &["resources", "one"],
        &["resources", "one", "--templates"],
        &["prompts", "one"],
    ];
    for is_kept in [false, true] {
        let server = circular_server(is_kept).await;
        let config = format!("[mcp_servers.one]\nurl = \"{}/mcp\"\n", server.uri());
        let mut scene = Scene::new(&config);
        for command in COMMANDS {
            let begun = Instant::now();
            let ran;
            (scene, ran) = scene.run_kept(command).await;
            ran.expect(7, &["leads back to a page", "doorkey doctor one"]);
            assert!(begun.elapsed() < Duration::from_secs(10), "{command:?}");
        }
        let asked = server.received_requests().await.unwrap();
        let lists = asked.iter().filter(|request| {
            let body = String::from_utf8_lossy(&request.body);
            body.contains("/list\"")
        });
        assert!(lists.count() <= 2 * COMMANDS.len());
    }
}
