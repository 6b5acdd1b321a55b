//! The authorization URL, parameter by parameter.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::random::RandomError;

#[derive(Debug)]
struct Counting;

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(index).unwrap_or(0);
        }
        Ok(())
    }
}

fn record(resource: Option<&str>, scopes: &str) -> AuthorizationRecord {
    let server = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    let plan = AuthorizationPlan {
        server: &server,
        trusted_issuer: None,
        client_id: "client 1",
        redirect_uri: "http://127.0.0.1:3118/callback",
        resource,
        scopes: &Scopes::parse(scopes),
    };
    AuthorizationRecord::new(&plan, &Counting, SystemTime::UNIX_EPOCH).unwrap()
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(n, _)| n == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} occurs twice");
    value
}

fn endpoint(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn the_request_carries_every_parameter_of_az_01() {
    let record = record(Some("https://mcp.example"), "a b");
    let url = record
        .url(&endpoint("https://as.example/authorize"), false, &[], None)
        .unwrap();
    let pairs = pairs(&url);
    let expected = HashMap::from([
        ("response_type", "code"),
        ("client_id", "client 1"),
        ("redirect_uri", "http://127.0.0.1:3118/callback"),
        ("code_challenge_method", "S256"),
        ("resource", "https://mcp.example"),
        ("scope", "a b"),
        ("state", record.state.expose_secret()),
    ]);
    for (name, expected) in expected {
        assert_eq!(value(&pairs, name), Some(expected), "{name}");
    }
    assert_eq!(value(&pairs, "code_challenge").map(str::len), Some(43));
    assert_eq!(value(&pairs, "prompt"), None);
    assert_eq!(pairs.len(), 8);
}

#[test]
fn the_challenge_of_rfc_7636_appendix_b_comes_out_az_03() {
    let mut record = record(None, "");
    record.verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let url = record
        .url(&endpoint("https://as.example/a"), false, &[], None)
        .unwrap();
    assert_eq!(
        value(&pairs(&url), "code_challenge"),
        Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    );
}

#[test]
fn verifier_and_state_are_256_bits_each_az_02_az_06() {
    let record = record(None, "");
    assert_eq!(record.verifier.expose_secret().len(), 43);
    assert_eq!(record.state.expose_secret().len(), 43);
}

#[test]
fn without_scopes_the_parameter_is_left_out_az_09() {
    let url = record(None, "")
        .url(&endpoint("https://as.example/a"), false, &[], None)
        .unwrap();
    assert_eq!(value(&pairs(&url), "scope"), None);
    assert_eq!(value(&pairs(&url), "resource"), None);
}

#[test]
fn a_resource_the_endpoint_already_has_is_replaced_az_21() {
    let taken = "https://as.example/a?tenant=x%20y&resource=https%3A%2F%2Fother&empty&state=z#f";
    for (resource, expected) in [
        (Some("https://mcp.example"), Some("https://mcp.example")),
        (None, None),
    ] {
        let url = record(resource, "")
            .url(&endpoint(taken), false, &[], None)
            .unwrap();
        let pairs = pairs(&url);
        assert_eq!(value(&pairs, "resource"), expected);
        assert_eq!(value(&pairs, "tenant"), Some("x y"));
        assert!(value(&pairs, "state").is_some_and(|state| state.len() == 43));
        assert_eq!(url.fragment(), None);
    }
}

#[test]
fn offline_access_goes_with_consent_at_an_openid_server_az_13() {
    let prompt = |scopes, is_openid, extra: &[(&str, &str)]| {
        let extra: Vec<_> = extra
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let url = record(None, scopes)
            .url(
                &endpoint("https://as.example/a?prompt=login"),
                is_openid,
                &extra,
                None,
            )
            .unwrap();
        value(&pairs(&url), "prompt").map(str::to_owned)
    };
    assert_eq!(
        prompt("a offline_access", true, &[]).as_deref(),
        Some("consent")
    );
    assert_eq!(prompt("a", true, &[]).as_deref(), Some("login"));
    assert_eq!(
        prompt("a offline_access", false, &[]).as_deref(),
        Some("login")
    );
    let chosen = [("prompt", "select_account")];
    assert_eq!(
        prompt("a offline_access", true, &chosen).as_deref(),
        Some("select_account")
    );
    assert_eq!(prompt("a offline_access", true, &[("prompt", "")]), None);
}

#[test]
fn an_endpoint_in_the_clear_is_refused() {
    for wrong in [
        "http://as.example/a",
        "https://u:p@as.example/a",
        "javascript:alert(1)",
    ] {
        let refused = record(None, "").url(&endpoint(wrong), false, &[], None);
        assert!(matches!(refused, Err(Error::Endpoint { .. })), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_parameter_of_ours_ever_occurs_twice(query in "[a-z=&%+.]{0,40}", repeated in 0_usize..9) {
        let mut endpoint = endpoint("https://as.example/a");
        let name = RESERVED_PARAMETERS[repeated];
        endpoint.set_query(Some(&format!("{query}&{name}=1&x=2&{name}=3")));
        let url = record(Some("urn:x"), "a").url(&endpoint, false, &[], None).unwrap();
        let pairs = pairs(&url);
        for ours in RESERVED_PARAMETERS.iter().filter(|name| **name != "prompt") {
            prop_assert_eq!(pairs.iter().filter(|(n, _)| n == ours).count(), 1);
        }
        prop_assert_eq!(value(&pairs, "resource"), Some("urn:x"));
    }

    #[test]
    fn removing_nothing_changes_nothing(query in "[!-~&&[^#]]{0,60}") {
        let mut url = endpoint("https://as.example/a");
        url.set_query(Some(&query));
        let kept = without_parameters(&url, &["not-there"]);
        prop_assume!(!query.bytes().all(|byte| byte == b'&'));
        prop_assert_eq!(kept, url);
    }
}
