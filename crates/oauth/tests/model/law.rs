//! What has to hold after each step, whatever the schedule.
//!
//! 1. Nobody sends a refresh token without holding the lock of its grant.
//! 2. No refresh token is used twice, but for a cause that no client can mend: see [`Cause`].
//! 3. No record is replaced by an older one of the same login, or by one of another login that had its turn.
//! 4. A refresh token leaves its record only once the server refused it, or by a logout.
//! 5. What a logout removed does not come back.
//! 6. Without a cause the store ends up with the newest refresh token of a login that the server honours.
//! 7. Everybody ends with a token that works or with an error that fits.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::play::Action;
use crate::server::{Death, Done, Server, Token};
use crate::stage::{Process, Stage, State};

/// The only ways to lose a login that the server honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cause {
    /// The server rotated the token and its answer never arrived.
    AnswerLost,
    /// The process was killed after the server had answered and before the answer was saved.
    KilledUnsaved,
    /// The store did not take the answer.
    NotSaved,
    /// The lease of the lock ran out between the request and the save.
    LeaseEnded,
}

/// What a stored grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) access: Token,
    pub(crate) refresh: Option<Token>,
}

/// One use of a refresh token, from the request to the save.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    spends: Token,
    new: Option<Token>,
}

#[derive(Default)]
pub(crate) struct Law {
    pub(crate) faults: usize,
    pub(crate) expiries: usize,
    /// How often a token was refused that had not expired.
    pub(crate) rejections: usize,
    pub(crate) logouts: usize,
    pub(crate) breaches: Vec<String>,
    pub(crate) lost: bool,
    pub(crate) causes: BTreeMap<usize, BTreeSet<Cause>>,
    pub(crate) doing: HashMap<Process, Action>,
    /// How many actions each process has finished.
    pub(crate) done: HashMap<Process, usize>,
    attempts: HashMap<Process, Attempt>,
    removed: HashSet<usize>,
    stored: HashSet<usize>,
}

impl Law {
    pub(crate) fn breach(&mut self, what: String) {
        self.breaches.push(what);
    }

    /// This login is what is stored at first.
    pub(crate) fn signed_in(&mut self, family: usize) {
        self.stored.insert(family);
    }

    fn cause(&mut self, family: usize, cause: Cause) {
        self.causes.entry(family).or_default().insert(cause);
    }

    fn is_excused(&self, family: usize) -> bool {
        self.causes.contains_key(&family)
    }

    /// The server has decided on a request.
    pub(crate) fn decided(&mut self, process: Process, done: &Done) {
        match done {
            Done::Refreshed { spent, new } => {
                let attempt = self.attempts.get_mut(&process);
                if let Some(attempt) = attempt.filter(|attempt| attempt.spends == *spent) {
                    attempt.new = Some(*new);
                }
            }
            Done::Refused => drop(self.attempts.remove(&process)),
            Done::BadRequest => self.breach("a request that nobody could answer".to_owned()),
            Done::SignedIn(_) => {}
        }
    }

    pub(crate) fn answer_lost(&mut self, process: Process) {
        self.ends(process, Cause::AnswerLost);
    }

    pub(crate) fn killed(&mut self, process: Process) {
        self.ends(process, Cause::KilledUnsaved);
    }

    fn ends(&mut self, process: Process, cause: Cause) {
        if let Some(Attempt { new: Some(new), .. }) = self.attempts.remove(&process) {
            self.cause(new.family, cause);
        }
    }

    pub(crate) fn save_failed(&mut self, process: Process) {
        if let Some(Attempt { new: Some(new), .. }) = self.attempts.get(&process).copied() {
            self.cause(new.family, Cause::NotSaved);
        }
    }

    pub(crate) fn lease_ended(&mut self, process: Process) {
        if let Some(attempt) = self.attempts.get(&process).copied() {
            self.cause(attempt.spends.family, Cause::LeaseEnded);
        }
    }

