//! The PostgreSQL store: the laws of every store, then what only a database on other machines can get wrong.

mod faults;
mod fixtures;
mod lost;
mod opening;
mod processes;
mod secrets;
mod statements;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use doorkey_store::{Error, PostgresBackend, PostgresOptions, SealingKey};
use secrecy::SecretString;
use services::{Database, PgBouncer, Postgres};
use zeroize::Zeroizing;

use crate::conformance::Fixture;

mod direct {
    use crate::conformance::conforms;

    conforms!(super::direct_fixture);
}

mod pooled {
    use crate::conformance::conforms;

    conforms!(super::pooled_fixture);
}

mod sealed {
    use crate::conformance::conforms;

    conforms!(super::sealed_fixture);
}

/// Where several work at one record, transactions of a stricter engine fail, and are tried again.
mod serializable {
    use crate::conformance::conforms;

    conforms! { super::serializable_fixture =>
        a_save_that_expects_something_else_conflicts_reports_the_current_one_and_changes_nothing,
        savers_who_retry_on_conflict_lose_no_update,
        a_lock_lets_one_task_in_at_a_time,
        what_is_set_aside_is_absent_reported_listed_and_can_be_discarded,
    }
}

fn direct_fixture() -> Fixture {
    let database = Postgres::shared().database();
    let options = options(&database);
    Fixture::new(move || wait(connect(options.clone())), database)
}

/// Fewer connections than clients, so that these change servers from one transaction to the next.
fn pooled_fixture() -> Fixture {
    let server = Postgres::shared();
    let database = server.database();
    let pooler = PgBouncer::start(&server, 3);
    let options = options_of(pooler.connection_string(&database));
    Fixture::new(move || wait(connect(options.clone())), (pooler, database))
}

fn sealed_fixture() -> Fixture {
    let database = Postgres::shared().database();
    let options = options(&database).sealed_with(key(1));
    Fixture::new(move || wait(connect(options.clone())), database)
}

fn serializable_fixture() -> Fixture {
    let database = Postgres::shared().database();
    database.sql(&format!(
        "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'",
        database.name()
    ));
    let options = options(&database);
    Fixture::new(move || wait(connect(options.clone())), database)
}

/// Waits for something in the middle of a test that is asynchronous itself.
fn wait<T>(future: impl Future<Output = Result<T, Error>>) -> Arc<T> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| Arc::new(runtime.block_on(future).unwrap()))
}

async fn connect(options: PostgresOptions) -> Result<PostgresBackend, Error> {
    PostgresBackend::connect(options).await
}

fn options(database: &Database) -> PostgresOptions {
    options_of(database.connection_string())
}

/// Two connections each: some tests open many stores on one server.
fn options_of(connection: String) -> PostgresOptions {
    PostgresOptions::new(SecretString::from(connection)).connections(2)
}

fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([byte; 32]))
}

/// The error and its causes, as a person sees them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A lease that a test can wait for.
const SHORT_LEASE: Duration = Duration::from_millis(1500);
