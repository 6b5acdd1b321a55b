//! One cell of the table: what a hostile party does on which leg, and what has to come of it.

use std::{fmt, sync::Arc};

use super::{class::Class, leg::Leg, stage::Stage};

/// What a hostile party does once.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) leg: Leg,
    pub(super) class: Class,
    /// What is done, in a few words; with leg and class it names the case.
    pub(super) name: String,
    pub(super) inflict: Inflict,
    pub(super) verdict: Verdict,
    pub(super) ground: Ground,
    /// What is known to be held against it today: how each such objection begins.
    pub(super) open: &'static [&'static str],
}

/// Makes the servers hostile.
pub(super) type Inflict = Arc<dyn Fn(&Stage, Leg) + Send + Sync>;

/// What has to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing: what was wanted is had all the same.
    Works,
    /// An error that may pass by itself, and nothing is lost.
    Passing,
    /// An error that stays until somebody changes something, and nothing is lost.
    Refused,
    /// A person has to sign in.
    Login,
}

/// What the servers and the client are for a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// The attacked server speaks HTTP/1.1 only, as raw bytes need it.
    pub(super) http1: bool,
    /// Something is late, and the client has little patience.
    pub(super) impatient: bool,
    /// Metadata may be looked for on a foreign public origin: it is no secret and takes none along.
    pub(super) elsewhere: bool,
    /// The servers are hostile from the start, also while somebody signs in.
    pub(super) early: bool,
}

impl Case {
    pub(super) fn new(
        leg: Leg,
        class: Class,
        name: impl Into<String>,
        verdict: Verdict,
        inflict: impl Fn(&Stage, Leg) + Send + Sync + 'static,
    ) -> Self {
        Self {
            leg,
            class,
            name: name.into(),
            inflict: Arc::new(inflict),
            verdict,
            ground: Ground::default(),
            open: &[],
        }
    }

    pub(super) fn open(mut self, objections: &'static [&'static str]) -> Self {
        self.open = objections;
        self
    }

    pub(super) fn http1(mut self) -> Self {
        self.ground.http1 = true;
        self
    }

    pub(super) fn impatient(mut self) -> Self {
        self.ground.impatient = true;
        self
    }

    pub(super) fn early(mut self) -> Self {
        self.ground.early = true;
        self
    }

    pub(super) fn elsewhere(mut self) -> Self {
        self.ground.elsewhere = true;
        self
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} / {} / {}", self.leg, self.class, self.name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Works => "works",
            Self::Passing => "passing",
            Self::Refused => "refused",
            Self::Login => "login",
        })
    }
}
