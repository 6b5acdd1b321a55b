//! What the user wrote, and the store.

use super::bench::Bench;

cases! {
    configuration_wrong: None, async || Bench::new().await.config("[mcp_servers.it]\nurl = 3\n");
    server_unknown: None, async || Bench::new().await.target("nobody");
    server_disabled: None, async || Bench::signed_in().await.settings("enabled = false");
    variable_unset: None, async || {
        Bench::new().await.settings("bearer_token_env_var = \"NOT_SET_ANYWHERE\"")
    };
}
