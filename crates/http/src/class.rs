//! What is known of the class of the user's own URL: said by its literal, pinned, or learned.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::AddressClass;

/// Shared by every clone of a client, and by all that is built anew for it.
#[derive(Debug, Default)]
pub(crate) struct ResourceClass {
    state: Mutex<State>,
    changes: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// An address literal and `localhost` say their class themselves, whatever is pinned.
    literal: Option<AddressClass>,
    pinned: Option<AddressClass>,
    learned: Option<AddressClass>,
}

impl State {
    const fn known(self) -> Option<AddressClass> {
        match (self.literal, self.pinned) {
            (Some(class), _) | (None, Some(class)) => Some(class),
            (None, None) => self.learned,
        }
    }
}

impl ResourceClass {
    pub(crate) fn new(literal: Option<AddressClass>, pinned: Option<AddressClass>) -> Self {
        let class = Self::default();
        class.reset(literal, pinned);
        class
    }

    /// Begins anew, for another URL.
    pub(crate) fn reset(&self, literal: Option<AddressClass>, pinned: Option<AddressClass>) {
        *self.lock() = State {
            literal,
            pinned,
            learned: None,
        };
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The class that others are measured against.
    pub(crate) fn known(&self) -> Option<AddressClass> {
        self.lock().known()
    }

    /// Fixes the class, or forgets what was pinned and learned.
    pub(crate) fn pin(&self, class: Option<AddressClass>) {
        let mut state = self.lock();
        let forgets = class.is_none() && state.learned.is_some();
        if state.pinned != class || forgets {
            state.pinned = class;
            state.learned = None;
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What only those ask for who judge addresses.
#[cfg(any(test, feature = "client"))]
impl ResourceClass {
    /// The class that the resource itself has to keep to.
    pub(crate) fn at_login(&self) -> Option<AddressClass> {
        let state = self.lock();
        state.pinned.filter(|_| state.literal.is_none())
    }

    /// Fixes the class by a lookup, unless it is known already; gives what is known then.
    pub(crate) fn learn(&self, found: AddressClass) -> AddressClass {
        let mut state = self.lock();
        let learned = *state.learned.get_or_insert(found);
        state.known().unwrap_or(learned)
    }

    /// How often it was pinned or forgotten: connections from before are not used after.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressClass::{Loopback, Private, Public};

    #[test]
    fn the_literal_counts_before_the_pin_and_the_pin_before_what_was_learned() {
        for (literal, pinned, known, at_login) in [
            (None, None, Loopback, None),
            (None, Some(Public), Public, Some(Public)),
            (Some(Private), Some(Public), Private, None),
        ] {
            let class = ResourceClass::new(literal, pinned);
            assert_eq!(class.learn(Loopback), known);
            assert_eq!(class.learn(Public), known, "the first lookup counts");
            assert_eq!(class.known(), Some(known));
            assert_eq!(class.at_login(), at_login);
        }
    }

    #[test]
    fn forgetting_lets_the_next_lookup_fix_it_again() {
        let class = ResourceClass::new(None, Some(Public));
        class.pin(None);
        assert_eq!((class.known(), class.at_login()), (None, None));
        assert_eq!(class.learn(Private), Private);
        class.pin(None);
        assert_eq!(class.known(), None);
    }

    #[test]
    fn only_a_pin_that_changes_something_is_a_change() {
        let class = ResourceClass::new(None, None);
        let before = class.changes();
        class.pin(None);
        assert_eq!(class.changes(), before);
        class.pin(Some(Public));
        class.pin(Some(Public));
        assert_eq!(class.changes(), before + 1);
        class.learn(Private);
        assert_eq!(class.changes(), before + 1);
    }
}
