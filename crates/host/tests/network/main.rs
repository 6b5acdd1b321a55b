//! The network as it is configured, held by a host that lives on, before servers over real TLS.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

mod endpoints;
mod reload;
mod world;
