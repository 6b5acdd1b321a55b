//! The whole client against servers on loopback, most of them behind real TLS.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop the test")]

mod addresses;
mod bodies;
mod ca;
mod environment;
mod headers;
mod judged;
mod layers;
mod proxies;
mod proxy;
mod redirects;
mod reload;
mod scopes;
mod server;
mod sharing;
mod timeouts;
mod tls;
mod told;
mod workload;
