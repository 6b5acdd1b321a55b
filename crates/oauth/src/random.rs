//! The source of randomness for verifiers, states and jitter, passed in so that tests own it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// Fills buffers with bytes that nobody can guess.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills the whole of `bytes`.
    ///
    /// # Errors
    /// [`RandomError`] when the source cannot deliver; nothing secret may then be made.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(bytes).map_err(RandomError::new)
    }
}

/// The random source could not deliver.
#[derive(Debug, thiserror::Error)]
#[error("the random source failed")]
pub struct RandomError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl RandomError {
    /// Wraps the cause a [`Random`] implementation met.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// 256 random bits as 43 characters of unpadded base64url: a PKCE verifier (RFC 7636 §4.1) or a
/// `state` (RFC 6749 §10.12).
pub(crate) fn unguessable(random: &dyn Random) -> Result<SecretString, RandomError> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    random.fill(bytes.as_mut_slice())?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// A port that nobody can guess, of those that are nobody's by registration (RFC 6335 §6).
pub(crate) fn high_port(random: &dyn Random) -> Result<u16, RandomError> {
    let mut bytes = [0_u8; 2];
    random.fill(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes) | 0xc000)
}
