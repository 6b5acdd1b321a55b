//! One JSON object, written and read field by field, leaving no copy of a secret behind where that can be helped.

use std::borrow::Cow;
use std::fmt;
use std::io;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer as _};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::ser::{CompactFormatter, Compound};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Encoded;
use crate::Defect;

/// Writes an object of the fields that `fields` names. It is called twice: once to measure, once to write into a buffer of
/// exactly that size, since a buffer that grows leaves copies of what it held behind.
pub(crate) fn write_object(
    fields: impl Fn(&mut ObjectWriter<'_, '_>) -> Result<(), serde_json::Error>,
) -> Encoded {
    let mut size = Size(0);
    write_once(&mut size, &fields)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.0));
    write_once(&mut *bytes, &fields)?;
    Ok(bytes)
}

fn write_once(
    out: &mut dyn io::Write,
    fields: impl Fn(&mut ObjectWriter<'_, '_>) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::new(out);
    let map = serializer.serialize_map(None)?;
    let mut object = ObjectWriter {
        map,
        known: Vec::new(),
    };
    fields(&mut object)?;
    object.map.end()
}

/// Writes the fields of one object.
pub(crate) struct ObjectWriter<'a, 'w> {
    map: Compound<'a, &'w mut dyn io::Write, CompactFormatter>,
    known: Vec<&'static str>,
}

impl ObjectWriter<'_, '_> {
    pub(crate) fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        self.optional(name, Some(value))
    }

    pub(crate) fn optional<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: Option<&T>,
    ) -> Result<(), serde_json::Error> {
        self.known.push(name);
        value.map_or(Ok(()), |value| self.map.serialize_entry(name, value))
    }

    pub(crate) fn secret(
        &mut self,
        name: &'static str,
        secret: Option<&SecretString>,
    ) -> Result<(), serde_json::Error> {
        self.optional(name, secret.map(ExposeSecret::expose_secret))
    }

    /// Writes the fields that the reader did not know, except where one has the name of a known field.
    pub(crate) fn unknown(&mut self, fields: &Map<String, Value>) -> Result<(), serde_json::Error> {
        for (name, value) in fields {
            if !self.known.contains(&name.as_str()) {
                self.map.serialize_entry(name, value)?;
            }
        }
        Ok(())
    }
}

/// Reads the fields of one object. What nobody asked for is left for [`unknown`](Self::unknown).
pub(crate) struct ObjectReader<'a> {
    /// A few dozen: looking through all is faster than a map.
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> ObjectReader<'a> {
    /// The fields of the object in `bytes`, whose `version` must be `known`.
    pub(crate) fn versioned(bytes: &'a [u8], known: u64) -> Result<Self, Defect> {
        let Fields(fields) = serde_json::from_slice(bytes).map_err(|error| defect_of(&error))?;
        let mut object = Self { fields };
        match object.required::<u64>("version")? {
            found if found == known => Ok(object),
            found if found > known => Err(Defect::NewerVersion { found, known }),
            found => Err(Defect::UnknownVersion { found }),
        }
    }

    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<T, Defect> {
        self.optional(name)?.ok_or(Defect::Missing(name))
    }

    /// The value of a field; `null` is the same as no field.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, Defect> {
        // The error of serde_json may quote the value, which may be a secret.
        self.raw(name)
            .map(|raw| serde_json::from_str(raw.get()).map_err(|_| Defect::WrongType(name)))
            .transpose()
    }

    pub(crate) fn secret(&mut self, name: &'static str) -> Result<Option<SecretString>, Defect> {
        Ok(self.optional::<String>(name)?.map(SecretString::from))
    }

    pub(crate) fn named<T>(
        &mut self,
        name: &'static str,
        from_name: fn(&str) -> Option<T>,
    ) -> Result<T, Defect> {
        from_name(&self.required::<String>(name)?).ok_or(Defect::UnknownValue(name))
    }

    /// The text of a field as it stands in the file.
    pub(crate) fn raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        // Of two of one name the last one counts.
        let mut found = None;
        self.fields.retain(|(of, raw)| {
            let is_it = of == name;
            if is_it {
                found = Some(*raw);
            }
            !is_it
        });
        found.filter(|raw| raw.get() != "null")
    }

    /// All fields that nobody asked for.
    pub(crate) fn unknown(self) -> Result<Map<String, Value>, Defect> {
        self.fields
            .into_iter()
            .map(|(name, raw)| Ok((name.into_owned(), serde_json::from_str(raw.get())?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| defect_of(&error))
    }
}

/// The fields of an object, in their order.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(USUAL_FIELDS);
        while let Some((FieldName(name), raw)) = map.next_entry()? {
            fields.push((name, raw));
        }
        Ok(Fields(fields))
    }
}

/// Lent from the text unless it has escapes in it.
#[derive(Deserialize)]
struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);

const USUAL_FIELDS: usize = 32;

fn defect_of(error: &serde_json::Error) -> Defect {
    match error.classify() {
        Category::Data => Defect::NotAnObject,
        _ => Defect::NotJson {
            line: error.line(),
            column: error.column(),
        },
    }
}

/// Counts what is written to it.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
