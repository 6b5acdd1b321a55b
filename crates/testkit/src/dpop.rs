//! DPoP proofs as a referee checks them (RFC 9449 §4.3), and nonces (§8, §9).

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderName;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    Error, PublicKey, SigningAlgorithm,
    jws::{Jws, Replays, seconds},
    random,
    reply::{self, Reply},
    request::Received,
};

/// What a server makes of DPoP (RFC 9449).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dpop {
    /// Knows nothing of it: proofs are not looked at, bound tokens are not accepted.
    #[default]
    Off,
    /// Checks proofs that are sent, and does without.
    Supported,
    /// Wants a proof with every token request, or a bound token with every MCP request.
    Required,
    /// Announces it, looks at no proof and issues bearer tokens: a downgrade. To an MCP server
    /// it is the same as [`Off`](Self::Off).
    Ignored,
}

/// When a server hands out nonces for DPoP proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopNonces {
    /// Never.
    #[default]
    Off,
    /// With the refusal of a proof that has not the current one.
    OnChallenge,
    /// Also with every answer to a sound proof: a new one that must be used from then on.
    OnEveryAnswer,
}

/// The proofs and nonces of one server.
#[derive(Default)]
pub(crate) struct Proofs {
    used: Replays,
    nonces: Mutex<Nonces>,
}

#[derive(Default)]
struct Nonces {
    current: Option<String>,
    issued: HashSet<String>,
}

/// What a proof has to be besides sound.
pub(crate) struct Rules<'a> {
    pub(crate) algorithms: &'a [SigningAlgorithm],
    pub(crate) now: SystemTime,
    pub(crate) nonces: DpopNonces,
    /// The access token that it comes with.
    pub(crate) access_token: Option<&'a str>,
}

/// Why a proof is not accepted.
#[derive(Debug)]
pub(crate) enum Flaw {
    Invalid(String),
    /// Sound but for the nonce; this is the one to use.
    Nonce(String),
}

impl Proofs {
    /// The thumbprint of the key that made the proof, `None` if there is no proof.
    pub(crate) fn check(
        &self,
        request: &Received,
        rules: &Rules<'_>,
    ) -> Result<Option<String>, Flaw> {
        let invalid = |why: &str| Flaw::Invalid(why.to_owned());
        let mut fields = request.headers.get_all(&FIELD).iter();
        let proof = match (fields.next(), fields.next()) {
            (None, _) => return Ok(None),
            (Some(field), None) => field.to_str().unwrap_or_default(),
            _ => return Err(invalid("there is more than one DPoP field")),
        };
        let proof = Jws::parse(proof).map_err(invalid)?;
        if proof.header["typ"] != "dpop+jwt" {
            return Err(invalid("its typ is not dpop+jwt"));
        }
        let key = PublicKey::from_jwk(&proof.header["jwk"])
            .map_err(|error| Flaw::Invalid(format!("its jwk: {error}")))?;
        proof.verify(&key, rules.algorithms).map_err(invalid)?;
        check_claims(&proof, request, rules).map_err(invalid)?;
        let jti = proof.text("jti").ok_or_else(|| invalid("it has no jti"))?;
        // A proof that is sent back for its nonce is used up all the same.
        if !self.used.is_first("", jti) {
            return Err(invalid("its jti was used before"));
        }
        self.check_nonce(&proof, rules.nonces)?;
        Ok(Some(key.thumbprint()))
    }

    /// Makes every nonce so far invalid.
    pub(crate) fn rotate(&self) {
        self.nonces().current = None;
    }

    /// Puts a nonce that is good from now on into an answer.
    pub(crate) fn renew(&self, reply: &mut Reply) {
        self.rotate();
        if let Ok(nonce) = self.current() {
            reply::append(reply, NONCE_FIELD, &nonce);
        }
    }

    fn check_nonce(&self, proof: &Jws<'_>, rule: DpopNonces) -> Result<(), Flaw> {
        let given = proof.claims.get("nonce");
        if rule == DpopNonces::Off {
            let own = |nonce: &str| self.nonces().issued.contains(nonce);
            return match given {
                Some(nonce) if !nonce.as_str().is_some_and(own) => Err(Flaw::Invalid(
                    "its nonce is none that this server gave".to_owned(),
                )),
                _ => Ok(()),
            };
        }
        let current = self
            .current()
            .map_err(|error| Flaw::Invalid(error.to_string()))?;
        match given {
            Some(nonce) if *nonce == current => Ok(()),
            _ => Err(Flaw::Nonce(current)),
        }
    }

    fn current(&self) -> Result<String, Error> {
        let mut nonces = self.nonces();
        if let Some(current) = &nonces.current {
            return Ok(current.clone());
        }
        let fresh = random::opaque("nonce-")?;
        nonces.issued.insert(fresh.clone());
        nonces.current = Some(fresh.clone());
        Ok(fresh)
    }

    fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_claims(
    proof: &Jws<'_>,
    request: &Received,
    rules: &Rules<'_>,
) -> Result<(), &'static str> {
    if proof.text("htm") != Some(request.method.as_str()) {
        return Err("its htm is not the method");
    }
    let htu = proof.text("htu").unwrap_or_default();
    if htu.contains(['?', '#']) {
        return Err("its htu has a query or a fragment");
    }
    if !is_target(htu, &request.url) {
        return Err("its htu is not the URL of the request");
    }
    let iat = proof.claims["iat"].as_f64().ok_or("its iat is no number")?;
    if (iat - seconds(rules.now)).abs() > TOLERANCE {
        return Err("its iat is not within 300 seconds of the server's clock");
    }
    let Some(token) = rules.access_token else {
        return Ok(());
    };
    let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()));
    match proof.text("ath") {
        Some(given) if given == ath => Ok(()),
        _ => Err("its ath is not the hash of the access token"),
    }
}

/// RFC 9449 §4.3: equal once both are normalized, the request's query set aside.
fn is_target(htu: &str, requested: &str) -> bool {
    let (Ok(htu), Ok(mut requested)) = (Url::parse(htu), Url::parse(requested)) else {
        return false;
    };
    requested.set_query(None);
    requested.set_fragment(None);
    htu == requested
}

impl Dpop {
    /// Whether proofs are looked at.
    pub(crate) fn is_checked(self) -> bool {
        matches!(self, Self::Supported | Self::Required)
    }
}

impl From<bool> for DpopNonces {
    fn from(on: bool) -> Self {
        if on { Self::OnChallenge } else { Self::Off }
    }
}

/// RFC 9449 §4.1.
const FIELD: HeaderName = HeaderName::from_static("dpop");
/// RFC 9449 §8.1.
pub(crate) const NONCE_FIELD: HeaderName = HeaderName::from_static("dpop-nonce");
/// How far `iat` may be from the server's clock, in seconds, either way.
const TOLERANCE: f64 = 300.0;
