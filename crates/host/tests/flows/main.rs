//! Logins without a browser on this machine, through the program, before servers that judge every
//! request.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

mod client_credentials;
mod device;
mod enterprise;
mod refusals;
mod workload;
mod world;
