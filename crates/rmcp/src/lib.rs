//! An authorized streamable HTTP transport for rmcp, the Rust MCP SDK.

mod lifecycle;
mod sse;
mod wire;

pub use rmcp;
pub use wire::{Protocol, UnknownProtocol, Wire};
