//! What only the whole stack can prove.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod budgets;
mod faults;
mod matrix;
mod sentinel;
mod support;
