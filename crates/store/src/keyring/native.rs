//! The keyring of the operating system, through `keyring-core`.
//!
//! Linux and FreeBSD: Secret Service over D-Bus. macOS and Windows: written with care, unbuilt here, checked by nobody yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use keyring_core::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::{KeyringError, KeyringFault, KeyringItems};

/// Connects when first used, and again after a failure where that may help: a Secret Service may have been restarted.
#[derive(Debug, Default)]
pub(super) struct Native {
    store: Mutex<Option<Arc<CredentialStore>>>,
}

impl KeyringItems for Native {
    fn get(&self, service: &str, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let bytes = self.with(service, name, Entry::get_secret)?;
        Ok(bytes.map(Zeroizing::new))
    }

    fn set(&self, service: &str, name: &str, bytes: &[u8]) -> Result<(), KeyringError> {
        // As bytes, not as a password: Windows would write that in UTF-16, twice as large.
        match self.with(service, name, |entry| entry.set_secret(bytes))? {
            Some(()) => Ok(()),
            None => Err(KeyringError::new(KeyringFault::Failed)),
        }
    }

    fn delete(&self, service: &str, name: &str) -> Result<bool, KeyringError> {
        let deleted = self.with(service, name, Entry::delete_credential)?;
        Ok(deleted.is_some())
    }

    fn item_limit(&self) -> usize {
        platform::ITEM_LIMIT
    }

    fn usable_unasked(&self) -> Result<(), KeyringError> {
        platform::usable_unasked()
    }
}

impl Native {
    /// `None` if there is no such item.
    fn with<T>(
        &self,
        service: &str,
        name: &str,
        work: impl Fn(&Entry) -> keyring_core::Result<T>,
    ) -> Result<Option<T>, KeyringError> {
        let attempt = |store: &CredentialStore| {
            let modifiers: HashMap<&str, &str> = platform::MODIFIERS.iter().copied().collect();
            let modifiers = (!modifiers.is_empty()).then_some(&modifiers);
            work(&store.build(service, name, modifiers)?)
        };
        let known = self.known().clone();
        let result = match known {
            Some(store) => match attempt(&*store) {
                // The connection may be one to a service that is gone; everything here may be done twice.
                Err(keyring_core::Error::PlatformFailure(error)) if platform::RECONNECTS => {
                    tracing::debug!(%error, "the keyring failed; connecting anew");
                    attempt(&*self.connect()?)
                }
                result => result,
            },
            None => attempt(&*self.connect()?),
        };
        match result {
            Ok(value) => Ok(Some(value)),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(fault_of(error)),
        }
    }

