//! Records in a PostgreSQL database, for hosts that run on several machines.
//!
//! Each operation is one statement in one round trip, unnamed and outside any transaction block, so that a pooler in transaction
//! mode and engines that speak PostgreSQL's protocol can serve it: nothing lives in a session. `docs/postgres.md` is the page for who
//! operates the database.

mod cause;
mod database;
mod lease;
mod listing;
mod name;
mod options;
mod records;
mod row;
mod schema;
mod seal;
mod term;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use self::options::PostgresOptions;
use self::records::Records;
use crate::{
    Backend, BoxFuture, Defect, Error, Generation, Listing, LockGuard, Problem, RawRecord,
    RecordId, RecordKind, StoreDescription,
};

/// Keeps records in the tables of one schema of a PostgreSQL database, 13 or newer, which any number of hosts share.
///
/// A cheap handle: clones share the connections. Its futures must be polled on a tokio runtime with time and I/O enabled.
///
/// - Saves and removes are compare-and-swap on a row. A save whose answer was lost with the connection is looked up by the random
///   id that it wrote, and repeated if it did not happen.
/// - A lock is a lease: a row with a random owner and an end by the *server's* clock, renewed at a third of its length for as long
///   as the guard lives. A holder that died is replaced when its lease ends. A holder that was stopped for longer, or whose
///   machine was suspended, finds [`LockGuard::is_held`] false, and its saves fail by compare-and-swap. `docs/postgres.md` says what remains.
/// - What the server answers for the moment (a restart, a failover, a serialization failure, too many connections) is tried again
///   within the limit of the options, and is [transient](Error::is_transient) after that.
#[derive(Clone, Debug)]
pub struct PostgresBackend {
    records: Arc<Records>,
}

impl PostgresBackend {
    /// Connects, brings the schema to the version that this crate knows (unless the options forbid it), and makes sure that the
    /// key for sealing is the one of the store. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::Backend`], its source saying what is wrong: the options, a server that cannot be reached (transient), rights that are
    /// missing, a schema that is missing or newer than this version knows, a key that is missing or another one.
    pub async fn connect(options: PostgresOptions) -> Result<Self, Error> {
        let records = Records::open(&options).await?;
        Ok(Self {
            records: Arc::new(records),
        })
    }

    /// The statements that make a schema of that name, or bring an older one to the newest version: what
    /// [`connect`](Self::connect) runs, for those who apply it by hand. Running them again changes nothing.
    ///
    /// # Errors
    /// [`Error::Backend`] if it cannot be the name of a schema: up to 63 of `a`–`z`, `0`–`9` and `_`, and no digit first.
    pub fn migrations(schema: &str) -> Result<String, Error> {
        schema::script(schema).map_err(|cause| cause.during("migrate"))
    }
}

impl Backend for PostgresBackend {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        Box::pin(self.records.load(id))
    }

    fn generation<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Generation>, Error>> {
        Box::pin(self.records.generation(id))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(self.records.save(id, bytes, expected))
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.records.remove(id, expected))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(self.records.list(kind))
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        Box::pin(lease::lock(&self.records, id, limit))
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.records.set_aside(id, expected, defect))
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(self.records.discard_set_aside(id))
    }

    fn problems(&self) -> Vec<Problem> {
        self.records.problems.all()
    }

    fn describe(&self) -> StoreDescription {
        let location = self.records.database.location();
        StoreDescription::new(STORE, location, self.records.seal.is_some())
    }
}

/// The name of this kind of store.
const STORE: &str = "postgres";
