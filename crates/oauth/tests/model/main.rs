//! A model test of the refresh protocol: the real `TokenSource`, every interleaving of what it does to the store and
//! the authorization server chosen by a schedule.
//!
//! Several sources ("processes": each with its own memory) share one store. Every operation on the store and each half
//! of every exchange with the token endpoint waits until the schedule lets it go, one at a time, on one thread with
//! paused time. Besides, the schedule may let time pass, fail an operation, lose an answer, end a lease or kill a process.
//! `law.rs` says what has to hold after each step; `flawed.rs` shows that breaches are found.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]
#![expect(
    clippy::print_stdout,
    reason = "how much was explored is shown with --nocapture"
)]

mod exhaustive;
mod flawed;
mod law;
mod play;
mod random;
mod server;
mod stage;
mod store;
mod wire;
