//! Keys that tests sign with: the private half for whoever signs, the public half for the referee.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorkey_oauth::SigningKey;
use doorkey_testkit::PublicKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

/// Both halves of a key.
pub(crate) struct Pair {
    pub(crate) private: String,
    pub(crate) public: PublicKey,
    algorithm: Algorithm,
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

impl Pair {
    fn new(private: &[u8], public: &PublicKeyX509Der<'_>, algorithm: Algorithm) -> Self {
        Self {
            private: pem("PRIVATE KEY", private),
            public: PublicKey::from_pem(&pem("PUBLIC KEY", public.as_ref())).unwrap(),
            algorithm,
        }
    }

    pub(crate) fn es256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = pair.public_key().as_der().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self::new(private.as_ref(), &public, Algorithm::ES256)
    }

    pub(crate) fn rs256() -> Self {
        let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key().as_der().unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self::new(private.as_ref(), &public, Algorithm::RS256)
    }

    pub(crate) fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = pair.public_key().as_der().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self::new(private.as_ref(), &public, Algorithm::EdDSA)
    }

    /// The private half as our crate takes it.
    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::parse(&self.private.clone().into()).unwrap()
    }

    /// A JWT of somebody else's, say of a platform.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let private = self.private.as_bytes();
        let key = match self.algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(private),
            Algorithm::RS256 => EncodingKey::from_rsa_pem(private),
            _ => EncodingKey::from_ed_pem(private),
        };
        jsonwebtoken::encode(&Header::new(self.algorithm), claims, &key.unwrap()).unwrap()
    }
}
