//! What the stack costs, beside its rivals in one run: `cargo xtask bench` writes `docs/performance.md` with this.
//!
//! A section is a module with an [`Outline`](section::Outline) and a function that measures; [`sections::ALL`] lists
//! them. What is measured as a process is a program in `src/bin`, started by [`runner::measure`]; contenders take turns
//! in [`rounds::interleaved`]; [`server::Server`] is the MCP server that all of them talk to, in a process of its own.

pub mod calls;
pub mod codex;
pub mod cold;
pub mod context;
pub mod distance;
pub mod exact;
pub mod exponent;
pub mod format;
pub mod growth;
pub mod machine;
pub mod plot;
mod profile;
pub mod report;
pub mod rounds;
pub mod runner;
pub mod section;
pub mod sections;
pub mod server;
pub mod startup;

pub use context::Context;

/// Why a measurement could not be made; a run ends with the first.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
