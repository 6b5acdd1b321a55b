//! Moving records from one store to another, so that nothing is lost whenever it stops.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    Defect, Error, Generation, GrantKey, LockGuard, Problem, ProblemKind, RawRecord, RecordId,
    RecordKind, Store, codec,
};

/// How to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// How long to wait for the lock of one record, in either store: 10 seconds. Who refreshes or logs in holds it.
    pub lock_limit: Duration,
    /// Whether copies that were once set aside of a record that is moved are deleted from the source: they are left by default.
    pub discard_set_aside: bool,
    /// Where both stores have a different record of one key: whether the newer one replaces the older one. By default neither
    /// is touched, and the conflict is reported.
    pub newer_wins: bool,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self {
            lock_limit: LOCK_LIMIT,
            discard_set_aside: false,
            newer_wins: false,
        }
    }
}

/// What [`migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Records that are in the target now and no longer in the source.
    pub moved: Vec<RecordId>,
    /// Records that the target had already, the same or one that counts before it; they are no longer in the source.
    pub already_there: Vec<RecordId>,
    /// Records that both stores have and that differ. Both are as they were.
    pub conflicts: Vec<MigrationConflict>,
    /// Records that somebody held the lock of all the time. They are as they were: move again later.
    pub busy: Vec<RecordId>,
    /// Records that this version cannot read, or cannot read now, in the source or where they would go. They are as they were;
    /// `problems` says why.
    pub left: Vec<RecordId>,
    /// Copies of records that were set aside and are now deleted from the source.
    pub discarded: usize,
    /// What was found and cannot be moved, with what to do.
    pub problems: Vec<Problem>,
}

impl Migration {
    /// Whether everything that can be used is in the target now. False also if something could not be read that may hold a record:
    /// only what is broken and set aside is sure to hold none.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let hides_no_record = |problem: &Problem| match problem.kind {
            ProblemKind::SetAside { .. }
            | ProblemKind::Leftover
            | ProblemKind::PermissionsRepaired { .. } => true,
            ProblemKind::Unusable { .. }
            | ProblemKind::LeftAlone { .. }
            | ProblemKind::Refused(_)
            | ProblemKind::Unreadable(_) => false,
        };
        let nothing_stayed =
            self.conflicts.is_empty() && self.busy.is_empty() && self.left.is_empty();
        nothing_stayed && self.problems.iter().all(hides_no_record)
    }

    /// Notes a record that stays where it is, and why.
    fn leave(&mut self, id: &RecordId, store: &Store, kind: ProblemKind) {
        let location = store.describe().location;
        self.problems
            .push(Problem::new(location, Some(id.clone()), kind));
        self.left.push(id.clone());
    }
}

/// A record that both stores have and that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationConflict {
    /// The record.
    pub id: RecordId,
    /// Which store has the newer one, if that can be told.
    pub newer: Option<Newer>,
}

/// Which of two stores has the newer record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// The one that is moved from.
    Source,
    /// The one that is moved to.
    Target,
}

/// Moves every record of every kind from one store to another.
///
/// Each record is moved under its locks in both stores: copied, read back, and only then removed from the source, by its generation.
/// Whenever it stops, by an error, a crash or a kill, every record is whole in one store or in both, and running it again goes
/// on. A record that the target has too is compared; see [`MigrateOptions::newer_wins`] and [`Migration::conflicts`]. What only speeds
/// up a connection (facts) gives way to what the target has.
///
/// # Errors
/// [`Error::SameStore`]; others if a store cannot be reached or trusted. What was moved until then stays moved.
pub async fn migrate(
    from: &Store,
    to: &Store,
    options: MigrateOptions,
) -> Result<Migration, Error> {
    from.differs_from(to)?;
    let mut migration = Migration::default();
    for kind in RecordKind::ALL {
        let listing = from.backend.list(kind).await?;
        migration.problems.extend(listing.problems);
        let mut ids = listing.entries;
        ids.sort_unstable();
        for id in ids {
            move_one(from, to, &id, options, &mut migration).await?;
        }
    }
    Ok(migration)
}

async fn move_one(
    from: &Store,
    to: &Store,
    id: &RecordId,
    options: MigrateOptions,
    migration: &mut Migration,
) -> Result<(), Error> {
    let Some(source_lock) = lock(from, id, options.lock_limit).await? else {
        migration.busy.push(id.clone());
        return Ok(());
    };
    // Whatever becomes of it, the locks are released and not left to run out.
    let result = match lock(to, id, options.lock_limit).await {
        Ok(Some(target_lock)) => {
            let result = move_locked(from, to, id, options, migration).await;
            target_lock.release().await;
            result
        }
        Ok(None) => {
            migration.busy.push(id.clone());
            Ok(())
        }
        Err(error) => Err(error),
    };
    source_lock.release().await;
    result
}

