//! The server is killed, stopped and started again while it is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use doorkey_store::{Backend as _, Error};
use services::{PgBouncer, Postgres};

use super::{SHORT_LEASE, chain, connect, options, options_of};
use crate::conformance::{grant, json, number};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_errors_are_transient_and_afterwards_nothing_is_lost() {
    let server = Postgres::start();
    let database = server.database();
    let impatient = options(&database).limit(IMPATIENT).lease(SHORT_LEASE);
    let store = connect(impatient).await.unwrap();
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    server.kill();
    let other = grant("b");
    let (load, look, save, remove, second) = tokio::join!(
        store.load(&id),
        store.generation(&id),
        store.save(&id, json(2), Some(first)),
        store.remove(&id, first),
        store.lock(&other, Duration::from_millis(100)),
    );
    let failures = [
        load.map(drop).unwrap_err(),
        look.map(drop).unwrap_err(),
        save.map(drop).unwrap_err(),
        remove.unwrap_err(),
        second.map(drop).unwrap_err(),
    ];
    for error in failures {
        assert!(matches!(error, Error::Backend { .. }), "{error:?}");
        assert!(
            error.is_transient() && !error.needs_login(),
            "{}",
            chain(&error)
        );
    }
    // Nobody could renew it.
    tokio::time::sleep(SHORT_LEASE).await;
    assert!(!lock.is_held());
    drop(lock);

    server.restart();
    let patient = connect(options(&database)).await.unwrap();
    let loaded = patient.load(&id).await.unwrap().unwrap();
    assert_eq!((loaded.generation, &*loaded.bytes), (first, &*json(1)));
    patient.save(&id, json(2), Some(first)).await.unwrap();
    let lock = patient.lock(&id, services::LIMIT).await.unwrap();
    lock.release().await;
    // The connections that broke are replaced.
    assert!(store.load(&id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_across_crashes_and_restarts_and_every_save_counts_once() {
    let server = Postgres::start();
    let database = server.database();
    let patient = options(&database).limit(services::LIMIT);
    let store = Arc::new(connect(patient).await.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Vec<Arc<AtomicU64>> = (0..3).map(|_| Arc::default()).collect();
    let writers: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .zip(&counts)
        .map(|(name, count)| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            let count = Arc::clone(count);
            tokio::spawn(async move {
                let id = grant(name);
                let (mut generation, mut saved) = (None, 0);
                // Nobody else writes this record: each save must happen, and exactly once.
                while !stop.load(Ordering::Relaxed) {
                    saved += 1;
                    generation = Some(store.save(&id, json(saved), generation).await.unwrap());
                    let stored = store.load(&id).await.unwrap().unwrap();
                    assert_eq!(
                        (Some(stored.generation), number(&stored.bytes)),
                        (generation, saved)
                    );
                    count.store(saved, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..6_u64 {
        all_went_on(&counts).await;
        // At another point of a save each time.
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        tokio::task::block_in_place(|| {
            if round % 3 == 2 {
                server.stop();
            } else {
                server.kill();
            }
            server.restart();
        });
    }
    all_went_on(&counts).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Waits until every writer saved twice more.
async fn all_went_on(counts: &[Arc<AtomicU64>]) {
    let started = Instant::now();
    let read = |count: &Arc<AtomicU64>| count.load(Ordering::Relaxed);
    let before: Vec<u64> = counts.iter().map(read).collect();
    while counts
        .iter()
        .zip(&before)
        .any(|(count, before)| read(count) < before + 2)
    {
        assert!(started.elapsed() < services::LIMIT, "a writer is stuck");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_dies_is_a_transient_error_and_another_one_serves_the_same_store() {
    let server = Postgres::shared();
    let database = server.database();
    let mut pooler = PgBouncer::start(&server, 2);
    let through = |pooler: &PgBouncer| options_of(pooler.connection_string(&database));
    let store = connect(through(&pooler).limit(IMPATIENT)).await.unwrap();
    let first = store.save(&grant("a"), json(1), None).await.unwrap();
    pooler.kill();
    let error = store.load(&grant("a")).await.unwrap_err();
    assert!(error.is_transient(), "{}", chain(&error));
    let other = PgBouncer::start(&server, 2);
    let store = connect(through(&other)).await.unwrap();
    store.save(&grant("a"), json(2), Some(first)).await.unwrap();
}

#[tokio::test]
async fn tables_that_somebody_dropped_are_no_transient_error_and_no_empty_store() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    database.sql("DROP TABLE doorkey.records");
    let error = store.load(&grant("a")).await.unwrap_err();
    assert!(!error.is_transient(), "{}", chain(&error));
    assert!(chain(&error).contains("42P01"), "{}", chain(&error));
}

#[tokio::test]
async fn what_the_server_says_comes_without_control_characters() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    database.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION '%', 'no' || chr(27) || '[2J' || chr(10) || chr(8238) || 'more'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON doorkey.records \
         FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let error = store.save(&grant("a"), json(1), None).await.unwrap_err();
    let said = chain(&error);
    assert!(said.contains("more") && said.contains("P0001"), "{said:?}");
    let is_odd = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!said.contains(is_odd), "{said:?}");
}

/// How long an operation takes at most where the test waits for it to fail.
const IMPATIENT: Duration = Duration::from_secs(4);
