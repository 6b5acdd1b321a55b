//! Counts what a call costs, for `cargo xtask figures` and `cargo xtask instructions`: `figures allocations` or
//! `figures instructions`. A line is the kind, the name of the call and the number, with tabs between.

#![expect(
    clippy::print_stdout,
    reason = "this is a program: its output is what it is for"
)]

use std::path::Path;

use bench::{BoxError, Context, calls};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let context = Context::here(Path::new("."), false)?;
    let figures = match kind.as_str() {
        "allocations" => Box::pin(calls::allocations(&context)).await?,
        "instructions" => Box::pin(calls::instructions(&context)).await?,
        _ => return Err("figures allocations|instructions".into()),
    };
    for (name, number) in figures {
        println!("{kind}\t{name}\t{number}");
    }
    Ok(())
}
