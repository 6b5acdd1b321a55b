//! One attempt to get the key for all who wait for it: a keyring that does not answer is waited for once, not once by each.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::{Error, KeyTrouble};

/// The attempts to get a key. The caller keeps two from being made at the same time.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: Mutex<Option<Failed>>,
}

/// The last attempt that failed.
#[derive(Debug)]
struct Failed {
    ended: Instant,
    why: Why,
}

/// The part of an error that can be told twice.
#[derive(Clone, Debug)]
enum Why {
    Key {
        folder: PathBuf,
        why: KeyTrouble,
    },
    #[cfg(feature = "keyring")]
    Keyring {
        action: &'static str,
        fault: crate::keyring::KeyringFault,
    },
}

impl Attempts {
    /// What `attempt` says; or what the last one said, if it failed after `asked`: then it was made for this caller too.
    pub(super) fn shared<T>(
        &self,
        asked: Instant,
        attempt: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(error) = self.failed_since(asked) {
            return Err(error);
        }
        let result = attempt();
        if let Some(why) = result.as_ref().err().and_then(Why::of) {
            let ended = Instant::now();
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Failed { ended, why });
        }
        result
    }

    fn failed_since(&self, asked: Instant) -> Option<Error> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = failed.as_ref().filter(|failed| asked <= failed.ended)?;
        Some(failed.why.clone().into_error())
    }
}

impl Why {
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Key { folder, why } => Some(Self::Key {
                folder: folder.clone(),
                why: why.clone(),
            }),
            #[cfg(feature = "keyring")]
            Error::Keyring { action, source } => Some(Self::Keyring {
                action,
                fault: source.fault().clone(),
            }),
            _ => None,
        }
    }

    fn into_error(self) -> Error {
        match self {
            Self::Key { folder, why } => Error::Key { folder, why },
            #[cfg(feature = "keyring")]
            Self::Keyring { action, fault } => {
                Error::keyring(action, crate::keyring::KeyringError::new(fault))
            }
        }
    }
}
