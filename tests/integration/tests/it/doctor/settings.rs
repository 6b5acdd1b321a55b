//! What the user wrote, and the store.

use super::bench::Bench;

cases! {
    configuration_wrong: None, async || Bench::new().await.config("[mcp_servers.it]\nurl = 3\n");
    server_unknown: None, async || Bench::new().await.target("nobody");
    url_without_scheme: None, async || Bench::new().await.target("127.0.0.1:18410/mcp");
    server_local: None, async || Bench::new().await.config("[mcp_servers.it]\ncommand = \"true\"\n");
    server_disabled: None, async || Bench::signed_in().await.settings("enabled = false");
    url_refused: None, async || Bench::new().await.target("http://mcp.example/mcp");
    variable_unset: None, async || {
        Bench::new().await.settings("bearer_token_env_var = \"NOT_SET_ANYWHERE\"")
    };
    certificates_unreadable: None, async || {
        Bench::new().await.settings("network = { ca_certificates = [\"nowhere.pem\"] }")
    };
    client_certificate_unusable: None, async || {
        let table = "network = { client_certificate = \"nowhere.pem\", client_key = \"nowhere.pem\" }";
        Bench::new().await.settings(table)
    };
    proxy_setting_wrong: None, async || Bench::new().await.variable("HTTPS_PROXY", "http://");
    header_unusable: None, async || {
        Bench::new().await.settings("http_headers = { X-Key = { file = \"nowhere\" } }")
    };
    setting_wrong: None, async || Bench::new().await.argument("--account=a b");
    store_unusable: None, async || {
        let text = "[store]\nbackend = \"encrypted_file\"\npassphrase_env = \"NOT_SET_ANYWHERE\"\n";
        Bench::new().await.config(text)
    };
}
