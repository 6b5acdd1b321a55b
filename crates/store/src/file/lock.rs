//! Kernel locks on files: gone with the process that held them, however it ended.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{Folder, io_error, same_file};
use crate::{BoxFuture, Error, HeldLock};

/// A locked file. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

impl FileLock {
    /// The lock of `path`, or `None` while somebody else has it.
    pub(crate) fn try_new(folder: &Folder, path: &Path) -> Result<Option<Self>, Error> {
        for _ in 0..REPLACED_ATTEMPTS {
            let file = folder.open_or_create(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
            }
            // Somebody may have deleted the file meanwhile; then others would lock another one.
            let opened = file.metadata().map_err(io_error("examine", path))?;
            if fs::symlink_metadata(path).is_ok_and(|named| same_file(&named, &opened)) {
                return Ok(Some(Self { file }));
            }
        }
        Ok(None)
    }

    /// The lock of `path`, or `None` if somebody else had it for all of `limit`. Blocks.
    pub(crate) fn wait(
        folder: &Folder,
        path: &Path,
        limit: Duration,
    ) -> Result<Option<Self>, Error> {
        let started = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let lock = Self::try_new(folder, path)?;
            let left = limit.saturating_sub(started.elapsed());
            if lock.is_some() || left.is_zero() {
                return Ok(lock);
            }
            thread::sleep(pauses.next().min(left));
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child process that is just being started and still has the file open.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "a lock file could not be unlocked; closing it does that");
        }
    }
}

impl HeldLock for FileLock {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

/// How long to pause between attempts: short at first, since most locks are held for a moment, and never long.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
const REPLACED_ATTEMPTS: usize = 16;
