//! Content of any size in small items, changed wholly or not at all.
//!
//! ```text
//! <name>          the content; or, if that is larger than an item may be, a pointer: {version, chunks, slot, bytes, sha256}
//! <name>/a/0 …    the chunks of slot a, in order
//! <name>/b/0 …    the chunks of slot b
//! ```
//!
//! New chunks go into the slot that the pointer does not name, then the pointer is switched: whenever a writer is killed, the old or
//! the new content is there wholly. The chunks of a slot are numbered without a gap, and are deleted from the highest one down.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{KeyringError, KeyringItems};
use crate::Defect;
use crate::codec::{Encoded, ObjectReader, write_object};

/// The items of one service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf<'a> {
    pub(super) items: &'a dyn KeyringItems,
    pub(super) service: &'a str,
}

/// What stands under a name.
pub(super) struct Found {
    /// The content, or why it cannot be put together.
    pub(super) content: Result<Zeroizing<Vec<u8>>, Defect>,
    /// Which slot the chunks are in, if there are any.
    slot: Option<Slot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    const BOTH: [Self; 2] = [Self::A, Self::B];

    fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|slot| slot.as_str() == name)
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What a head item says of content that is in chunks.
struct Pointer {
    chunks: u32,
    slot: Slot,
    bytes: usize,
    sha256: String,
}

impl Pointer {
    /// `None` if the head is the content itself.
    fn parse(head: &[u8]) -> Option<Result<Self, Defect>> {
        // Whatever is wrong with the content itself is found by who reads it.
        let mut object = ObjectReader::versioned(head, VERSION).ok()?;
        let chunks = match object.optional("chunks") {
            Ok(chunks) => chunks?,
            Err(defect) => return Some(Err(defect)),
        };
        let read = |mut object: ObjectReader<'_>| {
            Ok(Self {
                chunks,
                slot: object.named("slot", Slot::from_name)?,
                bytes: object.required("bytes")?,
                sha256: object.required("sha256")?,
            })
        };
        Some(read(object))
    }

    fn content(&self) -> Encoded {
        write_object(|object| {
            object.field("version", &VERSION)?;
            object.field("chunks", &self.chunks)?;
            object.field("slot", self.slot.as_str())?;
            object.field("bytes", &self.bytes)?;
            object.field("sha256", &self.sha256)
        })
    }
}

