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
//! In an encrypted folder, the envelopes are sealed and the names hide whose they are:
//!
//! ```text
//! key.json                                      how the folder is opened, and what tells a wrong key
//! grant-<hash>.sealed                           one record; its hash takes the key to compute
//! grant-<hash>.sealed.broken-1, .grant-<hash>.sealed.new, locks/grant-<hash>.{lock,save}
//! ```
//!
//! Lock files are empty and stay: deleting one while somebody waits for it would let two in.

pub(crate) mod folder;
mod form;
pub(crate) mod home;
mod listing;
pub(crate) mod lock;
pub(crate) mod name;
mod platform;
pub(crate) mod records;
#[cfg(all(test, feature = "encrypted"))]
mod tests;
#[cfg(feature = "encrypted")]
pub(crate) mod vault;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use self::home::Home;
use self::records::Records;
#[cfg(feature = "encrypted")]
pub use self::vault::{KeySource, create_key_file, read_key_file};
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
    home: Arc<Home>,
}

impl FileBackend {
    /// Records in that folder, which is made with its parents when something is first saved or locked.
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let home = Home::plain(&folder.into())?;
        Ok(Self {
            home: Arc::new(home),
        })
    }

    /// Encrypted records in that folder, which is made with its parents when something is first saved or locked.
    ///
    /// All that a record holds, its key and generation too, is sealed with XChaCha20-Poly1305 for the one file it stands in, so that
    /// files can be neither read nor exchanged; file names show the kind of a record and nothing else. Whoever can write to
    /// the folder can still delete a file or put back an older version of it: no file can prove that it is the newest.
    ///
    /// The key is asked for by the first operation that needs it. A wrong key or passphrase is [`Error::Key`] and touches no record.
    /// A folder with records in the clear is refused ([`Error::OtherFormat`]).
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    #[cfg(feature = "encrypted")]
    pub fn encrypted(folder: impl Into<PathBuf>, key: KeySource) -> Result<Self, Error> {
        let home = Home::sealed(&folder.into(), vault::Vault::new(key))?;
        Ok(Self {
            home: Arc::new(home),
        })
    }

    /// Gets the key out of a keyring, which may hang or ask a person, before anything is done with it; `open` does that, and nothing
    /// else. Not in a thread of the runtime, which the program would have to wait for before it can end.
    #[cfg(feature = "keyring")]
    async fn unlocked(
        &self,
        limit: Duration,
        open: fn(&Home) -> Result<(), Error>,
    ) -> Result<(), Error> {
        use crate::keyring::{KEY_ACTION, bounded};
        let Some(longest) = self.home.keyring_limit() else {
            return Ok(());
        };
        let home = Arc::clone(&self.home);
        bounded::run(longest.min(limit), KEY_ACTION, move || open(&home)).await
    }

    /// Nothing else has to be waited for.
    #[cfg(not(feature = "keyring"))]
    #[expect(clippy::unused_async, reason = "it waits where there is a keyring")]
    async fn unlocked(
        &self,
        _limit: Duration,
        _open: fn(&Home) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Runs file operations where they may block. They run to their end even if the returned future is dropped.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Home) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let runtime = Handle::try_current().map_err(|error| Error::Runtime(Box::new(error)))?;
        let home = Arc::clone(&self.home);
        runtime
            .spawn_blocking(move || work(&home))
            .await
            .map_err(|error| Error::Runtime(Box::new(error)))?
    }

    /// Runs an operation on records that are there; `otherwise` is for a store that is not.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
        otherwise: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.unlocked(Duration::MAX, |home| home.reading().map(drop))
            .await?;
        self.run(move |home| match home.reading()? {
            Some(records) => work(&records),
            None => otherwise(),
        })
        .await
    }

    async fn wait_for_lock(&self, id: &RecordId, limit: Duration) -> Result<LockGuard, Error> {
        let started = Instant::now();
        self.unlocked(limit.max(KEY_LIMIT_AT_LEAST), |home| {
            home.writing().map(drop)
        })
        .await?;
        let mut pauses = lock::Pauses::default();
        loop {
            let wanted = id.clone();
            let lock = self.run(move |home| home.writing()?.try_lock(&wanted));
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

impl Backend for FileBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        let id = id.clone();
        Box::pin(self.read(move |records| records.load(&id), || Ok(None)))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        let id = id.clone();
        Box::pin(async move {
            self.unlocked(Duration::MAX, |home| home.writing().map(drop))
                .await?;
            self.run(move |home| home.writing()?.save(&id, &bytes, expected))
                .await
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (id, absent) = (id.clone(), id.clone());
        Box::pin(self.read(
            move |records| records.remove(&id, expected),
            move || records::check(&absent, None, Some(expected)),
        ))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(self.read(move |records| records.list(kind), || Ok(Listing::default())))
    }

    fn load_all(
        &self,
        kind: RecordKind,
    ) -> BoxFuture<'_, Result<Listing<(RecordId, RawRecord)>, Error>> {
        Box::pin(self.read(
            move |records| records.load_all(kind),
            || Ok(Listing::default()),
        ))
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
        let (id, absent) = (id.clone(), id.clone());
        Box::pin(self.read(
            move |records| records.set_aside(&id, expected, defect),
            move || records::check(&absent, None, Some(expected)),
        ))
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        let id = id.clone();
        Box::pin(self.read(move |records| records.discard_set_aside(&id), || Ok(0)))
    }

    fn problems(&self) -> Vec<Problem> {
        self.home.problems()
    }

    fn describe(&self) -> StoreDescription {
        let encrypted = self.home.is_encrypted();
        let kind = if encrypted { "encrypted file" } else { "file" };
        StoreDescription::new(kind, self.home.location(), encrypted)
    }
}

/// How long a keyring may take at least to give the key, however little time a caller has for a lock.
const KEY_LIMIT_AT_LEAST: Duration = Duration::from_secs(1);
