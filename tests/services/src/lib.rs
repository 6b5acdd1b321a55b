//! The daemons that stores talk to, started privately for one test and gone with it.
//!
//! - [`Postgres`] is a server of Debian's PostgreSQL over a Unix socket or, with a certificate, over TLS on loopback. It can be
//!   killed, stopped and started again on the same data. [`Postgres::shared`] is one for all tests that run at the
//!   moment; each makes a [`Database`] of its own in it.
//! - [`PgBouncer`] stands in front of one and hands its connections out for single transactions.
//! - [`Keyring`] is a D-Bus session of its own with GNOME's Secret Service on it: unlocked, locked, or absent.
//! - [`Process`] is the test binary once more, to run one test in an environment of its own, and to be paused or killed.
//!
//! A daemon that is not installed fails the test that wants it, and says what to type. None is ever reached that was not
//! started here: a daemon's socket lies in the temporary folder of the test, and its processes end with its value.
//!
//! To use them in another package of `tests/`, add `services.workspace = true` to its `[dev-dependencies]`, and the step that
//! runs that package to the steps of the tools in `xtask/src/setup.rs`.

#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what does not work here fails the test that uses it"
)]

mod daemon;
mod keyring;
mod pgbouncer;
mod postgres;
mod process;

pub use keyring::{Keyring, KeyringState};
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres};
pub use process::{Process, say, told};

/// The longest that anything in a test may take before the test fails.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
