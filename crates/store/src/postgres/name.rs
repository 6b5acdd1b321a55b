//! The name of a row: short, of one length, and the same for every host.

use sha2::{Digest as _, Sha256};

use crate::RecordId;

/// SHA-256 of a record's key, which may be longer than an index takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name([u8; 32]);

impl Name {
    pub(super) fn of(id: &RecordId) -> Self {
        Self(Sha256::digest(id.key()).into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
