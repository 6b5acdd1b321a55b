//! The operations on records in a keyring. All of them block.

use std::path::{Path, PathBuf};

use serde_json::Map;

use super::super::index::{self, Index};
use super::super::shelf::{Found, Shelf};
use super::super::{KeyringError, KeyringOptions};
use crate::envelope::Envelope;
use crate::file::folder::Folder;
use crate::file::home::absolute;
use crate::file::lock::FileLock;
use crate::file::name::Name;
use crate::file::records::{SAVE_LOCK_LIMIT, SIZE_LIMIT, check, first_generation};
use crate::problem::Problems;
use crate::{
    Defect, Error, Generation, Listing, Problem, ProblemKind, RawRecord, RecordId, RecordKind,
};

/// The records of one service.
#[derive(Debug)]
pub(super) struct Records {
    options: KeyringOptions,
    locks: Folder,
    problems: Problems,
}

impl Records {
    pub(super) fn new(lock_folder: &Path, options: KeyringOptions) -> Result<Self, Error> {
        Ok(Self {
            options,
            locks: Folder::new(absolute(lock_folder)?),
            problems: Problems::default(),
        })
    }

    pub(super) fn location(&self) -> String {
        format!("service `{}`", self.options.service)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.problems.all()
    }

    pub(super) fn load(&self, id: &RecordId) -> Result<Option<RawRecord>, Error> {
        let name = Name::of(id);
        let (parsed, _) = self.read(id, &name)?;
        let defect = match parsed {
            None => return Ok(None),
            Some(Ok(envelope)) => return Ok(Some(envelope.record)),
            Some(Err(defect)) => defect,
        };
        if !defect.is_newer() {
            // By now somebody may have saved anew.
            let lock = self.lock_save(id, &name)?;
            let current = match self.current(id, &name) {
                Err(Error::NewerVersion { found, known, .. }) => {
                    Err(Defect::NewerVersion { found, known })
                }
                result => Ok(result?.0),
            };
            drop(lock);
            match current {
                Ok(envelope) => return Ok(envelope.map(|envelope| envelope.record)),
                Err(defect) => self.report(&name, id, ProblemKind::LeftAlone { defect }),
            }
            return Ok(None);
        }
        self.report(&name, id, ProblemKind::LeftAlone { defect });
        Ok(None)
    }

    pub(super) fn save(
        &self,
        id: &RecordId,
        value: &[u8],
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let name = Name::of(id);
        let lock = self.lock_save(id, &name)?;
        let (current, found) = self.current(id, &name)?;
        check(id, current.as_ref(), expected)?;
        let (generation, unknown) = match current {
            Some(current) => (current.record.generation.next(), current.unknown),
            None => (first_generation()?, Map::new()),
        };
        let encode = |source| Error::Encode {
            id: id.clone(),
            source,
        };
        let content = Envelope::content(id, generation, value, &unknown).map_err(encode)?;
        if content.len() as u64 > SIZE_LIMIT {
            return Err(Error::TooLarge {
                id: id.clone(),
                size: content.len(),
                limit: usize::try_from(SIZE_LIMIT).unwrap_or(usize::MAX),
            });
        }
        // Before the record, and at every save: an index that was lost grows again.
        self.change_index(id, |entry| entry.stored = true)?;
        self.shelf()
            .write(name.stem(), &content, found.as_ref())
            .map_err(writing)?;
        drop(lock);
        Ok(generation)
    }

    pub(super) fn remove(&self, id: &RecordId, expected: Generation) -> Result<(), Error> {
        let name = Name::of(id);
        let lock = self.lock_save(id, &name)?;
        let (current, _) = self.current(id, &name)?;
        check(id, current.as_ref(), Some(expected))?;
        self.usable_index(id)?;
        self.shelf().delete(name.stem()).map_err(writing)?;
        self.change_index(id, |entry| entry.stored = false)?;
        drop(lock);
        Ok(())
    }