    /// The server has just ended a family because a token came twice.
    fn reused(&mut self, token: Token) {
        if !self.is_excused(token.family) {
            self.breach(format!("{token:?} was used twice without a cause"));
        }
    }

    fn saved(&mut self, server: &Server, of: Process, before: Option<Holding>, after: Holding) {
        let family = after.access.family;
        if let Some(attempt) = self.attempts.get(&of).copied()
            && attempt.new.is_some()
            && attempt.new == after.refresh
        {
            self.attempts.remove(&of);
        }
        if self.removed.contains(&family) {
            self.breach(format!("{after:?} was signed out of and came back"));
        }
        match before {
            Some(before) if before.access.family == family => {
                self.succeeds(server, before, after);
            }
            // A login that is new takes the place of whatever is there.
            _ if server.families[family].of == of && !self.stored.contains(&family) => {}
            before => self.breach(format!("{after:?} took the place of {before:?}")),
        }
        self.stored.insert(family);
    }

    fn succeeds(&mut self, server: &Server, before: Holding, after: Holding) {
        if after.access < before.access || after.refresh < before.refresh && after.refresh.is_some()
        {
            self.breach(format!("{after:?} is older than {before:?}"));
        }
        if let (Some(gone), None) = (before.refresh, after.refresh)
            && !server.refused.contains(&gone)
        {
            self.breach(format!(
                "{gone:?} was dropped, and the server never refused it"
            ));
        }
    }

    fn removed(&mut self, of: Process, holding: Holding) {
        if self.doing.get(&of) != Some(&Action::Logout) {
            self.breach(format!(
                "{holding:?} was removed by who was not signing out"
            ));
        }
        self.removed.insert(holding.access.family);
    }

    /// What the store ended up with.
    pub(crate) fn settled(&mut self, server: &Server, stored: Option<Holding>) {
        let Some(stored) = stored else {
            if self.removed.is_empty() {
                self.breach("the login is gone, and nobody signed out".to_owned());
            }
            return;
        };
        let family = stored.access.family;
        if self.removed.contains(&family) {
            self.breach(format!(
                "{stored:?} is there, and somebody signed out of it"
            ));
        }
        // A logout that could not remove the record has revoked it all the same.
        let revoked = server.families[family].dead == Some(Death::Revoked);
        let lost = stored.refresh.is_none_or(|token| !server.honours(token));
        self.lost = lost && !revoked;
        if self.lost && !self.is_excused(family) {
            self.breach(format!("{stored:?} is all that is left, without a cause"));
        }
        let refreshes = server.refreshes.get(&family).copied().unwrap_or_default();
        if self.faults == 0 && refreshes > self.expiries + self.rejections {
            self.breach(format!("{refreshes} refreshes, and once would have done"));
        }
    }
}

impl Stage {
    /// A process is about to send this refresh token.
    pub(crate) fn sends(&self, process: Process, token: Token) {
        let mut state = self.state();
        if !state.free && !state.holds_a_lock(process) {
            let what = format!("process {process} sent {token:?} without the lock");
            state.law.breach(what);
        }
        let attempt = Attempt {
            spends: token,
            new: None,
        };
        state.law.attempts.insert(process, attempt);
    }

    /// The request did not arrive, or nothing was decided.
    pub(crate) fn unsent(&self, process: Process) {
        self.state().law.attempts.remove(&process);
    }

    pub(crate) fn saved(&self, process: Process, before: Option<Holding>, after: Holding) {
        let mut state = self.state();
        let State { law, server, .. } = &mut *state;
        law.saved(server, process, before, after);
    }

    pub(crate) fn removed(&self, process: Process, holding: Holding) {
        self.state().law.removed(process, holding);
    }
}

impl State {
    /// Looks for families that a second use has ended since the last look.
    pub(crate) fn look_for_reuse(&mut self) {
        for token in self.server.reused.drain(..) {
            self.law.reused(token);
        }
    }
}
