//! The crate against a scripted authorization server and resource, one recorder for every leg.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod browser;
mod callback_errors;
mod code_exchange;
mod dpop;
mod endings;
mod found;
mod granted;
mod layer;
mod login;
mod login_failures;
mod logout;
mod parallel;
mod recorded;
mod recovery;
mod referee;
mod refresh;
mod refusals;
mod registrations;
mod step_up;
mod stores;
mod wire;
mod world;
