//! What is asked of a keyring: small items by name, and the truth about why it cannot be used.

use std::fmt::Debug;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::Error;

/// A keyring: small secret items, each found by service and name.
///
/// All of it may block for as long as the keyring does. Implemented for the keyrings of operating systems; a host with
/// another one implements it and passes it to [`KeyringOptions::with_items`](super::KeyringOptions::with_items).
pub trait KeyringItems: Send + Sync + Debug {
    /// The bytes of an item, or `None` if there is none.
    ///
    /// # Errors
    /// If the keyring cannot be used.
    fn get(&self, service: &str, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError>;

    /// Puts bytes into an item, durably and wholly or not at all. One that exists is changed in place: whom a person
    /// allowed to use it stays as it is.
    ///
    /// # Errors
    /// If the keyring cannot be used, or takes no item of that size.
    fn set(&self, service: &str, name: &str, bytes: &[u8]) -> Result<(), KeyringError>;

    /// Deletes an item, and returns whether there was one.
    ///
    /// # Errors
    /// If the keyring cannot be used.
    fn delete(&self, service: &str, name: &str) -> Result<bool, KeyringError>;

    /// How many bytes an item may have.
    fn item_limit(&self) -> usize;

    /// Fails if a person would be asked before anything else can be done: to unlock the keyring, for example. One that cannot
    /// tell says that it is usable, and may ask when it is used.
    ///
    /// # Errors
    /// Why it cannot be used unasked.
    fn usable_unasked(&self) -> Result<(), KeyringError> {
        Ok(())
    }
}

/// Why a keyring could not be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct KeyringError {
    why: KeyringFault,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl KeyringError {
    /// That fault, of which nothing more is known.
    #[must_use]
    pub fn new(why: KeyringFault) -> Self {
        Self { why, source: None }
    }

    /// That fault, with what the keyring said. It must hold no secret.
    pub fn caused_by(
        why: KeyringFault,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self { why, source }
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &KeyringFault {
        &self.why
    }

    /// Whether the same call may succeed later without anything being changed by hand.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.why, KeyringFault::Silent { .. } | KeyringFault::Failed)
    }

    /// Whether a person has to unlock it first.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.why, KeyringFault::Locked)
    }
}

impl Error {
    pub(crate) fn keyring(action: &'static str, source: KeyringError) -> Self {
        Self::Keyring { action, source }
    }
}

/// What is wrong with a keyring; the text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringFault {
    /// There is no keyring in this session.
    #[error(
        "no keyring answers in this session (on Linux, a Secret Service such as GNOME Keyring or KWallet on the D-Bus session); start one, or choose another store"
    )]
    Absent,
    /// It is locked, and nobody unlocked it when asked, or nobody may be asked.
    #[error(
        "the keyring is locked; unlock it (logging in to a desktop does), or choose another store"
    )]
    Locked,
    /// It has no default collection to put items into, and making one takes a person.
    #[error(
        "the keyring has no default collection yet; make one (logging in to a desktop does), or choose another store"
    )]
    NoCollection,
    /// It did not answer in time. What was asked of it may still happen.
    #[error("the keyring did not answer within {limit:?}; restart it, or choose another store")]
    Silent {
        /// How long it was waited for.
        limit: Duration,
    },
    /// It has several items of one name, so that nobody can say which one counts.
    #[error("the keyring has several items of the same service and name; delete all but one")]
    Ambiguous,
    /// It does not give back what was put into it.
    #[error("the keyring does not give back what was put into it; choose another store")]
    Forgetful,
    /// It takes no item of that size.
    #[error("the keyring takes no item of that size; choose another store")]
    TooLarge,
    /// There is none on this system that is known here.
    #[error("this system has no keyring that is known here; choose another store")]
    Unsupported,
    /// It failed; its own words are the cause.
    #[error("the keyring failed; try again, and choose another store if that does not help")]
    Failed,
}
