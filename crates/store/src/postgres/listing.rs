//! Which records there are.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use zeroize::Zeroizing;

use super::cause::Cause;
use super::database::Param;
use super::name::Name;
use super::records::Records;
use super::row::generation_in;
use crate::{Defect, Error, Listing, Problem, ProblemKind, RecordId, RecordKind};

impl Records {
    pub(super) async fn list(&self, kind: RecordKind) -> Result<Listing<RecordId>, Error> {
        let kind_name = kind.as_str();
        let params: [Param<'_>; 1] = [(&kind_name, Type::TEXT)];
        let sql = &self.database.sql;
        let rows = self.database.repeat("list", &sql.list, &params).await?;
        let aside = self
            .database
            .repeat("list", &sql.list_set_aside, &params)
            .await?;
        let mut listing = Listing::default();
        for row in &rows {
            let (name, found) = self
                .id_in(kind, row)
                .map_err(|cause| cause.during("list"))?;
            match found {
                Ok(id) => listing.entries.push(id),
                Err(defect) => {
                    let location = self.location("records", kind, &name);
                    let problem = ProblemKind::Unusable { defect };
                    listing.problems.push(Problem::new(location, None, problem));
                }
            }
        }
        for row in &aside {
            let id = self.id_in(kind, row);
            let (name, found) = id.map_err(|cause| cause.during("list"))?;
            let generation = generation_in(row, 2).map_err(|cause| cause.during("list"))?;
            let location = self.location("set_aside", kind, &name);
            listing.problems.push(Problem::new(
                format!("{location}, generation {generation}"),
                found.ok(),
                ProblemKind::Leftover,
            ));
        }
        Ok(listing)
    }

    /// The name of a row of a listing, and which record it is.
    fn id_in(
        &self,
        kind: RecordKind,
        row: &Row,
    ) -> Result<(Vec<u8>, Result<RecordId, Defect>), Cause> {
        let (name, key): (Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let opened = match &self.seal {
            Some(seal) => seal.open_key(kind, &name, &key),
            None => Ok(Zeroizing::new(key)),
        };
        let found = opened.and_then(|key| {
            let key = std::str::from_utf8(&key).map_err(|_| Defect::Misplaced)?;
            let id = RecordId::from_key(kind, key).ok_or(Defect::Misplaced)?;
            if Name::of(&id).as_bytes() == name {
                Ok(id)
            } else {
                Err(Defect::Misplaced)
            }
        });
        Ok((name, found))
    }
}