async fn move_locked(
    from: &Store,
    to: &Store,
    id: &RecordId,
    options: MigrateOptions,
    migration: &mut Migration,
) -> Result<(), Error> {
    let Some(source) = from.backend.load(id).await? else {
        match from.absent(id).await {
            // It was removed since it was listed, or is there again since: a later run moves it.
            Ok(true) => {}
            Ok(false) => migration.busy.push(id.clone()),
            Err(error) => {
                let kind = of_unread(id, error)?;
                migration.leave(id, from, kind);
            }
        }
        return Ok(());
    };
    let wanted = match canonical(id.kind(), &source.bytes) {
        Ok(canonical) => canonical,
        Err(defect) => {
            migration.leave(id, from, ProblemKind::LeftAlone { defect });
            return Ok(());
        }
    };
    let target = to.backend.load(id).await?;
    match decide(id.kind(), &source, &wanted, target.as_ref(), options) {
        Decision::Copy => {
            let expected = target.map(|target| target.generation);
            let saved = to.backend.save(id, source.bytes.clone(), expected).await;
            if let Err(error @ Error::NewerVersion { .. }) = saved {
                migration.leave(id, to, of_unread(id, error)?);
                return Ok(());
            }
            saved?;
            verify(to, id, &wanted).await?;
            migration.moved.push(id.clone());
        }
        Decision::Drop => migration.already_there.push(id.clone()),
        Decision::Conflict(newer) => {
            let id = id.clone();
            migration.conflicts.push(MigrationConflict { id, newer });
            return Ok(());
        }
    }
    from.backend.remove(id, source.generation).await?;
    if options.discard_set_aside {
        migration.discarded += from.backend.discard_set_aside(id).await?;
    }
    Ok(())
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

/// The lock of a record, or `None` if somebody else has it for all of the limit.
async fn lock(store: &Store, id: &RecordId, limit: Duration) -> Result<Option<LockGuard>, Error> {
    match store.backend.lock(id, limit).await {
        Ok(lock) => Ok(Some(lock)),
        Err(Error::LockTimeout { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fails unless the target gives back what it was given: only then may the source let go of it.
async fn verify(to: &Store, id: &RecordId, wanted: &[u8]) -> Result<(), Error> {
    let found = to.backend.load(id).await?;
    let found = found.map(|found| canonical(id.kind(), &found.bytes));
    match found {
        Some(Ok(found)) if *found == *wanted => Ok(()),
        _ => Err(Error::NotKept {
            id: id.clone(),
            location: to.describe().location,
        }),
    }
}

/// What becomes of a record.
enum Decision {
    /// The target gets it, and the source lets go of it.
    Copy,
    /// The target has it, or one that counts before it; the source lets go of it.
    Drop,
    /// Nobody here can decide.
    Conflict(Option<Newer>),
}

fn decide(
    kind: RecordKind,
    source: &RawRecord,
    wanted: &[u8],
    target: Option<&RawRecord>,
    options: MigrateOptions,
) -> Decision {
    let Some(target) = target else {
        return Decision::Copy;
    };
    if canonical(kind, &target.bytes).is_ok_and(|found| *found == *wanted) {
        return Decision::Drop;
    }
    if matches!(kind, RecordKind::Facts | RecordKind::Issuer) {
        return Decision::Drop;
    }
    let newer = match (made_at(kind, &source.bytes), made_at(kind, &target.bytes)) {
        (Some(source), Some(target)) if source > target => Some(Newer::Source),
        (Some(source), Some(target)) if source < target => Some(Newer::Target),
        _ => None,
    };
    match newer {
        Some(Newer::Source) if options.newer_wins => Decision::Copy,
        Some(Newer::Target) if options.newer_wins => Decision::Drop,
        newer => Decision::Conflict(newer),
    }
}

/// The bytes of a record as this version writes them, whatever order and spacing a store gave them; or why they are no record.
fn canonical(kind: RecordKind, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Defect> {
    let encoded = match kind {
        RecordKind::Grant => codec::encode_grant(&codec::decode_grant(bytes)?),
        RecordKind::Registration => codec::encode_registration(&codec::decode_registration(bytes)?),
        RecordKind::Facts => codec::encode_facts(&codec::decode_facts(bytes)?),
        RecordKind::Login => codec::encode_login(&codec::decode_login(bytes)?),
        RecordKind::Issuer => codec::encode_issuer_facts(&codec::decode_issuer_facts(bytes)?),
    };
    // What was just read can be written.
    encoded.map_err(|_| Defect::NotAnObject)
}

/// When what a record holds came to be, in seconds since the Unix epoch, where it says so.
fn made_at(kind: RecordKind, bytes: &[u8]) -> Option<u64> {
    match kind {
        RecordKind::Grant => Some(codec::decode_grant(bytes).ok()?.issued_at),
        RecordKind::Registration => Some(codec::decode_registration(bytes).ok()?.registered_at),
        RecordKind::Login => {
            let login = codec::decode_login(bytes).ok()?;
            let pending = login.pending.map(|pending| pending.started_at);
            pending.max(login.recent_starts.last().copied())
        }
        RecordKind::Facts | RecordKind::Issuer => None,
    }
}

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
    async fn absent(&self, id: &RecordId) -> Result<bool, Error> {
        // Of a generation that no record ever has: it removes nothing.
        match self.backend.remove(id, Generation::new(0)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { current, .. }) => Ok(current.is_none()),
            Err(error) => Err(error),
        }
    }

    fn differs_from(&self, other: &Self) -> Result<(), Error> {
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

const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How often a record is looked at again that somebody keeps saving.
const ERASE_ATTEMPTS: usize = 64;
const MEMORY: &str = "memory";
