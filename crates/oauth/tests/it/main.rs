//! The crate against a scripted authorization server and resource, one recorder for every leg.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod asked;
mod browser;
mod budgets;
mod callback_errors;
mod challenges;
mod code_exchange;
mod device;
mod dpop;
mod endings;
mod enterprise;
mod found;
mod granted;
mod in_use;
mod keys;
mod layer;
mod login;
mod login_failures;
mod logout;
mod managed;
mod parallel;
mod pushed;
mod recorded;
mod recovery;
mod referee;
mod refresh;
mod refusals;
mod registering;
mod registrations;
mod step_up;
mod stores;
mod unattended;
mod wire;
mod workload;
mod world;
