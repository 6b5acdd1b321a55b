//! What is published, for each way that a configuration uses the client.

use doorkey_store::Store;
use doorkey_testkit::{SigningAlgorithm, SigningKey};
use serde_json::json;

use super::*;
use crate::{Config, Environment, Home};

const URL: &str = "https://example.com/oauth/client.json";

fn document(environment: Environment, config: &str) -> Result<Value, Error> {
    let home = Home::at("/nonexistent");
    let config = Config::parse(&home, config).expect("a configuration");
    let host = Host::new(environment, home, config, Store::memory());
    let url = ClientMetadata::check_url(URL).expect(URL);
    let document = host.client_metadata(&url, &[])?;
    Ok(serde_json::to_value(document).expect("JSON"))
}

fn server(name: &str, oauth: &str) -> String {
    format!(
        "[mcp_servers.{name}]\nurl = \"https://{name}.example\"\n[mcp_servers.{name}.oauth]\n{oauth}\n"
    )
}

#[test]
fn a_client_without_a_key_is_public_and_named_by_its_own_url_reg_09_reg_10() {
    let other = server("other", "client_id = \"x\"\nclient_secret = \"s3cret\"");
    for config in [String::new(), other] {
        let document = document(Environment::default(), &config).expect("a document");
        let expected = json!({
            "client_id": URL,
            "client_name": "doorkey",
            "application_type": "native",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        assert_eq!(document, expected);
    }
}

#[test]
fn a_configured_key_is_published_by_its_public_half_reg_10() {
    let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let environment = Environment::new([("KEY", key.pem())]);
    let client =
        format!("client_id = {URL:?}\nprivate_key_env = \"KEY\"\nprivate_key_id = \"1\"\n");
    let config = server("one", &format!("{client}callback_port = 3118"))
        + &server(
            "two",
            &format!("{client}callback_url = \"https://cb.example/\"\ncallback_port = 1"),
        )
        + &server(
            "three",
            &format!("client_metadata_url = {URL:?}\nflow = \"device\""),
        );
    let document = document(environment, &config).expect("a document");
    assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
    let keys = document["jwks"]["keys"].as_array().expect("keys");
    let [published] = &keys[..] else {
        panic!("the same key once: {keys:?}");
    };
    assert_eq!(published["kid"], "1");
    assert_eq!(published["x"], key.public_key().jwk()["x"]);
    assert_eq!(published.get("d"), None);
    let redirects = [
        "http://127.0.0.1:3118/callback",
        "https://cb.example/",
        "http://127.0.0.1/callback",
    ];
    assert_eq!(document["redirect_uris"], json!(redirects));
    let grants = document["grant_types"].as_array().expect("grants");
    assert!(
        grants
            .iter()
            .any(|grant| grant == "urn:ietf:params:oauth:grant-type:device_code")
    );
}

#[test]
fn a_key_that_cannot_be_used_is_told() {
    let config = server(
        "one",
        &format!("client_id = {URL:?}\nprivate_key_env = \"UNSET\""),
    );
    let error = document(Environment::default(), &config).expect_err("no key");
    assert!(matches!(error, Error::Network(_)), "{error:?}");
}
