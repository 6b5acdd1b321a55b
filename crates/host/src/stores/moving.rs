//! Moving the logins from one store to another.

use doorkey_store::{MigrateOptions, Migration, Store, migrate};

use super::choice::{self, StoreChoice, StoreReason};
use super::{StoreKind, StoreOpenError, Stores};
use crate::config::KeySettings;
use crate::error::Error;
use crate::host::Host;

/// What became of moving the logins.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moved {
    /// The store that was moved from.
    pub from: StoreKind,
    /// The store that was moved to.
    pub to: StoreKind,
    /// What was moved, and what was not.
    pub migration: Migration,
    /// Whether the store that was moved to is the one in use from now on.
    pub in_use: bool,
}

impl Host {
    /// Moves every record of the store in use, or of `from`, to a store of the kind `to`; one by one, under its
    /// locks, and removed from where it was only when it was read back. Where the configuration says `auto`, and
    /// all of the store in use was moved, the other one is remembered as the store in use; where it names a
    /// store, `backend` has to be changed by hand. Moving again goes on where an earlier move stopped.
    ///
    /// This host goes on with the store it was opened with: open another one.
    ///
    /// # Errors
    /// Both are the same; one of them cannot be opened or used; nothing was moved then, or what was moved until
    /// then stays moved.
    pub async fn migrate_store(
        &self,
        from: Option<StoreKind>,
        to: StoreKind,
        options: MigrateOptions,
    ) -> Result<Moved, Error> {
        let chosen = self.store_choice();
        let from = from.unwrap_or(chosen.kind);
        if from == to {
            let location = self.stores().location(to);
            return Err(doorkey_store::Error::SameStore { location }.into());
        }
        if let Some(kind) = [from, to]
            .into_iter()
            .find(|kind| *kind == StoreKind::Memory)
        {
            return Err(StoreOpenError::NothingToMove { kind }.into());
        }
        let stores = self.stores();
        stores.check_usable(to).await?;
        let source = self.opened(from)?;
        let target = self.opened(to)?;
        // A wrong key or a database that is away shows before anything is touched.
        target.grants().await?;
        let migration = migrate(&source, &target, options).await?;
        let left_behind = from == chosen.kind && migration.is_complete();
        let mut in_use = to == chosen.kind;
        if left_behind && chosen.reason.is_auto() {
            let moved = StoreChoice {
                kind: to,
                reason: StoreReason::Moved,
            };
            choice::remember(self.home(), &moved, true)?;
            in_use = true;
        }
        Ok(Moved {
            from,
            to,
            migration,
            in_use,
        })
    }

    fn opened(&self, kind: StoreKind) -> Result<Store, Error> {
        match kind == self.store_choice().kind {
            true => Ok(self.store().clone()),
            false => self.stores().open(kind),
        }
    }
}

impl Stores<'_> {
    /// A keyring that nobody can use is no place to move logins to; it is asked without asking a person.
    async fn check_usable(&self, kind: StoreKind) -> Result<(), StoreOpenError> {
        let needs = match (kind, &self.settings.key) {
            (StoreKind::Keyring, _) => "the store to move to",
            (StoreKind::EncryptedFile, KeySettings::Keyring) => "the key of encrypted files",
            _ => return Ok(()),
        };
        match self.keyring_trouble().await {
            Some(why) => Err(StoreOpenError::KeyringNotUsable { needs, why }),
            None => Ok(()),
        }
    }
}
