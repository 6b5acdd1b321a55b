//! The steps, in the order in which `ci` runs them.

use crate::counts::Counts;
use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{
    alone, conformance, deny, figures, fuzz, integration, interop, layers, lint, lock, manifest,
    requirements, services, setup, test,
};

/// One named step.
#[derive(Debug)]
pub(crate) struct Step {
    /// What a person types.
    pub(crate) name: &'static str,
    /// One line for the usage page.
    pub(crate) about: &'static str,
    /// Takes seconds and builds nothing: `ci` runs it even after an earlier failure.
    pub(crate) cheap: bool,
    /// The step itself.
    pub(crate) run: Run,
}

/// What a step does.
pub(crate) type Run = fn(&Workspace) -> Result<Report, Failure>;

/// What writes the record that a step compares with: `cargo xtask <step> --update`.
#[derive(Debug)]
pub(crate) struct Update {
    /// The name of the step.
    pub(crate) step: &'static str,
    pub(crate) run: Run,
}

/// What a step that passed has to say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Lines for a person: what was looked at, what was left alone and why.
    pub(crate) notes: Vec<String>,
    /// The tests that the step ran; empty for a step that runs none.
    pub(crate) counts: Counts,
}

impl Report {
    /// A report of one line and no tests.
    pub(crate) fn note(note: impl Into<String>) -> Self {
        Self {
            notes: vec![note.into()],
            counts: Counts::default(),
        }
    }
}

/// The steps of `ci`. What is cheap comes first; of the rest, what builds the least does, and `alone` follows `lint`
/// because both check without generating code. What reads what others left behind comes last.
pub(crate) const ALL: &[Step] = &[
    Step {
        name: "setup",
        about: "the system packages that the steps need: installed where it may, else named",
        cheap: true,
        run: setup::run,
    },
    Step {
        name: "manifest",
        about: "inheritance, metadata, names, lints, licences; no leaked path or host",
        cheap: true,
        run: manifest::run,
    },
    Step {
        name: "layers",
        about: "the arrows between the crates and the fences around dependencies",
        cheap: true,
        run: layers::run,
    },
    Step {
        name: "lock",
        about: "Cargo.lock is current, one version per crate, no git source; each dependency has a reason",
        cheap: true,
        run: lock::run,
    },
    Step {
        name: "deny",
        about: "banned crates, licences and sources, by a pinned cargo-deny",
        cheap: false,
        run: deny::run,
    },
    Step {
        name: "lint",
        about: "rustfmt, clippy and rustdoc, warnings denied",
        cheap: false,
        run: lint::run,
    },
    Step {
        name: "alone",
        about: "each library crate by itself, with no features and with each one",
        cheap: false,
        run: alone::run,
    },
    Step {
        name: "test",
        about: "unit and doc tests of every crate",
        cheap: false,
        run: test::run,
    },
    Step {
        name: "integration",
        about: "the whole stack together, and parity with rmcp's own client",
        cheap: false,
        run: integration::run,
    },
    Step {
        name: "browser",
        about: "the pages of a login in a real browser (needs chromium and chromedriver)",
        cheap: false,
        run: integration::browser,
    },
    Step {
        name: "figures",
        about: "crates, bytes, requests and allocations are those of benches/figures.toml (--update writes it)",
        cheap: false,
        run: figures::run,
    },
    Step {
        name: "instructions",
        about: "and so are the instructions of a call (needs valgrind; --update writes them)",
        cheap: false,
        run: figures::instructions,
    },
    Step {
        name: "fuzz",
        about: "each fuzz target for a few seconds, by a pinned cargo-fuzz (needs g++)",
        cheap: false,
        run: fuzz::run,
    },
    Step {
        name: "services",
        about: "stores against real daemons: PostgreSQL, a pooler, the Secret Service",
        cheap: false,
        run: services::run,
    },
    Step {
        name: "interop",
        about: "the program against third-party servers (needs node and npm)",
        cheap: false,
        run: interop::run,
    },
    Step {
        name: "conformance",
        about: "every client scenario of the official suite (needs node and npm)",
        cheap: false,
        run: conformance::run,
    },
    Step {
        name: "requirements",
        about: "every rule of docs/requirements.md, every promise of SECURITY.md and every row of docs/troubleshooting.md and docs/quirks.md (what needs no rule) has tests, and they ran",
        cheap: false,
        run: requirements::run,
    },
];

/// The steps that compare with a record of ours.
pub(crate) const UPDATES: &[Update] = &[
    Update {
        step: "figures",
        run: figures::update,
    },
    Update {
        step: "instructions",
        run: figures::update_instructions,
    },
];
