//! What a file holds: a JSON object around the bytes of a record, which says whose they are and which generation.

use serde::ser::Error as _;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::codec::{Encoded, ObjectReader, write_object};
use crate::{Defect, Generation, RawRecord, RecordId, RecordKind};

/// The content of one file.
pub(crate) struct Envelope {
    pub(crate) id: RecordId,
    pub(crate) record: RawRecord,
    /// Fields that a later version added. They are kept.
    pub(crate) unknown: Map<String, Value>,
}

impl Envelope {
    pub(crate) fn parse(content: &[u8]) -> Result<Self, Defect> {
        let mut object = ObjectReader::versioned(content, VERSION)?;
        let kind = object.named("kind", RecordKind::from_name)?;
        let key: Vec<String> = object.required("key")?;
        let generation = Generation::new(object.required("generation")?);
        let value = object.raw("value").ok_or(Defect::Missing("value"))?;
        let bytes = Zeroizing::new(value.get().as_bytes().to_vec());
        Ok(Self {
            id: RecordId::new(kind, key),
            record: RawRecord::new(bytes, generation),
            unknown: object.unknown()?,
        })
    }

    /// The content of the file for a record whose bytes are `value`.
    pub(crate) fn content(
        id: &RecordId,
        generation: Generation,
        value: &[u8],
        unknown: &Map<String, Value>,
    ) -> Encoded {
        let value: &RawValue = serde_json::from_slice(value).map_err(|error| {
            // The error itself could quote the value.
            let category = error.classify();
            serde_json::Error::custom(format_args!("the record is not JSON ({category:?})"))
        })?;
        write_object(|object| {
            object.field("version", &VERSION)?;
            object.field("kind", id.kind().as_str())?;
            object.field("key", id.parts())?;
            object.field("generation", &generation.number())?;
            object.field("value", value)?;
            object.unknown(unknown)
        })
    }
}

/// The version of the envelope; the record within has one of its own.
const VERSION: u64 = 1;
