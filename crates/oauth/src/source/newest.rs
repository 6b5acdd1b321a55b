//! Which version of the grant counts: the one in memory, or the stored one.

use std::sync::Arc;

use doorkey_store::{Grant, Stored};

use super::held::Held;
use crate::error::Error;

/// The version that counts.
pub(super) enum Newest {
    /// Memory's, as it is.
    Memory(Arc<Held>),
    /// This one, which memory does not have yet.
    Other(Box<Held>),
    /// There is none: nothing is stored, and memory has nothing that was never saved.
    None,
}

/// Weighs what memory has against what was read from the store.
///
/// What memory could not save is the only copy of a refresh token that replaced the stored one. So
/// it counts until the store has something newer, and also when the store cannot be read at all: a
/// record that changed for another reason (a note, a mark) still holds the token that is spent.
pub(super) fn newest(
    memory: Option<&Arc<Held>>,
    stored: Result<Option<Stored<Grant>>, Error>,
) -> Result<Newest, Error> {
    let unsaved = memory.filter(|held| !held.saved);
    let stored = match (stored, unsaved) {
        (Err(Error::Store(_)), Some(held)) => return Ok(Newest::Memory(Arc::clone(held))),
        (stored, _) => stored?,
    };
    let Some(stored) = stored else {
        // Memory that replaces a stored version was signed out of by whoever removed that.
        let never_saved = unsaved.filter(|held| held.generation.is_none());
        return Ok(never_saved.map_or(Newest::None, |held| Newest::Memory(Arc::clone(held))));
    };
    let generation = Some(stored.generation);
    Ok(match memory {
        Some(held) if held.generation == generation => Newest::Memory(Arc::clone(held)),
        Some(held) if is_ahead(held, &stored.value) => {
            other(held.revised(held.grant.clone(), generation))
        }
        Some(held) if held.saved && held.is_token_of(&stored.value) => {
            other(held.revised(stored.value, generation))
        }
        _ => other(Held::stored(stored)),
    })
}

fn other(held: Held) -> Newest {
    Newest::Other(Box::new(held))
}

/// Whether memory has tokens that could not be saved and are newer than what is stored.
fn is_ahead(held: &Held, stored: &Grant) -> bool {
    !held.saved && held.grant.issued_at >= stored.issued_at
}
