//! Problems: what a store found, coped with, and a person should know of (ST-07).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::record::visible;
use crate::{Error, RecordId, UnsafeFile};

/// Something that a store found and coped with. Its `Display` says what happened and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where: the path of a file, for example.
    pub location: String,
    /// Which record, where that could be told.
    pub id: Option<RecordId>,
    /// What was found and what was done.
    pub kind: ProblemKind,
}

/// What was found and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A record could not be used, was set aside and counts as absent.
    SetAside {
        /// Where it is kept now.
        kept_as: String,
        /// What is wrong with it.
        defect: Defect,
    },
    /// A record cannot be used and could not be set aside; it counts as absent.
    Unusable {
        /// What is wrong with it.
        defect: Defect,
    },
    /// A record of a newer version of the program: it counts as absent and was left as it is.
    LeftAlone {
        /// What keeps it from being used.
        defect: Defect,
    },
    /// A record that was set aside earlier is still there.
    Leftover,
    /// Other users could get at a file or folder; its permissions were repaired.
    PermissionsRepaired {
        /// The permission bits that were found.
        mode: u32,
    },
    /// A file was passed over because it is not safe to read.
    Refused(UnsafeFile),
    /// A file could not be read.
    Unreadable(std::io::ErrorKind),
}

/// What is wrong with a record. Its text never quotes the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// It is not JSON: truncated or garbage.
    #[error("it is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped, counted from 1.
        line: usize,
        /// Where reading stopped, counted from 1.
        column: usize,
    },
    /// It is JSON, but not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// It lacks a field that must be there.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field has a value of another type than it should.
    #[error("its `{0}` is not of the type it should be")]
    WrongType(&'static str),
    /// A field has a value that this version does not know.
    #[error("its `{0}` has a value that this version does not know")]
    UnknownValue(&'static str),
    /// A newer version of the program wrote it.
    #[error(
        "it was written by a newer version (its format is {found}, this version knows {known})"
    )]
    NewerVersion {
        /// The version that was found.
        found: u64,
        /// The newest version that is known.
        known: u64,
    },
    /// Its version is none that ever was.
    #[error("its `version` is {found}, which never was")]
    UnknownVersion {
        /// The version that was found.
        found: u64,
    },
    /// It holds another record than its name says.
    #[error("it holds another record than its name says: somebody copied or renamed it")]
    Misplaced,
    /// It is not sealed (encrypted): truncated, garbage, or written in the clear.
    #[error("it is not encrypted as the records of this store are")]
    NotSealed,
    /// It does not open: it was changed, was sealed for another place, or was sealed with another key.
    #[error(
        "it does not open with the store's key: it was changed, copied from elsewhere or encrypted with another key"
    )]
    SealBroken,
    /// It is kept in parts, and one is missing or belongs to another version of it.
    #[error("a part of it is missing or belongs to another version of it")]
    Torn,
    /// It is larger than any record may be.
    #[error("it is larger than the {limit} bytes that a record may have")]
    TooLarge {
        /// Bytes that are allowed.
        limit: u64,
    },
}

impl Defect {
    /// Whether the record is sound for a newer version, so that it is nobody's here to move, overwrite or remove.
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self, Self::NewerVersion { .. })
    }

    /// Why nothing can be saved over the record or removed, if it is one of a newer version.
    pub(crate) fn refusal(&self, id: &RecordId) -> Option<Error> {
        match *self {
            Self::NewerVersion { found, known } => Some(Error::NewerVersion {
                id: id.clone(),
                found,
                known,
            }),
            _ => None,
        }
    }
}

impl Problem {
    /// What was found at `location`.
    pub fn new(location: impl Into<String>, id: Option<RecordId>, kind: ProblemKind) -> Self {
        Self {
            location: location.into(),
            id,
            kind,
        }
    }

    /// Whether it is the same thing at the same place. A listing may not know which record it was.
    fn is_same_as(&self, other: &Self) -> bool {
        let same_id = self.id == other.id || self.id.is_none() || other.id.is_none();
        same_id && self.location == other.location && self.kind == other.kind
    }

