//! Whose grant it is, and when that changed (USE-12).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use doorkey_store::Grant;

use crate::shared::lock;

/// Counts the changes of who is signed in.
#[derive(Debug, Default)]
pub(super) struct Identities {
    changes: AtomicU64,
    last: Mutex<Option<Known>>,
}

/// What is known of a person.
#[derive(Clone, Debug)]
struct Known {
    login: Option<String>,
    issuer: String,
    subject: Option<String>,
    label: Option<String>,
}

impl Identities {
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The current grant is this one now.
    pub(super) fn note(&self, grant: &Grant) {
        let new = Known {
            login: grant.login_id.clone(),
            issuer: grant.issuer.clone(),
            subject: grant.subject.clone(),
            label: grant.account_label.clone(),
        };
        let mut last = lock(&self.last);
        if last.as_ref().is_some_and(|old| old.is_other_than(&new)) {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        *last = Some(new);
    }

    /// Nobody is signed in any more.
    pub(super) fn end(&self) {
        if lock(&self.last).take().is_some() {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Known {
    /// Whether they are known to be two people. Where a server says nothing of who signed in, another
    /// login counts as the same person's.
    fn is_other_than(&self, new: &Self) -> bool {
        if self.login.is_some() && self.login == new.login {
            return false;
        }
        let differ = |old: &Option<String>, new: &Option<String>| match (old, new) {
            (Some(old), Some(new)) => Some(old != new),
            _ => None,
        };
        let subject = differ(&self.subject, &new.subject)
            // A subject is one of its issuer (OpenID Connect Core §2).
            .map(|differs| differs || self.issuer != new.issuer);
        subject
            .or_else(|| differ(&self.label, &new.label))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(login: &str, subject: Option<&str>, label: Option<&str>) -> Grant {
        let mut grant = Grant::new("https://as.example", "c", "https://as.example/token");
        grant.login_id = Some(login.to_owned());
        grant.subject = subject.map(str::to_owned);
        grant.account_label = label.map(str::to_owned);
        grant
    }

    #[test]
    fn a_change_is_counted_when_two_people_are_told_apart_and_when_nobody_is_left_use_12() {
        let of = |before: &Grant, after: &Grant| {
            let identities = Identities::default();
            identities.note(before);
            identities.note(after);
            identities.changes()
        };
        let ada = grant("1", Some("7"), Some("ada"));
        assert_eq!(
            of(&ada, &grant("1", Some("7"), Some("ada l."))),
            0,
            "a refresh"
        );
        assert_eq!(
            of(&ada, &grant("2", Some("7"), Some("lovelace"))),
            0,
            "the same subject"
        );
        assert_eq!(
            of(&ada, &grant("2", Some("8"), Some("ada"))),
            1,
            "a namesake"
        );
        assert_eq!(of(&ada, &grant("2", None, Some("bob"))), 1);
        assert_eq!(of(&ada, &grant("2", None, Some("ada"))), 0);
        assert_eq!(of(&ada, &grant("2", None, None)), 0, "nothing is said");
        let mut elsewhere = grant("2", Some("7"), None);
        elsewhere.issuer = "https://other.example".to_owned();
        assert_eq!(of(&ada, &elsewhere), 1, "a subject of another issuer");

        let identities = Identities::default();
        identities.end();
        assert_eq!(identities.changes(), 0, "nobody was there");
        identities.note(&ada);
        identities.end();
        identities.end();
        assert_eq!(identities.changes(), 1);
        identities.note(&grant("2", Some("8"), None));
        assert_eq!(identities.changes(), 1, "told already");
    }
}
