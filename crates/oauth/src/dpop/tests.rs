//! Proofs and nonces as values.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

use super::*;
use crate::random::OsRandom;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn proof(key: &DpopKey, token: Option<&SecretString>, nonce: Option<&str>) -> (Value, String) {
    let proven = Proven {
        method: &Method::POST,
        url: &Url::parse("https://mcp.example:8443/mcp?session=1#top").unwrap(),
        token,
        nonce,
    };
    let value = key.proof(proven, now(), &OsRandom).unwrap();
    assert!(value.is_sensitive());
    let jwt = value.to_str().unwrap().to_owned();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    let jwk = decode_header(&jwt).unwrap().jwk.unwrap();
    let public = DecodingKey::from_jwk(&jwk).unwrap();
    let claims = decode::<Value>(&jwt, &public, &rules).unwrap().claims;
    (claims, jwt)
}

#[test]
fn a_proof_says_what_it_is_for_and_carries_the_public_key_alone_dp_03_dp_04_dp_19() {
    let key = DpopKey::generate().unwrap();
    let (claims, jwt) = proof(&key, None, None);
    assert_eq!(claims["htm"], "POST");
    assert_eq!(claims["htu"], "https://mcp.example:8443/mcp");
    assert_eq!(claims["iat"], 1_800_000_000);
    assert!(claims["jti"].as_str().unwrap().len() >= 16);
    assert_eq!(claims.as_object().unwrap().len(), 4, "{claims}");
    let header = jwt.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["typ"], "dpop+jwt");
    assert_eq!(header["alg"], "ES256");
    let members: Vec<_> = header["jwk"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["crv", "kty", "x", "y"]);
}

#[test]
fn a_proof_names_the_token_it_goes_with_by_its_hash_dp_05() {
    // RFC 9449 §7.1 gives this token and its hash.
    let token = SecretString::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    let key = DpopKey::generate().unwrap();
    let (claims, _) = proof(&key, Some(&token), Some("a-nonce"));
    assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert_eq!(claims["nonce"], "a-nonce");
}

#[test]
fn every_proof_is_another_one_dp_10() {
    let key = DpopKey::generate().unwrap();
    let (one, _) = proof(&key, None, None);
    let (two, _) = proof(&key, None, None);
    assert_ne!(one["jti"], two["jti"]);
}

#[test]
fn a_kept_key_is_the_same_key_and_no_debug_shows_it_dp_08() {
    let key = DpopKey::generate().unwrap();
    let again = DpopKey::of_stored(key.stored()).unwrap();
    assert_eq!(key.thumbprint(), again.thumbprint());
    assert_ne!(key.thumbprint(), DpopKey::generate().unwrap().thumbprint());
    let shown = format!("{key:?}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for broken in ["", "-----BEGIN PRIVATE KEY-----", ed25519] {
        assert!(DpopKey::of_stored(&SecretString::from(broken)).is_err());
    }
}

fn with_nonce(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            DPOP_NONCE,
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

#[test]
fn the_latest_nonce_of_an_origin_is_used_there_and_nowhere_else_dp_13_dp_14() {
    let nonces = Nonces::default();
    let url = |text| Url::parse(text).unwrap();
    let server = url("https://as.example/token");
    assert!(nonces.note(&server, &with_nonce(&["one"])));
    assert!(nonces.note(&server, &with_nonce(&["two"])));
    assert_eq!(
        nonces.of(&url("https://as.example/other")).as_deref(),
        Some("two")
    );
    for elsewhere in [
        "https://as.example:8443/token",
        "http://as.example/token",
        "https://x/",
    ] {
        assert_eq!(nonces.of(&url(elsewhere)), None, "{elsewhere}");
    }
    for wrong in [
        &[][..],
        &[""],
        &["a b"],
        &["\"quoted\""],
        &["one", "two"],
        &["ä"],
    ] {
        assert!(!nonces.note(&server, &with_nonce(wrong)), "{wrong:?}");
    }
    assert_eq!(nonces.of(&server).as_deref(), Some("two"));
}

#[test]
fn a_server_that_redirects_without_end_fills_no_memory() {
    let nonces = Nonces::default();
    for port in 1..=100 {
        let url = Url::parse(&format!("https://as.example:{port}/")).unwrap();
        nonces.note(&url, &with_nonce(&["nonce"]));
    }
    assert!(crate::shared::lock(&nonces.0).len() <= MOST_ORIGINS);
}
