//! Sealing of rows, and that all hosts of a store seal alike.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use zeroize::Zeroizing;

use super::cause::Cause;
use super::database::{Attempts, Database, Param};
use super::name::Name;
use crate::{Defect, Error, Generation, RecordId, RecordKind, SealingKey};

/// Seals what stands in rows, each for its place.
#[derive(Debug)]
pub(super) struct RowSeal {
    key: SealingKey,
}

impl RowSeal {
    pub(super) fn new(key: SealingKey) -> Self {
        Self { key }
    }

    pub(super) fn seal_body(
        &self,
        id: &RecordId,
        generation: Generation,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        at(id, generation, |place| self.key.seal(body, place))
    }

    pub(super) fn open_body(
        &self,
        id: &RecordId,
        generation: Generation,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        at(id, generation, |place| self.key.open(body, place))
    }

    pub(super) fn seal_key(&self, id: &RecordId) -> Result<Vec<u8>, Error> {
        let name = Name::of(id);
        let place = [KEY, id.kind().as_str().as_bytes(), name.as_bytes()];
        self.key.seal(id.key().as_bytes(), &place)
    }

    pub(super) fn open_key(
        &self,
        kind: RecordKind,
        name: &[u8],
        key: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        self.key.open(key, &[KEY, kind.as_str().as_bytes(), name])
    }

    fn check_value(&self) -> Result<Vec<u8>, Error> {
        self.key.seal(b"doorkey", &[CHECK])
    }

    fn check(&self, value: &[u8]) -> Result<(), Cause> {
        match self.key.open(value, &[CHECK]) {
            Ok(_) => Ok(()),
            Err(defect) => Err(Cause::WrongKey(defect)),
        }
    }
}

/// Calls with the place of a record's body: no other record, and no other version of this one, has it.
fn at<T>(id: &RecordId, generation: Generation, then: impl FnOnce(&[&[u8]]) -> T) -> T {
    let (kind, key) = (id.kind().as_str(), id.key());
    let number = generation.number().to_le_bytes();
    then(&[BODY, kind.as_bytes(), key.as_bytes(), &number])
}

/// Settles once for each store whether it is sealed, and with which key: whoever opens it first decides, and all others must agree. So a
/// host with another key finds out before it takes every record for a broken one.
pub(super) async fn agree(database: &Database, seal: Option<&RowSeal>) -> Result<(), Error> {
    let ours = seal.map_or(Ok(IN_THE_CLEAR.to_vec()), RowSeal::check_value)?;
    let mut stored = stored(database).await?;
    if stored.is_none() {
        let params: [Param<'_>; 1] = [(&ours, Type::BYTEA)];
        database
            .repeat(ACTION, &database.sql.claim_seal, &params)
            .await?;
        stored = self::stored(database).await?;
    }
    compare(stored.as_deref(), seal).map_err(|cause| cause.during(ACTION))
}

/// Whether we still seal as the store does, which may have been made anew with another key since it was opened: then what looks broken to
/// us is sound for all others.
pub(super) async fn still_agrees(
    database: &Database,
    seal: Option<&RowSeal>,
    attempts: &mut Attempts,
) -> Result<(), Error> {
    loop {
        let sql = &database.sql.seal;
        let rows = database.query_within(attempts.left(), sql, &[]).await;
        match rows.and_then(|rows| compare(read(&rows)?.as_deref(), seal)) {
            Ok(()) => return Ok(()),
            Err(cause) => attempts.after(cause).await?,
        }
    }
}

fn compare(stored: Option<&[u8]>, seal: Option<&RowSeal>) -> Result<(), Cause> {
    match (stored, seal) {
        (None, _) => Err(Cause::Row("whether records are sealed is not said")),
        (Some(IN_THE_CLEAR), None) => Ok(()),
        (Some(IN_THE_CLEAR), Some(_)) => Err(Cause::NotSealed),
        (Some(_), None) => Err(Cause::KeyMissing),
        (Some(value), Some(seal)) => seal.check(value),
    }
}

async fn stored(database: &Database) -> Result<Option<Vec<u8>>, Error> {
    let rows = database.repeat(ACTION, &database.sql.seal, &[]).await?;
    read(&rows).map_err(|cause| cause.during(ACTION))
}

fn read(rows: &[Row]) -> Result<Option<Vec<u8>>, Cause> {
    match rows.first() {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}

const ACTION: &str = "be opened";
/// What stands in the place of a seal where there is none.
const IN_THE_CLEAR: &[u8] = b"";
const BODY: &[u8] = b"postgres record";
const KEY: &[u8] = b"postgres key";
const CHECK: &[u8] = b"postgres check";