    /// The problem that kept one record of many from being read, or the error if it concerns them all.
    pub(crate) fn of_record(id: &RecordId, error: Error) -> Result<Self, Error> {
        let (path, kind) = match error {
            Error::UnsafeFile { path, why } => (path, ProblemKind::Refused(why)),
            Error::Io { path, source, .. } => (path, ProblemKind::Unreadable(source.kind())),
            error => return Err(error),
        };
        Ok(Self::new(
            path.display().to_string(),
            Some(id.clone()),
            kind,
        ))
    }

    /// What a person does about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &self.kind {
            ProblemKind::SetAside { .. } | ProblemKind::Unusable { .. } => {
                "log in again; delete the file that was set aside once nobody needs it"
            }
            ProblemKind::LeftAlone { .. } => "update doorkey",
            ProblemKind::Leftover => "delete it once nobody needs it: it may hold secrets",
            ProblemKind::PermissionsRepaired { .. } => {
                "if others use this machine, log out and log in again: they may have read it"
            }
            ProblemKind::Refused(_) => "see to the file, then try again",
            ProblemKind::Unreadable(_) => "see to its permissions and its disk, then try again",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = Place(&self.location);
        match &self.kind {
            ProblemKind::SetAside { kept_as, defect } => {
                let kept_as = Place(kept_as);
                write!(
                    f,
                    "{location} cannot be used: {defect}; it was set aside as {kept_as}"
                )?;
            }
            ProblemKind::Unusable { defect } => {
                write!(
                    f,
                    "{location} cannot be used and could not be set aside: {defect}"
                )?;
            }
            ProblemKind::LeftAlone { defect } => {
                write!(
                    f,
                    "{location} cannot be used and was left as it is: {defect}"
                )?;
            }
            ProblemKind::Leftover => {
                write!(f, "{location} could not be used and was set aside earlier")?;
            }
            ProblemKind::PermissionsRepaired { mode } => {
                write!(
                    f,
                    "{location} was open to other users (permissions {mode:03o}); that was repaired"
                )?;
            }
            ProblemKind::Refused(why) => write!(f, "{location} was passed over: {why}")?,
            ProblemKind::Unreadable(kind) => write!(f, "{location} cannot be read: {kind}")?,
        }
        write!(f, "; {}", self.advice())
    }
}

/// Names of files and items are whatever somebody made them.
struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .map(visible)
            .try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

/// The problems that a backend met since it was opened: each once, bounded, logged as it comes.
#[derive(Debug, Default)]
pub struct Problems {
    seen: Mutex<Vec<Problem>>,
}

impl Problems {
    /// Notes and logs a problem, unless the same one was noted before.
    pub fn report(&self, problem: Problem) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().any(|noted| noted.is_same_as(&problem)) {
            return;
        }
        tracing::warn!(event = "store.problem", %problem, "the credential store had a problem");
        if seen.len() < PROBLEM_LIMIT {
            seen.push(problem);
        }
    }

    /// All problems that were noted, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Problem> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How many problems are remembered.
const PROBLEM_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RecordId, RecordKind};

    #[test]
    fn no_name_in_a_store_reaches_a_terminal_as_more_than_text_sec_13() {
        const HOSTILE: &str =
            "a\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}1m\u{202e}\u{200b}\u{0}\r\nb caf\u{e9}";
        let kinds = [
            ProblemKind::Leftover,
            ProblemKind::SetAside {
                kept_as: HOSTILE.to_owned(),
                defect: Defect::NotAnObject,
            },
        ];
        for kind in kinds {
            let shown = Problem::new(HOSTILE.to_owned(), None, kind).to_string();
            assert!(
                shown.starts_with('a') && shown.contains("b caf\u{e9}"),
                "{shown:?}"
            );
            assert!(shown.chars().all(|c| visible(c) == c), "{shown:?}");
        }
        let id = RecordId::new(RecordKind::Grant, [HOSTILE, HOSTILE]);
        for shown in [id.to_string(), format!("{id:?}")] {
            assert!(shown.chars().all(|c| visible(c) == c), "{shown:?}");
        }
    }
}
