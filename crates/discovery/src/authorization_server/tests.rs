//! What an authorization server document may hold, and whom it speaks for.

use serde_json::{Value, json};

use super::*;
use crate::UrlError;

const ISSUER: &str = "https://as.example/tenant1";

fn issuer() -> Issuer {
    Issuer::new(ISSUER)
}

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://login.example/authorize?x=y",
        "token_endpoint": "https://as.example/token",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut document = document();
    document[member] = value;
    document
}

fn parse(document: &Value) -> Result<AuthorizationServerMetadata, DocumentError> {
    AuthorizationServerMetadata::parse(document.to_string().as_bytes(), &issuer(), None)
}

fn full_document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://login.example/authorize?x=y",
        "token_endpoint": "https://as.example/token",
        "registration_endpoint": "https://as.example/register",
        "revocation_endpoint": "https://as.example/revoke",
        "device_authorization_endpoint": "https://as.example/device",
        "pushed_authorization_request_endpoint": "https://as.example/par",
        "scopes_supported": ["openid", "mcp:read"],
        "response_types_supported": ["code", "code id_token"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_modes_supported": ["query"],
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "require_pushed_authorization_requests": true,
        "require_signed_request_object": true,
        "protected_resources": ["https://mcp.example/mcp"],
        "signed_metadata": "not.a.jwt",
        "jwks_uri": "http://plain.example/not-ours-to-judge",
        "subject_types_supported": 5,
    })
}

#[test]
fn endpoints_are_read_and_what_we_do_not_use_is_ignored_as_01_as_17() {
    let metadata = parse(&full_document()).unwrap();
    assert_eq!(metadata.issuer, issuer());
    let text = |url: &Option<Url>| url.as_ref().map(Url::to_string);
    assert_eq!(
        text(&metadata.authorization_endpoint).as_deref(),
        Some("https://login.example/authorize?x=y")
    );
    assert_eq!(
        text(&metadata.token_endpoint).as_deref(),
        Some("https://as.example/token")
    );
    assert_eq!(
        text(&metadata.registration_endpoint).as_deref(),
        Some("https://as.example/register")
    );
    assert_eq!(
        text(&metadata.revocation_endpoint).as_deref(),
        Some("https://as.example/revoke")
    );
    assert_eq!(
        text(&metadata.device_authorization_endpoint).as_deref(),
        Some("https://as.example/device")
    );
    assert_eq!(
        text(&metadata.pushed_authorization_request_endpoint).as_deref(),
        Some("https://as.example/par")
    );
}

#[test]
fn lists_and_flags_are_read_as_01_as_22_as_23_ema_09() {
    let metadata = parse(&full_document()).unwrap();
    assert!(metadata.is_openid && metadata.supports_code() && metadata.supports_s256());
    assert!(
        metadata.supports_grant("refresh_token") && !metadata.supports_grant("client_credentials")
    );
    assert_eq!(
        metadata.token_endpoint_auth_methods(),
        ["none", "private_key_jwt"]
    );
    assert_eq!(metadata.response_modes(), ["query"]);
    assert_eq!(
        metadata.grant_types(),
        ["authorization_code", "refresh_token"]
    );
    assert_eq!(
        metadata
            .token_endpoint_auth_signing_alg_values_supported
            .unwrap(),
        ["ES256"]
    );
    assert_eq!(
        metadata.revocation_endpoint_auth_methods_supported.unwrap(),
        ["none"]
    );
    assert_eq!(
        metadata.dpop_signing_alg_values_supported.unwrap(),
        ["ES256"]
    );
    assert_eq!(
        metadata
            .authorization_grant_profiles_supported
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        metadata.protected_resources.unwrap(),
        ["https://mcp.example/mcp"]
    );
    assert!(metadata.authorization_response_iss_parameter_supported);
    assert!(metadata.client_id_metadata_document_supported);
    assert!(metadata.require_pushed_authorization_requests);
    assert!(metadata.require_signed_request_object);
}

#[test]
fn silence_means_the_defaults_of_rfc_8414_as_15_as_16() {
    let metadata = parse(&document()).unwrap();
    assert_eq!(
        metadata.token_endpoint_auth_methods(),
        ["client_secret_basic"]
    );
    assert_eq!(metadata.grant_types(), ["authorization_code", "implicit"]);
    assert_eq!(metadata.response_modes(), ["query", "fragment"]);
    assert!(metadata.supports_code() && metadata.supports_grant("client_credentials"));
    assert!(!metadata.is_openid && !metadata.authorization_response_iss_parameter_supported);
    let listed = parse(&with("response_types_supported", json!(["token"]))).unwrap();
    assert!(!listed.supports_code());
}

