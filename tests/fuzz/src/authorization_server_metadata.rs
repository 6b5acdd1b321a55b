//! The metadata document of an authorization server (RFC 8414 §3.2).

use doorkey_discovery::{AuthorizationServerMetadata, Issuer, Scopes};
use doorkey_http::check_endpoint;
use serde_json::{Map, Value, json};
use url::Url;

use crate::shown::assert_fit;

/// What is read is what was said, by the issuer that was asked or the one that is trusted in its place, and every
/// endpoint may be asked.
pub fn authorization_server_metadata(data: &[u8]) {
    let (issuer, trusted) = (Issuer::new(ISSUER), Issuer::new(TRUSTED));
    let metadata = match AuthorizationServerMetadata::parse(data, &issuer, Some(&trusted)) {
        Ok(metadata) => metadata,
        Err(error) => return assert_fit(&error, &[]),
    };
    assert!([&issuer, &trusted].contains(&&metadata.issuer));
    assert_eq!(metadata.listed, issuer);
    assert!(metadata.token_endpoint.is_some());
    for (name, endpoint) in endpoints(&metadata) {
        let Some(endpoint) = endpoint else { continue };
        assert!(check_endpoint(endpoint).is_ok(), "{name} {endpoint}");
        assert_eq!(endpoint.fragment(), None);
        assert!(endpoint.has_host());
    }
    let openid = metadata.scopes_supported.as_ref();
    let openid = openid.is_some_and(|scopes| scopes.contains("openid"));
    assert_eq!(metadata.is_openid, openid);
    let written = written(&metadata).to_string();
    let again = AuthorizationServerMetadata::parse(written.as_bytes(), &issuer, Some(&trusted));
    assert_eq!(again.ok().as_ref(), Some(&metadata), "{written}");
    // Without the trust, its own word alone counts.
    let alone = AuthorizationServerMetadata::parse(data, &issuer, None);
    assert_eq!(alone.is_ok(), metadata.issuer == issuer);
}

fn endpoints(metadata: &AuthorizationServerMetadata) -> [(&'static str, Option<&Url>); 6] {
    [
        ("authorization_endpoint", &metadata.authorization_endpoint),
        ("token_endpoint", &metadata.token_endpoint),
        ("registration_endpoint", &metadata.registration_endpoint),
        ("revocation_endpoint", &metadata.revocation_endpoint),
        (
            "device_authorization_endpoint",
            &metadata.device_authorization_endpoint,
        ),
        (
            "pushed_authorization_request_endpoint",
            &metadata.pushed_authorization_request_endpoint,
        ),
    ]
    .map(|(name, endpoint)| (name, endpoint.as_ref()))
}

/// The document that says the same.
fn written(metadata: &AuthorizationServerMetadata) -> Value {
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    set("issuer", json!(metadata.issuer.as_str()));
    for (name, endpoint) in endpoints(metadata) {
        set(name, json!(endpoint.map(Url::as_str)));
    }
    let scopes = metadata.scopes_supported.as_ref();
    let tokens = |scopes: &Scopes| scopes.iter().map(str::to_owned).collect::<Vec<_>>();
    set("scopes_supported", json!(scopes.map(tokens)));
    for (name, list) in lists(metadata) {
        set(name, json!(list));
    }
    for (name, flag) in flags(metadata) {
        set(name, json!(flag));
    }
    Value::Object(document)
}

fn lists(metadata: &AuthorizationServerMetadata) -> [(&'static str, &Option<Vec<String>>); 10] {
    [
        (
            "response_types_supported",
            &metadata.response_types_supported,
        ),
        ("grant_types_supported", &metadata.grant_types_supported),
        (
            "response_modes_supported",
            &metadata.response_modes_supported,
        ),
        (
            "token_endpoint_auth_methods_supported",
            &metadata.token_endpoint_auth_methods_supported,
        ),
        (
            "token_endpoint_auth_signing_alg_values_supported",
            &metadata.token_endpoint_auth_signing_alg_values_supported,
        ),
        (
            "revocation_endpoint_auth_methods_supported",
            &metadata.revocation_endpoint_auth_methods_supported,
        ),
        (
            "code_challenge_methods_supported",
            &metadata.code_challenge_methods_supported,
        ),
        (
            "dpop_signing_alg_values_supported",
            &metadata.dpop_signing_alg_values_supported,
        ),
        (
            "authorization_grant_profiles_supported",
            &metadata.authorization_grant_profiles_supported,
        ),
        ("protected_resources", &metadata.protected_resources),
    ]
}

fn flags(metadata: &AuthorizationServerMetadata) -> [(&'static str, bool); 4] {
    [
        (
            "authorization_response_iss_parameter_supported",
            metadata.authorization_response_iss_parameter_supported,
        ),
        (
            "client_id_metadata_document_supported",
            metadata.client_id_metadata_document_supported,
        ),
        (
            "require_pushed_authorization_requests",
            metadata.require_pushed_authorization_requests,
        ),
        (
            "require_signed_request_object",
            metadata.require_signed_request_object,
        ),
    ]
}

const ISSUER: &str = "https://as.example";
const TRUSTED: &str = "https://login.example/tenant";
