//! Records in memory: for tests, and for hosts that are not to keep anything.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

use crate::problem::Problems;
use crate::{
    Backend, BoxFuture, Defect, Error, Generation, HeldLock, Listing, LockGuard, Problem,
    ProblemKind, RawRecord, RecordId, RecordKind, StoreDescription,
};

/// Keeps records in this process, with the semantics of every other backend. Dropping it wipes them.
///
/// Waiting for a lock needs a tokio runtime with time enabled.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    records: Mutex<Records>,
    locks: Mutex<HashMap<RecordId, Arc<tokio::sync::Mutex<()>>>>,
    problems: Problems,
}

#[derive(Debug, Default)]
struct Records {
    current: BTreeMap<RecordId, RawRecord>,
    set_aside: Vec<(RecordId, RawRecord)>,
    /// Counts the saves of all records, so that no generation comes twice.
    last: u64,
}

impl MemoryBackend {
    /// A new, empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    /// Fails unless the stored generation is the expected one.
    fn check(&self, id: &RecordId, expected: Option<Generation>) -> Result<(), Error> {
        let current = self.current.get(id).map(|record| record.generation);
        if current == expected {
            return Ok(());
        }
        Err(Error::Conflict {
            id: id.clone(),
            expected,
            current,
        })
    }
}

impl Backend for MemoryBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        Box::pin(async move { Ok(self.records().current.get(id).cloned()) })
    }

    fn generation<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Generation>, Error>> {
        Box::pin(async move {
            let records = self.records();
            Ok(records.current.get(id).map(|record| record.generation))
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(async move {
            let mut records = self.records();
            records.check(id, expected)?;
            records.last += 1;
            let generation = Generation::new(records.last);
            records
                .current
                .insert(id.clone(), RawRecord::new(bytes, generation));
            Ok(generation)
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut records = self.records();
            records.check(id, Some(expected))?;
            records.current.remove(id);
            Ok(())
        })
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(async move {
            let records = self.records();
            let of_kind = |id: &&RecordId| id.kind() == kind;
            let entries = records.current.keys().filter(of_kind).cloned().collect();
            let leftovers = records.set_aside.iter().map(|(id, _)| id).filter(of_kind);
            let problems = leftovers
                .map(|id| Problem::new("memory", Some(id.clone()), ProblemKind::Leftover))
                .collect();
            Ok(Listing::new(entries, problems))
        })
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        Box::pin(async move {
            let lock = {
                let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(locks.entry(id.clone()).or_default())
            };
            match tokio::time::timeout(limit, lock.lock_owned()).await {
                Ok(guard) => Ok(LockGuard::new(MemoryLock(guard))),
                Err(_) => Err(Error::LockTimeout {
                    id: id.clone(),
                    location: "memory".to_owned(),
                    limit,
                }),
            }
        })
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut records = self.records();
            records.check(id, Some(expected))?;
            if let Some(record) = records.current.remove(id) {
                records.set_aside.push((id.clone(), record));
            }
            drop(records);
            let kind = ProblemKind::SetAside {
                kept_as: "memory".to_owned(),
                defect,
            };
            self.problems
                .report(Problem::new("memory", Some(id.clone()), kind));
            Ok(())
        })
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(async move {
            let mut records = self.records();
            let before = records.set_aside.len();
            records.set_aside.retain(|(kept, _)| kept != id);
            Ok(before - records.set_aside.len())
        })
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.all()
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription::new("memory", "memory", false)
    }
}

#[derive(Debug)]
struct MemoryLock(#[expect(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

impl HeldLock for MemoryLock {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}
