//! The two halves of a migration: copying everything, and removing what was copied.

use super::decide::{Decision, canonical, decide};
use super::{MigrateOptions, Migration, MigrationConflict};
use crate::{
    Defect, Error, Generation, LockGuard, Problem, ProblemKind, RawRecord, RecordId, RecordKind,
    Store,
};

/// Every record of one store as it was copied to another: the first half of a [`migrate`](super::migrate).
///
/// Nothing was removed yet, so that each store can be the one in use. Who wants the other one to be it says so wherever that is
/// remembered, and then calls [`remove_originals`](Self::remove_originals).
#[derive(Debug)]
#[must_use = "nothing was removed from where it was yet"]
pub struct Copies<'a> {
    from: &'a Store,
    to: &'a Store,
    options: MigrateOptions,
    copied: Vec<Copied>,
    migration: Migration,
}

/// One record that the target has, as it was when that was made sure of.
#[derive(Debug)]
struct Copied {
    id: RecordId,
    source: Generation,
    target: Generation,
    /// Whether the target had it before.
    was_there: bool,
}

/// Copies every record of every kind from one store to another and reads it back, one after another and each under its locks in both
/// stores; removes nothing.
///
/// What the target has already is compared: of two states of one login the newer one counts, [`MigrateOptions::newer_wins`] says
/// what becomes of two logins, and what only speeds up a connection (facts) gives way to what the target has. Whenever this stops,
/// the source is as it was, and running it again goes on.
///
/// # Errors
/// [`Error::SameStore`]; others if a store cannot be reached or trusted.
pub async fn copy_records<'a>(
    from: &'a Store,
    to: &'a Store,
    options: MigrateOptions,
) -> Result<Copies<'a>, Error> {
    from.differs_from(to)?;
    let mut copies = Copies {
        from,
        to,
        options,
        copied: Vec::new(),
        migration: Migration::default(),
    };
    for kind in RecordKind::ALL {
        let listing = from.backend.list(kind).await?;
        copies.migration.problems.extend(listing.problems);
        let mut ids = listing.entries;
        ids.sort_unstable();
        for id in ids {
            copies.copy(&id).await?;
        }
    }
    Ok(copies)
}

