//! Removing every copy of a record from a store.

use std::time::Duration;

use super::decide::canonical;
use crate::{Error, Generation, GrantKey, RecordId, Store};

impl Store {
    /// Removes every copy of a grant from this store, whatever its generation, under its lock: the record, what is known of its
    /// logins, and all that was ever set aside of either. Returns how many there were.
    ///
    /// For a logout that leaves no secret behind, in this store and in those that were used before it.
    ///
    /// # Errors
    /// [`Error::LockTimeout`] if somebody holds a lock for all of `limit`; [`Error::NewerVersion`] if a newer version of the program
    /// wrote a record. Others if the store cannot be reached or trusted, or if a record is broken and cannot be moved away, as in
    /// a folder that is read-only: then it is still there, and may hold a secret. What was removed until then stays removed.
    pub async fn erase_grant(&self, key: &GrantKey, limit: Duration) -> Result<usize, Error> {
        let mut erased = 0;
        for id in [key.record_id(), crate::key::login_id(key)] {
            let lock = self.backend.lock(&id, limit).await?;
            let result = self.erase(&id).await;
            lock.release().await;
            erased += result?;
        }
        Ok(erased)
    }

    async fn erase(&self, id: &RecordId) -> Result<usize, Error> {
        for _ in 0..ERASE_ATTEMPTS {
            let erased = match self.backend.load(id).await? {
                None => match self.absent(id).await? {
                    true => Ok(0),
                    // There is one again: look again.
                    false => continue,
                },
                Some(record) => {
                    let defect = canonical(id.kind(), &record.bytes).err();
                    if let Some(error) = defect.and_then(|defect| defect.refusal(id)) {
                        return Err(error);
                    }
                    let removed = self.backend.remove(id, record.generation).await;
                    removed.map(|()| 1)
                }
            };
            match erased {
                Ok(erased) => return Ok(erased + self.backend.discard_set_aside(id).await?),
                // Saves do not need the lock: look again.
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::InTheWay { id: id.clone() })
    }

    /// Whether there is no such record, after a load that found none: it may be there all the same, in a format or a state that no
    /// load can use. Then this is the error that keeps it from being removed.
    pub(super) async fn absent(&self, id: &RecordId) -> Result<bool, Error> {
        // Of a generation that no record ever has: it removes nothing.
        match self.backend.remove(id, Generation::new(0)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { current, .. }) => Ok(current.is_none()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn differs_from(&self, other: &Self) -> Result<(), Error> {
        let (one, two) = (self.describe(), other.describe());
        // Stores in memory all say the same of themselves.
        let same_place = one == two && one.kind != MEMORY;
        if same_place || std::sync::Arc::ptr_eq(&self.backend, &other.backend) {
            let location = one.location;
            return Err(Error::SameStore { location });
        }
        Ok(())
    }
}

/// How often a record is looked at again that somebody keeps saving.
const ERASE_ATTEMPTS: usize = 64;
const MEMORY: &str = "memory";
