//! A store in memory that remembers nothing of a server before it is told to.

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
    gate: watch::Sender<bool>,
    opens_with_a_grant: bool,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl Hesitant {
    /// Until `true` is sent.
    pub(super) fn until(gate: watch::Sender<bool>) -> Self {
        Self {
            records: MemoryBackend::new(),
            gate,
            opens_with_a_grant: false,
        }
    }

    /// Until a grant was saved.
    pub(super) fn until_a_grant() -> Self {
        Self {
            opens_with_a_grant: true,
            ..Self::until(watch::Sender::new(false))
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
            match id.kind() {
                RecordKind::Grant if self.opens_with_a_grant => {
                    self.gate.send_replace(true);
                }
                RecordKind::Facts => {
                    // The sender is here.
                    let opened = self.gate.subscribe().wait_for(|open| *open).await.is_ok();
                    assert!(opened);
                }
                _ => {}
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
