//! A store in memory that can be looked into from outside.

use std::sync::Arc;
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error, Generation, Listing, LockGuard, MemoryBackend, Problem,
    RawRecord, RecordId, RecordKind, StoreDescription,
};
use zeroize::Zeroizing;

/// Hands everything on.
#[derive(Debug)]
pub(crate) struct Slot(pub(crate) Arc<MemoryBackend>);

impl Backend for Slot {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        self.0.load(id)
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        self.0.save(id, bytes, expected)
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.0.remove(id, expected)
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        self.0.list(kind)
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        self.0.lock(id, limit)
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.0.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        self.0.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.0.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.0.describe()
    }
}
