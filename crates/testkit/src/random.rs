//! Unguessable opaque values for codes, tokens, secrets and ids.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Error;

/// `prefix` and 256 random bits as unpadded base64url.
pub(crate) fn opaque(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}
