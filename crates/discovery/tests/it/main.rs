//! Discovery over real connections: what is requested, in which order, and what is made of each
//! answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

mod faults;
mod legacy;
mod order;
mod places;
mod probe;
mod servers;
mod trust;
