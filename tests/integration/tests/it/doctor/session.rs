//! Requests with the token, and the clocks.

use super::bench::Bench;

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
}