impl Copies<'_> {
    /// Whether the target has everything now that can be used. If not, the originals are not to be removed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.migration.is_complete()
    }

    /// Leaves it at that: what was copied is in both stores. A later migration finds it there, the same or an earlier state of it, and
    /// goes on.
    #[must_use]
    pub fn leave_originals(mut self) -> Migration {
        let copied = self.copied.into_iter().map(|copied| copied.id);
        self.migration.copied = copied.collect();
        self.migration
    }

    /// Removes from the source what was copied, each record under its locks in both stores. One that changed there since is copied
    /// over the copy first, unless that changed too.
    ///
    /// Whenever this stops, everything that was copied is in the target; running a migration again removes the rest.
    ///
    /// # Errors
    /// A store cannot be reached or trusted. What was removed until then stays removed.
    pub async fn remove_originals(mut self) -> Result<Migration, Error> {
        for copied in std::mem::take(&mut self.copied) {
            let id = &copied.id;
            let Some(locks) = self.lock(id).await? else {
                continue;
            };
            // Whatever becomes of it, the locks are released and not left to run out.
            let result = self.remove_locked(&copied).await;
            release(locks).await;
            result?;
        }
        Ok(self.migration)
    }

    async fn copy(&mut self, id: &RecordId) -> Result<(), Error> {
        let Some(locks) = self.lock(id).await? else {
            return Ok(());
        };
        let result = self.copy_locked(id).await;
        release(locks).await;
        self.copied.extend(result?);
        Ok(())
    }

    /// The locks of a record in both stores, or `None` if somebody else has one for all of the limit; that is noted.
    async fn lock(&mut self, id: &RecordId) -> Result<Option<[LockGuard; 2]>, Error> {
        let limit = self.options.lock_limit;
        let source = match self.from.backend.lock(id, limit).await {
            Err(Error::LockTimeout { .. }) => {
                self.migration.busy.push(id.clone());
                return Ok(None);
            }
            lock => lock?,
        };
        match self.to.backend.lock(id, limit).await {
            Ok(target) => Ok(Some([source, target])),
            Err(error) => {
                source.release().await;
                match error {
                    Error::LockTimeout { .. } => {
                        self.migration.busy.push(id.clone());
                        Ok(None)
                    }
                    error => Err(error),
                }
            }
        }
    }

    async fn copy_locked(&mut self, id: &RecordId) -> Result<Option<Copied>, Error> {
        let Some((source, wanted)) = self.original(id).await? else {
            return Ok(None);
        };
        let target = self.to.backend.load(id).await?;
        let decision = decide(id.kind(), &source, &wanted, target.as_ref(), self.options);
        let there = target.map(|target| target.generation);
        let copied = |target, was_there| Copied {
            id: id.clone(),
            source: source.generation,
            target,
            was_there,
        };
        match (decision, there) {
            (Decision::Drop, Some(there)) => Ok(Some(copied(there, true))),
            // It is dropped only for one that is there.
            (Decision::Copy | Decision::Drop, there) => {
                let saved = self.save(id, &source, &wanted, there).await?;
                Ok(saved.map(|saved| copied(saved, false)))
            }
            (Decision::Conflict(newer), _) => {
                let id = id.clone();
                let conflict = MigrationConflict { id, newer };
                self.migration.conflicts.push(conflict);
                Ok(None)
            }
        }
    }

    /// The record in the source, with its bytes as this version writes them. One that is there and cannot be read is noted.
    async fn original(
        &mut self,
        id: &RecordId,
    ) -> Result<Option<(RawRecord, zeroize::Zeroizing<Vec<u8>>)>, Error> {
        let Some(source) = self.from.backend.load(id).await? else {
            match self.from.absent(id).await {
                // It was removed since it was listed.
                Ok(true) => {}
                // It is there again since: a later run moves it.
                Ok(false) => self.migration.busy.push(id.clone()),
                Err(error) => {
                    let kind = of_unread(id, error)?;
                    self.migration.leave(id, self.from, kind);
                }
            }
            return Ok(None);
        };
        match canonical(id.kind(), &source.bytes) {
            Ok(wanted) => Ok(Some((source, wanted))),
            Err(defect) => {
                let kind = ProblemKind::LeftAlone { defect };
                self.migration.leave(id, self.from, kind);
                Ok(None)
            }
        }
    }

    /// Saves a record to the target and fails unless that gives it back: only then may the source let go of it. `None` if the target
    /// has one of a newer version of the program, which is noted.
    async fn save(
        &mut self,
        id: &RecordId,
        source: &RawRecord,
        wanted: &[u8],
        expected: Option<Generation>,
    ) -> Result<Option<Generation>, Error> {
        let saved = self.to.backend.save(id, source.bytes.clone(), expected);
        let saved = match saved.await {
            Err(error @ Error::NewerVersion { .. }) => {
                let kind = of_unread(id, error)?;
                self.migration.leave(id, self.to, kind);
                return Ok(None);
            }
            saved => saved?,
        };
        let found = self.to.backend.load(id).await?;
        let found = found.map(|found| canonical(id.kind(), &found.bytes));
        match found {
            Some(Ok(found)) if *found == *wanted => Ok(Some(saved)),
            _ => Err(Error::NotKept {
                id: id.clone(),
                location: self.to.describe().location,
            }),
        }
    }

    async fn remove_locked(&mut self, copied: &Copied) -> Result<(), Error> {
        let id = &copied.id;
        let current = self.from.backend.generation(id).await?;
        let mut was_there = copied.was_there;
        let generation = match current {
            Some(current) if current == copied.source => current,
            // Somebody who still has the source open changed it: that is the state that counts.
            Some(_) => match self.copy_again(copied).await? {
                Some(newer) => {
                    was_there = newer.was_there;
                    newer.source
                }
                None => return Ok(()),
            },
            // It is gone: another migration, or a logout, which looks into the target as well.
            None => {
                self.migration.already_there.push(id.clone());
                return Ok(());
            }
        };
        match self.from.backend.remove(id, generation).await {
            Ok(()) => {}
            // Saves do not need the lock. What was saved in this moment stays: a later run moves it.
            Err(Error::Conflict { .. }) => {
                self.migration.busy.push(id.clone());
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if self.options.discard_set_aside {
            self.migration.discarded += self.from.backend.discard_set_aside(id).await?;
        }
        match was_there {
            true => self.migration.already_there.push(id.clone()),
            false => self.migration.moved.push(id.clone()),
        }
        Ok(())
    }

    /// Copies what the source has by now, over the copy if that is still what was put or found there.
    async fn copy_again(&mut self, copied: &Copied) -> Result<Option<Copied>, Error> {
        let id = &copied.id;
        let there = self.to.backend.generation(id).await?;
        if copied.was_there || there != Some(copied.target) {
            // Both were changed, or the target's counted before: they are compared as at first.
            return self.copy_locked(id).await;
        }
        let Some((source, wanted)) = self.original(id).await? else {
            return Ok(None);
        };
        let saved = self.save(id, &source, &wanted, there).await?;
        Ok(saved.map(|target| Copied {
            id: id.clone(),
            source: source.generation,
            target,
            was_there: false,
        }))
    }
}

async fn release(locks: [LockGuard; 2]) {
    let [source, target] = locks;
    target.release().await;
    source.release().await;
}

/// What a person is told of a record that is there and could not be read; the error if it concerns more than the record.
fn of_unread(id: &RecordId, error: Error) -> Result<ProblemKind, Error> {
    match error {
        Error::NewerVersion { found, known, .. } => Ok(ProblemKind::LeftAlone {
            defect: Defect::NewerVersion { found, known },
        }),
        error => Problem::of_record(id, error).map(|problem| problem.kind),
    }
}
