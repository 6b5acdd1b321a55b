//! The operations on records in files. All of them may block.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Map;
use zeroize::Zeroizing;

use super::folder::{Folder, io_error, metadata};
use super::form::Form;
use super::lock::FileLock;
use super::name::{Entry, Name};
use crate::envelope::Envelope;
use crate::problem::Problems;
use crate::{Defect, Error, Generation, Problem, ProblemKind, RawRecord, RecordId};

/// The records of one folder, as one operation sees them.
#[derive(Debug)]
pub(super) struct Records<'a> {
    pub(super) folder: &'a Folder,
    pub(super) locks: &'a Folder,
    pub(super) problems: &'a Problems,
    pub(super) form: Form,
}

impl Records<'_> {
    pub(super) fn load(&self, id: &RecordId) -> Result<Option<RawRecord>, Error> {
        let name = self.form.name(id);
        match self.read(&name)? {
            None => Ok(None),
            Some(Ok(envelope)) => Ok(Some(envelope.record)),
            Some(Err(defect)) if defect.is_newer() => {
                self.report(&name.record(), Some(id), ProblemKind::LeftAlone { defect });
                Ok(None)
            }
            Some(Err(defect)) => match self.reread(id, &name) {
                Ok(envelope) => Ok(envelope.map(|envelope| envelope.record)),
                // A newer version was faster with a new one.
                Err(Error::NewerVersion { found, known, .. }) => {
                    let defect = Defect::NewerVersion { found, known };
                    self.report(&name.record(), Some(id), ProblemKind::LeftAlone { defect });
                    Ok(None)
                }
                // Where nothing can be written, what is broken stays where it is. It counts as absent all the same.
                Err(Error::Io { source, .. }) if is_read_only(&source) => {
                    self.report(&name.record(), Some(id), ProblemKind::Unusable { defect });
                    Ok(None)
                }
                Err(error) => Err(error),
            },
        }
    }

    pub(super) fn save(
        &self,
        id: &RecordId,
        value: &[u8],
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let name = self.form.name(id);
        let lock = self.lock_save(id, &name)?;
        let current = self.current(id, &name)?;
        check(id, current.as_ref(), expected)?;
        let (generation, unknown) = match current {
            Some(current) => (current.record.generation.next(), current.unknown),
            None => (first_generation()?, Map::new()),
        };
        let content =
            Envelope::content(id, generation, value, &unknown).map_err(|source| Error::Encode {
                id: id.clone(),
                source,
            })?;
        if content.len() as u64 > SIZE_LIMIT {
            let limit = usize::try_from(SIZE_LIMIT).unwrap_or(usize::MAX);
            return Err(Error::TooLarge {
                id: id.clone(),
                size: content.len(),
                limit,
            });
        }
        self.folder.replace(
            &name.record(),
            &name.being_written(),
            &self.form.written(&name, content)?,
        )?;
        drop(lock);
        Ok(generation)
    }

    pub(super) fn remove(&self, id: &RecordId, expected: Generation) -> Result<(), Error> {
        let name = self.form.name(id);
        let lock = self.lock_save(id, &name)?;
        let current = self.current(id, &name)?;
        check(id, current.as_ref(), Some(expected))?;
        let path = self.path(&name.record());
        fs::remove_file(&path).map_err(io_error("remove", &path))?;
        remove_if_there(&self.path(&name.being_written()))?;
        self.folder.sync()?;
        drop(lock);
        Ok(())
    }

    pub(super) fn set_aside(
        &self,
        id: &RecordId,
        expected: Generation,
        defect: Defect,
    ) -> Result<(), Error> {
        let name = self.form.name(id);
        let lock = self.lock_save(id, &name)?;
        let current = self.current(id, &name)?;
        check(id, current.as_ref(), Some(expected))?;
        let kind = match self.put_aside(&name, defect.clone()) {
            Err(Error::Io { source, .. }) if is_read_only(&source) => {
                ProblemKind::Unusable { defect }
            }
            result => result?,
        };
        self.report(&name.record(), Some(id), kind);
        drop(lock);
        Ok(())
    }

    pub(super) fn discard_set_aside(&self, id: &RecordId) -> Result<usize, Error> {
        let name = self.form.name(id);
        let lock = self.lock_save(id, &name)?;
        remove_if_there(&self.path(&name.being_written()))?;
        let prefix = name.set_aside_prefix();
        let mut removed = 0;
        for (entry, found) in self.entries(id.kind())? {
            if found == Entry::SetAside && entry.starts_with(&prefix) {
                removed += usize::from(remove_if_there(&self.path(&entry))?);
            }
        }
        self.folder.sync()?;
        drop(lock);
        Ok(removed)
    }

    /// The lock that a task holds while it owns a record; the path of it while another has it.
    pub(super) fn try_lock(&self, id: &RecordId) -> Result<Result<FileLock, PathBuf>, Error> {
        self.locks.make(self.problems)?;
        let path = self.locks.path().join(self.form.name(id).lock());
        Ok(FileLock::try_new(self.locks, &path)?.ok_or(path))
    }

    /// The lock of one compare-and-swap. It is not the one of [`Self::try_lock`], so that its owner can save.
    fn lock_save(&self, id: &RecordId, name: &Name) -> Result<FileLock, Error> {
        self.locks.make(self.problems)?;
        let path = self.locks.path().join(name.save_lock());
        FileLock::wait(self.locks, &path, SAVE_LOCK_LIMIT)?.ok_or_else(|| Error::LockTimeout {
            id: id.clone(),
            location: path.display().to_string(),
            limit: SAVE_LOCK_LIMIT,
        })
    }

    /// The file of a name: nothing, an envelope, or what is wrong with it.
    pub(super) fn read(&self, name: &Name) -> Result<Option<Result<Envelope, Defect>>, Error> {
        let path = self.path(&name.record());
        let Some(file) = self.folder.open(&path, self.problems)? else {
            return Ok(None);
        };
        let limit = SIZE_LIMIT + self.form.overhead();
        let Some(content) = read_whole(file, &path, limit)? else {
            return Ok(Some(Err(Defect::TooLarge { limit: SIZE_LIMIT })));
        };
        Ok(Some(self.form.read(name, &content).and_then(|envelope| {
            if self.form.name(&envelope.id) == *name {
                Ok(envelope)
            } else {
                Err(Defect::Misplaced)
            }
        })))
    }

    /// Under the save lock: what is stored now. What cannot be used is set aside, and nothing is stored then. What a newer
    /// version wrote is left alone, and nothing can be done.
    fn current(&self, id: &RecordId, name: &Name) -> Result<Option<Envelope>, Error> {
        match self.read(name)? {
            None => Ok(None),
            Some(Ok(envelope)) => Ok(Some(envelope)),
            Some(Err(defect)) => {
                if let Some(error) = defect.refusal(id) {
                    return Err(error);
                }
                let kind = self.put_aside(name, defect)?;
                self.report(&name.record(), Some(id), kind);
                Ok(None)
            }
        }
    }

    /// What is stored, for a reader who found something broken: by now somebody may have saved anew.
    fn reread(&self, id: &RecordId, name: &Name) -> Result<Option<Envelope>, Error> {
        let _lock = self.lock_save(id, name)?;
        self.current(id, name)
    }

    /// Under the save lock: renames the file of a record, never over another one.
    pub(super) fn put_aside(&self, name: &Name, defect: Defect) -> Result<ProblemKind, Error> {
        #[cfg(feature = "encrypted")]
        self.form.still_stands(self.folder, self.problems)?;
        let from = self.path(&name.record());
        for number in 1..=SET_ASIDE_LIMIT {
            let to = self.path(&name.set_aside(number));
            if metadata(&to)?.is_none() {
                fs::rename(&from, &to).map_err(io_error("set aside", &from))?;
                self.folder.sync()?;
                return Ok(ProblemKind::SetAside {
                    kept_as: to.display().to_string(),
                    defect,
                });
            }
        }
        let full = io::Error::new(
            io::ErrorKind::AlreadyExists,
            "too many files were set aside before",
        );
        Err(io_error("set aside", &from)(full))
    }

    pub(super) fn path(&self, entry: &str) -> PathBuf {
        self.folder.path().join(entry)
    }

    fn report(&self, entry: &str, id: Option<&RecordId>, kind: ProblemKind) {
        let location = self.path(entry).display().to_string();
        self.problems
            .report(Problem::new(location, id.cloned(), kind));
    }
}

