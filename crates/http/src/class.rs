//! What is known of the class of the user's own URL: said by its literal, pinned, or learned from
//! verified connections. Never from a lookup, which proves nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::AddressClass;

/// Shared by every clone of a client, and by all that is built anew for the same host.
#[derive(Debug, Default)]
pub(crate) struct ResourceClass {
    state: Mutex<State>,
    /// Grows with whatever changes the [`Standing`].
    version: AtomicU64,
    /// What was learned last, and in which of the changes: to learn it again changes nothing.
    learned: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// An address literal and `localhost` say their class themselves, whatever is pinned.
    literal: Option<AddressClass>,
    pinned: Option<AddressClass>,
    /// The nearest class that a verified connection had.
    nearest: Option<AddressClass>,
    /// The least near class of the pin and of the verified connections since.
    #[cfg_attr(
        not(any(test, feature = "client")),
        expect(dead_code, reason = "only connections of our own are judged")
    )]
    strict: Option<AddressClass>,
    /// How often it was pinned or forgotten.
    changes: u64,
    /// When it was forgotten last.
    forgotten: Moment,
}

impl ResourceClass {
    pub(crate) fn new(literal: Option<AddressClass>, pinned: Option<AddressClass>) -> Self {
        Self {
            state: Mutex::new(State {
                literal,
                pinned,
                strict: pinned,
                ..State::default()
            }),
            ..Self::default()
        }
    }

    /// The class to keep at login: the nearest that the resource may have from then on.
    pub(crate) fn known(&self) -> Option<AddressClass> {
        let state = self.lock();
        state.literal.or(state.pinned).or(state.nearest)
    }

    /// Fixes the class, or forgets it. What was learned is forgotten in any case, unless nothing
    /// changes.
    pub(crate) fn pin(&self, class: Option<AddressClass>) {
        let mut state = self.lock();
        let forgets = class.is_none() && state.nearest.is_some();
        if state.pinned != class || forgets {
            *state = State {
                literal: state.literal,
                pinned: class,
                nearest: None,
                strict: class,
                changes: state.changes + 1,
                forgotten: match class {
                    None => Moment::now(),
                    Some(_) => state.forgotten,
                },
            };
            self.learned.store(NOTHING, Ordering::Release);
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What connections of a client are judged by, and since when.
#[cfg(any(test, feature = "client"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// The class that the resource itself has to keep to.
    pub(crate) at_login: Option<AddressClass>,
    /// The class that others are measured against: public while nothing is known.
    pub(crate) of_others: AddressClass,
    /// How often it was pinned or forgotten: connections of another number teach nothing.
    pub(crate) changes: u64,
    /// When it was forgotten last: connections to the resource from before are not used after.
    pub(crate) forgotten: Moment,
}

/// What only those ask for who judge addresses and make connections.
#[cfg(any(test, feature = "client"))]
impl ResourceClass {
    /// What is to be judged by, all of one time.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.lock();
        let known = state.literal.or(state.strict);
        Standing {
            at_login: state.pinned.filter(|_| state.literal.is_none()),
            of_others: known.unwrap_or(AddressClass::Public),
            changes: state.changes,
            forgotten: state.forgotten,
        }
    }

    /// Grows with whatever changes the [`standing`](Self::standing). Takes no lock.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Learns from a connection to the resource that TLS has verified. One that was judged by another
    /// number of [`changes`](Standing::changes) teaches nothing. Takes no lock for what it knows.
    pub(crate) fn learn(&self, found: AddressClass, since: u64) {
        let lesson = ((since << 8) | found as u64) + 1;
        if self.learned.load(Ordering::Acquire) == lesson {
            return;
        }
        let mut state = self.lock();
        if since != state.changes {
            return;
        }
        let nearer = |known: &AddressClass| known.closeness() >= found.closeness();
        let farther = |known: &AddressClass| known.closeness() <= found.closeness();
        let strict = state.strict;
        state.nearest = Some(state.nearest.filter(nearer).unwrap_or(found));
        state.strict = Some(state.strict.filter(farther).unwrap_or(found));
        if state.strict != strict {
            self.version.fetch_add(1, Ordering::Release);
        }
        self.learned.store(lesson, Ordering::Release);
    }
}

/// An order of what happens in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Later than all before.
    pub(crate) fn now() -> Self {
        Self(MOMENTS.fetch_add(1, Ordering::AcqRel) + 1)
    }
}

static MOMENTS: AtomicU64 = AtomicU64::new(0);

/// No lesson has this number.
const NOTHING: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressClass::{Loopback, Private, Public, Reserved};

    /// Learns, and gives what is known then: to keep, and to measure others by.
    fn learned(class: &ResourceClass, found: AddressClass) -> (Option<AddressClass>, AddressClass) {
        class.learn(found, class.standing().changes);
        (class.known(), class.standing().of_others)
    }

    #[test]
    fn the_literal_counts_before_the_pin_and_the_pin_before_what_was_learned() {
        for (literal, pinned, known, at_login) in [
            (None, None, Loopback, None),
            (None, Some(Public), Public, Some(Public)),
            (Some(Private), Some(Public), Private, None),
        ] {
            let class = ResourceClass::new(literal, pinned);
            assert_eq!(learned(&class, Loopback), (Some(known), known));
            assert_eq!(class.standing().at_login, at_login);
        }
    }

    #[test]
    fn nothing_known_is_nothing_to_keep_and_public_for_others() {
        let class = ResourceClass::new(None, None);
        assert_eq!((class.known(), class.standing().of_others), (None, Public));
    }

    #[test]
    fn the_nearest_connection_is_kept_and_the_least_near_judges_others() {
        let class = ResourceClass::new(None, None);
        for (found, kept, others) in [
            (Private, Private, Private),
            (Loopback, Loopback, Private),
            (Reserved, Loopback, Reserved),
            (Private, Loopback, Reserved),
            (Public, Loopback, Public),
            (Loopback, Loopback, Public),
        ] {
            assert_eq!(learned(&class, found), (Some(kept), others), "{found}");
        }
    }

    #[test]
    fn a_pin_is_kept_and_a_public_connection_after_it_judges_others() {
        let class = ResourceClass::new(None, Some(Private));
        for (found, others) in [(Private, Private), (Public, Public), (Private, Public)] {
            assert_eq!(learned(&class, found), (Some(Private), others), "{found}");
            assert_eq!(class.standing().at_login, Some(Private));
        }
    }

    #[test]
    fn forgetting_forgets_the_pin_and_all_that_was_learned() {
        let class = ResourceClass::new(None, Some(Public));
        class.pin(None);
        assert_eq!((class.known(), class.standing().at_login), (None, None));
        assert_eq!(learned(&class, Private), (Some(Private), Private));
        class.pin(None);
        assert_eq!((class.known(), class.standing().of_others), (None, Public));
    }

    #[test]
    fn a_connection_from_before_a_pin_or_its_end_teaches_nothing() {
        let class = ResourceClass::new(None, Some(Private));
        let before = class.standing().changes;
        class.pin(None);
        class.learn(Loopback, before);
        assert_eq!((class.known(), class.standing().of_others), (None, Public));
    }

    #[test]
    fn only_a_pin_that_changes_something_is_a_change() {
        let class = ResourceClass::new(None, None);
        let before = class.standing().changes;
        class.pin(None);
        assert_eq!(class.standing().changes, before);
        class.pin(Some(Public));
        class.pin(Some(Public));
        assert_eq!(class.standing().changes, before + 1);
        class.learn(Private, class.standing().changes);
        assert_eq!(class.standing().changes, before + 1);
    }
}
