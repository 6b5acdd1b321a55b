//! How records are named and written in their files: in the clear, or sealed.

#[cfg(feature = "encrypted")]
use std::sync::Arc;

use zeroize::Zeroizing;

#[cfg(feature = "encrypted")]
use super::folder::Folder;
#[cfg(feature = "encrypted")]
use super::name::SEALED_SUFFIX;
use super::name::{Entry, Name, PLAIN_SUFFIX};
#[cfg(feature = "encrypted")]
use super::vault::Opened;
use crate::envelope::Envelope;
#[cfg(feature = "encrypted")]
use crate::problem::Problems;
use crate::{Defect, Error, RecordId, RecordKind};

#[derive(Clone, Debug)]
pub(super) enum Form {
    /// The envelope as it is, under a name that a person can read.
    Plain,
    /// The envelope sealed for its name, which only the key can compute.
    #[cfg(feature = "encrypted")]
    Sealed(Arc<Opened>),
}

impl Form {
    pub(super) fn name(&self, id: &RecordId) -> Name {
        match self {
            Self::Plain => Name::of(id),
            #[cfg(feature = "encrypted")]
            Self::Sealed(opened) => Name::hidden(id.kind(), &opened.name_hash(id)),
        }
    }

    /// What a directory entry is, or `None` if it is nothing of ours.
    pub(super) fn entry(&self, entry: &str) -> Option<(RecordKind, Entry)> {
        let suffix = match self {
            Self::Plain => PLAIN_SUFFIX,
            #[cfg(feature = "encrypted")]
            Self::Sealed(_) => SEALED_SUFFIX,
        };
        Name::of_entry(entry, suffix)
    }

    /// What stands in a file of that name.
    pub(super) fn read(&self, name: &Name, content: &[u8]) -> Result<Envelope, Defect> {
        match (self, name) {
            (Self::Plain, _) => Envelope::parse(content),
            #[cfg(feature = "encrypted")]
            (Self::Sealed(opened), name) => {
                let plain = opened
                    .key()
                    .open(content, &[PLACE, name.record().as_bytes()])?;
                Envelope::parse(&plain)
            }
        }
    }

    /// What to write into the file of that name.
    pub(super) fn written(
        &self,
        name: &Name,
        envelope: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        match (self, name) {
            (Self::Plain, _) => Ok(envelope),
            #[cfg(feature = "encrypted")]
            (Self::Sealed(opened), name) => {
                let sealed = opened
                    .key()
                    .seal(&envelope, &[PLACE, name.record().as_bytes()])?;
                Ok(Zeroizing::new(sealed))
            }
        }
    }

    /// Bytes that a file has beside the envelope.
    pub(super) fn overhead(&self) -> u64 {
        match self {
            Self::Plain => 0,
            #[cfg(feature = "encrypted")]
            Self::Sealed(_) => crate::SealingKey::OVERHEAD as u64,
        }
    }

    /// Fails if the store was made anew with another key meanwhile: then a record that does not open is not broken.
    #[cfg(feature = "encrypted")]
    pub(super) fn still_stands(&self, folder: &Folder, problems: &Problems) -> Result<(), Error> {
        match self {
            Self::Plain => Ok(()),
            Self::Sealed(opened) => opened.still_stands(folder, problems),
        }
    }
}

/// What every sealed record file is sealed for, before its own name.
#[cfg(feature = "encrypted")]
const PLACE: &[u8] = b"record file";

/// Whether `content` is what that key sealed for the file of that name.
#[cfg(feature = "encrypted")]
pub(super) fn opens(key: &crate::SealingKey, name: &Name, content: &[u8]) -> bool {
    key.open(content, &[PLACE, name.record().as_bytes()])
        .is_ok()
}
