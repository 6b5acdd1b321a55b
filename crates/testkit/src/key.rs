//! Keys that sign JWTs, and the public halves that check them (RFC 7517, RFC 7518, RFC 7638).

use std::fmt;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Error;

/// The signature algorithms that the servers know (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// `ES256`: ECDSA with P-256 and SHA-256.
    Es256,
    /// `EdDSA` with Ed25519.
    EdDsa,
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// `PS256`: RSASSA-PSS with SHA-256.
    Ps256,
}

/// The public half of a signing key: P-256, Ed25519 or RSA.
#[derive(Clone)]
pub struct PublicKey {
    verifier: DecodingKey,
    /// Only the members that the thumbprint is made of, in its order (RFC 7638 §3.2).
    members: Vec<(&'static str, String)>,
}

/// A signing key with its public half, for clients under test, identity providers and platforms
/// that a test plays.
#[derive(Clone)]
pub struct SigningKey {
    signer: EncodingKey,
    algorithm: SigningAlgorithm,
    public: PublicKey,
    pem: String,
}

impl SigningAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Rs256, Self::Ps256];

    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == name)
    }

    pub(crate) fn names(algorithms: &[Self]) -> Vec<&'static str> {
        algorithms.iter().map(|a| a.as_str()).collect()
    }

    fn key_type(self) -> &'static str {
        match self {
            Self::Es256 => "EC",
            Self::EdDsa => "OKP",
            Self::Rs256 | Self::Ps256 => "RSA",
        }
    }

    fn primitive(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
        }
    }
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`, or `RSA PUBLIC KEY` of PKCS #1.
    ///
    /// # Errors
    /// [`Error::Key`] if the text is no such key, [`Error::UnsupportedKey`] if it is a private
    /// one or of a curve other than P-256 and Ed25519.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        if pem.contains("PRIVATE KEY") {
            return Err(unsupported("it is a private key"));
        }
        let bytes = pem.as_bytes();
        let key = DecodingKey::from_ec_pem(bytes)
            .or_else(|_| DecodingKey::from_ed_pem(bytes))
            .or_else(|_| DecodingKey::from_rsa_pem(bytes))
            .map_err(Error::Key)?;
        let jwk = Jwk::from_decoding_key(&key, None).map_err(Error::Key)?;
        Self::from_jwk(&json!(jwk))
    }

    /// Reads a JSON Web Key; members that are not the key itself are ignored.
    ///
    /// # Errors
    /// [`Error::UnsupportedKey`] if it is private or symmetric, of another type or curve, or not
    /// canonical base64url of the right length; [`Error::Key`] if it is no point or number.
    pub fn from_jwk(jwk: &Value) -> Result<Self, Error> {
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        if private.iter().any(|member| jwk.get(member).is_some()) {
            return Err(unsupported("it holds a private or symmetric key"));
        }
        let coordinate = |name| {
            let text = jwk[name].as_str().unwrap_or_default();
            let whole = URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| b.len() == 32);
            let short = unsupported("a coordinate is not the base64url of 32 bytes");
            whole.then(|| text.to_owned()).ok_or(short)
        };
        let number = |name| {
            let text = jwk[name].as_str().unwrap_or_default();
            let sound = URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| !b.is_empty());
            let bad = unsupported("a number is not base64url");
            sound.then(|| text.to_owned()).ok_or(bad)
        };
        let named = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
        let (kty, crv) = (named("kty"), named("crv"));
        let (verifier, members) = match (kty.as_str(), crv.as_str()) {
            ("EC", "P-256") => {
                let (x, y) = (coordinate("x")?, coordinate("y")?);
                let verifier = DecodingKey::from_ec_components(&x, &y);
                (
                    verifier,
                    vec![("crv", crv), ("kty", kty), ("x", x), ("y", y)],
                )
            }
            ("OKP", "Ed25519") => {
                let x = coordinate("x")?;
                let verifier = DecodingKey::from_ed_components(&x);
                (verifier, vec![("crv", crv), ("kty", kty), ("x", x)])
            }
            ("RSA", _) => {
                let (n, e) = (number("n")?, number("e")?);
                let verifier = DecodingKey::from_rsa_components(&n, &e);
                (verifier, vec![("e", e), ("kty", kty), ("n", n)])
            }
            _ => return Err(unsupported("its type or curve is not known here")),
        };
        Ok(Self {
            verifier: verifier.map_err(Error::Key)?,
            members,
        })
    }

    /// The key as a JSON Web Key, without `alg`, `kid` and `use`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect()
    }

    /// The base64url of its SHA-256 thumbprint (RFC 7638 §3).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let members: Vec<String> = self
            .members
            .iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        let canonical = format!("{{{}}}", members.join(","));
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }

    pub(crate) fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        let kty = self.members.iter().find(|(name, _)| *name == "kty");
        kty.is_some_and(|(_, kty)| kty == algorithm.key_type())
    }

    /// Whether `signature` (base64url) is this key's under `message`.
    pub(crate) fn verifies(
        &self,
        algorithm: SigningAlgorithm,
        message: &str,
        signature: &str,
    ) -> bool {
        let algorithm = algorithm.primitive();
        crypto::verify(signature, message.as_bytes(), &self.verifier, algorithm).unwrap_or(false)
    }
}

impl SigningKey {
    /// A new key for `algorithm`; RSA keys have 2048 bits and take a moment.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::Certificate`] or [`Error::Key`] if no key can be made.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, Error> {
        let pair = match algorithm {
            SigningAlgorithm::Es256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            SigningAlgorithm::EdDsa => return Self::ed25519(),
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                KeyPair::generate_for(&PKCS_RSA_SHA256)
            }
        };
        let pair = pair.map_err(Error::Certificate)?;
        Self::of(algorithm, &pair, pair.serialize_pem())
    }

    /// Ed25519 in the first version of PKCS #8, which every library reads (RFC 8410 §7).
    fn ed25519() -> Result<Self, Error> {
        let mut der = ED25519_PKCS8.to_vec();
        der.extend([0; 32]);
        getrandom::fill(&mut der[ED25519_PKCS8.len()..]).map_err(Error::Random)?;
        let body = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let pair = KeyPair::from_pem(&pem).map_err(Error::Certificate)?;
        Self::of(SigningAlgorithm::EdDsa, &pair, pem)
    }

    fn of(algorithm: SigningAlgorithm, pair: &KeyPair, pem: String) -> Result<Self, Error> {
        let bytes = pem.as_bytes();
        let signer = match algorithm {
            SigningAlgorithm::Es256 => EncodingKey::from_ec_pem(bytes),
            SigningAlgorithm::EdDsa => EncodingKey::from_ed_pem(bytes),
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => EncodingKey::from_rsa_pem(bytes),
        };
        Ok(Self {
            signer: signer.map_err(Error::Key)?,
            algorithm,
            public: PublicKey::from_pem(&pair.public_key_pem())?,
            pem,
        })
    }

    /// The algorithm it signs with.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The private key as PKCS #8 in PEM: what a client under test is configured with.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A JWT with these header members and claims. `alg` is added unless the header has one,
    /// which may be a lie: the key signs by its own algorithm all the same.
    ///
    /// # Errors
    /// [`Error::Key`] if the signature fails.
    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String, Error> {
        let mut header = header.clone();
        if header.get("alg").is_none() {
            header["alg"] = json!(self.algorithm.as_str());
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let algorithm = self.algorithm.primitive();
        let signature = crypto::sign(message.as_bytes(), &self.signer, algorithm);
        Ok(format!("{message}.{}", signature.map_err(Error::Key)?))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn unsupported(reason: &'static str) -> Error {
    Error::UnsupportedKey { reason }
}

/// What comes before the 32 bytes of the private key (RFC 8410 §10.3).
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
