//! What can go wrong with a store, and what the caller does then.

mod kind;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Generation, KeyTrouble, RecordId};

/// Why a store could not do what it was asked.
///
/// The text of an error names records without the query and user part of their URLs, and never holds a secret.
/// It does not repeat its [`source`](std::error::Error::source): print the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stored generation is not the one the caller expected: somebody else saved or removed the record.
    ///
    /// Load it again and decide anew; repeating the same call can never succeed.
    #[error("{id} was changed by another task or process: expected {}, found {}", or_none(*expected), or_none(*current))]
    Conflict {
        /// The record.
        id: RecordId,
        /// What the caller expected; `None` is "no record".
        expected: Option<Generation>,
        /// What is stored now; `None` is "no record".
        current: Option<Generation>,
    },

    /// Somebody else held the lock for the whole of the time the caller was willing to wait.
    #[error(
        "waited {limit:?} for the lock of {id} at {location}, which another task or process holds"
    )]
    LockTimeout {
        /// The record.
        id: RecordId,
        /// Where the lock is: the path of the lock file, for example.
        location: String,
        /// How long the wait was.
        limit: Duration,
    },

    /// The lock was held, but is not any longer: its lease ran out or its connection broke.
    #[error("the lock of {id} was lost")]
    LockLost {
        /// The record.
        id: RecordId,
    },

    /// The operating system refused a file operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },

    /// A file or folder is not safe to use for secrets, and could not be repaired.
    #[error("{} is not safe to keep secrets in: {why}", path.display())]
    UnsafeFile {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: UnsafeFile,
    },

    /// The record is larger than the store takes.
    #[error("{id} has {size} bytes, more than the {limit} that the store takes")]
    TooLarge {
        /// The record.
        id: RecordId,
        /// Bytes of the record.
        size: usize,
        /// Bytes that are allowed.
        limit: usize,
    },

    /// A value could not be written as JSON.
    #[error("cannot write {id} as JSON")]
    Encode {
        /// The record.
        id: RecordId,
        /// What the encoder said; it never quotes a value.
        #[source]
        source: serde_json::Error,
    },

    /// A record that cannot be used is still in the way, because setting it aside failed again and again.
    #[error("{id} cannot be used and could not be set aside")]
    InTheWay {
        /// The record.
        id: RecordId,
    },

    /// A store does not give back a record as it was given. The record was not removed from where it came from.
    #[error("{location} does not give back {id} as it was given; the original was kept")]
    NotKept {
        /// The record.
        id: RecordId,
        /// The store.
        location: String,
    },

    /// Records cannot be moved from a store to itself.
    #[error("{location} is both the store to move from and the one to move to")]
    SameStore {
        /// Where it is.
        location: String,
    },

    /// A newer version of the program wrote the record: it is neither overwritten nor removed. Update, then try again.
    #[error(
        "{id} was written by a newer version (its format is {found}, this version knows {known}); update doorkey"
    )]
    NewerVersion {
        /// The record.
        id: RecordId,
        /// The version that was found.
        found: u64,
        /// The newest version that is known.
        known: u64,
    },

    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Random(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// An encrypted store cannot be opened with the key or passphrase that was given. No record was touched, and none counts as absent.
    #[error("the encrypted store in {} cannot be opened: {why}", folder.display())]
    Key {
        /// The folder of the store.
        folder: PathBuf,
        /// What is wrong, and what to do.
        why: KeyTrouble,
    },

    /// A folder holds records of the other kind: encrypted ones where records in the clear were expected, or the other way about.
    #[error(
        "{} holds records {}; open it as such a store, or use another folder", path.display(),
        if *encrypted { "that are encrypted" } else { "in the clear" }
    )]
    OtherFormat {
        /// The folder.
        path: PathBuf,
        /// Whether what it holds is encrypted.
        encrypted: bool,
    },

    /// A record could not be encrypted.
    #[error("the record cannot be encrypted")]
    Sealing(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The asynchronous runtime could not run a file operation: there is none, or it is shutting down.
    #[error("no asynchronous runtime to run a file operation on")]
    Runtime(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The operating system's keyring could not be used; the source says why and what to do.
    #[cfg(feature = "keyring")]
    #[error("the keyring cannot {action}")]
    Keyring {
        /// What was tried, as a verb.
        action: &'static str,
        /// What is wrong.
        #[source]
        source: crate::keyring::KeyringError,
    },

    /// Another kind of store (a database) failed.
    #[error("the {store} store cannot {action}")]
    Backend {
        /// The kind of store, as [`StoreDescription::kind`](crate::StoreDescription::kind) names it.
        store: &'static str,
        /// What was tried, as a verb.
        action: &'static str,
        /// Whether the same call may succeed later.
        transient: bool,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may succeed later without anything being changed by hand.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::LockTimeout { .. } | Self::LockLost { .. } => true,
            Self::Backend { transient, .. } => *transient,
            #[cfg(feature = "keyring")]
            Self::Keyring { source, .. } => source.is_transient(),
            Self::Io { source, .. } => is_passing(source),
            _ => false,
        }
    }

    /// Whether only a new login helps: never, for a store. A record that cannot be used counts as absent instead.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        false
    }

    /// Whether the record was changed by somebody else: load it again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// Whether the operating system may do the same later.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::StaleNetworkFileHandle
    )
}

