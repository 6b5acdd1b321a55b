//! What the authorization server can do, and how this client gets an id there.

use doorkey_testkit::Document;
use serde_json::json;

use super::bench::Bench;

cases! {
    no_pkce: Some("authorization server metadata"), async || {
        let bench = Bench::new().await;
        let methods = json!(["plain"]);
        bench.world.auth.set_field(Document::Metadata, "code_challenge_methods_supported", methods);
        bench
    };
    no_registration: Some("authorization server metadata"), async || {
        Bench::with(|auth| auth.dynamic_registration(false), |mcp| mcp).await
    };
}
