//! Listing the records of a folder: one that cannot be read does not hide the others.

use std::fs;
use std::io;

use super::folder::io_error;
use super::lock::FileLock;
use super::name::{Entry, Name};
use super::records::{Records, SAVE_LOCK_LIMIT, is_read_only};
use crate::envelope::Envelope;
use crate::{Error, Listing, Problem, ProblemKind, RawRecord, RecordId, RecordKind};

impl Records<'_> {
    pub(super) fn list(&self, kind: RecordKind) -> Result<Listing<RecordId>, Error> {
        let Listing { entries, problems } = self.load_all(kind)?;
        let ids = entries.into_iter().map(|(id, _)| id);
        Ok(Listing::new(ids.collect(), problems))
    }

    /// Each file is read once: the key of a record is in it, and so is the record.
    pub(super) fn load_all(
        &self,
        kind: RecordKind,
    ) -> Result<Listing<(RecordId, RawRecord)>, Error> {
        let mut listing = Listing::default();
        for (entry, found) in self.entries(kind)? {
            let (record, problem) = match found {
                Entry::SetAside => (None, Some(ProblemKind::Leftover)),
                Entry::Record(name) => self.listed(&name),
            };
            listing
                .entries
                .extend(record.map(|found| (found.id, found.record)));
            if let Some(problem) = problem {
                let problem = Problem::new(self.path(&entry).display().to_string(), None, problem);
                // A leftover was reported when it was set aside.
                if problem.kind != ProblemKind::Leftover {
                    self.problems.report(problem.clone());
                }
                listing.problems.push(problem);
            }
        }
        Ok(listing)
    }

    /// The entries of the folder that are records of that kind, by name.
    pub(super) fn entries(&self, kind: RecordKind) -> Result<Vec<(String, Entry)>, Error> {
        let folder = self.folder.path();
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error("list", folder))? {
            let entry = entry.map_err(io_error("list", folder))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !name.starts_with(kind.as_str()) {
                continue;
            }
            if let Some((of, found)) = self.form.entry(&name)
                && of == kind
            {
                entries.push((name, found));
            }
        }
        entries.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        Ok(entries)
    }

    /// The record of a listed file, or the problem with it.
    fn listed(&self, name: &Name) -> (Option<Envelope>, Option<ProblemKind>) {
        match self.listed_or_set_aside(name) {
            Ok(Some(Ok(envelope))) => (Some(envelope), None),
            Ok(Some(Err(problem))) => (None, Some(problem)),
            Ok(None) => (None, None),
            Err(Error::UnsafeFile { why, .. }) => (None, Some(ProblemKind::Refused(why))),
            Err(Error::Io { source, .. }) => (None, Some(ProblemKind::Unreadable(source.kind()))),
            Err(_) => (None, Some(ProblemKind::Unreadable(io::ErrorKind::TimedOut))),
        }
    }

    fn listed_or_set_aside(
        &self,
        name: &Name,
    ) -> Result<Option<Result<Envelope, ProblemKind>>, Error> {
        let defect = match self.read(name)? {
            None => return Ok(None),
            Some(Ok(envelope)) => return Ok(Some(Ok(envelope))),
            Some(Err(defect)) if defect.is_newer() => {
                return Ok(Some(Err(ProblemKind::LeftAlone { defect })));
            }
            Some(Err(defect)) => defect,
        };
        match self.set_aside_listed(name) {
            Err(Error::Io { source, .. }) if is_read_only(&source) => {
                Ok(Some(Err(ProblemKind::Unusable { defect })))
            }
            result => result,
        }
    }

    /// Like [`Self::current`], for a file whose key nobody knows.
    fn set_aside_listed(
        &self,
        name: &Name,
    ) -> Result<Option<Result<Envelope, ProblemKind>>, Error> {
        self.locks.make(self.problems)?;
        let path = self.locks.path().join(name.save_lock());
        let lock = FileLock::wait(self.locks, &path, SAVE_LOCK_LIMIT)?;
        if lock.is_none() {
            return Err(io_error("lock", &path)(io::ErrorKind::TimedOut.into()));
        }
        match self.read(name)? {
            None => Ok(None),
            Some(Ok(envelope)) => Ok(Some(Ok(envelope))),
            Some(Err(defect)) if defect.is_newer() => {
                Ok(Some(Err(ProblemKind::LeftAlone { defect })))
            }
            Some(Err(defect)) => Ok(Some(Err(self.put_aside(name, defect)?))),
        }
    }
}
