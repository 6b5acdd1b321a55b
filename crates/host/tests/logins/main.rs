//! Logins of several accounts, kept in several places, begun here and finished there: through the program,
//! each command a process of its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

mod accounts;
mod halves;
mod logout;
mod moving;
mod state;
mod stores;
mod tokens;
mod world;
