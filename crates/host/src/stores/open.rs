//! Opens the store that was chosen, and any other one that this home may have.

use std::path::PathBuf;

#[cfg(feature = "encrypted")]
use doorkey_store::KeySource;
use doorkey_store::Store;

use super::choice::{self, StoreChoice, StoreReason};
use super::keyring::{self, KeyringTrouble};
use super::{StoreKind, StoreOpenError};
use crate::config::{KeySettings, NetworkSettings, StoreSettings};
use crate::environment::Environment;
use crate::error::Error;
use crate::home::Home;

/// What says which stores there are and how they are opened.
#[derive(Clone, Copy)]
pub(crate) struct Stores<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) home: &'a Home,
    pub(crate) settings: &'a StoreSettings,
    /// The certificates and names that hold for every connection.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "of the database")
    )]
    pub(crate) network: &'a NetworkSettings,
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
                // It is there, and not for long: plain files for good would not be what the person wants.
                Some(KeyringTrouble::Locked) => return Err(StoreOpenError::KeyringLocked),
                Some(trouble) => (StoreKind::File, StoreReason::NoKeyring(trouble.to_string())),
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

    #[cfg(feature = "keyring")]
    fn keyring_key(&self) -> Result<KeySource, StoreOpenError> {
        self.check_keyring("the key of the encrypted logins")?;
        Ok(KeySource::Keyring(self.keyring_options()))
    }

    #[cfg(all(feature = "encrypted", not(feature = "keyring")))]
    #[expect(clippy::unused_self, reason = "it is used with the keyring")]
    fn keyring_key(&self) -> Result<KeySource, StoreOpenError> {
        not_built(StoreKind::Keyring, "keyring")
    }

    /// Why the keyring cannot be used; `None` if it can.
    #[cfg(feature = "keyring")]
    pub(super) async fn keyring_trouble(&self) -> Option<KeyringTrouble> {
        if let Some(missing) = keyring::missing(self.environment) {
            return Some(KeyringTrouble::Unusable(missing));
        }
        let options = self.keyring_options();
        let probe = doorkey_store::keyring::probe(&options, PROBE_LIMIT);
        probe.await.err().map(|error| keyring::trouble(&error))
    }

    #[cfg(not(feature = "keyring"))]
    #[expect(clippy::unused_async, reason = "with a keyring it waits")]
    pub(super) async fn keyring_trouble(&self) -> Option<KeyringTrouble> {
        let not_built = || "this build has no keyring".to_owned();
        let why = keyring::missing(self.environment).unwrap_or_else(not_built);
        Some(KeyringTrouble::Unusable(why))
    }

    /// Whether records of this home were ever put into the keyring: then there are locks of them.
    pub(crate) fn keyring_in_use(&self) -> bool {
        self.keyring_locks().exists()
    }

    fn keyring_locks(&self) -> PathBuf {
        self.home.state_folder().join("keyring")
    }

    #[cfg(feature = "keyring")]
    fn keyring(&self) -> Result<Store, Error> {
        self.check_keyring("the store of logins")?;
        let backend =
            doorkey_store::KeyringBackend::new(self.keyring_locks(), self.keyring_options())?;
        Ok(Store::new(backend))
    }

    #[cfg(not(feature = "keyring"))]
    #[expect(clippy::unused_self, reason = "it is used with the keyring")]
    fn keyring(&self) -> Result<Store, Error> {
        not_built(StoreKind::Keyring, "keyring")
    }

    #[cfg(feature = "keyring")]
    fn check_keyring(&self, needs: &'static str) -> Result<(), StoreOpenError> {
        match keyring::missing(self.environment) {
            Some(why) => Err(StoreOpenError::NoKeyring { needs, why }),
            None => Ok(()),
        }
    }

    #[cfg(feature = "keyring")]
    fn keyring_options(&self) -> doorkey_store::KeyringOptions {
        doorkey_store::KeyringOptions::new(keyring::service(self.environment, self.home))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&self) -> Result<Store, Error> {
        let settings = self.settings.postgres.as_ref();
        let settings = settings.ok_or(StoreOpenError::NoDatabase)?;
        let database = super::database::Database::new(self.environment, self.network, settings)?;
        Ok(Store::new(database))
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_self, reason = "it is used with a database")]
    fn postgres(&self) -> Result<Store, Error> {
        not_built(StoreKind::Postgres, "postgres")
    }
}

fn not_built<T, E: From<StoreOpenError>>(kind: StoreKind, feature: &'static str) -> Result<T, E> {
    Err(StoreOpenError::NotBuilt { kind, feature }.into())
}

/// How long `auto` waits for a keyring: a person waits too.
#[cfg(feature = "keyring")]
const PROBE_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);