    pub(super) fn list(&self, kind: RecordKind) -> Result<Listing<RecordId>, Error> {
        let read = Index::read(&self.shelf(), kind).map_err(listing)?;
        let mut listing = Listing::default();
        if let Some(defect) = read.defect {
            listing.problems.push(self.report_index(kind, defect));
        }
        for entry in read.index.entries() {
            let id = RecordId::new(kind, &entry.key);
            for number in 1..=entry.set_aside {
                let location = self.item_location(&set_aside_name(&Name::of(&id), number));
                let problem = Problem::new(location, Some(id.clone()), ProblemKind::Leftover);
                listing.problems.push(problem);
            }
            if entry.stored {
                listing.entries.push(id);
            }
        }
        Ok(listing)
    }

    pub(super) fn set_aside(
        &self,
        id: &RecordId,
        expected: Generation,
        defect: Defect,
    ) -> Result<(), Error> {
        let name = Name::of(id);
        let lock = self.lock_save(id, &name)?;
        let (current, _) = self.current(id, &name)?;
        check(id, current.as_ref(), Some(expected))?;
        self.put_aside(id, &name, defect)?;
        drop(lock);
        Ok(())
    }

    pub(super) fn discard_set_aside(&self, id: &RecordId) -> Result<usize, Error> {
        let name = Name::of(id);
        let shelf = self.shelf();
        let read = self.usable_index(id)?;
        // The index is made to forget a record last: while it knows one, a killed process may have left parts of it.
        if read.defect.is_none() && read.index.entry(id).is_none() {
            let found = shelf.read(name.stem()).map_err(reading)?;
            if found.is_none() {
                return Ok(0);
            }
        }
        let lock = self.lock_save(id, &name)?;
        let read = self.usable_index(id)?;
        let known = read.index.entry(id).map_or(0, |entry| entry.set_aside);
        // An index that was damaged and grew again does not know all of them.
        let last = known.max(self.free_number(&name)? - 1);
        let mut removed = 0;
        for number in (1..=last).rev() {
            let deleted = shelf.delete(&set_aside_name(&name, number));
            removed += usize::from(deleted.map_err(writing)?);
        }
        let found = shelf.read(name.stem()).map_err(reading)?;
        shelf.tidy(name.stem(), found.as_ref()).map_err(writing)?;
        self.change_index(id, |entry| {
            entry.set_aside = 0;
            entry.stored &= found.is_some();
        })?;
        drop(lock);
        Ok(removed)
    }

    /// The lock that a task holds while it owns a record; the path of it while another has it.
    pub(super) fn try_lock(&self, id: &RecordId) -> Result<Result<FileLock, PathBuf>, Error> {
        self.locks.make(&self.problems)?;
        let path = self.locks.path().join(Name::of(id).lock());
        Ok(FileLock::try_new(&self.locks, &path)?.ok_or(path))
    }

    /// The lock of one compare-and-swap. It is not the one of [`Self::try_lock`], so that its owner can save.
    fn lock_save(&self, id: &RecordId, name: &Name) -> Result<FileLock, Error> {
        self.lock_file(id, &name.save_lock())
    }

    fn lock_file(&self, id: &RecordId, file: &str) -> Result<FileLock, Error> {
        self.locks.make(&self.problems)?;
        let path = self.locks.path().join(file);
        FileLock::wait(&self.locks, &path, SAVE_LOCK_LIMIT)?.ok_or_else(|| Error::LockTimeout {
            id: id.clone(),
            location: path.display().to_string(),
            limit: SAVE_LOCK_LIMIT,
        })
    }

