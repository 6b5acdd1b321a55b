//! What only the whole stack can prove.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and shows what it saw"
)]

mod browser;
mod budgets;
mod comfort;
mod crash;
mod distance;
mod docs;
mod doctor;
mod document;
mod embedding;
mod faults;
mod faults_store;
mod herd;
mod hostile;
mod matrix;
mod processes;
mod quirks;
mod sentinel;
mod session;
mod support;
mod surroundings;
mod terminal;
mod tokens;
