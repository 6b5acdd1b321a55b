//! What other stores of this home hold: logins that are not used, or copies of one that is.

use std::path::Path;

use doorkey_store::Store;

use super::{StoreKind, Stores, choice};
use crate::error::Error;
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

impl Stores<'_> {
    /// The stores of this machine that show signs of use, but for `chosen`.
    pub(crate) fn others(&self, chosen: StoreKind) -> Vec<StoreKind> {
        let used = |kind| match kind {
            StoreKind::File => choice::has_plain_logins(self.home),
            StoreKind::EncryptedFile => self.encrypted_folder().join(KEY_HEADER).exists(),
            StoreKind::Keyring => self.keyring_in_use(),
            StoreKind::Memory | StoreKind::Postgres => false,
        };
        let others = StoreKind::ALL.into_iter().filter(|kind| *kind != chosen);
        others.filter(|kind| used(*kind)).collect()
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
    /// The other stores of this home, on this machine, that show signs of use. A store that was given to the
    /// host ([`Host::new`]) has no others.
    pub async fn other_stores(&self) -> Vec<OtherStore> {
        let mut found = Vec::new();
        for (kind, store) in self.other_local_stores() {
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
                    encrypted: kind != StoreKind::File,
                    logins,
                });
            }
        }
        found
    }

    /// The kinds of the other stores of this machine that have a login for that account, as far as they can be
    /// looked into.
    pub async fn copies_of(&self, target: impl Into<Target<'_>>) -> Vec<StoreKind> {
        let Ok(server) = self.server(target.into()) else {
            return Vec::new();
        };
        let key = grant_key(&server);
        let mut kinds = Vec::new();
        for (kind, store) in self.other_local_stores() {
            let Ok(store) = store else { continue };
            if matches!(store.grant(&key).await, Ok(Some(_))) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// How many logins the store in use has.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn count_logins(&self) -> Result<usize, Error> {
        count(self.store()).await
    }

    pub(crate) fn other_local_stores(&self) -> Vec<(StoreKind, Result<Store, Error>)> {
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
