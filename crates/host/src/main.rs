//! doorkey.
fn main() {}
