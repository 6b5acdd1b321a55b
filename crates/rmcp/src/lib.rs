//! An authorized streamable HTTP transport for rmcp, the Rust MCP SDK.

mod answer;
mod client;
mod connect;
mod connection;
mod error;
mod event;
mod lifecycle;
mod options;
mod probe;
mod remembered;
mod reply;
mod settle;
mod sse;
mod stream;
mod transport;
mod unauthenticated;
mod wire;

pub use client::AuthorizedClient;
pub use connect::{Connected, connect};
pub use error::{ClientError, ConnectError, TransportError, authorization_error};
pub use event::{Event, EventStream, Exchange};
pub use options::{ClientOptions, ConnectOptions, Limits, Remembered};
pub use probe::{ProbeOutcome, probe};
pub use rmcp;
pub use transport::AuthorizedTransport;
pub use wire::{Protocol, UnknownProtocol, Wire};
