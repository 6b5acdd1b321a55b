//! Records in the keyring: each one item, changed in place, guarded by kernel locks in a local folder.

mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::records::Records;
use super::{KeyringError, KeyringFault, KeyringOptions, bounded};
use crate::file::lock::Pauses;
use crate::{
    Backend, BoxFuture, Defect, Error, Generation, Listing, LockGuard, Problem, RawRecord,
    RecordId, RecordKind, StoreDescription,
};

/// Keeps each record in an item of the keyring, which is changed in place when the record is saved; one that is larger than an
/// item may be (2,560 bytes on Windows) in several, switched so that a crash leaves the old record or the new one.
///
/// A keyring has neither generations nor locks: all processes that share it must share the lock folder too, which is a local one
/// of the same user. It is meant for the logins of a person, some tens of records: an item that lists them is written anew
/// whenever one comes or goes.
///
/// Its futures must be polled on a tokio runtime with time enabled.
#[derive(Clone, Debug)]
pub struct KeyringBackend {
    records: Arc<Records>,
    limit: Duration,
    /// How many operations may be under way: one that hangs keeps its place, so that they do not pile up.
    places: Arc<Semaphore>,
}

impl KeyringBackend {
    /// Records in that keyring, guarded by lock files in `lock_folder`, which is made with its parents when something is first
    /// saved or locked. Nothing is opened yet; [`probe`](super::probe) finds out whether the keyring can be used.
    ///
    /// # Errors
    /// If `lock_folder` is empty, or relative while there is no current folder.
    pub fn new(lock_folder: impl Into<PathBuf>, options: KeyringOptions) -> Result<Self, Error> {
        let limit = options.limit;
        let records = Records::new(&lock_folder.into(), options)?;
        Ok(Self {
            records: Arc::new(records),
            limit,
            places: Arc::new(Semaphore::new(PLACES)),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Records) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.run_within(self.limit, action, work).await
    }

    async fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        action: &'static str,
        work: impl FnOnce(&Records) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let silent = || Error::keyring(action, KeyringError::new(KeyringFault::Silent { limit }));
        let started = Instant::now();
        let places = Arc::clone(&self.places);
        let place = tokio::time::timeout(limit, places.acquire_owned())
            .await
            .map_err(|_| silent())?;
        let records = Arc::clone(&self.records);
        let left = limit.saturating_sub(started.elapsed());
        bounded::run(left, action, move || {
            let _place = place;
            work(&records)
        })
        .await
    }

    async fn wait_for_lock(&self, id: &RecordId, limit: Duration) -> Result<LockGuard, Error> {
        let started = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let wanted = id.clone();
            let left = limit.saturating_sub(started.elapsed());
            let attempt = self.limit.min(left.max(ATTEMPT_AT_LEAST));
            let lock = self.run_within(attempt, "be locked", move |records| {
                records.try_lock(&wanted)
            });
            let path = match lock.await? {
                Ok(lock) => return Ok(LockGuard::new(lock)),
                Err(path) => path,
            };
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Error::LockTimeout {
                    id: id.clone(),
                    location: path.display().to_string(),
                    limit,
                });
            }
            tokio::time::sleep(pauses.next().min(left)).await;
        }
    }
}

impl Backend for KeyringBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        let id = id.clone();
        Box::pin(self.run("be read", move |records| records.load(&id)))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        let id = id.clone();
        Box::pin(self.run("be written", move |records| {
            records.save(&id, &bytes, expected)
        }))
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let id = id.clone();
        Box::pin(self.run("be written", move |records| records.remove(&id, expected)))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(self.run("be listed", move |records| records.list(kind)))
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        Box::pin(self.wait_for_lock(id, limit))
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let id = id.clone();
        Box::pin(self.run("be written", move |records| {
            records.set_aside(&id, expected, defect)
        }))
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        let id = id.clone();
        Box::pin(self.run("be written", move |records| records.discard_set_aside(&id)))
    }

    fn problems(&self) -> Vec<Problem> {
        self.records.problems()
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription::new("keyring", self.records.location(), true)
    }
}

/// Operations under way at one time. Keyrings do one thing after another anyway.
const PLACES: usize = 16;
/// How long one look at a lock may take at least, however little time its caller has: it takes no longer if the machine is well.
const ATTEMPT_AT_LEAST: Duration = Duration::from_secs(1);
