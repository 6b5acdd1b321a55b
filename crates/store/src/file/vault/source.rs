//! Where the key of an encrypted store comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::key_file;
use crate::problem::Problems;
use crate::{Error, SealingKey};

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

    /// Whether it has the key at hand, without anything that only the header knows.
    pub(super) fn has_key(&self) -> bool {
        matches!(self, Self::KeyFile(_) | Self::Key(_))
    }

    /// The key, where it takes nothing that only the header knows. Blocks for the moment that reading a file takes.
    pub(super) fn key(
        &self,
        folder: &Path,
        problems: &Problems,
    ) -> Option<Result<SealingKey, Error>> {
        match self {
            Self::KeyFile(path) => Some(key_file::read(path, folder, problems)),
            Self::Key(key) => Some(Ok(key.clone())),
            Self::Passphrase(_) => None,
            #[cfg(feature = "keyring")]
            Self::Keyring(_) => None,
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