#[test]
fn pkce_must_be_advertised_as_20() {
    for (methods, supported) in [
        (json!(null), false),
        (json!([]), false),
        (json!(["plain"]), false),
        (json!(["s256"]), false),
        (json!(["S256"]), true),
    ] {
        let metadata = parse(&with("code_challenge_methods_supported", methods.clone())).unwrap();
        assert_eq!(metadata.supports_s256(), supported, "{methods}");
    }
}

#[test]
fn the_issuer_is_compared_as_a_plain_string_as_07_as_08() {
    for published in [
        json!("https://as.example/tenant1/"),
        json!("https://AS.example/tenant1"),
        json!("https://as.example:443/tenant1"),
        json!("https://as.example"),
        json!("https://attacker.example"),
        json!(""),
        json!(null),
        json!(5),
        json!([ISSUER]),
    ] {
        let mut document = with("issuer", published.clone());
        document["token_endpoint"] = json!(5);
        let error = parse(&document).unwrap_err();
        let DocumentError::IssuerMismatch {
            expected,
            published: found,
        } = error
        else {
            panic!(
                "{published}: nothing of the document counts, its other faults neither: {error}"
            );
        };
        assert_eq!(expected, issuer());
        assert_eq!(found.as_ref().map(Issuer::as_str), published.as_str());
    }
}

#[test]
fn one_trusted_string_is_accepted_too_and_recorded_as_07_as_18() {
    let trusted = Issuer::new("https://other.example/");
    let read = |published: &str| {
        let body = with("issuer", json!(published)).to_string();
        AuthorizationServerMetadata::parse(body.as_bytes(), &issuer(), Some(&trusted))
    };
    let published = read("https://other.example/").unwrap();
    assert_eq!(published.issuer, trusted);
    assert_eq!(read(ISSUER).unwrap().issuer, issuer());
    // REG-04, DISC-16: the name that another server takes is not what credentials are bound to.
    assert_eq!(published.listed, issuer());
    assert_eq!(read(ISSUER).unwrap().listed, issuer());
    assert!(read("https://other.example").is_err());
}

#[test]
fn members_we_need_are_needed_as_12() {
    let mut missing = document();
    missing.as_object_mut().unwrap().remove("token_endpoint");
    assert!(matches!(
        parse(&missing),
        Err(DocumentError::Missing {
            member: "token_endpoint"
        })
    ));
    let mut no_redirect = document();
    no_redirect
        .as_object_mut()
        .unwrap()
        .remove("authorization_endpoint");
    assert_eq!(parse(&no_redirect).unwrap().authorization_endpoint, None);
}

#[test]
fn wrong_types_are_named_as_12() {
    for (member, value) in [
        ("token_endpoint", json!(["https://as.example/token"])),
        ("authorization_endpoint", json!(5)),
        ("registration_endpoint", json!({})),
        ("scopes_supported", json!("a b")),
        ("grant_types_supported", json!("authorization_code")),
        ("code_challenge_methods_supported", json!(["S256", 5])),
        ("token_endpoint_auth_methods_supported", json!({})),
        (
            "authorization_response_iss_parameter_supported",
            json!("true"),
        ),
        ("client_id_metadata_document_supported", json!(1)),
        ("require_pushed_authorization_requests", json!("false")),
    ] {
        let error = parse(&with(member, value)).unwrap_err();
        assert!(
            matches!(error, DocumentError::WrongType { member: named, .. } if named == member),
            "{member}: {error}"
        );
    }
}

#[test]
fn every_endpoint_is_https_or_loopback_as_14() {
    for member in [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for (url, why) in [
            ("http://as.example/x", UrlError::Insecure),
            ("javascript:alert(1)", UrlError::Insecure),
            ("file:///etc/passwd", UrlError::Insecure),
            ("https://u:p@as.example/x", UrlError::UserInfo),
            ("https://as.example/#x", UrlError::Fragment),
            ("https://as.example/\u{1b}x", UrlError::Blank),
            (
                "/token",
                UrlError::Invalid(url::ParseError::RelativeUrlWithoutBase),
            ),
        ] {
            let error = parse(&with(member, json!(url))).unwrap_err();
            let DocumentError::Url {
                member: named,
                source,
            } = error
            else {
                panic!("{member} {url}: {error}")
            };
            assert_eq!((named, source), (member, why), "{url}");
        }
        for url in [
            "https://elsewhere.example/x",
            "http://localhost:1/x",
            "http://127.0.0.1/x",
            "http://[::1]/x",
        ] {
            assert!(parse(&with(member, json!(url))).is_ok(), "{member} {url}");
        }
    }
}
