//! `key.json`: what an encrypted folder says about its key. Nothing in it is secret.

use argon2::{Algorithm, Argon2, MIN_SALT_LEN, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::codec::{ObjectReader, write_object};
use crate::seal::{KEY_BYTES, fill_random};
use crate::{Defect, Error, SealingKey};

/// The content of `key.json`.
#[derive(Debug)]
pub(super) struct Header {
    /// What the key came from, in words for people.
    pub(super) made_with: String,
    /// How the key is made from a passphrase; `None` if it is a key already.
    pub(super) derivation: Option<Derivation>,
    /// The item of the keyring that the key is in, if it is.
    pub(super) keyring_item: Option<String>,
    /// Nothing, sealed: it opens with the right key and no other.
    check: Vec<u8>,
}

impl Header {
    pub(super) fn new(
        made_with: &str,
        derivation: Option<Derivation>,
        key: &SealingKey,
    ) -> Result<Self, Error> {
        Ok(Self {
            made_with: made_with.to_owned(),
            derivation,
            keyring_item: None,
            check: key.seal(b"", CHECK_PLACE)?,
        })
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, Defect> {
        let mut object = ObjectReader::versioned(content, VERSION)?;
        let made_with: String = object.required("key")?;
        let derivation = match object.raw("argon2id") {
            Some(raw) => Some(Derivation::parse(raw.get())?),
            None => None,
        };
        let keyring_item = object.optional("keyring_item")?;
        let check = decoded(&object.required::<String>("check")?, "check")?;
        Ok(Self {
            made_with: shown(&made_with),
            derivation,
            keyring_item,
            check,
        })
    }

    pub(super) fn content(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        write_object(|object| {
            object.field("version", &VERSION)?;
            object.field("key", &self.made_with)?;
            let derivation = self.derivation.as_ref().map(Derivation::value);
            object.optional("argon2id", derivation.as_ref())?;
            object.optional("keyring_item", self.keyring_item.as_ref())?;
            object.field("check", &STANDARD.encode(&self.check))
        })
        .map_err(|error| Error::Sealing(Box::new(error)))
    }

    /// Whether it was made with that key.
    pub(super) fn fits(&self, key: &SealingKey) -> bool {
        key.open(&self.check, CHECK_PLACE).is_ok()
    }
}

/// How a passphrase becomes a key: Argon2id (RFC 9106), version 1.3.
#[derive(Clone, Debug)]
pub(super) struct Derivation {
    salt: Vec<u8>,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Derivation {
    /// With a new salt and the costs of today.
    pub(super) fn new() -> Result<Self, Error> {
        let mut salt = vec![0; SALT_BYTES];
        fill_random(&mut salt)?;
        Ok(Self {
            salt,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        })
    }

    fn parse(object: &str) -> Result<Self, Defect> {
        const WRONG: Defect = Defect::WrongType("argon2id");
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(object).map_err(|_| WRONG)?;
        let mut cost = |name, limit| {
            let cost = fields.remove(name).and_then(|cost| cost.as_u64());
            match cost.map(u32::try_from) {
                Some(Ok(cost)) if (1..=limit).contains(&cost) => Ok(cost),
                // Whoever writes absurd costs into the file must not make us pay them.
                Some(_) => Err(Defect::UnknownValue("argon2id")),
                None => Err(WRONG),
            }
        };
        let memory_kib = cost("memory_kib", MEMORY_KIB_LIMIT)?;
        let passes = cost("passes", PASSES_LIMIT)?;
        let lanes = cost("lanes", LANES_LIMIT)?;
        let salt = fields
            .get("salt")
            .and_then(|salt| salt.as_str())
            .ok_or(WRONG)?;
        let derivation = Self {
            salt: decoded(salt, "argon2id")?,
            memory_kib,
            passes,
            lanes,
        };
        // What Argon2 itself does not take is wrong with the file, not with the passphrase.
        if derivation.salt.len() < MIN_SALT_LEN || derivation.params().is_err() {
            return Err(Defect::UnknownValue("argon2id"));
        }
        Ok(derivation)
    }

    fn params(&self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES))
    }

    fn value(&self) -> serde_json::Value {
        serde_json::json!({
            "salt": STANDARD.encode(&self.salt),
            "memory_kib": self.memory_kib,
            "passes": self.passes,
            "lanes": self.lanes,
        })
    }

    /// The key. Takes as long as it is meant to: some ten milliseconds.
    pub(super) fn key(&self, passphrase: &[u8]) -> Result<SealingKey, Error> {
        let failed = |error: argon2::Error| Error::Sealing(Box::new(error));
        let params = self.params().map_err(failed)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &self.salt, key.as_mut_slice())
            .map_err(failed)?;
        Ok(SealingKey::from_bytes(key))
    }
}

/// A name for the keyring item of a new store: of its own, so that no other store's key is ever put in its place.
#[cfg(feature = "keyring")]
pub(super) fn new_keyring_item() -> Result<String, Error> {
    let mut id = [0; SALT_BYTES];
    fill_random(&mut id)?;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("store-key-{id}"))
}

fn decoded(text: &str, field: &'static str) -> Result<Vec<u8>, Defect> {
    STANDARD.decode(text).map_err(|_| Defect::WrongType(field))
}

/// A text from a file that anybody may have written, for people.
fn shown(text: &str) -> String {
    let plain = text.chars().filter(|character| !character.is_control());
    plain.take(SHOWN_LIMIT).collect()
}

/// Bytes of the file, at most.
pub(super) const SIZE_LIMIT: u64 = 16 * 1024;
const VERSION: u64 = 1;
const CHECK_PLACE: &[&[u8]] = &[b"key check"];
const SALT_BYTES: usize = 16;
/// The first choice of OWASP's list for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const MEMORY_KIB_LIMIT: u32 = 1024 * 1024;
const PASSES_LIMIT: u32 = 64;
const LANES_LIMIT: u32 = 16;
const SHOWN_LIMIT: usize = 60;