impl Shelf<'_> {
    pub(super) fn read(&self, name: &str) -> Result<Option<Found>, KeyringError> {
        for _ in 0..SWITCHED_ATTEMPTS {
            let Some(head) = self.get(name)? else {
                return Ok(None);
            };
            let pointer = match Pointer::parse(&head) {
                None => {
                    let (content, slot) = (Ok(head), None);
                    return Ok(Some(Found { content, slot }));
                }
                Some(Err(defect)) => {
                    let (content, slot) = (Err(defect), None);
                    return Ok(Some(Found { content, slot }));
                }
                Some(Ok(pointer)) => pointer,
            };
            let content = self.gather(name, &pointer)?;
            // A writer may have switched slots and cleared this one meanwhile: that is innocent, so look again.
            if content.is_err() && self.get(name)?.is_none_or(|now| *now != *head) {
                continue;
            }
            let slot = Some(pointer.slot);
            return Ok(Some(Found { content, slot }));
        }
        let (content, slot) = (Err(Defect::Torn), None);
        Ok(Some(Found { content, slot }))
    }

    /// Puts content in the place of what was `found`. Others must be kept from writing meanwhile, not from reading.
    pub(super) fn write(
        &self,
        name: &str,
        content: &[u8],
        found: Option<&Found>,
    ) -> Result<(), KeyringError> {
        let limit = self.items.item_limit().max(LEAST_LIMIT);
        let old = found.and_then(|found| found.slot);
        if content.len() <= limit {
            self.items.set(self.service, name, content)?;
            return old.map_or(Ok(()), |slot| self.clear(name, slot, 0));
        }
        let slot = old.map_or(Slot::A, Slot::other);
        let mut chunks = 0;
        for chunk in content.chunks(limit) {
            self.items
                .set(self.service, &chunk_name(name, slot, chunks), chunk)?;
            chunks += 1;
        }
        let pointer = Pointer {
            chunks,
            slot,
            bytes: content.len(),
            sha256: sha256(content),
        };
        let head = pointer
            .content()
            .map_err(|error| KeyringError::caused_by(super::KeyringFault::Failed, error))?;
        self.items.set(self.service, name, &head)?;
        // What an earlier writer left here that was killed, then the old content.
        self.clear(name, slot, chunks)?;
        old.map_or(Ok(()), |old| self.clear(name, old, 0))
    }

    /// Deletes the content and all that was ever left of it; returns whether there was any.
    pub(super) fn delete(&self, name: &str) -> Result<bool, KeyringError> {
        let deleted = self.items.delete(self.service, name)?;
        for slot in Slot::BOTH {
            self.clear(name, slot, 0)?;
        }
        Ok(deleted)
    }

    /// Deletes what killed writers left in the slot that does not count.
    pub(super) fn tidy(&self, name: &str, found: Option<&Found>) -> Result<(), KeyringError> {
        let used = found.and_then(|found| found.slot);
        for slot in Slot::BOTH.into_iter().filter(|slot| Some(*slot) != used) {
            self.clear(name, slot, 0)?;
        }
        Ok(())
    }

    /// Copies the items of a name as they are, sound or not.
    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), KeyringError> {
        for slot in Slot::BOTH {
            for number in 0..CHUNK_LIMIT {
                let Some(chunk) = self.get(&chunk_name(from, slot, number))? else {
                    break;
                };
                self.items
                    .set(self.service, &chunk_name(to, slot, number), &chunk)?;
            }
        }
        match self.get(from)? {
            Some(head) => self.items.set(self.service, to, &head),
            None => Ok(()),
        }
    }

    /// Whether there is nothing of that name, not even a part.
    pub(super) fn is_free(&self, name: &str) -> Result<bool, KeyringError> {
        for slot in Slot::BOTH {
            if self.get(&chunk_name(name, slot, 0))?.is_some() {
                return Ok(false);
            }
        }
        Ok(self.get(name)?.is_none())
    }

    fn gather(
        &self,
        name: &str,
        pointer: &Pointer,
    ) -> Result<Result<Zeroizing<Vec<u8>>, Defect>, KeyringError> {
        if pointer.chunks > CHUNK_LIMIT || pointer.bytes > BYTES_LIMIT {
            let limit = BYTES_LIMIT as u64;
            return Ok(Err(Defect::TooLarge { limit }));
        }
        let mut content = Zeroizing::new(Vec::with_capacity(pointer.bytes));
        for number in 0..pointer.chunks {
            match self.get(&chunk_name(name, pointer.slot, number))? {
                // A buffer that grows leaves copies behind.
                Some(chunk) if content.len() + chunk.len() <= pointer.bytes => {
                    content.extend_from_slice(&chunk);
                }
                _ => return Ok(Err(Defect::Torn)),
            }
        }
        if content.len() != pointer.bytes || sha256(&content) != pointer.sha256 {
            return Ok(Err(Defect::Torn));
        }
        Ok(Ok(content))
    }

    fn clear(&self, name: &str, slot: Slot, keep: u32) -> Result<(), KeyringError> {
        let mut end = keep;
        while end < CHUNK_LIMIT && self.get(&chunk_name(name, slot, end))?.is_some() {
            end += 1;
        }
        for number in (keep..end).rev() {
            self.items
                .delete(self.service, &chunk_name(name, slot, number))?;
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.items.get(self.service, name)
    }
}

fn chunk_name(name: &str, slot: Slot, number: u32) -> String {
    format!("{name}/{}/{number}", slot.as_str())
}

fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const VERSION: u64 = 1;
/// A pointer must fit into an item.
const LEAST_LIMIT: usize = 512;
const CHUNK_LIMIT: u32 = 64 * 1024;
/// Bytes of content, at most: an index of very many records is the largest.
const BYTES_LIMIT: usize = 64 * 1024 * 1024;
/// How often content is read again that a writer changed in that moment.
const SWITCHED_ATTEMPTS: usize = 64;
