//! A private key that signs JWTs: client assertions (RFC 7523 §2.2) and DPoP proofs (RFC 9449 §4.2).

mod read;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::crypto::{CryptoProvider, aws_lc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

/// A private key for signatures: RSA, EC on the curve P-256, or Ed25519. Cheap to clone.
///
/// Two are equal when they are the same key under the same key id. `Debug` shows its kind alone.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    key: EncodingKey,
    kind: Kind,
    id: Option<String>,
}

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    Ed25519,
}

/// How a JWT is signed (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Why a text is no key that can sign. Nothing of the text is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is neither PEM nor a JSON Web Key.
    #[error("it is neither a PEM private key nor a JSON Web Key")]
    Format,
    /// It is a JSON Web Key or a PEM block without the private part.
    #[error("it is no private key")]
    Public,
    /// It is locked by a pass phrase.
    #[error("it is encrypted; it has to be stored without a pass phrase")]
    Encrypted,
    /// It is a key of another kind.
    #[error("its kind is not supported: use RSA, EC on P-256, or Ed25519")]
    Kind,
    /// Its numbers do not make a key.
    #[error("its numbers do not make a key (RSA keys need 2048 bits or more)")]
    Broken,
}

impl SigningAlgorithm {
    /// The name registered for it, such as `ES256`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that registered name, or `None` if it is not one of these.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    fn in_jwt(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SigningKey {
    /// Reads a key: a PEM block (PKCS#8, PKCS#1 or SEC 1) or a private JSON Web Key (RFC 7517),
    /// whichever it is. The key id is the `kid` of a JSON Web Key.
    ///
    /// # Errors
    /// [`KeyError`]: the text has to be replaced.
    pub fn parse(text: &SecretString) -> Result<Self, KeyError> {
        let (kind, key, id) = read::key(text)?;
        Ok(Self::new(kind, key, id))
    }

    /// The same key under the id that the authorization server knows it by (`kid`, RFC 7515 §4.1.4).
    #[must_use]
    pub fn with_id(&self, id: impl Into<String>) -> Self {
        Self::new(self.0.kind, self.0.key.clone(), Some(id.into()))
    }

    /// The id that signatures name, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// The algorithms it can sign with, the most common first.
    #[must_use]
    pub fn algorithms(&self) -> &'static [SigningAlgorithm] {
        match self.0.kind {
            Kind::Rsa => &[SigningAlgorithm::Rs256, SigningAlgorithm::Ps256],
            Kind::P256 => &[SigningAlgorithm::Es256],
            Kind::Ed25519 => &[SigningAlgorithm::EdDsa],
        }
    }

    /// The algorithm to sign with where a server takes these; `None` in place of a list: any
    /// (TOK-11). No list ever leads to `none` or to a MAC.
    #[must_use]
    pub fn algorithm(&self, listed: Option<&[String]>) -> Option<SigningAlgorithm> {
        let takes = |algorithm: &&SigningAlgorithm| {
            listed.is_none_or(|listed| listed.iter().any(|name| name == algorithm.as_str()))
        };
        self.algorithms().iter().find(takes).copied()
    }

    /// The public half as a JSON Web Key for a key set (RFC 7517 §4): with its use, its algorithm and,
    /// if it has one, its id.
    ///
    /// # Errors
    /// [`SigningError`] for a key that the library cannot take apart.
    pub fn public_key(&self) -> Result<serde_json::Value, SigningError> {
        let mut jwk = self.public_jwk()?;
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        jwk.common.key_id.clone_from(&self.0.id);
        let mut jwk = serde_json::to_value(jwk).map_err(|error| SigningError(error.into()))?;
        // An RSA key signs by more than one.
        if let [algorithm] = self.algorithms() {
            jwk["alg"] = algorithm.as_str().into();
        }
        Ok(jwk)
    }

    fn new(kind: Kind, key: EncodingKey, id: Option<String>) -> Self {
        Self(Arc::new(Inner { key, kind, id }))
    }

    /// A JWT with these claims. `typ` and `jwk` go into its header where they are given.
    pub(crate) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        typ: Option<&str>,
        jwk: Option<&jsonwebtoken::jwk::Jwk>,
        claims: &impl Serialize,
    ) -> Result<String, SigningError> {
        provide();
        let mut header = Header::new(algorithm.in_jwt());
        header.typ = typ.map(str::to_owned).or(header.typ);
        header.jwk = jwk.cloned();
        header.kid.clone_from(&self.0.id);
        jsonwebtoken::encode(&header, claims, &self.0.key).map_err(SigningError)
    }

    /// The public part, without key id and use.
    pub(crate) fn public_jwk(&self) -> Result<jsonwebtoken::jwk::Jwk, SigningError> {
        provide();
        let algorithm = self.algorithms()[0].in_jwt();
        let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&self.0.key, algorithm)
            .map_err(SigningError)?;
        jwk.common = jsonwebtoken::jwk::CommonParameters::default();
        Ok(jwk)
    }
}

/// A signature that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a JWT could not be signed")]
pub struct SigningError(#[source] jsonwebtoken::errors::Error);

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.kind == other.0.kind
            && self.0.id == other.0.id
            && bool::from(self.0.key.as_bytes().ct_eq(other.0.key.as_bytes()))
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kind", &self.0.kind)
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

/// Where another crate of the program switched on a second implementation of the signatures, the
/// library does not choose by itself.
pub(crate) fn provide() {
    if CryptoProvider::try_get_default().is_none() {
        // Somebody else may have chosen meanwhile, which is as good.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    }
}

/// PKCS#8 in its armour (RFC 7468 §10): the one form from which every kind of RSA key is read.
pub(crate) fn in_pem(der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der));
    // In one piece: a text that grows leaves copies of what it held behind.
    let size = BEGIN.len() + text.len() + text.len().div_ceil(LINE) + END.len();
    let mut pem = String::with_capacity(size);
    pem.push_str(BEGIN);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(END);
    pem
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "-----END PRIVATE KEY-----\n";
/// Characters of one line (RFC 7468 §2).
const LINE: usize = 64;

#[cfg(test)]
mod tests;