pub(crate) fn check(
    id: &RecordId,
    current: Option<&Envelope>,
    expected: Option<Generation>,
) -> Result<(), Error> {
    let current = current.map(|envelope| envelope.record.generation);
    if current == expected {
        return Ok(());
    }
    Err(Error::Conflict {
        id: id.clone(),
        expected,
        current,
    })
}

/// Where a new record starts: anywhere in 2^52, so that it does not come upon a generation that a removed one had.
pub(crate) fn first_generation() -> Result<Generation, Error> {
    let random = getrandom::u64().map_err(|error| Error::Random(Box::new(error)))?;
    Ok(Generation::new((random >> 12).max(1)))
}

/// The content of a file, or `None` if it has more than `limit` bytes.
pub(super) fn read_whole(
    file: File,
    path: &Path,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let size = file.metadata().map_err(io_error("examine", path))?.len();
    if size > limit {
        return Ok(None);
    }
    // Of its full size from the start: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
    file.take(limit)
        .read_to_end(&mut content)
        .map_err(io_error("read", path))?;
    Ok(Some(content))
}

pub(super) fn remove_if_there(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("remove", path)(error)),
    }
}

pub(super) fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Bytes of a file, at most.
pub(crate) const SIZE_LIMIT: u64 = 1024 * 1024;
/// How long one compare-and-swap waits for another, which takes milliseconds.
pub(crate) const SAVE_LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How many copies of one record may be set aside.
const SET_ASIDE_LIMIT: u32 = 1000;
