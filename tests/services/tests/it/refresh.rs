//! Real processes that share a login over PostgreSQL, each from a home of its own: many at expiry, and some killed.
//!
//! The authorization server rotates refresh tokens, and ends the login of whoever uses one twice.

use doorkey_store::{PostgresBackend, PostgresOptions, Store};
use integration::worker::{Moment, Said, Site, Step, Tally, Worker, kill_before_waiting, kills};
use secrecy::SecretString;
use services::{Database, Postgres};
use tokio::task::JoinSet;

async fn site(database: &Database) -> Site {
    let connection = database.connection_string();
    let options = PostgresOptions::new(SecretString::from(connection.clone())).connections(2);
    let backend = PostgresBackend::connect(options).await.unwrap();
    let program = env!("CARGO_BIN_EXE_services-worker");
    Site::on(Store::new(backend), program.into(), connection).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_eight_and_thirty_two_processes_on_postgres_at_expiry_refresh_once_and_all_succeed_ref_09()
 {
    let database = Postgres::shared().database();
    let site = site(&database).await;
    for (round, count) in [2, 8, 32].into_iter().enumerate() {
        site.expire().await;
        let mut workers = Vec::new();
        for _ in 0..count {
            workers.push(Worker::start(&site, None).await);
        }
        for worker in &mut workers {
            worker.go().await;
        }
        for worker in &mut workers {
            assert_eq!(worker.said().await, Said::Token, "of {count}");
        }
        for worker in workers {
            assert_eq!(worker.end().await, None);
        }
        let counters = site.world.auth.counters();
        assert_eq!(counters.refreshes, round + 1, "of {count}");
        assert_eq!(counters.reuses, 0);
        assert!(site.is_honoured().await, "the family is alive");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_on_postgres_killed_at_a_step_costs_the_login_only_before_the_save() {
    let database = Postgres::shared().database();
    let site = site(&database).await;
    for moment in Moment::ALL {
        site.expire().await;
        let before = site.world.auth.refreshes();
        moment.caught(&site).await.kill().await;
        let (rotated, saved) = moment.rotated_and_saved();
        assert_eq!(site.world.auth.refreshes() > before, rotated, "{moment:?}");
        let kept = site.is_honoured().await;
        assert_eq!(kept, !rotated || saved, "{moment:?}");
        assert!(site.is_sound().await, "{moment:?}");
        // Its lease runs out, and the next one goes on.
        let mut next = Worker::start(&site, None).await;
        next.go().await;
        let said = next.said().await;
        assert_eq!(said == Said::Token, kept, "{moment:?}: {said}");
        next.end().await;
        if !kept {
            site.sign_in().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_on_postgres_that_wait_for_the_lease_of_one_that_is_killed_take_over_ref_09() {
    let database = Postgres::shared().database();
    let site = site(&database).await;
    for moment in [
        Moment::At(Step::IntentSaved),
        Moment::OnTheWay,
        Moment::At(Step::BeforeSave),
    ] {
        for waiting in [2, 8] {
            kill_before_waiting(&site, moment, waiting).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_on_postgres_lose_only_what_was_answered_and_not_saved() {
    let mut running = JoinSet::new();
    for _ in 0..2 {
        running.spawn(async {
            let database = Postgres::shared().database();
            kills(&site(&database).await, 12).await
        });
    }
    let total: Tally = running.join_all().await.into_iter().sum();
    println!("{}", total.table("PostgreSQL"));
    assert_eq!((total.kills, total.corrupted), (24, 0));
    assert_eq!(total.before + total.after + total.lost, 24);
}
