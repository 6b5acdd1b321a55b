//! A host with a store of its own: a [`Backend`] over a table of keys and values that the host has anyway.
//!
//! `cargo run -p doorkey-store --example own_backend` saves a grant in it. The laws that every backend keeps are run over this one
//! in `tests/it`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error, Generation, Grant, GrantKey, HeldLock, Listing, LockGuard,
    Problem, ProblemKind, Problems, RawRecord, RecordId, RecordKind, Store, StoreDescription,
};
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

/// Stands for the host's table: one row for a name, changed only where its version is the expected one.
#[derive(Debug, Default)]
pub struct Table(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<String, RawRecord>,
    /// Counts all writes, so that no version ever comes again.
    writes: u64,
}

impl Table {
    fn get(&self, name: &str) -> Option<RawRecord> {
        self.rows(|rows| rows.rows.get(name).cloned())
    }

    fn names(&self, start: &str) -> Vec<String> {
        let is_one = |name: &&String| name.starts_with(start);
        self.rows(|rows| rows.rows.keys().filter(is_one).cloned().collect())
    }

    /// Puts `bytes` (`None`: nothing) in the place of the version `expected`. `Err`: the version that is there instead.
    fn swap(
        &self,
        name: &str,
        bytes: Option<Zeroizing<Vec<u8>>>,
        expected: Option<Generation>,
    ) -> Result<Generation, Option<Generation>> {
        self.rows(|rows| {
            let current = rows.rows.get(name).map(|row| row.generation);
            if current != expected {
                return Err(current);
            }
            rows.writes += 1;
            let generation = Generation::new(rows.writes);
            match bytes {
                Some(bytes) => rows
                    .rows
                    .insert(name.to_owned(), RawRecord::new(bytes, generation)),
                None => rows.rows.remove(name),
            };
            Ok(generation)
        })
    }

    fn rows<T>(&self, act: impl FnOnce(&mut Rows) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Records in the host's table.
#[derive(Debug, Default)]
pub struct TableBackend {
    table: Arc<Table>,
    /// A table that several processes share needs a lock that they share: a row with a lease, or one of its own.
    locks: Mutex<HashMap<RecordId, Arc<tokio::sync::Mutex<()>>>>,
    problems: Problems,
}

impl TableBackend {
    /// Over that table.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            ..Self::default()
        }
    }

    fn swap(
        &self,
        id: &RecordId,
        bytes: Option<Zeroizing<Vec<u8>>>,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        let swapped = self.table.swap(&name(id), bytes, expected);
        swapped.map_err(|current| Error::Conflict {
            id: id.clone(),
            expected,
            current,
        })
    }
}

/// The name of a record's row.
fn name(id: &RecordId) -> String {
    format!("{}/{}", id.kind(), id.key())
}

/// The start of the names of what was set aside of a record.
fn aside(id: &RecordId) -> String {
    format!("aside/{}/", name(id))
}

impl Backend for TableBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        Box::pin(async move { Ok(self.table.get(&name(id))) })
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(async move { self.swap(id, Some(bytes), expected) })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.swap(id, None, Some(expected)).map(drop) })
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(async move {
            let start = format!("{kind}/");
            let names = self.table.names(&start);
            let keys = names.iter().filter_map(|name| name.strip_prefix(&start));
            let entries = keys
                .filter_map(|key| RecordId::from_key(kind, key))
                .collect();
            let leftover = |name: String| Problem::new(name, None, ProblemKind::Leftover);
            let left = self.table.names(&format!("aside/{kind}/"));
            Ok(Listing::new(
                entries,
                left.into_iter().map(leftover).collect(),
            ))
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
                Ok(guard) => Ok(LockGuard::new(Held(guard))),
                Err(_) => Err(Error::LockTimeout {
                    id: id.clone(),
                    location: name(id),
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
            let bytes = self.table.get(&name(id)).map(|row| row.bytes);
            self.swap(id, None, Some(expected))?;
            let kept_as = format!("{}{expected}", aside(id));
            // A copy that cannot be kept is no reason to fail: the record was of no use.
            let _kept = self.table.swap(&kept_as, bytes, None);
            let kind = ProblemKind::SetAside { kept_as, defect };
            self.problems
                .report(Problem::new(name(id), Some(id.clone()), kind));
            Ok(())
        })
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(async move {
            let copies = self.table.names(&aside(id));
            for copy in &copies {
                let there = self.table.get(copy).map(|row| row.generation);
                let _removed = self.table.swap(copy, None, there);
            }
            Ok(copies.len())
        })
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.all()
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription::new("table", "the host's table", false)
    }
}

/// Released by being dropped.
#[derive(Debug)]
struct Held(#[expect(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

impl HeldLock for Held {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example is a program")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Arc::new(Table::default());
    let store = Store::new(TableBackend::new(Arc::clone(&table)));
    let key = GrantKey::new("https://mcp.example.com/mcp", "default");
    let grant = Grant::new(
        "https://login.example.com",
        "client",
        "https://login.example.com/token",
    );
    store.save_grant(&key, &grant, None).await?;
    println!(
        "{} in {}",
        table.names("grant/").len(),
        store.describe().location
    );
    Ok(())
}
