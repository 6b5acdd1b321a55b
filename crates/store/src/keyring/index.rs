//! Which records there are: keyrings of some systems cannot be searched, so an item says it.
//!
//! The item is changed before a record is made and after one is removed: a killed process leaves at most a name without a
//! record, which counts for nothing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::KeyringError;
use super::shelf::{Found, Shelf};
use crate::codec::{ObjectReader, write_object};
use crate::{Defect, RecordId, RecordKind};

/// The records of one kind.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    /// The strings of the record's key.
    pub(super) key: Vec<String>,
    /// Whether there is a record.
    pub(super) stored: bool,
    /// How many copies of it were set aside, numbered from 1.
    pub(super) set_aside: u32,
}

/// The index as it stands, and what is wrong with it.
pub(super) struct Read {
    pub(super) index: Index,
    pub(super) defect: Option<Defect>,
    found: Option<Found>,
}

impl Index {
    pub(super) fn read(shelf: &Shelf<'_>, kind: RecordKind) -> Result<Read, KeyringError> {
        let found = shelf.read(&item(kind))?;
        let parsed = match &found {
            None => Ok(Self::default()),
            Some(found) => match &found.content {
                Ok(content) => Self::parse(content),
                Err(defect) => Err(defect.clone()),
            },
        };
        let (index, defect) = match parsed {
            Ok(index) => (index, None),
            Err(defect) => (Self::default(), Some(defect)),
        };
        Ok(Read {
            index,
            defect,
            found,
        })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, id: &RecordId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == id.parts())
    }

    fn parse(content: &[u8]) -> Result<Self, Defect> {
        let mut object = ObjectReader::versioned(content, VERSION)?;
        let entries = object.required("entries")?;
        Ok(Self { entries })
    }
}

impl Read {
    /// Changes what the index says of a record, and writes it if that changes anything. The caller keeps others from writing.
    pub(super) fn change(
        mut self,
        shelf: &Shelf<'_>,
        id: &RecordId,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), KeyringError> {
        let entries = &mut self.index.entries;
        let position = entries.iter().position(|entry| entry.key == id.parts());
        let mut entry = match position {
            Some(position) => entries.swap_remove(position),
            None => Entry {
                key: id.parts().to_vec(),
                stored: false,
                set_aside: 0,
            },
        };
        let before = (entry.stored, entry.set_aside);
        change(&mut entry);
        let after = (entry.stored, entry.set_aside);
        if before == after {
            return Ok(());
        }
        if after != (false, 0) {
            entries.push(entry);
        }
        // In order of their keys, so that the order of changes shows nothing.
        entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let values: Vec<Value> = entries
            .iter()
            .map(|entry| {
                json!({"key": entry.key, "stored": entry.stored, "set_aside": entry.set_aside})
            })
            .collect();
        let content = write_object(|object| {
            object.field("version", &VERSION)?;
            object.field("entries", &values)
        })
        .map_err(|error| KeyringError::caused_by(super::KeyringFault::Failed, error))?;
        shelf.write(&item(id.kind()), &content, self.found.as_ref())
    }
}

/// The item that the index of a kind is in; no record's name is like it.
pub(super) fn item(kind: RecordKind) -> String {
    format!("index-{kind}")
}

const VERSION: u64 = 1;
