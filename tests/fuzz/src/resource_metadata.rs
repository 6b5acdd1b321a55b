//! The metadata document of a resource (RFC 9728 §3.2).

use doorkey_discovery::{
    Issuer, ResourceMatch, ResourceMatchKind, ResourceMetadata, ResourceRule, Source,
    validate_resource,
};
use serde_json::{Map, Value, json};
use url::Url;

use crate::shown::{assert_fit, assert_fit_text};

/// What is read is what was said, and a document never speaks for another origin or a sibling.
pub fn resource_metadata(data: &[u8]) {
    let metadata = match ResourceMetadata::parse(data) {
        Ok(metadata) => metadata,
        Err(error) => return assert_fit(&error, &[]),
    };
    let written = written(&metadata).to_string();
    let again = ResourceMetadata::parse(written.as_bytes());
    assert_eq!(again.ok().as_ref(), Some(&metadata), "{written}");
    if let Some(name) = &metadata.resource_name {
        assert_fit_text(name);
        assert!(name.chars().count() <= 200 && !name.is_empty());
    }
    for server in SERVERS {
        let server = Url::parse(server).expect("a URL");
        for source in SOURCES {
            for resource_match in [ResourceMatch::Exact, ResourceMatch::Parent] {
                let rule = ResourceRule::new(source, resource_match);
                match validate_resource(&metadata.resource, &server, rule) {
                    Ok(kind) => speaks_for(metadata.resource.as_str(), &server, rule, kind),
                    Err(mismatch) => assert_fit(&mismatch, &[]),
                }
            }
        }
    }
}

/// Judged by a URL parser, which the rule itself does not use.
fn speaks_for(published: &str, server: &Url, rule: ResourceRule, kind: ResourceMatchKind) {
    let published = Url::parse(published).expect("what is accepted is a URL");
    assert_eq!(published.origin(), server.origin());
    assert!(published.username().is_empty() && published.password().is_none());
    assert_eq!(published.fragment(), None);
    let is_origin = published.path() == "/" && published.query().is_none();
    let is_same = published.path() == server.path() && published.query() == server.query();
    match (kind, rule.source) {
        (ResourceMatchKind::Exact, Source::RootWellKnown) => assert!(is_origin || is_same),
        (ResourceMatchKind::Exact, _) => assert!(is_same, "{published} {server}"),
        _ => {
            assert_eq!(rule.resource_match, ResourceMatch::Parent);
            assert_eq!(published.query(), None);
            let parent = published.path().trim_end_matches('/');
            let rest = server.path().strip_prefix(parent).expect("a parent");
            assert!(
                rest.is_empty() || rest.starts_with('/'),
                "{published} {server}"
            );
        }
    }
}

/// The document that says the same.
fn written(metadata: &ResourceMetadata) -> Value {
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    let servers = metadata.authorization_servers.iter();
    let servers: Vec<_> = servers.map(Issuer::as_str).collect();
    set("resource", json!(metadata.resource.as_str()));
    set("authorization_servers", json!(servers));
    let scopes = metadata.scopes_supported.as_ref();
    let scopes = scopes.map(|scopes| scopes.iter().collect::<Vec<_>>());
    set("scopes_supported", json!(scopes));
    set(
        "bearer_methods_supported",
        json!(metadata.bearer_methods_supported),
    );
    set(
        "dpop_bound_access_tokens_required",
        json!(metadata.dpop_bound_access_tokens_required),
    );
    set(
        "dpop_signing_alg_values_supported",
        json!(metadata.dpop_signing_alg_values_supported),
    );
    set("resource_name", json!(metadata.resource_name));
    Value::Object(document)
}

const SOURCES: [Source; 3] = [
    Source::Challenge,
    Source::PathWellKnown,
    Source::RootWellKnown,
];

const SERVERS: [&str; 5] = [
    "https://mcp.example/mcp",
    "https://mcp.example/a/b/?tenant=7#top",
    "https://mcp.example:8443",
    "http://127.0.0.1:8080/mcp",
    "https://[2001:db8::1]/%2e/x",
];
