//! Keys from PEM and from JSON Web Keys, and what they sign.

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::*;

fn secret(text: impl Into<String>) -> SecretString {
    SecretString::from(text.into())
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pem(label: &str, der: &[u8]) -> SecretString {
    secret(in_pem(der).replace("PRIVATE KEY", label))
}

/// Signs with the key and lets the library check it against the public half that we publish.
fn signs(key: &SigningKey, algorithm: SigningAlgorithm) {
    let claims = json!({ "iss": "client", "exp": 4_000_000_000_u64 });
    let jwt = key.sign(algorithm, Some("JWT"), None, &claims).unwrap();
    let public = DecodingKey::from_jwk(&key.public_jwk().unwrap()).unwrap();
    let mut rules = Validation::new(algorithm.in_jwt());
    rules.validate_aud = false;
    let told = decode::<Value>(&jwt, &public, &rules).unwrap();
    assert_eq!(told.claims["iss"], "client");
    assert_eq!(told.header.kid.as_deref(), key.id());
}

fn p256() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn p256_jwk(pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    let d = pair.private_key().as_be_bytes().unwrap();
    json!({
        "kty": "EC", "crv": "P-256", "kid": "key-1",
        "x": b64(&point[1..33]), "y": b64(&point[33..]), "d": b64(d.as_ref()),
    })
}

#[test]
fn keys_on_p_256_are_read_from_every_form_and_sign_es256_tok_11() {
    let pair = p256();
    let sec1 = pair.private_key().as_der().unwrap();
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    for (text, id) in [
        (pem("PRIVATE KEY", pkcs8.as_ref()), None),
        (pem("EC PRIVATE KEY", sec1.as_ref()), None),
        (secret(p256_jwk(&pair).to_string()), Some("key-1")),
    ] {
        let key = SigningKey::parse(&text).unwrap();
        assert_eq!(key.algorithms(), [SigningAlgorithm::Es256]);
        assert_eq!(key.id(), id);
        signs(&key, SigningAlgorithm::Es256);
        assert_eq!(key.with_id("other").id(), Some("other"));
    }
}

#[test]
fn rsa_keys_sign_rs256_and_ps256_tok_11() {
    let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let key = SigningKey::parse(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256] {
        signs(&key, algorithm);
    }
    // What the library reads of it is PKCS#1.
    let pkcs1 = key.0.key.as_bytes().to_vec();
    let again = SigningKey::parse(&pem("RSA PRIVATE KEY", &pkcs1)).unwrap();
    assert_eq!(again, key);
    signs(&again, SigningAlgorithm::Rs256);
}

/// The numbers of a PKCS#1 private key (RFC 8017 §A.1.2) after its version.
fn numbers(pkcs1: &[u8]) -> Vec<Vec<u8>> {
    let length = |bytes: &[u8]| match bytes[0] {
        short @ ..=0x7f => (usize::from(short), 1),
        0x81 => (usize::from(bytes[1]), 2),
        _ => (usize::from(bytes[1]) << 8 | usize::from(bytes[2]), 3),
    };
    let mut rest = &pkcs1[1 + length(&pkcs1[1..]).1..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (long, head) = length(&rest[1..]);
        let (number, after) = rest[1 + head..].split_at(long);
        all.push(number.strip_prefix(&[0]).unwrap_or(number).to_vec());
        rest = after;
    }
    all.split_off(1)
}

#[test]
fn an_rsa_json_web_key_is_read_with_all_its_numbers() {
    let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let from_pem = SigningKey::parse(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
    let mut jwk = json!({ "kty": "RSA", "kid": "2011-04-29" });
    let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
    for (name, number) in names.into_iter().zip(numbers(from_pem.0.key.as_bytes())) {
        jwk[name] = json!(b64(number));
    }
    let key = SigningKey::parse(&secret(jwk.to_string())).unwrap();
    assert_eq!(key.id(), Some("2011-04-29"));
    assert_eq!(key.0.key.as_bytes(), from_pem.0.key.as_bytes());
    signs(&key, SigningAlgorithm::Rs256);
    jwk["p"] = json!("AQAB");
    let broken = SigningKey::parse(&secret(jwk.to_string()));
    assert_eq!(broken.unwrap_err(), KeyError::Broken);
}

/// RFC 8037, appendix A.1.
#[test]
fn ed25519_keys_sign_eddsa_tok_11() {
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let key = SigningKey::parse(&secret(jwk.to_string())).unwrap();
    signs(&key, SigningAlgorithm::EdDsa);
    let pair = Ed25519KeyPair::generate().unwrap();
    for der in [pair.to_pkcs8v1().unwrap(), pair.to_pkcs8().unwrap()] {
        let key = SigningKey::parse(&pem("PRIVATE KEY", der.as_ref())).unwrap();
        signs(&key, SigningAlgorithm::EdDsa);
    }
}

#[test]
fn what_cannot_sign_is_refused_with_the_reason() {
    let pair = p256();
    let mut public = p256_jwk(&pair);
    public.as_object_mut().unwrap().remove("d");
    let mut wrong = p256_jwk(&pair);
    wrong["x"] = json!(b64([7; 32]));
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = p384.to_pkcs8v1().unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    for (text, why) in [
        (secret(""), KeyError::Format),
        (secret("hunter2"), KeyError::Format),
        (secret("{}"), KeyError::Format),
        (secret("{"), KeyError::Format),
        (secret(public.to_string()), KeyError::Public),
        (secret(wrong.to_string()), KeyError::Broken),
        (secret(r#"{"kty":"oct","k":"AAAA"}"#), KeyError::Kind),
        (secret(r#"{"kty":"EC","crv":"P-384"}"#), KeyError::Kind),
        (pem("PRIVATE KEY", p384.as_ref()), KeyError::Kind),
        (pem("ENCRYPTED PRIVATE KEY", b"x"), KeyError::Encrypted),
        (pem("PUBLIC KEY", b"x"), KeyError::Public),
        (secret(certificate), KeyError::Public),
        (pem("RSA PRIVATE KEY", b"x"), KeyError::Broken),
    ] {
        assert_eq!(SigningKey::parse(&text).unwrap_err(), why, "{why}");
    }
}

#[test]
fn a_server_is_signed_for_with_what_it_takes_and_never_with_a_mac_tok_11() {
    let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let rsa = SigningKey::parse(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
    let of = |listed: &[&str]| {
        let listed: Vec<String> = listed.iter().map(|&name| name.to_owned()).collect();
        rsa.algorithm(Some(&listed))
    };
    assert_eq!(rsa.algorithm(None), Some(SigningAlgorithm::Rs256));
    assert_eq!(of(&["PS256", "ES256"]), Some(SigningAlgorithm::Ps256));
    assert_eq!(of(&["ES256", "none", "HS256"]), None);
    assert_eq!(of(&[]), None);
}

#[test]
fn no_debug_shows_a_key_use_08() {
    let pair = p256();
    let jwk = p256_jwk(&pair);
    let key = SigningKey::parse(&secret(jwk.to_string())).unwrap();
    let shown = format!("{key:?}");
    assert!(!shown.contains(jwk["d"].as_str().unwrap()), "{shown}");
    assert_eq!(shown, r#"SigningKey { kind: P256, id: Some("key-1"), .. }"#);
}

#[test]
fn the_public_half_is_published_without_the_private_one_reg_10() {
    let pair = p256();
    let key = SigningKey::parse(&secret(p256_jwk(&pair).to_string())).unwrap();
    let jwk = key.public_key().unwrap();
    let point = pair.public_key().as_ref();
    let expected = json!({
        "kty": "EC", "crv": "P-256", "kid": "key-1", "use": "sig", "alg": "ES256",
        "x": b64(&point[1..33]), "y": b64(&point[33..]),
    });
    assert_eq!(jwk, expected);

    let rsa = RsaPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let key = SigningKey::parse(&pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
    let jwk = key.public_key().unwrap();
    let members: Vec<_> = jwk.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["e", "kty", "n", "use"]);
}
