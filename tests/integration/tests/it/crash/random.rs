//! SIGKILL at random moments of the refresh.

use integration::worker::{Site, Tally, kills};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_random_kills_corrupt_nothing_and_lose_only_what_was_answered_and_not_saved() {
    let mut running = JoinSet::new();
    for _ in 0..4 {
        running.spawn(async { kills(&Site::on_files().await, 50).await });
    }
    report("files", running.join_all().await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_random_kills_on_an_encrypted_store_lose_only_what_was_answered_and_not_saved() {
    let mut running = JoinSet::new();
    for _ in 0..2 {
        running.spawn(async { kills(&Site::on_encrypted_files().await, 20).await });
    }
    report("encrypted files", running.join_all().await, 40);
}

fn report(store: &str, tallies: Vec<Tally>, wanted: usize) {
    let total: Tally = tallies.into_iter().sum();
    println!("{}", total.table(store));
    assert_eq!((total.kills, total.corrupted), (wanted, 0));
    assert_eq!(total.before + total.after + total.lost, wanted);
    assert!(
        total.before > 0 && total.after > 0,
        "the kills hit one part of the refresh only: {total:?}"
    );
}
