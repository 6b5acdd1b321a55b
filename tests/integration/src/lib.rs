//! What the tests of the whole stack share: servers on different origins, a home, a person, the program.
//!
//! - [`World`] is a private certificate authority, an authorization server and a resource-bound MCP server, both over
//!   real TLS, and a record of every request that they saw.
//! - [`IdentityProvider`] is an enterprise's, on an origin of its own, for the tests that need one.
//! - [`Person`] approves in a browser: in process through [`Person::interaction`], and for the program through
//!   `$BROWSER`, where the small program `integration-browser` hands the page to the same person. The code of a device
//!   is typed by [`Person::typing`].
//! - [`Home`] is a `DOORKEY_HOME`: [`Home::host`] opens it as a library does, [`Home::run`] runs the program on it, and
//!   [`Home::records`] are its stored bytes.
//! - [`Terminal`] is the program at a terminal: [`Home::at_terminal`] starts it, and a test reads the screen and types.
//! - [`worker`] starts processes that ask for a token, and kills them at a step of the refresh.
//! - [`network`] measures which network setting holds on which leg.
//!
//! Everything is private to one test and ends with it, so that tests run side by side.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what does not work here fails the test that uses it"
)]

mod clock;
mod disk;
mod home;
mod identity_provider;
pub mod network;
mod person;
mod program;
#[cfg(unix)]
mod terminal;
mod text;
pub mod worker;
mod world;

pub use clock::HandClock;
pub use disk::Disk;
pub use home::{Home, Records};
pub use identity_provider::IdentityProvider;
pub use person::{Person, Typing};
pub use program::Run;
#[cfg(unix)]
pub use terminal::{AtTerminal, Terminal};
pub use world::World;

/// The longest that anything in a test may take before the test fails.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
