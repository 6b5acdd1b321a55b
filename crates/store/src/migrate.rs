//! Moving records from one store to another, so that nothing is lost whenever it stops.

mod copies;
mod decide;
mod erase;

use std::time::Duration;

pub use self::copies::{Copies, copy_records};
use crate::{Error, Problem, ProblemKind, RecordId, Store};

/// How to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateOptions {
    /// How long to wait for the lock of one record, in either store: 10 seconds. Who refreshes or logs in holds it.
    pub lock_limit: Duration,
    /// Whether copies that were once set aside of a record that is moved are deleted from the source: they are left by default.
    pub discard_set_aside: bool,
    /// Where the stores have different logins of one key: whether the newer one replaces the older one. By default neither is
    /// touched, and the conflict is reported. Of two states of one login the newer one always counts.
    pub newer_wins: bool,
    /// Which store is the one in use, if the caller knows: of two states of one login that are of the same second its state counts.
    /// Without it they are a conflict.
    pub in_use: Option<Newer>,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self {
            lock_limit: LOCK_LIMIT,
            discard_set_aside: false,
            newer_wins: false,
            in_use: None,
        }
    }
}

/// What [`migrate`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Records that are in the target now and no longer in the source.
    pub moved: Vec<RecordId>,
    /// Records that the target had already, the same or one that counts before it; they are no longer in the source.
    pub already_there: Vec<RecordId>,
    /// Records that are in both stores now, because the originals were left: the target has the same, or one that counts before it.
    pub copied: Vec<RecordId>,
    /// Records that both stores have and that differ. Both are as they were.
    pub conflicts: Vec<MigrationConflict>,
    /// Records that somebody held the lock of all the time. They are as they were: move again later.
    pub busy: Vec<RecordId>,
    /// Records that this version cannot read, or cannot read now, in the source or where they would go. They are as they were;
    /// `problems` says why.
    pub left: Vec<RecordId>,
    /// Copies of records that were set aside and are now deleted from the source.
    pub discarded: usize,
    /// What was found and cannot be moved, with what to do.
    pub problems: Vec<Problem>,
}

impl Migration {
    /// Whether everything that can be used is in the target now, whatever is left in the source besides. False also if something could not be read that may hold a record:
    /// only what is broken and set aside is sure to hold none.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let hides_no_record = |problem: &Problem| match problem.kind {
            ProblemKind::SetAside { .. }
            | ProblemKind::Leftover
            | ProblemKind::PermissionsRepaired { .. } => true,
            ProblemKind::Unusable { .. }
            | ProblemKind::LeftAlone { .. }
            | ProblemKind::Refused(_)
            | ProblemKind::Unreadable(_) => false,
        };
        let nothing_stayed =
            self.conflicts.is_empty() && self.busy.is_empty() && self.left.is_empty();
        nothing_stayed && self.problems.iter().all(hides_no_record)
    }

    /// Notes a record that stays where it is, and why.
    fn leave(&mut self, id: &RecordId, store: &Store, kind: ProblemKind) {
        let location = store.describe().location;
        self.problems
            .push(Problem::new(location, Some(id.clone()), kind));
        self.left.push(id.clone());
    }
}

/// A record that both stores have and that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationConflict {
    /// The record.
    pub id: RecordId,
    /// Which store has the newer one, if that can be told.
    pub newer: Option<Newer>,
}

/// Which of two stores has the newer record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// The one that is moved from.
    Source,
    /// The one that is moved to.
    Target,
}

/// Moves every record of every kind from one store to another: copies all of them ([`copy_records`]), and only when the target has
/// all that can be used removes them from the source ([`Copies::remove_originals`]). Otherwise nothing is removed.
///
/// Whenever it stops, by an error, a crash or a kill, every record is whole in one store or in both, and running it again goes on. Who
/// remembers somewhere which store is in use calls the two halves, and remembers the other store in between: then all records are
/// in the store that is remembered at any moment.
///
/// # Errors
/// As for the two halves.
pub async fn migrate(
    from: &Store,
    to: &Store,
    options: MigrateOptions,
) -> Result<Migration, Error> {
    let copies = copy_records(from, to, options).await?;
    match copies.is_complete() {
        true => copies.remove_originals().await,
        false => Ok(copies.leave_originals()),
    }
}

const LOCK_LIMIT: Duration = Duration::from_secs(10);
