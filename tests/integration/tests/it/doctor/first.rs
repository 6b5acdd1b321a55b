//! The first answer, and the challenge in it.

use std::time::Duration;

use doorkey_testkit::{Fault, FaultRule, Leg};
use serde_json::json;

use super::bench::{Bench, ids};

/// Servers of which the MCP server answers like this.
async fn answering(fault: Fault) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .mcp
        .fault(FaultRule::on(Leg::Resource).respond(fault));
    bench
}

#[tokio::test]
async fn a_403_that_came_through_a_cdn_is_no_bot_wall() {
    let headers = [("content-type", "application/json"), ("cf-ray", "8c0ffee")];
    let body = "{\"error\":\"ip_not_allowed\"}";
    let bench = answering(with_headers(403, &headers, body)).await;
    let run = bench.run(&["--json"]).await.ended_with(5);
    assert_eq!(ids(&run.json()), ["forbidden"], "{run}");
}

#[tokio::test]
async fn a_403_that_says_it_was_mitigated_is_one_without_a_page_too() {
    for mark in ["cf-mitigated", "x-amzn-waf-action"] {
        let bench = answering(with_headers(403, &[(mark, "challenge")], "")).await;
        let run = bench.run(&["--json"]).await.ended_with(5);
        assert_eq!(ids(&run.json()), ["bot-wall"], "{run}");
    }
}

#[tokio::test]
async fn a_403_with_a_challenge_is_told_as_what_it_is() {
    for error in ["insufficient_scope", "invalid_token"] {
        let line = format!("Bearer error=\"{error}\", scope=\"read\"");
        let headers = [("www-authenticate", line.as_str())];
        let bench = answering(with_headers(403, &headers, "")).await;
        let run = bench.run(&["--json"]).await.ended_with(3);
        let diagnosis = run.json();
        assert_eq!(ids(&diagnosis), ["not-signed-in", "forbidden-challenge"]);
        let evidence = &diagnosis["findings"][1]["evidence"];
        assert_eq!(evidence["status"], 403, "{run}");
        let excerpt = evidence["excerpt"].as_str().unwrap_or_default();
        assert!(excerpt.contains(&line), "{run}");
        assert!(!run.stdout.contains("401)"), "{run}");
    }
}

fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Fault::Status(status, headers.collect(), body.to_owned())
}

cases! {
    answer_too_slow: Some("resource"), async || {
        answering(Fault::Slow(Duration::from_secs(20))).await.settings("startup_timeout_sec = 1")
    };
    answer_broken: Some("resource"), async || answering(Fault::Refuse).await;
    answer_too_large: Some("resource metadata"), async || {
        let bench = Bench::new().await;
        let fault = Fault::Oversized(8 * 1024 * 1024);
        bench.world.mcp.fault(FaultRule::on(Leg::ResourceMetadata).respond(fault));
        bench
    };
    bot_wall: Some("resource"), async || {
        let headers = [("content-type", "text/html"), ("cf-mitigated", "challenge")];
        answering(with_headers(403, &headers, "<!doctype html><title>Just a moment…</title>")).await
    };
    forbidden_challenge: Some("resource"), async || {
        let bench = Bench::signed_in().await;
        let headers = [("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"read\"")];
        let rule = FaultRule::on(Leg::Resource).times(1).respond(with_headers(403, &headers, ""));
        bench.world.mcp.fault(rule);
        bench
    };
    forbidden: Some("resource"), async || answering(Fault::status(403)).await;
    not_found: Some("resource"), async || answering(Fault::status(404)).await;
    method_refused: Some("resource"), async || answering(Fault::status(405)).await;
    web_page: Some("resource"), async || answering(Fault::Html).await;
    redirected: Some("resource"), async || {
        answering(Fault::Redirect("https://other.example/mcp".to_owned())).await
    };
    retired_transport: Some("resource"), async || {
        Bench::socket(|head| match head.starts_with("GET ") {
            true => b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                      event: endpoint\ndata: /messages?session=1\n\n".to_vec(),
            false => b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        })
        .await
    };
    server_error: Some("resource"), async || answering(Fault::status(503)).await;
    too_many_requests: Some("resource"), async || {
        answering(with_headers(429, &[("retry-after", "30")], "")).await
    };
    not_mcp: Some("resource"), async || answering(Fault::json(200, &json!({"hello": "world"}))).await;
    mcp_error: Some("resource"), async || {
        let error = json!({"jsonrpc": "2.0", "id": 0, "error": {"code": -32603, "message": "out of paper"}});
        answering(Fault::json(200, &error)).await
    };
    request_refused: Some("resource"), async || answering(Fault::status(400)).await;
    challenge_missing: Some("resource"), async || {
        Bench::signed_in_with(|auth| auth, |mcp| mcp.challenges([""; 0])).await
    };
    challenge_other_scheme: Some("resource"), async || {
        Bench::with(|auth| auth, |mcp| mcp.challenges(["Basic realm=\"intranet\""])).await
    };
    challenge_unreadable: Some("resource"), async || {
        Bench::signed_in_with(|auth| auth, |mcp| mcp.challenges(["=,\"broken"])).await
    };
    metadata_url_refused: Some("resource"), async || {
        let line = "Bearer resource_metadata=\"http://mcp.example/metadata\"";
        Bench::with(|auth| auth, |mcp| mcp.challenges([line])).await
    };
}
