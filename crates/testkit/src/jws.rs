//! Signed JWTs as a referee reads them: every part strict (RFC 7515, RFC 7519).

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{PublicKey, SigningAlgorithm};

/// A JWT in compact form whose signature is yet to be checked.
pub(crate) struct Jws<'a> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: &'a str,
    signature: &'a str,
}

/// Identifiers of JWTs that were used already.
#[derive(Default)]
pub(crate) struct Replays(Mutex<HashSet<String>>);

impl<'a> Jws<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (signed, signature) = text.rsplit_once('.').ok_or("it is not a JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("it is not a JWT")?;
        let header = object(header).ok_or("its header is not base64url of a JSON object")?;
        if header.get("crit").is_some() {
            return Err("its header has a critical extension that nobody knows");
        }
        Ok(Self {
            header,
            claims: object(claims).ok_or("its claims are not base64url of a JSON object")?,
            signed,
            signature,
        })
    }

    /// Checks algorithm and signature. `offered` is what the server's metadata lists.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        offered: &[SigningAlgorithm],
    ) -> Result<(), &'static str> {
        let named = self.header["alg"].as_str().unwrap_or_default();
        let algorithm = SigningAlgorithm::parse(named)
            .filter(|algorithm| offered.contains(algorithm))
            .ok_or("its alg is none of those that the metadata lists")?;
        if !key.fits(algorithm) {
            return Err("its alg does not fit the key");
        }
        if !key.verifies(algorithm, self.signed, self.signature) {
            return Err("its signature is not the key's");
        }
        Ok(())
    }

    /// `exp`, `iat` and `nbf` against the server's clock; `longest` bounds its whole life.
    pub(crate) fn check_times(
        &self,
        now: SystemTime,
        longest: Option<Duration>,
    ) -> Result<(), &'static str> {
        let now = seconds(now);
        let exp = self.claims["exp"].as_f64().ok_or("exp is no number")?;
        let iat = self.claims["iat"].as_f64().ok_or("iat is no number")?;
        if exp <= now {
            return Err("it has expired");
        }
        if longest.is_some_and(|longest| exp - iat.min(now) > longest.as_secs_f64()) {
            return Err("it lives too long");
        }
        if iat > now + SKEW {
            return Err("iat is in the future");
        }
        match self.claims.get("nbf") {
            None => Ok(()),
            Some(nbf) if nbf.as_f64().is_some_and(|nbf| nbf <= now + SKEW) => Ok(()),
            Some(_) => Err("nbf is no number or in the future"),
        }
    }

    /// A claim that is text and not empty.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims[claim].as_str().filter(|text| !text.is_empty())
    }
}

impl Replays {
    /// Whether nobody used this `jti` of `issuer` before; from now on somebody has.
    pub(crate) fn is_first(&self, issuer: &str, jti: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A space cannot make two pairs equal that differ: the length says where it is.
        seen.insert(format!("{} {issuer} {jti}", issuer.len()))
    }
}

/// Seconds since the epoch, with their fraction.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn object(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.is_object().then_some(value)
}

/// How far ahead another clock may be, in seconds.
const SKEW: f64 = 5.0;
