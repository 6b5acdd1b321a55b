//! What other stores of this home hold: logins that are not used, or copies of one that is.

use std::collections::BTreeSet;
use std::path::Path;

use doorkey_store::{GrantKey, Store};

use super::{StoreKind, Stores, choice};
use crate::error::Error;
use crate::facts;
use crate::host::{Host, grant_key};
use crate::target::Target;

/// Another store of this home that has something in it, or may have.
#[derive(Debug)]
#[non_exhaustive]
pub struct OtherStore {
    /// The kind.
    pub kind: StoreKind,
    /// Where it is.
    pub location: String,
    /// Whether it encrypts.
    pub encrypted: bool,
    /// How many logins are in it, or why that cannot be said.
    pub logins: Result<usize, Error>,
}

/// The logins in all stores of a home.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoginsAnywhere {
    /// Those that are there.
    pub keys: BTreeSet<GrantKey>,
    /// Accounts that began to sign in, with the store in use; most of them came to the end of it.
    pub started: BTreeSet<GrantKey>,
    /// Whether nothing was found that could not be read: then there is nothing else.
    pub is_whole: bool,
}

impl Stores<'_> {
    /// The stores of this home that show signs of use, but for `chosen`. A database shows none: where one is configured, it may have
    /// been used.
    pub(crate) fn others(&self, chosen: StoreKind) -> Vec<StoreKind> {
        let used = |kind| match kind {
            StoreKind::File => choice::has_plain_secrets(self.home),
            StoreKind::EncryptedFile => self.encrypted_folder().join(KEY_HEADER).exists(),
            StoreKind::Keyring => self.keyring_in_use(),
            StoreKind::Postgres => self.settings.postgres.is_some(),
            StoreKind::Memory => false,
        };
        let others = StoreKind::ALL.into_iter().filter(|kind| *kind != chosen);
        others.filter(|kind| used(*kind)).collect()
    }

    /// Whether a store of that kind encrypts what is in it.
    fn encrypts(&self, kind: StoreKind) -> bool {
        match kind {
            StoreKind::File => false,
            StoreKind::Postgres => {
                let settings = self.settings.postgres.as_ref();
                settings.is_some_and(|settings| settings.key_file.is_some())
            }
            _ => true,
        }
    }

    /// Where a store of that kind is, without opening it.
    pub(crate) fn location(&self, kind: StoreKind) -> String {
        let shown = |path: &Path| path.display().to_string();
        match kind {
            StoreKind::File => shown(self.home.state_folder()),
            StoreKind::EncryptedFile => shown(&self.encrypted_folder()),
            _ => kind.as_str().to_owned(),
        }
    }
}

impl Host {
    /// The other stores of this home that show signs of use, and the database if one is configured. A store that was given to the
    /// host ([`Host::new`]) has no others.
    pub async fn other_stores(&self) -> Vec<OtherStore> {
        let mut found = Vec::new();
        for (kind, store) in self.unused_stores() {
            let location = self.stores().location(kind);
            let logins = match store {
                Ok(store) => count(&store).await,
                Err(error) => Err(error),
            };
            // Nothing in it is as good as no store.
            if !matches!(logins, Ok(0)) {
                found.push(OtherStore {
                    kind,
                    location,
                    encrypted: self.stores().encrypts(kind),
                    logins,
                });
            }
        }
        found
    }

    /// The kinds of the other stores of this machine that have a login for that account, as far as they can be
    /// looked into; none if the store in use was changed since this host was opened. A database that is not in use is not asked: who asks this has failed already, and is not to wait for it.
    pub async fn copies_of(&self, target: impl Into<Target<'_>>) -> Vec<StoreKind> {
        let Ok(server) = self.server(target.into()) else {
            return Vec::new();
        };
        // Whoever opened this before the logins were moved away is not to be told to move them back.
        if self.store_was_changed() {
            return Vec::new();
        }
        let key = grant_key(&server);
        let mut kinds = Vec::new();
        for (kind, store) in self.unused_stores() {
            let Ok(store) = store else { continue };
            if kind == StoreKind::Postgres {
                continue;
            }
            if matches!(store.grant(&key).await, Ok(Some(_))) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// Whether the store in use is another one by now than the one this host was opened with, as after `doorkey store migrate`. A
    /// choice that cannot be read counts as another one.
    #[must_use]
    pub fn store_was_changed(&self) -> bool {
        let choice = self.store_choice();
        let now = || self.stores().chosen().ok().map(|now| now.kind);
        choice.reason != super::StoreReason::Given && now() != Some(choice.kind)
    }

    /// How many logins the store in use has.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn count_logins(&self) -> Result<usize, Error> {
        count(self.store()).await
    }

    /// The names of the accounts that have a login at a server in any store of this home: the one in use, and the others as far as
    /// they can be looked into.
    ///
    /// # Errors
    /// There is no such server, or the store in use cannot be read.
    pub async fn accounts_anywhere(&self, name: &str) -> Result<Vec<String>, Error> {
        let url = facts::server_key(self.config().server(name)?);
        let keys = self.logins_anywhere().await?.keys.into_iter();
        let here = keys.filter(|key| key.server == url);
        Ok(here.map(|key| key.account).collect())
    }

    /// Every login in any store of this home, each store read once: the one in use, and the others as far as they can be
    /// looked into.
    ///
    /// # Errors
    /// The store in use cannot be read.
    pub async fn logins_anywhere(&self) -> Result<LoginsAnywhere, Error> {
        let in_use = self.store().grants().await?;
        let started = self.store().logins().await?;
        let mut is_whole = in_use.problems.is_empty() && started.problems.is_empty();
        let mut keys: BTreeSet<_> = in_use.entries.into_iter().map(|(key, _)| key).collect();
        for (_, store) in self.unused_stores() {
            match store.map(|store| async move { store.grants().await }) {
                Ok(listing) => match listing.await {
                    Ok(listing) => {
                        is_whole &= listing.problems.is_empty();
                        keys.extend(listing.entries.into_iter().map(|(key, _)| key));
                    }
                    Err(_) => is_whole = false,
                },
                Err(_) => is_whole = false,
            }
        }
        Ok(LoginsAnywhere {
            keys,
            started: started.entries.into_iter().map(|(key, _)| key).collect(),
            is_whole,
        })
    }

    pub(crate) fn unused_stores(&self) -> Vec<(StoreKind, Result<Store, Error>)> {
        let chosen = self.store_choice();
        if chosen.reason == super::StoreReason::Given {
            return Vec::new();
        }
        let stores = self.stores();
        let others = stores.others(chosen.kind).into_iter();
        others.map(|kind| (kind, stores.open(kind))).collect()
    }
}

async fn count(store: &Store) -> Result<usize, Error> {
    Ok(store.grants().await?.entries.len())
}

/// The file that every folder of encrypted files has.
const KEY_HEADER: &str = "key.json";
