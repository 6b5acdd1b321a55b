//! The tables of how a configured client authenticates and where a metadata document may be.

use secrecy::ExposeSecret;

use super::*;
use crate::dpop::DpopKey;
use crate::error::NextStep;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn key() -> SigningKey {
    SigningKey::parse(DpopKey::generate().unwrap().stored()).unwrap()
}

/// The client of this configuration at a server that lists these methods.
fn at(
    listed: Option<&[&str]>,
    has_secret: bool,
    has_key: bool,
    chosen: Option<ClientAuthMethod>,
) -> Result<Client, Error> {
    let mut config = AuthorizationConfig::new(url("https://mcp.example/mcp"));
    config.client = ClientChoice::Static {
        client_id: String::from("mine"),
        client_secret: has_secret.then(|| SecretString::from("s")),
        signing_key: has_key.then(key),
        issuer: None,
        auth_method: chosen,
    };
    let mut server = AuthorizationServerMetadata::new(Issuer::new("https://as.example"));
    server.token_endpoint_auth_methods_supported =
        listed.map(|methods| methods.iter().map(|method| (*method).to_owned()).collect());
    configured(&config, &server, None).map(Option::unwrap)
}

type Case = (
    Option<&'static [&'static str]>,
    bool,
    bool,
    Option<ClientAuthMethod>,
    ClientAuthMethod,
);

#[test]
fn a_client_authenticates_as_configured_else_as_both_sides_can_else_by_basic_tok_05() {
    use ClientAuthMethod::{Basic, None as Public, Post, PrivateKeyJwt};
    const BASIC: &str = "client_secret_basic";
    const POST: &str = "client_secret_post";
    const JWT: &str = "private_key_jwt";
    // What the server lists, whether there are a secret and a key, what is configured, and the way.
    let cases: &[Case] = &[
        (Some(&[BASIC]), true, false, Some(Post), Post),
        (Some(&[POST]), true, false, Some(Basic), Basic),
        (Some(&[BASIC]), true, false, Some(Public), Public),
        (
            Some(&[BASIC]),
            true,
            true,
            Some(PrivateKeyJwt),
            PrivateKeyJwt,
        ),
        (None, true, false, None, Basic),
        (Some(&[]), true, false, None, Basic),
        (Some(&[BASIC]), true, false, None, Basic),
        (Some(&[POST]), true, false, None, Post),
        (Some(&[POST, BASIC]), true, false, None, Basic),
        (Some(&["none", POST]), true, false, None, Post),
        (Some(&["none"]), true, false, None, Basic),
        (Some(&[JWT]), true, false, None, Basic),
        (Some(&["CLIENT_SECRET_POST"]), true, false, None, Basic),
        (None, false, false, None, Public),
        (Some(&[BASIC, POST]), false, false, None, Public),
        (Some(&["none"]), false, false, None, Public),
        (Some(&[BASIC]), false, true, None, PrivateKeyJwt),
        (None, false, true, None, PrivateKeyJwt),
        (Some(&[BASIC, JWT]), true, true, None, PrivateKeyJwt),
        (Some(&[BASIC]), true, true, None, Basic),
        (Some(&[POST]), true, true, None, Post),
    ];
    for (listed, has_secret, has_key, chosen, expected) in cases {
        let client = at(*listed, *has_secret, *has_key, *chosen).unwrap();
        let case = format!("{listed:?}, secret {has_secret}, key {has_key}, {chosen:?}");
        assert_eq!(client.method, *expected, "{case}");
        let signs = client.algorithm.is_some();
        assert_eq!(signs, *expected == PrivateKeyJwt, "{case}");
    }
}

#[test]
fn a_configured_client_is_for_its_own_issuer_and_brings_all_that_was_configured_reg_05() {
    let here = Issuer::new("https://as.example");
    let elsewhere = Issuer::new("https://as.example/");
    let server = AuthorizationServerMetadata::new(here.clone());
    let mut config = AuthorizationConfig::new(url("https://mcp.example/mcp"));
    // Who was configured, who was gone to before, and whether it is this one.
    for (issuer, bound_to, fits) in [
        (None, None, true),
        (Some(&here), None, true),
        (Some(&elsewhere), None, false),
        (None, Some(&here), true),
        (None, Some(&elsewhere), false),
        (Some(&here), Some(&elsewhere), true),
    ] {
        config.client = ClientChoice::Static {
            client_id: String::from("mine"),
            client_secret: Some(SecretString::from("s")),
            signing_key: Some(key()),
            issuer: issuer.cloned(),
            auth_method: None,
        };
        let outcome = configured(&config, &server, bound_to);
        if !fits {
            assert!(matches!(outcome, Err(Error::StaticClientIssuer { .. })));
            continue;
        }
        let client = outcome.unwrap().unwrap();
        assert_eq!(client.id, "mine");
        assert_eq!(client.secret.unwrap().expose_secret(), "s");
        assert!(client.key.is_some());
        assert_eq!(client.audience, "https://as.example");
    }
}

#[test]
fn assertions_are_for_the_issuer_unless_somebody_knows_better_tok_10() {
    let mut config = AuthorizationConfig::new(url("https://mcp.example/mcp"));
    let known = String::from("https://as.example/token");
    assert_eq!(
        audience(&config, None, "https://as.example"),
        "https://as.example"
    );
    assert_eq!(audience(&config, Some(&known), "https://as.example"), known);
    config.assertion_audience = Some(String::from("https://as.example/aud"));
    let chosen = audience(&config, Some(&known), "https://as.example");
    assert_eq!(chosen, "https://as.example/aud");
}

#[test]
fn a_key_signs_as_it_did_before_or_else_as_it_can_tok_11() {
    let key = key();
    for name in [Some("ES256"), Some("RS256"), None] {
        let algorithm = remembered(&key, name);
        assert_eq!(algorithm, Some(SigningAlgorithm::Es256), "{name:?}");
    }
}

#[test]
fn signatures_without_a_key_are_a_wrong_setting_tok_05() {
    let chosen = Some(ClientAuthMethod::PrivateKeyJwt);
    let error = at(None, true, false, chosen).unwrap_err();
    let setting = NextStep::CheckSetting("signing_key");
    assert_eq!(error.next_step(), Some(setting), "{error:?}");
}

#[test]
fn a_metadata_document_is_at_an_https_url_with_a_path_reg_08() {
    for fine in [
        "https://client.example/metadata.json",
        "https://client.example:8443/oauth/client",
        "https://client.example/c?v=1",
        "https://127.0.0.1/c",
    ] {
        assert!(check_metadata_url(&url(fine)).is_ok(), "{fine}");
    }
    for (wrong, why) in [
        ("http://client.example/c.json", "https"),
        ("http://127.0.0.1:3000/c.json", "https"),
        ("ftp://client.example/c.json", "https"),
        ("data:application/json,{}", "https"),
        ("https://client.example", "path"),
        ("https://client.example/", "path"),
        ("https://client.example?v=1", "path"),
        ("https://client.example/c.json#key", "fragment"),
        ("https://client.example/c.json#", "fragment"),
        ("https://user@client.example/c.json", "user name"),
        ("https://user:secret@client.example/c.json", "user name"),
        ("https://:secret@client.example/c.json", "user name"),
    ] {
        let error = check_metadata_url(&url(wrong)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(why), "{wrong}: {text}");
        assert!(!text.contains("secret"), "{text}");
        let setting = NextStep::CheckSetting("metadata_url");
        assert_eq!(error.next_step(), Some(setting), "{wrong}");
    }
}
