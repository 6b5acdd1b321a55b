//! The seam for new stores: bytes in, compare-and-swap, a lock with a limit.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::{Defect, Error, Generation, Listing, Problem, RawRecord, RecordId, RecordKind};

/// A future that can be sent between threads and borrows for `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where records are kept: what a new store implements.
///
/// A backend keeps bytes; what they mean is [`Store`](crate::Store)'s business. The bytes are always one JSON object in
/// UTF-8, so that a backend can embed them, encrypt them or cut them up.
///
/// What every backend promises, and `tests/it/conformance.rs` checks:
/// - A save or remove happens wholly or not at all, and only if the stored generation is the expected one.
/// - When a save returns, it is durable: a crash does not undo it. When its future is dropped, it either happens or not.
/// - A generation never comes again, not even after a remove ([`Generation`]).
/// - [`lock`](Self::lock) keeps out every other task and process, and does not get in the way of load, save and remove.
/// - Every wait has a limit.
pub trait Backend: Send + Sync + Debug {
    /// The record, or `None` if there is none. One that cannot be read is set aside, reported, and counts as absent; so is one in
    /// a format newer than the backend knows, but that one stays where it is.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>>;

    /// Which version of the record is stored, or `None`: what [`load`](Self::load) would say, for those who only look whether
    /// something changed. By default it loads; a backend that can tell for less does so.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    fn generation<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Generation>, Error>> {
        Box::pin(async move { Ok(self.load(id).await?.map(|record| record.generation)) })
    }

    /// Stores `bytes` if the stored generation is `expected` (`None`: if there is no record), and returns the new one.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not; [`Error::NewerVersion`] if the format of the stored one is newer than the backend
    /// knows; other errors if the store cannot be reached or trusted.
    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>>;

    /// Removes the record if the stored generation is `expected`. No record ever has generation 0: removing that one removes nothing,
    /// and its error tells what is there, a record that [`load`](Self::load) cannot use too.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, also if there is no record; [`Error::NewerVersion`] as with a save; other errors if the
    /// store cannot be reached or trusted.
    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// The ids of all records of that kind, in no particular order, and what was found that cannot be used.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>>;

    /// All records of that kind, in no particular order, and what was found that cannot be used: what [`list`](Self::list) and
    /// [`load`](Self::load) say, for those who want every record. By default it is made of them; a backend that can read each
    /// record once does so.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted. One bad record does not hide the others.
    fn load_all(
        &self,
        kind: RecordKind,
    ) -> BoxFuture<'_, Result<Listing<(RecordId, RawRecord)>, Error>> {
        Box::pin(async move {
            let Listing {
                entries: ids,
                mut problems,
            } = self.list(kind).await?;
            let mut entries = Vec::with_capacity(ids.len());
            for id in ids {
                match self.load(&id).await {
                    Ok(Some(record)) => entries.push((id, record)),
                    // Removed meanwhile, or reported by the backend itself.
                    Ok(None) => {}
                    Err(error) => problems.push(Problem::of_record(&id, error)?),
                }
            }
            Ok(Listing::new(entries, problems))
        })
    }

    /// Waits at most `limit` for the lock of a record, which need not exist. The lock is released when the guard drops or its process ends.
    ///
    /// # Errors
    /// [`Error::LockTimeout`]; other errors if the store cannot be reached or trusted.
    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>>;

    /// Puts a record whose bytes turned out to be unusable out of the way, kept for a person to look at, and reports it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the stored generation is not `expected`; other errors if it could not be put away.
    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Deletes what was set aside of a record, and returns how many copies there were. A logout that is to leave no secret behind calls it.
    ///
    /// # Errors
    /// If the store cannot be reached or trusted.
    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>>;

    /// What was found and coped with since this backend was opened, oldest first.
    fn problems(&self) -> Vec<Problem>;

    /// What kind of store this is, for people.
    fn describe(&self) -> StoreDescription;
}

/// What kind of store it is and whether it encrypts, to be shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreDescription {
    /// `memory`, `file`, …
    pub kind: &'static str,
    /// Where the records are: a folder, for example. Never a secret.
    pub location: String,
    /// Whether the records are encrypted at rest.
    pub encrypted: bool,
}

impl StoreDescription {
    /// A store of that kind at that place.
    pub fn new(kind: &'static str, location: impl Into<String>, encrypted: bool) -> Self {
        Self {
            kind,
            location: location.into(),
            encrypted,
        }
    }
}

/// A lock while it is held: what a backend puts into a [`LockGuard`]. Dropping it must release the lock.
pub trait HeldLock: Send + Sync + Debug {
    /// Whether the lock is still held. A kernel lock is until it is released; a lease can run out.
    fn is_held(&self) -> bool {
        true
    }

    /// Releases the lock and waits until others can have it, where dropping alone only sets that in motion.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Holds the lock of one record until it is dropped.
///
/// Saves and removes under the lock go through compare-and-swap all the same: where a lease ran out, they fail instead of overwriting.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    held: Box<dyn HeldLock>,
}

impl LockGuard {
    /// For backends: a guard of that lock.
    pub fn new(held: impl HeldLock + 'static) -> Self {
        Self {
            held: Box::new(held),
        }
    }

    /// Whether the lock is still held; always true for files and memory, while a lease can run out.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Releases the lock and waits until others can have it.
    pub async fn release(self) {
        self.held.release().await;
    }
}
