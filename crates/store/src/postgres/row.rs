//! What a row of the table of records holds.

use tokio_postgres::Row;
use zeroize::Zeroizing;

use super::cause::Cause;
use crate::{Error, Generation};

/// A row of the table of records.
pub(super) struct Stored {
    pub(super) key: Vec<u8>,
    pub(super) generation: Generation,
    pub(super) write: Vec<u8>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Stored {
    pub(super) fn read(row: &Row) -> Result<Self, Cause> {
        Ok(Self {
            key: row.try_get(0)?,
            generation: generation_in(row, 1)?,
            write: row.try_get(2)?,
            body: Zeroizing::new(row.try_get(3)?),
        })
    }
}

pub(super) fn generation_in(row: &Row, column: usize) -> Result<Generation, Cause> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number)
        .map(Generation::new)
        .map_err(|_| Cause::Row("a generation is negative"))
}

/// A generation as the tables hold it; one that they cannot hold is never stored.
pub(super) fn number_of(generation: Generation) -> Option<i64> {
    i64::try_from(generation.number()).ok()
}

/// Where a new record starts: anywhere in 2^52, so that it does not come upon a generation that a removed one had.
pub(super) fn first_generation() -> Result<Generation, Error> {
    let mut random = [0; 8];
    crate::seal::fill_random(&mut random)?;
    Ok(Generation::new((u64::from_le_bytes(random) >> 12).max(1)))
}
