//! An access token as it is handed out: borrowed, redacted, comparable.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::dpop::DpopKey;
use crate::error::Error;

/// An access token, borrowed from its [`TokenSource`](crate::TokenSource). Cheap to clone.
///
/// Two are equal when their secrets are; the comparison takes constant time.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    secret: SecretString,
    token_type: TokenType,
    expires_at: Option<SystemTime>,
    alphabet: Alphabet,
    /// The key that it is bound to, for a `DPoP` token.
    key: Option<DpopKey>,
    /// The header's value, once it was asked for; `None` in it for a token that can be no header. Its bytes are wiped
    /// when the last request that carries them has gone.
    header: OnceLock<Option<HeaderValue>>,
}

/// How a token is presented (RFC 6749 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// RFC 6750.
    Bearer,
    /// RFC 9449: each request carries a proof beside it.
    Dpop,
}

impl TokenType {
    /// Reads a `token_type`, ignoring case (RFC 6749 §5.1). An unknown type gives `None`: such a
    /// token is unusable.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop]
            .into_iter()
            .find(|kind| text.eq_ignore_ascii_case(kind.scheme()))
    }

    /// The authentication scheme in the `Authorization` header.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// Which characters a token may have.
#[derive(Clone, Copy)]
pub(crate) enum Alphabet {
    /// `b64token` of RFC 6750 §2.1, for tokens that a server issued.
    Token68,
    /// Any visible ASCII, for a token that the user configured: the user's word.
    Visible,
}

impl AccessToken {
    pub(crate) fn issued(
        secret: SecretString,
        token_type: TokenType,
        expires_at: Option<SystemTime>,
        key: Option<DpopKey>,
    ) -> Self {
        Self(Arc::new(Inner {
            secret,
            token_type,
            expires_at,
            alphabet: Alphabet::Token68,
            key,
            header: OnceLock::new(),
        }))
    }

    pub(crate) fn configured(secret: SecretString) -> Self {
        Self(Arc::new(Inner {
            secret,
            token_type: TokenType::Bearer,
            expires_at: None,
            alphabet: Alphabet::Visible,
            key: None,
            header: OnceLock::new(),
        }))
    }

    /// The `Authorization` header's value, marked sensitive. It is made once: all requests with this
    /// token share its bytes.
    ///
    /// # Errors
    /// [`Error::IllegalToken`] when the token holds characters outside of its alphabet (USE-10).
    pub fn header_value(&self) -> Result<HeaderValue, Error> {
        let header = self.0.header.get_or_init(|| self.0.header());
        header.clone().ok_or(Error::IllegalToken)
    }

    /// When it expires, if the authorization server said so.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// How it is presented.
    #[must_use]
    pub fn token_type(&self) -> TokenType {
        self.0.token_type
    }

    /// The secret itself, for what a proof says of it.
    pub(crate) fn secret(&self) -> &SecretString {
        &self.0.secret
    }

    /// The key that proofs for it are signed with; `None` for a bearer token.
    pub(crate) fn key(&self) -> Option<&DpopKey> {
        self.0.key.as_ref()
    }

    /// The same token with another expiry.
    pub(crate) fn expiring(&self, expires_at: Option<SystemTime>) -> Self {
        Self(Arc::new(Inner {
            secret: self.0.secret.clone(),
            token_type: self.0.token_type,
            expires_at,
            alphabet: self.0.alphabet,
            key: self.0.key.clone(),
            header: OnceLock::new(),
        }))
    }
}

impl Inner {
    fn header(&self) -> Option<HeaderValue> {
        let secret = self.secret.expose_secret();
        if !is_legal(secret, self.alphabet) {
            return None;
        }
        let scheme = self.token_type.scheme();
        let room = scheme.len() + 1 + secret.len();
        // As much room as it takes: one that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        text.extend_from_slice(scheme.as_bytes());
        text.push(b' ');
        text.extend_from_slice(secret.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || same_secret(&self.0.secret, &other.0.secret)
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token_type", &self.0.token_type)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whether a token may become a header.
pub(crate) fn is_legal(token: &str, alphabet: Alphabet) -> bool {
    match alphabet {
        Alphabet::Token68 => {
            let body = token.trim_end_matches('=');
            !body.is_empty()
                && body
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
        }
        Alphabet::Visible => !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()),
    }
}

/// Compares two secrets in constant time.
pub(crate) fn same_secret(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret()
        .as_bytes()
        .ct_eq(other.expose_secret().as_bytes())
        .into()
}
