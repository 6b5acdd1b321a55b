//! Which version of the grant counts: the one in memory, or the stored one.

use std::sync::Arc;

use doorkey_store::{Grant, Stored};

use super::held::{Held, Replaced};
use crate::access_token::same_secret;
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
        let never_saved = unsaved.filter(|held| {
            held.generation.is_none() && !matches!(held.replaced, Replaced::Token(_))
        });
        return Ok(never_saved.map_or(Newest::None, |held| Newest::Memory(Arc::clone(held))));
    };
    let generation = Some(stored.generation);
    Ok(match memory {
        Some(held) if held.generation == generation => Newest::Memory(Arc::clone(held)),
        Some(held)
            if held.is_token_of(&stored.value) && !is_only_renewable(held, &stored.value) =>
        {
            // That a save failed was said of one that was made, if memory takes it for unsaved.
            let mut held = held.revised(stored.value, generation);
            held.saved = true;
            other(held)
        }
        Some(held) if is_ahead(held, &stored.value) => {
            other(held.revised(held.grant.clone(), generation))
        }
        _ => other(Held::stored(stored)),
    })
}

fn other(held: Held) -> Newest {
    Newest::Other(Box::new(held))
}

/// Whether memory has the same access token with a refresh token that was not saved, as after a refresh whose
/// access token was of no use.
fn is_only_renewable(held: &Held, stored: &Grant) -> bool {
    !held.saved && held.has_another_refresh_token(stored)
}

/// Whether memory has tokens that could not be saved and are newer than what is stored.
///
/// Clocks of several machines differ, so what counts is what the tokens replaced: a record that still
/// has that is behind. Only where it is not known, the time decides.
fn is_ahead(held: &Held, stored: &Grant) -> bool {
    if held.saved {
        return false;
    }
    match (&held.replaced, &stored.access_token) {
        (Replaced::Unknown, _) => held.grant.issued_at >= stored.issued_at,
        (Replaced::Token(replaced), Some(token)) => same_secret(replaced, token),
        (Replaced::Token(_), None) | (Replaced::Nothing, _) => false,
    }
}
