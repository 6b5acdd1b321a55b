//! JWTs by hand, signed by a library that the referees do not use for it.

use std::time::SystemTime;

use doorkey_testkit::{SigningAlgorithm, SigningKey};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::Value;

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

pub(crate) fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap()
}

/// A header for what `key` signs.
pub(crate) fn header(key: &SigningKey) -> Header {
    Header::new(key.algorithm().as_str().parse().unwrap())
}

/// The claims signed with `key`, with a header of the test's choice.
pub(crate) fn jwt(key: &SigningKey, header: &Header, claims: &Value) -> String {
    let pem = key.pem().as_bytes();
    let signer = match key.algorithm() {
        SigningAlgorithm::Es256 => EncodingKey::from_ec_pem(pem),
        SigningAlgorithm::EdDsa => EncodingKey::from_ed_pem(pem),
        _ => EncodingKey::from_rsa_pem(pem),
    };
    jsonwebtoken::encode(header, claims, &signer.unwrap()).unwrap()
}

/// The claims signed with `key` under a plain header.
pub(crate) fn signed(key: &SigningKey, claims: &Value) -> String {
    jwt(key, &header(key), claims)
}

/// A `jti` that nobody used.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `claims` with some of them replaced, or left out where the change is null.
pub(crate) fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}
