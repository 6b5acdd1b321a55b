//! Requests with the token, and the clocks.

use std::time::Duration;

use doorkey_testkit::{Dpop, Edit, Fault, FaultRule, FaultTarget, Leg, Wire};
use serde_json::json;

use super::bench::Bench;

/// Somebody signed in; the first request, without a token, is challenged, and those with it are answered like this.
async fn answering(fault: Fault) -> Bench {
    let bench = Bench::signed_in().await;
    bench
        .world
        .mcp
        .fault(FaultRule::on(Leg::Resource).after(1).respond(fault));
    bench
}

cases! {
    token_rejected: Some("resource"), async || {
        let bench = Bench::signed_in().await;
        bench.world.mcp.reject_tokens(true);
        bench
    };
    bearer_rejected: Some("resource"), async || {
        let bench = Bench::new().await.settings("bearer_token_env_var = \"WORK_TOKEN\"");
        bench.variable("WORK_TOKEN", "not-the-right-one")
    };
    scope_missing: Some("resource"), async || {
        let bench = Bench::signed_in().await;
        bench.world.mcp.set_required_scopes(["admin"]);
        bench
    };
    forbidden_with_token: Some("resource"), async || answering(Fault::status(403)).await;
    dpop_rejected: Some("resource"), async || {
        let dpop = Dpop::Required;
        let bench = Bench::signed_in_with(|auth| auth.dpop(dpop), |mcp| mcp.dpop(dpop)).await;
        bench.world.mcp.advance(Duration::from_secs(3600));
        bench
    };
    dpop_wanted: Some("resource"), async || {
        let bench = Bench::signed_in_with(|auth| auth.dpop(Dpop::Supported), |mcp| mcp).await;
        bench.world.mcp.set_dpop(Dpop::Required);
        bench
    };
    session_refused: Some("resource"), async || {
        let error = json!({"jsonrpc": "2.0", "id": 0, "error": {"code": -32603, "message": "out of paper"}});
        answering(Fault::json(200, &error)).await
    };
    version_unsupported: Some("resource"), async || {
        let wire = Wire::Stateless2026_07_28;
        let bench = Bench::signed_in_with(|auth| auth, |mcp| mcp.wire(wire)).await;
        bench.settings("protocol = \"2025-11-25\"")
    };
    session_broken: Some("resource"), async || answering(Fault::status(503)).await;
    tools_failed: Some("resource"), async || {
        let bench = Bench::signed_in().await;
        let rule = FaultRule::on(Leg::Resource).rpc("tools/list").respond(Fault::status(500));
        bench.world.mcp.fault(rule);
        bench
    };
    clock_wrong: Some("resource"), async || {
        let bench = Bench::signed_in().await;
        let date = Edit::Header("date".to_owned(), "Sun, 09 Sep 2001 01:46:40 GMT".to_owned());
        let rule = FaultRule::on(FaultTarget::Leg(Leg::Resource)).respond(Fault::Edited(vec![date]));
        bench.world.mcp.fault(rule);
        bench
    };
    time_over: None, async || {
        let bench = Bench::new().await.argument("--limit=1");
        let fault = Fault::Slow(Duration::from_secs(20));
        bench.world.mcp.fault(FaultRule::on(Leg::Resource).respond(fault));
        bench
    };
}
