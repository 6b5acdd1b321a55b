//! The referees judged: what they let through, what they refuse, and how they fail on cue.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod authorization;
mod browser;
mod client_assertions;
mod client_credentials;
mod client_secrets;
mod device;
mod dpop;
mod dpop_resource;
mod faults;
mod gate;
mod http2;
mod jwt_bearer;
mod metadata;
mod openid;
mod proofs;
mod proxy;
mod pushed;
mod recorder;
mod registration;
mod rmcp_client;
mod signing;
mod stateful;
mod stateless;
mod support;
mod tls;
mod token_exchange;
mod tokens;