    /// Outside the lock, because it may hang.
    fn connect(&self) -> Result<Arc<CredentialStore>, KeyringError> {
        *self.known() = None;
        let store = platform::connect().map_err(|error| match error {
            keyring_core::Error::PlatformFailure(source) => {
                KeyringError::caused_by(platform::NO_CONNECTION, source)
            }
            error => fault_of(error),
        })?;
        *self.known() = Some(Arc::clone(&store));
        Ok(store)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<CredentialStore>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Native {
    /// The D-Bus library says good-bye when its connection drops, and panics where that may not block: in asynchronous code.
    fn drop(&mut self) {
        let Some(store) = self.known().take() else {
            return;
        };
        let (sender, receiver) = mpsc::channel::<Arc<CredentialStore>>();
        let thread = thread::Builder::new()
            .name("doorkey-keyring".to_owned())
            .spawn(move || drop(receiver.recv()));
        let left = match thread {
            Ok(_) => sender.send(store).err().map(|unsent| unsent.0),
            Err(_) => Some(store),
        };
        // A connection that is never closed is better than a panic; it ends with the process.
        std::mem::forget(left);
    }
}

fn fault_of(error: keyring_core::Error) -> KeyringError {
    use keyring_core::Error;
    match error {
        Error::NoStorageAccess(source) => KeyringError::caused_by(KeyringFault::Locked, source),
        Error::PlatformFailure(source) => {
            let fault = platform::fault_of(&*source);
            KeyringError::caused_by(fault, source)
        }
        Error::TooLong(..) => KeyringError::new(KeyringFault::TooLarge),
        Error::Ambiguous(_) => KeyringError::new(KeyringFault::Ambiguous),
        Error::NotSupportedByStore(_) | Error::NoDefaultStore => {
            KeyringError::new(KeyringFault::Unsupported)
        }
        // These carry the secret itself.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => KeyringError::new(KeyringFault::Failed),
        error => KeyringError::caused_by(KeyringFault::Failed, error.to_string()),
    }
}

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
mod platform {
    use std::error::Error;
    use std::sync::Arc;

    use keyring_core::CredentialStore;
    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;

    use super::super::{KeyringError, KeyringFault};

    /// Whether a failure may be one of the connection, so that another one helps.
    pub(super) const RECONNECTS: bool = true;
    pub(super) const MODIFIERS: &[(&str, &str)] = &[];
    /// What it is where nothing can be connected to: no session, or nobody in it with the service.
    pub(super) const NO_CONNECTION: KeyringFault = KeyringFault::Absent;
    /// The protocol has no limit; this keeps one message small.
    pub(super) const ITEM_LIMIT: usize = 256 * 1024;

    pub(super) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(zbus_secret_service_keyring_store::Store::new()?)
    }

    /// The library above unlocks whatever it finds locked, which asks a person; so this looks first.
    pub(super) fn usable_unasked() -> Result<(), KeyringError> {
        let failed = |error: secret_service::Error| {
            let fault = fault_of(&error);
            KeyringError::caused_by(fault, error)
        };
        let service = SecretService::connect(EncryptionType::Dh)
            .map_err(|error| KeyringError::caused_by(NO_CONNECTION, error))?;
        let collection = match service.get_default_collection() {
            Ok(collection) => collection,
            Err(secret_service::Error::NoResult) => {
                return Err(KeyringError::new(KeyringFault::NoCollection));
            }
            Err(error) => return Err(failed(error)),
        };
        if collection.is_locked().map_err(failed)? {
            return Err(KeyringError::new(KeyringFault::Locked));
        }
        Ok(())
    }

    pub(super) fn fault_of(error: &(dyn Error + Send + Sync + 'static)) -> KeyringFault {
        use secret_service::Error;
        match error.downcast_ref::<Error>() {
            Some(Error::Unavailable) => KeyringFault::Absent,
            Some(Error::Locked | Error::Prompt | Error::PromptDisconnected) => KeyringFault::Locked,
            // D-Bus has no owner of the name, and nothing to start for it.
            Some(error) if NO_OWNER.iter().any(|name| error.to_string().contains(name)) => {
                KeyringFault::Absent
            }
            _ => KeyringFault::Failed,
        }
    }

    const NO_OWNER: &[&str] = &[
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
    ];
}

/// Unbuilt here.
#[cfg(target_os = "macos")]
mod platform {
    use std::error::Error;
    use std::sync::Arc;

    use keyring_core::CredentialStore;

    use super::super::{KeyringError, KeyringFault};

    /// There is no connection: doing it again would only ask a person again who said no.
    pub(super) const RECONNECTS: bool = false;
    pub(super) const MODIFIERS: &[(&str, &str)] = &[];
    pub(super) const NO_CONNECTION: KeyringFault = KeyringFault::Failed;
    /// The Keychain has no limit that matters; this keeps one call small.
    pub(super) const ITEM_LIMIT: usize = 256 * 1024;

    pub(super) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    /// A locked keychain asks a person when it is used, and over SSH it refuses; nothing here tells beforehand.
    pub(super) fn usable_unasked() -> Result<(), KeyringError> {
        Ok(())
    }

    pub(super) fn fault_of(error: &(dyn Error + Send + Sync + 'static)) -> KeyringFault {
        let error = error.downcast_ref::<security_framework::base::Error>();
        match error.map(|error| error.code()) {
            Some(code) if SAID_NO.contains(&code) => KeyringFault::Locked,
            _ => KeyringFault::Failed,
        }
    }

    /// A person said no, or gave a wrong password, or could not be asked: `errSecUserCanceled`, `errSecAuthFailed`,
    /// `errSecInteractionNotAllowed`, `errSecInteractionRequired`.
    const SAID_NO: [i32; 4] = [-128, -25293, -25308, -25315];
}

/// Unbuilt here.
#[cfg(windows)]
mod platform {
    use std::error::Error;
    use std::sync::Arc;

    use keyring_core::CredentialStore;

    use super::super::{KeyringError, KeyringFault};

    /// There is no connection: doing it again would only ask a person again who said no.
    pub(super) const RECONNECTS: bool = false;
    /// Of this machine only: credentials that roam would be refreshed on two machines without a common lock.
    pub(super) const MODIFIERS: &[(&str, &str)] = &[("persistence", "Local")];
    pub(super) const NO_CONNECTION: KeyringFault = KeyringFault::Failed;
    /// `CRED_MAX_CREDENTIAL_BLOB_SIZE`.
    pub(super) const ITEM_LIMIT: usize = 5 * 512;

    pub(super) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    /// The Credential Manager is open while its user is logged in.
    pub(super) fn usable_unasked() -> Result<(), KeyringError> {
        Ok(())
    }

    pub(super) fn fault_of(_error: &(dyn Error + Send + Sync + 'static)) -> KeyringFault {
        KeyringFault::Failed
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "macos",
    windows
)))]
mod platform {
    use std::error::Error;
    use std::sync::Arc;

    use keyring_core::CredentialStore;

    use super::super::{KeyringError, KeyringFault};

    /// There is no connection: doing it again would only ask a person again who said no.
    pub(super) const RECONNECTS: bool = false;
    pub(super) const MODIFIERS: &[(&str, &str)] = &[];
    pub(super) const NO_CONNECTION: KeyringFault = KeyringFault::Unsupported;
    pub(super) const ITEM_LIMIT: usize = 2 * 1024;

    pub(super) fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
        Err(keyring_core::Error::NoDefaultStore)
    }

    pub(super) fn usable_unasked() -> Result<(), KeyringError> {
        Err(KeyringError::new(KeyringFault::Unsupported))
    }

    pub(super) fn fault_of(_error: &(dyn Error + Send + Sync + 'static)) -> KeyringFault {
        KeyringFault::Failed
    }
}
