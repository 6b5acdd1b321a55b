//! The metadata of the resource and of authorization servers.

use doorkey_testkit::{Document, Fault, FaultRule, Leg};
use serde_json::json;

use super::bench::Bench;

cases! {
    resource_metadata_page: Some("resource metadata"), async || {
        let bench = Bench::new().await;
        bench.world.mcp.fault(FaultRule::on(Leg::ResourceMetadata).respond(Fault::Html));
        bench
    };
    issuer_mismatch: Some("authorization server metadata"), async || {
        let bench = Bench::new().await;
        let other = json!("https://other.example");
        bench.world.auth.set_field(Document::Metadata, "issuer", other);
        bench
    };
}
