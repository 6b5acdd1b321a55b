//! Real processes, each with connections of its own: together, killed, and paused.

use std::time::Duration;

use doorkey_store::Backend as _;
use services::{Postgres, Process, say, told};

use super::{SHORT_LEASE, connect, options, options_of};
use crate::conformance::{grant, json, number};

#[tokio::test]
async fn eight_processes_that_make_the_schema_at_once_all_get_it() {
    let database = Postgres::shared().database();
    let connection = database.connection_string();
    let start = |_| Process::start(CHILD, [("role", "open"), ("connection", &connection)]);
    let processes: Vec<_> = (0..8).map(start).collect();
    for process in processes {
        assert_eq!(process.said(), "opened");
        process.passed();
    }
    assert_eq!(
        database.sql("SELECT count(*), max(version) FROM doorkey.store"),
        "1|1"
    );
    let store = connect(options(&database)).await.unwrap();
    assert!(store.load(&grant("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn eight_processes_that_count_by_retrying_on_conflict_lose_no_update() {
    count("count").await;
}

#[tokio::test]
async fn eight_processes_that_count_under_the_lock_lose_no_update() {
    count("count-locked").await;
}

async fn count(role: &str) {
    let database = Postgres::shared().database();
    let connection = database.connection_string();
    let start = |_| Process::start(CHILD, [("role", role), ("connection", &connection)]);
    let processes: Vec<_> = (0..8).map(start).collect();
    for process in processes {
        assert_eq!(process.said(), "counted");
        process.passed();
    }
    let store = connect(options(&database)).await.unwrap();
    let stored = store.load(&grant("a")).await.unwrap().unwrap();
    assert_eq!(number(&stored.bytes), 8 * ROUNDS);
}

#[tokio::test]
async fn an_attempt_to_lock_that_reaches_the_server_late_takes_nothing_from_who_holds_the_lock() {
    let database = Postgres::shared().database();
    let store = connect(options(&database).lease(SHORT_LEASE))
        .await
        .unwrap();
    let lock = store.lock(&grant("a"), services::LIMIT).await.unwrap();
    // An earlier attempt of the same owner, which had been given up for lost.
    let late = database.sql(
        "INSERT INTO doorkey.locks AS held SELECT kind, name, owner, 1, now() + interval '1 second' FROM doorkey.locks \
         ON CONFLICT (kind, name) DO UPDATE SET fence = held.fence + 1, expires_at = excluded.expires_at \
         WHERE held.owner = excluded.owner RETURNING fence",
    );
    assert_eq!(late, "2");
    tokio::time::sleep(2 * SHORT_LEASE).await;
    assert!(lock.is_held(), "it is renewed");
    // Another owner's lease is not.
    database.sql("UPDATE doorkey.locks SET owner = 'another'");
    tokio::time::sleep(SHORT_LEASE).await;
    assert!(!lock.is_held());
}

#[tokio::test]
async fn the_lock_of_a_process_that_was_killed_is_free_when_its_lease_ends_and_not_before() {
    let database = Postgres::shared().database();
    let connection = database.connection_string();
    let store = connect(options(&database).lease(SHORT_LEASE))
        .await
        .unwrap();
    let mut holder = Process::start(CHILD, [("role", "hold"), ("connection", &connection)]);
    assert_eq!(holder.said(), "held");
    // While it lives it renews: much longer than a lease nobody else gets in.
    let error = store.lock(&grant("a"), 2 * SHORT_LEASE).await.unwrap_err();
    assert!(
        matches!(error, doorkey_store::Error::LockTimeout { .. }),
        "{error}"
    );
    holder.kill();
    let held = "SELECT expires_at > now() FROM doorkey.locks";
    assert_eq!(database.sql(held), "t", "nobody released it");
    let lock = store.lock(&grant("a"), services::LIMIT).await.unwrap();
    assert!(lock.is_held());
    assert_eq!(database.sql("SELECT fence FROM doorkey.locks"), "2");
    lock.release().await;
    assert_eq!(database.sql(held), "f");
}

#[tokio::test]
async fn a_holder_that_was_paused_past_its_lease_knows_it_and_overwrites_nothing() {
    let database = Postgres::shared().database();
    let connection = database.connection_string();
    let store = connect(options(&database).lease(SHORT_LEASE))
        .await
        .unwrap();
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let holder = Process::start(CHILD, [("role", "resume"), ("connection", &connection)]);
    assert_eq!(holder.said(), "held");
    holder.pause();
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    holder.resume();
    assert_eq!(holder.said(), "lost");
    assert_eq!(holder.said(), "conflict");
    holder.passed();
    assert!(lock.is_held(), "the one who lost it did not release ours");
    let stored = store.load(&id).await.unwrap().unwrap();
    assert_eq!((stored.generation, number(&stored.bytes)), (second, 2));
}

/// What the processes above do. It is no test of its own: without a role it does nothing.
#[tokio::test]
async fn child() {
    let (Some(role), Some(connection)) = (told("role"), told("connection")) else {
        return;
    };
    let options = options_of(connection)
        .lease(SHORT_LEASE)
        .limit(services::LIMIT);
    let store = connect(options).await.unwrap();
    let id = grant("a");
    match role.as_str() {
        "open" => say("opened"),
        "count" => {
            let mut counted = 0;
            while counted < ROUNDS {
                match count_once(&store).await {
                    Ok(()) => counted += 1,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
            say("counted");
        }
        "count-locked" => {
            for _ in 0..ROUNDS {
                let lock = store.lock(&id, services::LIMIT).await.unwrap();
                // Under the lock there is nobody to conflict with.
                count_once(&store).await.unwrap();
                lock.release().await;
            }
            say("counted");
        }
        "hold" => {
            let lock = store.lock(&id, services::LIMIT).await.unwrap();
            say("held");
            tokio::time::sleep(services::LIMIT).await;
            drop(lock);
        }
        "resume" => {
            let stored = store.load(&id).await.unwrap().unwrap();
            let lock = store.lock(&id, services::LIMIT).await.unwrap();
            say("held");
            while lock.is_held() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            say("lost");
            let save = store.save(&id, json(3), Some(stored.generation)).await;
            assert!(save.unwrap_err().is_conflict());
            say("conflict");
            lock.release().await;
        }
        other => unreachable!("no role {other}"),
    }
}

async fn count_once(store: &doorkey_store::PostgresBackend) -> Result<(), doorkey_store::Error> {
    let id = grant("a");
    let current = store.load(&id).await.unwrap();
    let count = current.as_ref().map_or(0, |record| number(&record.bytes));
    let generation = current.map(|record| record.generation);
    store.save(&id, json(count + 1), generation).await.map(drop)
}

const CHILD: &str = "postgres::processes::child";
const ROUNDS: u64 = 25;