/// What makes a file or folder unsafe to keep secrets in; the text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafeFile {
    /// It is a symbolic link, which could lead anywhere.
    #[error(
        "it is a symbolic link; configure the real path, or replace the link by what it points to"
    )]
    SymbolicLink,
    /// It is neither a plain file nor, where a folder is needed, a folder.
    #[error("it is not of the kind that is needed (a plain file or a folder); move it away")]
    WrongKind,
    /// Another user owns it and could change it at will.
    #[error(
        "it belongs to user {owner}, not to user {expected}; change its owner or use another folder"
    )]
    ForeignOwner {
        /// Who owns it (numeric user id).
        owner: u32,
        /// Who should own it: the user that files made by this process belong to.
        expected: u32,
    },
    /// Other users may read or change it, and the permissions could not be repaired.
    #[error(
        "its permissions {mode:03o} let other users in and could not be repaired; take them away (chmod go-rwx)"
    )]
    OpenToOthers {
        /// Permission bits.
        mode: u32,
    },
    /// It was replaced by another file between being examined and being opened.
    #[error("it was replaced while it was being opened; try again, and find out who does that")]
    Replaced,
}

fn or_none(generation: Option<Generation>) -> String {
    generation.map_or_else(
        || "no record".to_owned(),
        |generation| format!("generation {generation}"),
    )
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::RecordKind;

    fn io(kind: io::ErrorKind) -> Error {
        Error::Io {
            action: "read",
            path: "/x".into(),
            source: kind.into(),
        }
    }

    fn id() -> RecordId {
        RecordId::new(RecordKind::Grant, ["https://a.example", "default"])
    }

    #[test]
    fn an_error_is_transient_exactly_if_the_same_call_may_succeed_later() {
        let backend = |transient| Error::Backend {
            store: "postgres",
            action: "load",
            transient,
            source: "away".into(),
        };
        let limit = Duration::from_secs(1);
        let cases = [
            (
                Error::LockTimeout {
                    id: id(),
                    location: "/x".into(),
                    limit,
                },
                true,
            ),
            (Error::LockLost { id: id() }, true),
            (backend(true), true),
            (backend(false), false),
            (io(io::ErrorKind::Interrupted), true),
            (io(io::ErrorKind::TimedOut), true),
            (io(io::ErrorKind::PermissionDenied), false),
            (io(io::ErrorKind::StorageFull), false),
            (
                Error::Conflict {
                    id: id(),
                    expected: None,
                    current: None,
                },
                false,
            ),
            (Error::InTheWay { id: id() }, false),
            (
                Error::NewerVersion {
                    id: id(),
                    found: 2,
                    known: 1,
                },
                false,
            ),
            (
                Error::UnsafeFile {
                    path: "/x".into(),
                    why: UnsafeFile::SymbolicLink,
                },
                false,
            ),
        ];
        for (error, transient) in cases {
            assert_eq!(error.is_transient(), transient, "{error:?}");
            assert!(!error.needs_login(), "{error:?}");
        }
    }

    #[test]
    fn the_text_of_an_error_names_what_and_where_and_leaves_the_cause_to_the_chain() {
        let error = io(io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "cannot read /x");
        assert_eq!(error.source().unwrap().to_string(), "permission denied");
        let current = Some(Generation::new(2));
        let conflict = Error::Conflict {
            id: id(),
            expected: None,
            current,
        };
        assert_eq!(
            conflict.to_string(),
            "the grant of https://a.example / default was changed by another task or process: \
             expected no record, found generation 2"
        );
    }
}
