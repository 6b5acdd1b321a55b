//! Opens the store that was chosen, and any other one that this home may have.

use std::path::PathBuf;

#[cfg(feature = "encrypted")]
use doorkey_store::KeySource;
use doorkey_store::Store;

use super::choice::{self, StoreChoice, StoreReason};
use super::{StoreKind, StoreOpenError, keyring};
use crate::config::{KeySettings, StoreSettings};
use crate::environment::Environment;
use crate::error::Error;
use crate::home::Home;

/// What says which stores there are and how they are opened.
#[derive(Clone, Copy)]
pub(crate) struct Stores<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) home: &'a Home,
    pub(crate) settings: &'a StoreSettings,
}

impl Stores<'_> {
    /// The choice as it stands, which this does not change.
    pub(crate) fn chosen(&self) -> Result<StoreChoice, StoreOpenError> {
        let choice = |kind, reason| StoreChoice { kind, reason };
        if let Some(kind) = self.settings.backend {
            return Ok(choice(kind, StoreReason::Configured));
        }
        if let Some(remembered) = choice::remembered(self.home)? {
            return Ok(remembered);
        }
        let reason = match choice::has_plain_logins(self.home) {
            true => StoreReason::EarlierLogins,
            false => StoreReason::Undecided,
        };
        Ok(choice(StoreKind::File, reason))
    }

    /// The choice, made now and remembered if it was not yet. Asks the keyring whether it can be used, for a
    /// few seconds at most and without asking a person.
    pub(crate) async fn settled(&self) -> Result<StoreChoice, StoreOpenError> {
        let chosen = self.chosen()?;
        if chosen.reason != StoreReason::Undecided {
            return Ok(chosen);
        }
        let made = match (&self.settings.key, cfg!(feature = "encrypted")) {
            (KeySettings::Keyring, _) => match self.keyring_trouble().await {
                None => (StoreKind::EncryptedFile, StoreReason::Keyring),
                Some(why) => (StoreKind::File, StoreReason::NoKeyring(why)),
            },
            (_, true) => (StoreKind::EncryptedFile, StoreReason::ConfiguredKey),
            (_, false) => {
                return not_built(StoreKind::EncryptedFile, "encrypted");
            }
        };
        let (kind, reason) = made;
        choice::remember(self.home, &StoreChoice { kind, reason }, false)
    }

    /// The store of that kind.
    pub(crate) fn open(&self, kind: StoreKind) -> Result<Store, Error> {
        match kind {
            StoreKind::File => Ok(Store::file(self.home.state_folder())?),
            StoreKind::Memory => Ok(Store::memory()),
            StoreKind::EncryptedFile => self.encrypted(),
            StoreKind::Keyring => self.keyring(),
            StoreKind::Postgres => self.postgres(),
        }
    }

    /// Where the encrypted files of this home are: plain and encrypted ones never share a folder.
    pub(crate) fn encrypted_folder(&self) -> PathBuf {
        self.home.state_folder().join("encrypted")
    }

    #[cfg(feature = "encrypted")]
    fn encrypted(&self) -> Result<Store, Error> {
        let key = self.key_source()?;
        Ok(Store::encrypted_file(self.encrypted_folder(), key)?)
    }

    #[cfg(not(feature = "encrypted"))]
    fn encrypted(&self) -> Result<Store, Error> {
        not_built(StoreKind::EncryptedFile, "encrypted")
    }

    #[cfg(feature = "encrypted")]
    fn key_source(&self) -> Result<KeySource, StoreOpenError> {
        match &self.settings.key {
            KeySettings::File(path) => Ok(KeySource::KeyFile(path.clone())),
            KeySettings::Passphrase(variable) => match self.environment.text(variable)? {
                Some(passphrase) => Ok(KeySource::Passphrase(passphrase.into())),
                None => Err(StoreOpenError::Unset {
                    table: "store",
                    key: "passphrase_env",
                    variable: variable.clone(),
                }),
            },
            KeySettings::Keyring => self.keyring_key(),
        }
    }

    #[cfg(feature = "encrypted")]
    fn keyring_key(&self) -> Result<KeySource, StoreOpenError> {
        not_built(StoreKind::Keyring, "keyring")
    }

    async fn keyring_trouble(&self) -> Option<String> {
        keyring::missing(self.environment).or_else(|| Some("not built".to_owned()))
    }

    /// Whether records of this home were ever put into the keyring.
    pub(crate) fn keyring_in_use(&self) -> bool {
        false
    }

    fn keyring(&self) -> Result<Store, Error> {
        not_built(StoreKind::Keyring, "keyring")
    }

    fn postgres(&self) -> Result<Store, Error> {
        not_built(StoreKind::Postgres, "postgres")
    }
}

fn not_built<T, E: From<StoreOpenError>>(kind: StoreKind, feature: &'static str) -> Result<T, E> {
    Err(StoreOpenError::NotBuilt { kind, feature }.into())
}
