//! The metadata of the resource and of authorization servers.

use doorkey_testkit::{Document, Fault, FaultRule, Leg, ResourceIdentifier};
use serde_json::json;

use super::bench::Bench;

/// Servers of which the MCP server answers like this where its metadata should be.
async fn resource(fault: Fault) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .mcp
        .fault(FaultRule::on(Leg::ResourceMetadata).respond(fault));
    bench
}

/// Servers of which the authorization server answers like this where its metadata should be.
async fn issuer(fault: Fault) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .fault(FaultRule::on(Leg::AuthorizationServerMetadata).respond(fault));
    bench
}

/// An authorization server whose metadata have this member.
async fn publishing(member: &str, value: serde_json::Value) -> Bench {
    let bench = Bench::new().await;
    bench
        .world
        .auth
        .set_field(Document::Metadata, member, value);
    bench
}

fn broken() -> Fault {
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    Fault::Status(200, vec![kind], "{\"resource\": ".to_owned())
}

cases! {
    resource_metadata_unreachable: Some("resource metadata"), async || {
        let line = "Bearer resource_metadata=\"https://127.0.0.1:1/metadata\"";
        Bench::with(|auth| auth, |mcp| mcp.challenges([line])).await
    };
    resource_metadata_error: Some("resource metadata"), async || resource(Fault::status(503)).await;
    resource_metadata_forbidden: Some("resource metadata"), async || resource(Fault::status(403)).await;
    resource_metadata_missing: Some("resource metadata"), async || resource(Fault::status(404)).await;
    resource_metadata_page: Some("resource metadata"), async || resource(Fault::Html).await;
    resource_metadata_unreadable: Some("resource metadata"), async || resource(broken()).await;
    resource_missing: Some("resource metadata"), async || {
        resource(Fault::json(200, &json!({"authorization_servers": ["https://as.example"]}))).await
    };
    resource_other: Some("resource metadata"), async || {
        let other = ResourceIdentifier::Foreign("https://other.example/mcp".to_owned());
        Bench::with(|auth| auth, |mcp| mcp.resource(other)).await
    };
    resource_metadata_invalid: Some("resource metadata"), async || {
        let value = json!("https://as.example");
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("authorization_servers", value)).await
    };
    no_authorization_server: Some("resource metadata"), async || {
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("authorization_servers", json!([]))).await
    };
    server_not_allowed: Some("resource metadata"), async || {
        let table = "[mcp_servers.it.oauth]\nflow = \"workload_identity\"\nissuer = \"https://other.example\"\n\
                     workload = { env = \"WORKLOAD\" }";
        Bench::new().await.settings(table).variable("WORKLOAD", "eyJ.e30.sig")
    };
    header_not_accepted: Some("resource metadata"), async || {
        let value = json!(["query"]);
        Bench::with(|auth| auth, |mcp| mcp.metadata_field("bearer_methods_supported", value)).await
    };
    issuer_unreachable: Some("authorization server metadata"), async || {
        let bench = Bench::new().await;
        bench.world.auth.stop().await;
        bench
    };
    issuer_error: Some("authorization server metadata"), async || issuer(Fault::status(503)).await;
    issuer_forbidden: Some("authorization server metadata"), async || issuer(Fault::status(403)).await;
    issuer_metadata_missing: Some("authorization server metadata"), async || issuer(Fault::status(404)).await;
    issuer_metadata_page: Some("authorization server metadata"), async || issuer(Fault::Html).await;
    issuer_metadata_unreadable: Some("authorization server metadata"), async || issuer(broken()).await;
    issuer_mismatch: Some("authorization server metadata"), async || {
        publishing("issuer", json!("https://other.example")).await
    };
    endpoint_insecure: Some("authorization server metadata"), async || {
        publishing("token_endpoint", json!("http://as.example/token")).await
    };
    issuer_metadata_invalid: Some("authorization server metadata"), async || {
        publishing("grant_types_supported", json!(3)).await
    };
}
