//! `doorkey doctor`, fault by fault: a server is made to have it, the program is run, and the fault has to be the first
//! finding, with the answer that shows it, something to do about it, and the exit code of its class.
//!
//! # To add a row
//!
//! 1. The fault is in `crates/host/src/doctor/table/`, say `TLS_EXPIRED` with the id `tls-expired`.
//! 2. A line in the `cases!` of the file here that is named as the file of the table (`network.rs`):
//!
//!    ```text
//!    tls_expired: Some("resource"), async || { … a Bench … };
//!    ```
//!
//!    The name is the id with `_` in place of `-`. Then the leg that the evidence has to name, as `Leg::as_str` words it:
//!    `resource`, `resource metadata`, `authorization server metadata`, `token`, `registration`; `None` where no request
//!    shows it. Then how the fault is made: a [`Bench`](bench::Bench), which is servers, a home, and what is run.
//!    - `Bench::new()`: servers that are in order, nobody signed in. `Bench::signed_in()`: somebody is.
//!      `Bench::with(|auth| auth, |mcp| mcp)` and `Bench::signed_in_with(…)`: other servers.
//!      `Bench::socket(|request| answer)`: plain http on this machine, each connection answered with those bytes.
//!    - `.settings("…")` rewrites the server's table in `config.toml`, `.config("…")` the whole file.
//!      `.variable(name, value)`, `.argument("--no-refresh")`, `.target("https://…")`.
//!    - `.world.mcp.fault(…)`, `.world.auth.set_field(…)`, `.home.expire().await`, `.home.change(…)` as everywhere.
//! 3. A row of the table without a case, and a case without a row, fail in `table.rs`; the page `docs/doctor.md` gets its
//!    row too, or `crates/host/src/doctor/table.rs` says which is missing.
//!
//! `cargo build -p doorkey -p integration`, then `cargo test -p integration --test it -- doctor::`.

/// One test for each fault, named as the fault is, and the list of them.
macro_rules! cases {
    ($($name:ident: $leg:expr, $make:expr;)+) => {
        $(#[tokio::test]
        async fn $name() {
            let bench = ($make)().await;
            crate::doctor::bench::check(stringify!($name), $leg, &bench).await;
        })+

        pub(super) const CASES: &[&str] = &[$(stringify!($name)),+];
    };
}

mod bench;
mod discovery;
mod first;
mod healthy;
mod network;
mod pages;
mod record;
mod server;
mod session;
mod settings;
mod table;
mod token;
