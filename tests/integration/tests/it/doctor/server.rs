//! What the authorization server can do, and how this client gets an id there.

use doorkey_testkit::Document;
use serde_json::{Value, json};

use super::bench::Bench;

const METADATA: Option<&str> = Some("authorization server metadata");

async fn publishing(member: &str, value: Value) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .set_field(Document::Metadata, member, value);
    bench
}

cases! {
    no_pkce: METADATA, async || publishing("code_challenge_methods_supported", json!(["plain"])).await;
    no_code: METADATA, async || publishing("response_types_supported", json!(["token"])).await;
    grant_not_offered: METADATA, async || publishing("grant_types_supported", json!(["client_credentials"])).await;
    signed_requests: METADATA, async || publishing("require_signed_request_object", json!(true)).await;
    endpoint_missing: METADATA, async || publishing("authorization_endpoint", Value::Null).await;
    page_refused: METADATA, async || {
        publishing("authorization_endpoint", json!("https://169.254.169.254/authorize")).await
    };
    no_registration: METADATA, async || {
        Bench::with(|auth| auth.dynamic_registration(false), |mcp| mcp).await
    };
    other_issuer_configured: METADATA, async || {
        let table = "[mcp_servers.it.oauth]\nclient_id = \"app\"\nissuer = \"https://other.example\"";
        Bench::new().await.settings(table)
    };
    credentials_unbound: METADATA, async || {
        let table = "[mcp_servers.it.oauth]\nflow = \"client_credentials\"\nclient_id = \"app\"\n\
                     client_secret = \"s3cr3t-of-the-app\"";
        Bench::with(|auth| auth.client_credentials(true), |mcp| mcp).await.settings(table)
    };
    client_gone: Some("registration"), async || {
        let bench = Bench::signed_in().await;
        bench.world.auth.forget_clients();
        bench
    };
    client_secret_expired: None, async || {
        let bench = Bench::signed_in().await;
        bench.home.change(|grant| grant.client_secret_expires_at = Some(1)).await;
        bench
    };
}
