//! A store in memory that remembers nothing of a server before it may.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorkey::store::{
    Backend, BoxFuture, Defect, Error, Generation, Listing, LockGuard, MemoryBackend, Problem,
    RawRecord, RecordId, RecordKind, StoreDescription,
};
use secrecy::zeroize::Zeroizing;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Hesitant {
    records: MemoryBackend,
    allowed: watch::Sender<usize>,
    begun: AtomicUsize,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl Hesitant {
    /// It remembers as often as `allowed` says.
    pub(super) fn new(allowed: watch::Sender<usize>) -> Self {
        Self {
            records: MemoryBackend::new(),
            allowed,
            begun: AtomicUsize::new(0),
        }
    }
}

impl Backend for Hesitant {
    fn load<'a>(&'a self, id: &'a RecordId) -> Answer<'a, Option<RawRecord>> {
        self.records.load(id)
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> Answer<'a, Generation> {
        Box::pin(async move {
            if id.kind() == RecordKind::Facts {
                let before = self.begun.fetch_add(1, Ordering::SeqCst);
                // The sender is here.
                let mut allowed = self.allowed.subscribe();
                assert!(allowed.wait_for(|allowed| *allowed > before).await.is_ok());
            }
            self.records.save(id, bytes, expected).await
        })
    }

    fn remove<'a>(&'a self, id: &'a RecordId, expected: Generation) -> Answer<'a, ()> {
        self.records.remove(id, expected)
    }

    fn list(&self, kind: RecordKind) -> Answer<'_, Listing<RecordId>> {
        self.records.list(kind)
    }

    fn lock<'a>(&'a self, id: &'a RecordId, limit: Duration) -> Answer<'a, LockGuard> {
        self.records.lock(id, limit)
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> Answer<'a, ()> {
        self.records.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> Answer<'a, usize> {
        self.records.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.records.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.records.describe()
    }
}
