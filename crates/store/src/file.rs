//! Records as owner-only files in an owner-only folder.
//!
//! ```text
//! grant-mcp.example.com-<hash>.json             one record: {version, kind, key, generation, value}
//! grant-mcp.example.com-<hash>.json.broken-1    one that could not be used, kept for a person to look at
//! .grant-mcp.example.com-<hash>.json.new        one being written, or left by a process that was killed: the next save replaces it
//! locks/grant-mcp.example.com-<hash>.lock       held while a task owns the record: `lock`
//! locks/grant-mcp.example.com-<hash>.save       held for the moment of one compare-and-swap
//! ```
//!
//! Lock files are empty and stay: deleting one while somebody waits for it would let two in.

mod envelope;
mod folder;
mod listing;
mod lock;
mod name;
mod platform;
mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use self::records::Records;
use crate::{
    Backend, BoxFuture, Defect, Error, Generation, Listing, LockGuard, Problem, RawRecord,
    RecordId, RecordKind, StoreDescription,
};

/// Keeps each record in a file of its own, which only its owner can read, in a folder that only its owner can enter.
///
/// On Unix the folder is 0700 and its files 0600; wider permissions are repaired and reported, symbolic links and files of other users
/// are refused. On Windows both inherit the access rules of the folder they are made in, which under a user's profile keep others out.
///
/// The folder must be on a file system with working locks; most network file systems have them.
/// Its futures must be polled on a tokio runtime with time enabled.
#[derive(Clone, Debug)]
pub struct FileBackend {
    records: Arc<Records>,
}

impl FileBackend {
    /// Records in that folder, which is made with its parents when something is first saved or locked.
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let records = Records::new(&folder.into())?;
        Ok(Self {
            records: Arc::new(records),
        })
    }

    /// Runs file operations where they may block. They run to their end even if the returned future is dropped.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Records) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let runtime = Handle::try_current().map_err(|error| Error::Runtime(Box::new(error)))?;
        let records = Arc::clone(&self.records);
        runtime
            .spawn_blocking(move || work(&records))
            .await
            .map_err(|error| Error::Runtime(Box::new(error)))?
    }

    async fn wait_for_lock(&self, id: &RecordId, limit: Duration) -> Result<LockGuard, Error> {
        let started = Instant::now();
        let mut pauses = lock::Pauses::default();
        loop {
            let wanted = id.clone();
            if let Some(lock) = self.run(move |records| records.try_lock(&wanted)).await? {
                return Ok(LockGuard::new(lock));
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                let location = self.records.lock_location(id);
                return Err(Error::LockTimeout {
                    id: id.clone(),
                    location,
                    limit,
                });
            }
            tokio::time::sleep(pauses.next().min(left)).await;
        }
    }
}

impl Backend for FileBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        let id = id.clone();
        Box::pin(self.run(move |records| records.load(&id)))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        let id = id.clone();
        Box::pin(self.run(move |records| records.save(&id, &bytes, expected)))
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let id = id.clone();
        Box::pin(self.run(move |records| records.remove(&id, expected)))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(self.run(move |records| records.list(kind)))
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
        Box::pin(self.run(move |records| records.set_aside(&id, expected, defect)))
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        let id = id.clone();
        Box::pin(self.run(move |records| records.discard_set_aside(&id)))
    }

    fn problems(&self) -> Vec<Problem> {
        self.records.problems()
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription::new("file", self.records.location(), false)
    }
}
