//! The operating system's keyring: Secret Service, macOS Keychain, Windows Credential Manager.
//!
//! Two things are kept in it: records ([`KeyringBackend`]), or only the key of an encrypted store
//! ([`KeySource::Keyring`](crate::KeySource::Keyring)). Whether a keyring can be used at all is found out by [`probe`], before a
//! person is sent anywhere.
//!
//! On Linux the D-Bus library finds the session by itself: it reads `DBUS_SESSION_BUS_ADDRESS` and `XDG_RUNTIME_DIR`, which nothing
//! here can pass to it. A host that wants no keyring does not make a value of [`KeyringOptions`]; whether to try is its decision.
//!
//! Calls to a keyring block and may hang or wait for a person. Each operation runs in a thread of its own and is waited for no longer
//! than [`KeyringOptions::limit`].

mod backend;
pub(crate) mod bounded;
mod index;
mod items;
mod native;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use self::backend::KeyringBackend;
pub use self::items::{KeyringError, KeyringFault, KeyringItems};
use crate::file::vault::key_file;
use crate::seal::fill_random;
use crate::{Error, SealingKey};

/// Which items of the keyring are ours, and how long to wait for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyringOptions {
    /// The service that all items are of: `doorkey`, unless a host keeps its own apart.
    pub service: String,
    /// How long one operation may take, the time included that a person needs to unlock the keyring when asked: 30 seconds.
    pub limit: Duration,
    items: Arc<dyn KeyringItems>,
}

impl KeyringOptions {
    /// The items of that service in the keyring of the operating system. Nothing is opened yet.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            limit: LIMIT,
            items: Arc::new(native::Native::default()),
        }
    }

    /// The same, but in another keyring: one that a host has, or a stand-in in tests.
    #[must_use]
    pub fn with_items(mut self, items: impl KeyringItems + 'static) -> Self {
        self.items = Arc::new(items);
        self
    }

    fn shelf(&self) -> shelf::Shelf<'_> {
        shelf::Shelf {
            items: &*self.items,
            service: &self.service,
        }
    }
}

impl Default for KeyringOptions {
    fn default() -> Self {
        Self::new(SERVICE)
    }
}

/// Finds out, within `limit`, whether the keyring can be written and read: an item is made, read and deleted again.
///
/// It asks a person nothing on Linux and FreeBSD, where a locked keyring is an error, and on Windows, where the keyring is open while
/// its user is logged in. On macOS a locked keychain asks for its password: nothing tells beforehand.
///
/// # Errors
/// [`Error::Keyring`]: its source, a [`KeyringError`], says why it cannot be used and what to do. [`Error::Random`] if the operating
/// system gives no random numbers.
pub async fn probe(options: &KeyringOptions, limit: Duration) -> Result<(), Error> {
    let mut tag = [0; 16];
    fill_random(&mut tag)?;
    let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    let options = options.clone();
    let work = move || {
        let items = &*options.items;
        items.usable_unasked()?;
        // A name of its own: another process may be probing now.
        let (service, name) = (options.service.as_str(), format!("probe-{tag}"));
        items.set(service, &name, tag.as_bytes())?;
        let found = items.get(service, &name);
        items.delete(service, &name)?;
        match found? {
            Some(found) if *found == *tag.as_bytes() => Ok(()),
            _ => Err(KeyringError::new(KeyringFault::Forgetful)),
        }
    };
    bounded::run(limit, "be used", move || {
        work().map_err(|source| Error::keyring("be used", source))
    })
    .await
}

/// The key that an encrypted store keeps in the item of that name; made if `make`. Blocks, for no longer than the limit.
pub(crate) fn store_key(
    options: &KeyringOptions,
    name: &str,
    make: bool,
) -> Result<Option<Result<SealingKey, crate::Defect>>, Error> {
    let (options, name) = (options.clone(), name.to_owned());
    bounded::run_blocking(options.limit, KEY_ACTION, move || {
        let failed = |source| Error::keyring(KEY_ACTION, source);
        let get = || options.items.get(&options.service, &name).map_err(failed);
        let mut found = get()?;
        if found.is_none() && make {
            let content = key_file::content(&SealingKey::generate()?)?;
            options
                .items
                .set(&options.service, &name, &content)
                .map_err(failed)?;
            // What the keyring really has is the key, and nothing else.
            found = get()?;
        }
        Ok(found.map(|content: Zeroizing<Vec<u8>>| key_file::parse(&content)))
    })
}

/// What a keyring is asked to do that keeps the key of an encrypted store.
pub(crate) const KEY_ACTION: &str = "give the key of the store";
const SERVICE: &str = "doorkey";
const LIMIT: Duration = Duration::from_secs(30);
