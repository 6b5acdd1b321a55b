//! Where the key of an encrypted store comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{key_file, trouble};
use crate::{Error, KeyTrouble, SealingKey};

/// Where the key of an encrypted store comes from.
///
/// It is asked for when the store is first used, not before, and kept in memory while the store is open.
#[derive(Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// A passphrase, from which the key is made (Argon2id). Whoever forgets it loses the logins of the store.
    Passphrase(SecretString),
    /// A file with the key, made by [`create_key_file`](crate::create_key_file). Best kept where backups of the store do not go.
    KeyFile(PathBuf),
    /// An item of the operating system's keyring, made when the store is.
    #[cfg(feature = "keyring")]
    Keyring(crate::KeyringOptions),
    /// A key that the host keeps.
    Key(SealingKey),
}

/// What to do where there is no key yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfAbsent {
    /// The store is new: where that can be done unasked, make one.
    Make,
    /// The store is not: another key would open nothing.
    Fail,
}

impl KeySource {
    /// What it is called in errors and in `key.json`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::KeyFile(_) => "key file",
            #[cfg(feature = "keyring")]
            Self::Keyring(_) => "key in the keyring",
            Self::Key(_) => "key of the host",
        }
    }

    /// Whether it is a key and not something that one is made from.
    pub(super) fn is_key(&self) -> bool {
        !matches!(self, Self::Passphrase(_))
    }

    /// The key of the store in `folder`, for every source but a passphrase. Blocks.
    pub(super) fn key(&self, folder: &Path, absent: IfAbsent) -> Result<SealingKey, Error> {
        match self {
            Self::Passphrase(_) => Err(trouble(folder, KeyTrouble::HeaderGone)),
            Self::KeyFile(path) => key_file::read(path, folder),
            #[cfg(feature = "keyring")]
            Self::Keyring(options) => {
                let make = absent == IfAbsent::Make;
                crate::keyring::store_key(options, make)?.ok_or_else(|| {
                    let service = options.service.clone();
                    trouble(folder, KeyTrouble::NotInKeyring { service })
                })
            }
            Self::Key(key) => {
                // Nothing to make: the host has it.
                let _ = absent;
                Ok(key.clone())
            }
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile(path) => f.debug_tuple("KeyFile").field(path).finish(),
            #[cfg(feature = "keyring")]
            Self::Keyring(options) => f.debug_tuple("Keyring").field(options).finish(),
            Self::Passphrase(_) | Self::Key(_) => {
                write!(f, "KeySource({}, [redacted])", self.name())
            }
        }
    }
}
