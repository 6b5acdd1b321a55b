//! DPoP: proofs that a token is used by who it was given to, and their nonces (RFC 9449).

mod binding;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

pub(crate) use binding::{Binding, decide};

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::key::{KeyError, SigningAlgorithm, SigningError, SigningKey, in_pem};
use crate::random::{Random, unguessable};
use crate::shared::Shared;

/// The key that tokens are bound to: ES256, which every server that knows DPoP may be expected to
/// take (DP-02). Cheap to clone.
#[derive(Clone)]
pub(crate) struct DpopKey(Arc<Inner>);

struct Inner {
    key: SigningKey,
    jwk: Jwk,
    thumbprint: String,
    stored: SecretString,
}

/// What a proof is for.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    /// The access token that goes with it; none at an authorization server (DP-05).
    pub(crate) token: Option<&'a SecretString>,
    pub(crate) nonce: Option<&'a str>,
}

impl DpopKey {
    /// A new key.
    pub(crate) fn generate() -> Result<Self, Error> {
        let pkcs8 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1());
        let pkcs8 = pkcs8.map_err(|cause| {
            Error::from(crate::random::RandomError::new(Box::new(cause) as Box<_>))
        })?;
        let stored = SecretString::from(in_pem(pkcs8.as_ref()));
        Self::of_stored(&stored).map_err(|cause| Error::InvalidKey {
            setting: "dpop_key",
            source: cause,
        })
    }

    /// The key as a grant keeps it.
    pub(crate) fn of_stored(stored: &SecretString) -> Result<Self, KeyError> {
        let key = SigningKey::parse(stored)?;
        if key.algorithms() != [SigningAlgorithm::Es256] {
            return Err(KeyError::Kind);
        }
        let broken = |_: SigningError| KeyError::Broken;
        let jwk = key.public_jwk().map_err(broken)?;
        let thumbprint = jwk
            .thumbprint(ThumbprintHash::SHA256)
            .map_err(|_| KeyError::Broken)?;
        Ok(Self(Arc::new(Inner {
            key,
            jwk,
            thumbprint,
            stored: stored.clone(),
        })))
    }

    /// The private key as a grant keeps it.
    pub(crate) fn stored(&self) -> &SecretString {
        &self.0.stored
    }

    /// The thumbprint that tokens are bound to (RFC 7638; RFC 9449 §6.1, §10).
    pub(crate) fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// One proof, good for one attempt (DP-03 to DP-05, DP-10).
    pub(crate) fn proof(
        &self,
        proven: Proven<'_>,
        now: SystemTime,
        random: &dyn Random,
    ) -> Result<HeaderValue, Error> {
        let mut claims = Map::new();
        claims.insert(
            "jti".to_owned(),
            json!(unguessable(random)?.expose_secret()),
        );
        claims.insert("htm".to_owned(), json!(proven.method.as_str()));
        claims.insert("htu".to_owned(), json!(target(proven.url)));
        claims.insert("iat".to_owned(), json!(unix_seconds(now)));
        if let Some(token) = proven.token {
            let hash = Sha256::digest(token.expose_secret().as_bytes());
            claims.insert("ath".to_owned(), json!(URL_SAFE_NO_PAD.encode(hash)));
        }
        if let Some(nonce) = proven.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let key = &self.0.key;
        let typ = Some("dpop+jwt");
        let jwt = key.sign(
            SigningAlgorithm::Es256,
            typ,
            Some(&self.0.jwk),
            &Value::Object(claims),
        );
        let jwt = jwt.map_err(|cause| Error::Signing(Shared::new(cause)))?;
        let mut value = HeaderValue::from_str(&jwt).map_err(|_| Error::IllegalToken)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopKey")
            .field("thumbprint", &self.0.thumbprint)
            .finish_non_exhaustive()
    }
}

/// The `htu` of a URL: without query and fragment (RFC 9449 §4.2).
fn target(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// The nonces that servers want to see next, each for its origin (DP-13, DP-14).
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    /// The nonce for the next request to `url`.
    pub(crate) fn of(&self, url: &Url) -> Option<String> {
        crate::shared::lock(&self.0).get(&origin(url)).cloned()
    }

    /// Keeps the nonce that an answer of `url` brought, whatever its status (RFC 9449 §8.2). Whether
    /// there was one.
    pub(crate) fn note(&self, url: &Url, headers: &HeaderMap) -> bool {
        let Some(nonce) = nonce_in(headers) else {
            return false;
        };
        let mut nonces = crate::shared::lock(&self.0);
        if nonces.len() >= MOST_ORIGINS && !nonces.contains_key(&origin(url)) {
            nonces.clear();
        }
        nonces.insert(origin(url), nonce);
        true
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The nonce of an answer: one field of legal characters (RFC 9449 §8.1).
fn nonce_in(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(DPOP_NONCE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let legal = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let text = value.to_str().ok()?;
    (!text.is_empty() && text.len() <= LONGEST_NONCE && text.bytes().all(legal))
        .then(|| text.to_owned())
}

/// How often a request is repeated because of nonces alone (DP-15).
pub(crate) const NONCE_RETRIES: u8 = 2;
/// The header of a proof.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
const LONGEST_NONCE: usize = 2048;
/// A source talks to one resource and one authorization server, and what they redirect to.
const MOST_ORIGINS: usize = 32;

#[cfg(test)]
mod tests;
