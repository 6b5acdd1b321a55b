//! The program, as a person uses it, against a certified authorization server and an MCP server built with another SDK.
//!
//! `cargo xtask interop` installs the servers' packages, builds the program, and runs this.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at the first surprise and says which"
)]

mod checks;
mod day;
mod device;
mod dpop;
mod program;
mod pushed;
mod registrations;
mod servers;
mod unattended;

/// Seconds: long enough that what follows a token's issue is over before the token is.
const UNHURRIED: u64 = 60;
/// Seconds: short enough to wait for.
const BRIEF: u64 = 3;