    fn shelf(&self) -> Shelf<'_> {
        self.options.shelf()
    }

    /// What stands under a name: nothing, an envelope, or what is wrong with it.
    fn read(&self, id: &RecordId, name: &Name) -> Result<Read, Error> {
        let found = self.shelf().read(name.stem()).map_err(reading)?;
        let parsed = found.as_ref().map(|found| {
            let content = found.content.as_ref().map_err(Clone::clone)?;
            let envelope = Envelope::parse(content)?;
            if envelope.id == *id {
                Ok(envelope)
            } else {
                Err(Defect::Misplaced)
            }
        });
        Ok((parsed, found))
    }

    /// Under the save lock: what is stored now. What cannot be used is set aside, and nothing is stored then. What a newer
    /// version wrote is left alone, and nothing can be done.
    fn current(
        &self,
        id: &RecordId,
        name: &Name,
    ) -> Result<(Option<Envelope>, Option<Found>), Error> {
        match self.read(id, name)? {
            (None, found) => Ok((None, found)),
            (Some(Ok(envelope)), found) => Ok((Some(envelope), found)),
            (Some(Err(defect)), _) => {
                if let Some(error) = defect.refusal(id) {
                    return Err(error);
                }
                self.put_aside(id, name, defect)?;
                Ok((None, None))
            }
        }
    }

    /// Under the save lock: moves the items of a record to another name, never over those of another copy.
    fn put_aside(&self, id: &RecordId, name: &Name, defect: Defect) -> Result<(), Error> {
        let shelf = self.shelf();
        let number = self.free_number(name)?;
        // First the index: a copy that it does not know is not listed.
        self.change_index(id, |entry| {
            entry.set_aside = entry.set_aside.max(number);
        })?;
        let kept = set_aside_name(name, number);
        shelf.copy(name.stem(), &kept).map_err(writing)?;
        shelf.delete(name.stem()).map_err(writing)?;
        self.change_index(id, |entry| entry.stored = false)?;
        let kept_as = self.item_location(&kept);
        self.report(name, id, ProblemKind::SetAside { kept_as, defect });
        Ok(())
    }

    /// The first number under which nothing of a record was set aside. There are no gaps below others: copies are discarded
    /// from the highest number down.
    fn free_number(&self, name: &Name) -> Result<u32, Error> {
        let shelf = self.shelf();
        let mut number = 1;
        while !shelf
            .is_free(&set_aside_name(name, number))
            .map_err(reading)?
        {
            number += 1;
        }
        Ok(number)
    }

    /// The index, sound or damaged; an error if it is one of a newer version, under which nothing may be deleted.
    fn usable_index(&self, id: &RecordId) -> Result<index::Read, Error> {
        let read = Index::read(&self.shelf(), id.kind()).map_err(reading)?;
        match read.defect.as_ref().and_then(|defect| defect.refusal(id)) {
            Some(error) => Err(error),
            None => Ok(read),
        }
    }

    fn change_index(
        &self,
        id: &RecordId,
        change: impl FnOnce(&mut index::Entry),
    ) -> Result<(), Error> {
        let lock = self.lock_file(id, &format!("{}.save", index::item(id.kind())))?;
        let shelf = self.shelf();
        let read = self.usable_index(id)?;
        if let Some(defect) = read.defect.clone() {
            self.report_index(id.kind(), defect);
        }
        read.change(&shelf, id, change).map_err(writing)?;
        drop(lock);
        Ok(())
    }

    fn report(&self, name: &Name, id: &RecordId, kind: ProblemKind) {
        let location = self.item_location(name.stem());
        self.problems
            .report(Problem::new(location, Some(id.clone()), kind));
    }

    /// Records are still found by their keys, and listed again once they are saved.
    fn report_index(&self, kind: RecordKind, defect: Defect) -> Problem {
        let location = self.item_location(&index::item(kind));
        let problem = Problem::new(location, None, ProblemKind::Unusable { defect });
        self.problems.report(problem.clone());
        problem
    }

    fn item_location(&self, name: &str) -> String {
        format!("keyring item `{}` / `{name}`", self.options.service)
    }
}

/// What stands under a name, as a record and as items.
type Read = (Option<Result<Envelope, Defect>>, Option<Found>);

fn set_aside_name(name: &Name, number: u32) -> String {
    format!("{}.broken-{number}", name.stem())
}

fn reading(source: KeyringError) -> Error {
    Error::keyring("be read", source)
}

fn writing(source: KeyringError) -> Error {
    Error::keyring("be written", source)
}

fn listing(source: KeyringError) -> Error {
    Error::keyring("be listed", source)
}
