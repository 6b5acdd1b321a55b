//! The operations on records in rows.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;
use zeroize::Zeroizing;

use super::cause::Cause;
use super::database::{Attempts, Database, Param};
use super::name::Name;
use super::options::PostgresOptions;
use super::row::{Stored, first_generation, generation_in, number_of};
use super::seal::{self, RowSeal};
use super::turns::Turns;
use super::{lease, schema};
use crate::problem::Problems;
use crate::{Defect, Error, Generation, Problem, ProblemKind, RawRecord, RecordId, RecordKind};

/// The records of one store.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) database: Arc<Database>,
    pub(super) seal: Option<RowSeal>,
    pub(super) problems: Problems,
    /// Who of this process may ask the server for a lock next.
    pub(super) turns: Turns,
    pub(super) lease: Duration,
}

/// What one attempt of a save writes.
struct NewRow<'a> {
    bytes: &'a [u8],
    generation: Generation,
    write: &'a [u8; lease::ID_BYTES],
}

impl Records {
    pub(super) async fn open(options: &PostgresOptions) -> Result<Self, Error> {
        let database = Database::new(options).map_err(|cause| cause.during("be opened"))?;
        schema::ensure(&database, options.migrates).await?;
        let seal = options.sealing.clone().map(RowSeal::new);
        seal::agree(&database, seal.as_ref()).await?;
        Ok(Self {
            database: Arc::new(database),
            seal,
            problems: Problems::default(),
            turns: Turns::default(),
            lease: options.lease,
        })
    }

    pub(super) async fn load(&self, id: &RecordId) -> Result<Option<RawRecord>, Error> {
        let mut attempts = self.database.attempts("load");
        for _ in 0..BROKEN_ATTEMPTS {
            let Some(stored) = self.stored(id, &mut attempts).await? else {
                return Ok(None);
            };
            let generation = stored.generation;
            match self.opened(id, stored) {
                Ok(bytes) => return Ok(Some(RawRecord::new(bytes, generation))),
                Err(defect) if defect.is_newer() => {
                    self.report(id, ProblemKind::LeftAlone { defect });
                    return Ok(None);
                }
                Err(defect) => {
                    seal::still_agrees(&self.database, self.seal.as_ref(), &mut attempts).await?;
                    match self.set_aside(id, generation, defect).await {
                        // Somebody saved meanwhile: what they wrote may be sound.
                        Err(error) if error.is_conflict() => {}
                        result => return result.map(|()| None),
                    }
                }
            }
        }
        Err(Error::InTheWay { id: id.clone() })
    }

