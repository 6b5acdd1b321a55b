//! Sealing: bytes that can only be read, and only be made, with a key, and only in the place they were made for.
//!
//! ```text
//! "dkseal"            6 bytes
//! version             1 byte, 0x01
//! nonce               24 random bytes
//! ciphertext          as long as what was sealed
//! tag                 16 bytes
//! ```
//!
//! The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): its nonces are long enough to be drawn at random for every record
//! and every save. The associated data is the seven bytes before the nonce, then each part of the place, led by its length
//! as 8 bytes, little-endian, so that no two places read alike.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{Defect, Error};

/// A key of 32 bytes that records are sealed with. It is wiped from memory on drop, and nothing shows it.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealingKey {
    /// The key of those bytes, which must be as random as a key is: a passphrase is not.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self { bytes }
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Random`] if it has none.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill_random(bytes.as_mut_slice())?;
        Ok(Self { bytes })
    }

    /// The bytes of the key, for whoever keeps it. Do not copy them to where they are not wiped.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// Seals `plain` for `place`: the parts that name where the sealed bytes are kept (the file, the row, the generation).
    /// They are not in the result; whoever opens it must name the same ones in the same order.
    ///
    /// Sealing the same bytes twice gives different results, [`OVERHEAD`](Self::OVERHEAD) longer than `plain`.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system gives no random numbers; [`Error::Sealing`] above 256 GiB.
    pub fn seal(&self, plain: &[u8], place: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce)?;
        self.seal_with(nonce, plain, place)
    }

    /// Opens what [`seal`](Self::seal) made for `place`.
    ///
    /// # Errors
    /// [`Defect::NotSealed`] for anything else, [`Defect::NewerVersion`] for a later format, and [`Defect::SealBroken`] if the
    /// key or the place is another one or a bit was changed: nobody can tell which.
    pub fn open(&self, sealed: &[u8], place: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, Defect> {
        let (header, nonce, ciphertext, tag) = split(sealed)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                &associated(header, place),
                plain.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .map_err(|_| Defect::SealBroken)?;
        Ok(plain)
    }

    /// Whether `bytes` begin as sealed ones do, of any version.
    #[must_use]
    pub fn is_sealed(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Bytes that sealing adds.
    pub const OVERHEAD: usize = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

    fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        plain: &[u8],
        place: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        let mut sealed = Vec::with_capacity(plain.len() + Self::OVERHEAD);
        sealed.extend_from_slice(MAGIC);
        sealed.push(VERSION);
        let associated = associated(&sealed, place);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let (_, buffer) = sealed.split_at_mut(HEADER_BYTES + NONCE_BYTES);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), &associated, buffer.into())
            .map_err(|error| Error::Sealing(Box::new(error)))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

/// Header, nonce, ciphertext and tag of sealed bytes.
type Parts<'a> = (&'a [u8], [u8; NONCE_BYTES], &'a [u8], [u8; TAG_BYTES]);

fn split(sealed: &[u8]) -> Result<Parts<'_>, Defect> {
    let (header, rest) = sealed
        .split_at_checked(HEADER_BYTES)
        .ok_or(Defect::NotSealed)?;
    let version = header.strip_prefix(MAGIC).ok_or(Defect::NotSealed)?;
    match version {
        [VERSION] => {}
        [found] if *found > VERSION => {
            return Err(Defect::NewerVersion {
                found: u64::from(*found),
                known: u64::from(VERSION),
            });
        }
        _ => return Err(Defect::UnknownVersion { found: 0 }),
    }
    let (nonce, rest) = rest.split_first_chunk().ok_or(Defect::NotSealed)?;
    let (ciphertext, tag) = rest.split_last_chunk().ok_or(Defect::NotSealed)?;
    Ok((header, *nonce, ciphertext, *tag))
}

fn associated(header: &[u8], place: &[&[u8]]) -> Vec<u8> {
    let mut data = header.to_vec();
    for part in place {
        data.extend_from_slice(&(part.len() as u64).to_le_bytes());
        data.extend_from_slice(part);
    }
    data
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Random(Box::new(error)))
}

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
const MAGIC: &[u8] = b"dkseal";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests;
