//! Records as owner-only files in an owner-only folder.

use std::path::PathBuf;

use crate::*;

/// Keeps each record in a file of its own, readable by its owner only.
#[derive(Debug)]
pub struct FileBackend {
    folder: PathBuf,
}

impl FileBackend {
    /// Records in that folder.
    ///
    /// # Errors
    /// If `folder` is empty, or relative while there is no current folder.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.into(),
        })
    }
}

impl Backend for FileBackend {
    fn load<'a>(&'a self, _id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        todo!()
    }
    fn save<'a>(
        &'a self,
        _id: &'a RecordId,
        _bytes: zeroize::Zeroizing<Vec<u8>>,
        _expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        todo!()
    }
    fn remove<'a>(
        &'a self,
        _id: &'a RecordId,
        _expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        todo!()
    }
    fn list(&self, _kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        todo!()
    }
    fn lock<'a>(
        &'a self,
        _id: &'a RecordId,
        _limit: std::time::Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        todo!()
    }
    fn set_aside<'a>(
        &'a self,
        _id: &'a RecordId,
        _expected: Generation,
        _defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        todo!()
    }
    fn discard_set_aside<'a>(&'a self, _id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        todo!()
    }
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
    fn describe(&self) -> StoreDescription {
        StoreDescription::new("file", self.folder.display().to_string(), false)
    }
}
