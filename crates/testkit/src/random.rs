//! Unguessable opaque values for codes, tokens, secrets and ids.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Error;

/// `prefix` and 256 random bits as unpadded base64url.
pub(crate) fn opaque(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Eight letters that are hard to mistake and spell no words (RFC 8628 §6.1).
pub(crate) fn user_code() -> Result<String, Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    let (left, right) = bytes.split_at(4);
    let half = |bytes: &[u8]| bytes.iter().map(letter).collect::<String>();
    Ok(format!("{}-{}", half(left), half(right)))
}

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
