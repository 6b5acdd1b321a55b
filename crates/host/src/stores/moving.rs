//! Moving the logins from one store to another.

use doorkey_store::{MigrateOptions, Migration, Newer, Store, copy_records};

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
    /// Moves every record of the store in use, or of `from`, to a store of the kind `to`: first all are copied, one by one, under
    /// their locks, and read back; then the other store is remembered as the one in use, where `auto` chose this one; and only then
    /// the records are removed from where they were. So every login is in the store that is in use at any moment, and moving again
    /// goes on where an earlier move stopped. Where not everything could be copied, nothing is removed and the choice stays; where
    /// the configuration names the store, neither, until `backend` there is changed by hand and this is called again.
    ///
    /// Other programs that have the store in use open should end before: they would go on with it. So does this host: open another one.
    ///
    /// # Errors
    /// Both are the same, or one of them cannot be opened or used, or the choice cannot be remembered. What was copied until then
    /// is in both stores.
    pub async fn migrate_store(
        &self,
        from: Option<StoreKind>,
        to: StoreKind,
        mut options: MigrateOptions,
    ) -> Result<Moved, Error> {
        let chosen = self.store_choice();
        let from = from.unwrap_or(chosen.kind);
        options.in_use = match chosen.kind {
            kind if kind == from => Some(Newer::Source),
            kind if kind == to => Some(Newer::Target),
            _ => None,
        };
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
        let copies = copy_records(&source, &target, options).await?;
        let mut in_use = to == chosen.kind;
        if from == chosen.kind && chosen.reason.is_auto() && copies.is_complete() {
            let moved = StoreChoice {
                kind: to,
                reason: StoreReason::Moved,
            };
            choice::remember(self.home(), &moved, true)?;
            in_use = true;
        }
        // What the store in use has stays there for as long as it is that.
        let is_left = from != chosen.kind || in_use;
        let migration = match is_left && copies.is_complete() {
            true => copies.remove_originals().await?,
            false => copies.leave_originals(),
        };
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
            Some(trouble) => Err(StoreOpenError::KeyringNotUsable {
                needs,
                why: trouble.to_string(),
            }),
            None => Ok(()),
        }
    }
}