    pub(super) async fn generation(&self, id: &RecordId) -> Result<Option<Generation>, Error> {
        let name = Name::of(id);
        let (kind, name) = (id.kind().as_str(), name.as_bytes());
        let params: [Param<'_>; 2] = [(&kind, Type::TEXT), (&name, Type::BYTEA)];
        let sql = &self.database.sql.generation;
        let rows = self.database.repeat("load", sql, &params).await?;
        rows.first()
            .map(|row| generation_in(row, 0))
            .transpose()
            .map_err(|cause| cause.during("load"))
    }

    pub(super) async fn save(
        &self,
        id: &RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> Result<Generation, Error> {
        if bytes.len() > SIZE_LIMIT {
            return Err(Error::TooLarge {
                id: id.clone(),
                size: bytes.len(),
                limit: SIZE_LIMIT,
            });
        }
        let mut attempts = self.database.attempts("save");
        // The writes of whose outcome nobody told: each row tells which write made it.
        let mut unknown = Vec::new();
        loop {
            let generation = match expected {
                Some(expected) => expected.next(),
                // Anew for each attempt: one that was made and removed by somebody meanwhile must not come again.
                None => first_generation()?,
            };
            let write = random_id()?;
            let row = NewRow {
                bytes: &bytes,
                generation,
                write: &write,
            };
            match self.write(id, expected, &row, attempts.left()).await? {
                Ok(true) => return Ok(generation),
                Ok(false) => match self.stored(id, &mut attempts).await? {
                    Some(stored)
                        if unknown
                            .iter()
                            .any(|id: &[u8; lease::ID_BYTES]| stored.write == *id) =>
                    {
                        return Ok(stored.generation);
                    }
                    stored => self.refuse(id, expected, stored, &mut attempts).await?,
                },
                Err(cause) => {
                    unknown.push(write);
                    attempts.after(cause).await?;
                }
            }
        }
    }

    pub(super) async fn remove(&self, id: &RecordId, expected: Generation) -> Result<(), Error> {
        let mut attempts = self.database.attempts("remove");
        let mut is_repeated = false;
        loop {
            match self.delete(id, expected, attempts.left()).await {
                Ok(true) => return Ok(()),
                Ok(false) => match self.stored(id, &mut attempts).await? {
                    // Gone, by us if the answer was lost; a generation does not come again, so that it was the right one.
                    None if is_repeated => return Ok(()),
                    stored => {
                        self.refuse(id, Some(expected), stored, &mut attempts)
                            .await?;
                    }
                },
                Err(cause) => {
                    is_repeated = true;
                    attempts.after(cause).await?;
                }
            }
        }
    }

    pub(super) async fn set_aside(
        &self,
        id: &RecordId,
        expected: Generation,
        defect: Defect,
    ) -> Result<(), Error> {
        let name = Name::of(id);
        let why = defect.to_string();
        let mut attempts = self.database.attempts("set aside");
        let mut is_repeated = false;
        loop {
            let outcome = match number_of(expected) {
                None => Ok(Vec::new()),
                Some(number) => {
                    let (kind, name) = (id.kind().as_str(), name.as_bytes());
                    let params: [Param<'_>; 4] = [
                        (&kind, Type::TEXT),
                        (&name, Type::BYTEA),
                        (&number, Type::INT8),
                        (&why, Type::TEXT),
                    ];
                    self.database
                        .query_within(attempts.left(), &self.database.sql.set_aside, &params)
                        .await
                }
            };
            match outcome {
                Ok(rows) if !rows.is_empty() => break,
                Ok(_) => match self.stored(id, &mut attempts).await? {
                    None if is_repeated => break,
                    stored => {
                        self.refuse(id, Some(expected), stored, &mut attempts)
                            .await?;
                    }
                },
                Err(cause) => {
                    is_repeated = true;
                    attempts.after(cause).await?;
                }
            }
        }
        let kept_as = self.location("set_aside", id.kind(), name.as_bytes());
        self.report(id, ProblemKind::SetAside { kept_as, defect });
        Ok(())
    }

    pub(super) async fn discard_set_aside(&self, id: &RecordId) -> Result<usize, Error> {
        let name = Name::of(id);
        let (kind, name) = (id.kind().as_str(), name.as_bytes());
        let params: [Param<'_>; 2] = [(&kind, Type::TEXT), (&name, Type::BYTEA)];
        let sql = &self.database.sql.discard;
        Ok(self.database.repeat("discard", sql, &params).await?.len())
    }

    /// Where a row is, for people.
    pub(super) fn location(&self, table: &str, kind: RecordKind, name: &[u8]) -> String {
        let name: String = name.iter().take(6).map(|b| format!("{b:02x}")).collect();
        let database = self.database.location();
        format!("{database}, table {table}, {kind} {name}")
    }

    /// One attempt to write a row: whether it was written, or why nobody knows.
    async fn write(
        &self,
        id: &RecordId,
        expected: Option<Generation>,
        row: &NewRow<'_>,
        limit: Duration,
    ) -> Result<Result<bool, Cause>, Error> {
        let (key, body) = match &self.seal {
            None => (id.key().into_bytes(), Zeroizing::new(row.bytes.to_vec())),
            Some(seal) => (
                seal.seal_key(id)?,
                Zeroizing::new(seal.seal_body(id, row.generation, row.bytes)?),
            ),
        };
        let Some(number) = number_of(row.generation) else {
            return Ok(Ok(false));
        };
        let name = Name::of(id);
        let (kind, name, body, write) = (
            id.kind().as_str(),
            name.as_bytes(),
            body.as_slice(),
            row.write.as_slice(),
        );
        let mut params: Vec<Param<'_>> = vec![
            (&kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&key, Type::BYTEA),
            (&number, Type::INT8),
            (&write, Type::BYTEA),
            (&body, Type::BYTEA),
        ];
        let before = match expected.map(number_of) {
            None => None,
            Some(None) => return Ok(Ok(false)),
            Some(before) => before,
        };
        let sql = match &before {
            None => &self.database.sql.insert,
            Some(before) => {
                params.push((before, Type::INT8));
                &self.database.sql.update
            }
        };
        let rows = self.database.query_within(limit, sql, &params).await;
        Ok(rows.map(|rows| !rows.is_empty()))
    }

    async fn delete(
        &self,
        id: &RecordId,
        expected: Generation,
        limit: Duration,
    ) -> Result<bool, Cause> {
        let Some(number) = number_of(expected) else {
            return Ok(false);
        };
        let name = Name::of(id);
        let (kind, name) = (id.kind().as_str(), name.as_bytes());
        let params: [Param<'_>; 3] = [
            (&kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&number, Type::INT8),
        ];
        let sql = &self.database.sql.remove;
        let rows = self.database.query_within(limit, sql, &params).await?;
        Ok(!rows.is_empty())
    }

    async fn stored(
        &self,
        id: &RecordId,
        attempts: &mut Attempts,
    ) -> Result<Option<Stored>, Error> {
        let name = Name::of(id);
        let (kind, name) = (id.kind().as_str(), name.as_bytes());
        let params: [Param<'_>; 2] = [(&kind, Type::TEXT), (&name, Type::BYTEA)];
        loop {
            let sql = &self.database.sql.load;
            let rows = self
                .database
                .query_within(attempts.left(), sql, &params)
                .await;
            let stored = rows.and_then(|rows| rows.first().map(Stored::read).transpose());
            match stored {
                Ok(stored) => return Ok(stored),
                Err(cause) => attempts.after(cause).await?,
            }
        }
    }

    /// Why nothing was written over what is stored. It is no conflict if somebody meanwhile made what was expected: then the next
    /// attempt writes.
    async fn refuse(
        &self,
        id: &RecordId,
        expected: Option<Generation>,
        stored: Option<Stored>,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        let current = stored.as_ref().map(|stored| stored.generation);
        if current == expected {
            return attempts.after(Cause::TimedOut).await;
        }
        // One that is broken is in nobody's way: the next load sets it aside.
        if let Some(Err(defect)) = stored.map(|stored| self.opened(id, stored))
            && let Some(error) = defect.refusal(id)
        {
            return Err(error);
        }
        Err(Error::Conflict {
            id: id.clone(),
            expected,
            current,
        })
    }

    /// The bytes of a record in its row, or what is wrong with it.
    fn opened(&self, id: &RecordId, stored: Stored) -> Result<Zeroizing<Vec<u8>>, Defect> {
        match &self.seal {
            Some(seal) => seal.open_body(id, stored.generation, &stored.body),
            None if stored.key != id.key().as_bytes() => Err(Defect::Misplaced),
            None => Ok(stored.body),
        }
    }

    fn report(&self, id: &RecordId, kind: ProblemKind) {
        let name = Name::of(id);
        let location = self.location("records", id.kind(), name.as_bytes());
        self.problems
            .report(Problem::new(location, Some(id.clone()), kind));
    }
}

/// A number that nobody else draws.
pub(super) fn random_id() -> Result<[u8; lease::ID_BYTES], Error> {
    let mut id = [0; lease::ID_BYTES];
    crate::seal::fill_random(&mut id)?;
    Ok(id)
}

/// Bytes of a record, at most.
const SIZE_LIMIT: usize = 1024 * 1024;
/// How often a load looks again at a record that somebody else keeps changing into another broken one.
const BROKEN_ATTEMPTS: usize = 8;
