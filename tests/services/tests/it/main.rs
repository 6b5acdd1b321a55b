//! The stores that need a daemon, against the real one.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

/// The laws of every store, which its own tests run over memory and files.
#[path = "../../../../crates/store/tests/it/conformance.rs"]
mod conformance;
mod daemons;
mod keyring;
mod postgres;
mod program;
mod refresh;
