//! The token endpoint's answer, bounded and normalised before anything believes it
//! (RFC 6749 §5.1 and §5.2).

use std::fmt;
use std::time::{Duration, SystemTime};

use doorkey_discovery::Scopes;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::access_token::{Alphabet, TokenType, is_legal};
use crate::answer::Answer;
use crate::error::Error;
use crate::jwt::expiry;
use crate::member::{MAX_SCOPE_BYTES, secret};

mod shape;

pub(crate) use shape::Shape;

/// A token response that passed every check.
pub(crate) struct TokenResponse {
    pub(crate) access_token: SecretString,
    pub(crate) token_type: TokenType,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) refresh_token: Option<SecretString>,
    /// Of use to a sign-on at an identity provider only (TOK-22).
    pub(crate) id_token: Option<SecretString>,
    /// What was granted; `None` means "as requested" (TOK-14).
    pub(crate) scope: Option<Scopes>,
    pub(crate) received_at: SystemTime,
    /// Whether a quirk was needed to read it.
    pub(crate) is_odd: bool,
    /// Why its identity token cannot be presented, where that is wanted.
    pub(crate) flaw: Option<&'static str>,
}

impl TokenResponse {
    /// Reads an answer of the token endpoint, whose oddities `shape` names.
    pub(crate) fn read(
        answer: &Answer,
        received_at: SystemTime,
        shape: Option<&Shape>,
    ) -> Result<Self, Error> {
        let (mut object, is_odd) = match shape {
            Some(shape) => shape.straighten(answer)?,
            None => (answer.success()?, false),
        };
        let access_token = secret(answer, &mut object, "access_token")?
            .ok_or_else(|| answer.unreadable("there is no `access_token` in it"))?;
        if !is_legal(access_token.expose_secret(), Alphabet::Token68) {
            return Err(answer.unreadable("its `access_token` cannot be sent in a header"));
        }
        let token_type = object
            .get("token_type")
            .and_then(Value::as_str)
            .ok_or_else(|| answer.unreadable("there is no `token_type` in it"))?;
        let token_type = TokenType::parse(token_type)
            .ok_or_else(|| answer.unreadable("its `token_type` is neither Bearer nor DPoP"))?;
        let tokens = Self {
            access_token,
            token_type,
            expires_in: object.get("expires_in").and_then(lifetime),
            refresh_token: secret(answer, &mut object, "refresh_token")?,
            id_token: identity_token(answer, &mut object),
            scope: granted(answer, &object)?,
            received_at,
            is_odd,
            flaw: None,
        };
        match shape {
            Some(shape) if shape.presents_id_token => Ok(tokens.presenting_id_token()),
            _ => Ok(tokens),
        }
    }

    /// The same with the identity token in place of the access token, for as long as it says of itself. One that is
    /// not there is a flaw, and no reason to lose the refresh token beside it.
    fn presenting_id_token(mut self) -> Self {
        let is_usable = |token: &SecretString| is_legal(token.expose_secret(), Alphabet::Token68);
        match self.id_token.clone().filter(is_usable) {
            None => self.flaw = Some("there is none in the answer, and the MCP server wants it"),
            Some(_) if self.token_type == TokenType::Dpop => {
                self.flaw = Some("it stands beside a token that is bound to a key, and is not");
            }
            Some(token) => {
                let left = |end: SystemTime| end.duration_since(self.received_at);
                let left = expiry(&token).map(|end| left(end).unwrap_or_default());
                self.expires_in = left.or(self.expires_in);
                self.access_token = token;
            }
        }
        self
    }

    /// When the access token expires, if the server said so (TOK-15).
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        self.received_at.checked_add(self.expires_in?)
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The identity token, if it can be one: the code is spent by now, so an odd one is done without
/// where only a name is read from it, and missed where it is what was asked for.
fn identity_token(answer: &Answer, object: &mut Map<String, Value>) -> Option<SecretString> {
    secret(answer, object, "id_token").unwrap_or_else(|error| {
        tracing::warn!(%error, "the identity token is left aside");
        None
    })
}

/// What was granted, if the answer says so.
fn granted(answer: &Answer, object: &Map<String, Value>) -> Result<Option<Scopes>, Error> {
    let Some(text) = object.get("scope").and_then(Value::as_str) else {
        return Ok(None);
    };
    if text.len() > MAX_SCOPE_BYTES {
        let why = format!("its `scope` is longer than {MAX_SCOPE_BYTES} bytes");
        return Err(answer.unreadable(&why));
    }
    Ok(Some(Scopes::parse(text)).filter(|scopes| !scopes.is_empty()))
}

/// Seconds as a number or, from lax servers, as a numeric string. What makes no sense, and zero,
/// which some servers mean as "never", count as unknown: the token is used until it is rejected.
pub(crate) fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds.is_finite() && seconds > 0.0)
        .then(|| Duration::from_secs_f64(seconds.min(LONGEST_LIFETIME)))
}

/// A hundred years: longer lifetimes are cut, so that no sum of times overflows.
const LONGEST_LIFETIME: f64 = 100.0 * 365.0 * 86_400.0;

#[cfg(test)]
mod tests;
