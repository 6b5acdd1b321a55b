//! The stores that need a daemon: `cargo bench -p services --bench store`.
//!
//! PostgreSQL is measured directly, through a pooler in transaction mode, and with sealed records; the keyring at fewer grants: it
//! is meant for the logins of a person, and its daemon writes all its secrets anew whenever one changes.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "what does not work here ends the measurement"
)]

#[path = "../../../crates/store/benches/store/measure.rs"]
mod measure;

use std::process::Command;

use criterion::Criterion;
use doorkey_store::{
    KeyringBackend, KeyringOptions, PostgresBackend, PostgresOptions, SealingKey, Store,
};
use secrecy::SecretString;
use services::{Keyring, KeyringState, PgBouncer, Postgres, told};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    if told("part").is_some() {
        return keyring(&mut criterion);
    }
    postgres(&mut criterion);
    // The library finds the session by the environment, which only a process of its own can have.
    let session = Keyring::start(KeyringState::Unlocked);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .envs(session.envs())
        .env("DOORKEY_TEST_PART", "keyring")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    criterion.final_summary();
}

fn postgres(criterion: &mut Criterion) {
    let server = Postgres::start();
    let options = |connection| PostgresOptions::new(SecretString::from(connection)).connections(8);
    let open = |runtime: &tokio::runtime::Runtime, options| {
        Store::new(runtime.block_on(PostgresBackend::connect(options)).unwrap())
    };
    measure::measure(criterion, "postgres", SIZES, |runtime| {
        let database = server.database();
        let store = open(runtime, options(database.connection_string()));
        (store, database)
    });
    measure::measure(criterion, "postgres-pooled", SIZES, |runtime| {
        let database = server.database();
        let pooler = PgBouncer::start(&server, 8);
        let store = open(runtime, options(pooler.connection_string(&database)));
        (store, (pooler, database))
    });
    measure::measure(criterion, "postgres-sealed", SIZES, |runtime| {
        let database = server.database();
        let options = options(database.connection_string());
        let sealed = options.sealed_with(SealingKey::generate().unwrap());
        (open(runtime, sealed), database)
    });
}

fn keyring(criterion: &mut Criterion) {
    measure::measure(criterion, "keyring", KEYRING_SIZES, |_| {
        let folder = tempfile::tempdir().unwrap();
        // Stores of different services share the keyring, and see nothing of one another.
        let service = format!("doorkey-{}", folder.path().display());
        let backend = KeyringBackend::new(folder.path(), KeyringOptions::new(service)).unwrap();
        (Store::new(backend), folder)
    });
}

const SIZES: &[usize] = &[1, 100, 10_000];
const KEYRING_SIZES: &[usize] = &[1, 100];
