//! SIGKILL at random moments of the refresh.

use std::time::{Duration, Instant};

use doorkey_testkit::Fault;
use integration::worker::{Said, Site, Worker};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;

/// What came of kills.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kills: usize,
    /// Before the server had rotated the token.
    before: usize,
    /// After the new token was saved.
    after: usize,
    /// Between the two: the login is lost.
    lost: usize,
    corrupted: usize,
}

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
    let mut total = Tally::default();
    for tally in tallies {
        total.kills += tally.kills;
        total.before += tally.before;
        total.after += tally.after;
        total.lost += tally.lost;
        total.corrupted += tally.corrupted;
    }
    let Tally {
        kills,
        before,
        after,
        lost,
        corrupted,
    } = total;
    println!(
        "| store | kills | before the answer | after the save | login lost | stores corrupted |"
    );
    println!("|---|---|---|---|---|---|");
    println!("| {store} | {kills} | {before} | {after} | {lost} | {corrupted} |");
    assert_eq!((kills, corrupted), (wanted, 0));
    assert_eq!(before + after + lost, kills);
    assert!(
        before > 0 && after > 0,
        "the kills hit one part of the refresh only: {total:?}"
    );
}

async fn kills(site: &Site, count: usize) -> Tally {
    let whole = how_long(site).await;
    let mut tally = Tally::default();
    for _ in 0..count {
        tally.kills += 1;
        one(site, whole, &mut tally).await;
    }
    tally
}

/// How long a refresh takes that nobody kills.
async fn how_long(site: &Site) -> Duration {
    site.expire().await;
    let mut worker = Worker::start(site, None).await;
    let started = Instant::now();
    worker.go().await;
    assert_eq!(worker.said().await, Said::Token);
    let whole = started.elapsed();
    worker.end().await;
    whole
}

async fn one(site: &Site, whole: Duration, tally: &mut Tally) {
    site.expire().await;
    let refreshes = site.world.auth.refreshes();
    let stored = site.grant().await.value.refresh_token;
    // Every second answer is on the way for a while, to be caught there now and then.
    let late = Duration::from_millis(super::super::processes::random(30));
    if tally.kills.is_multiple_of(2) {
        site.fault(Fault::Stalled(late));
    }
    let window = whole * 3 / 2 + late;
    let mut doomed = Worker::start(site, None).await;
    let mut spared = Worker::start(site, None).await;
    doomed.go().await;
    let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    tokio::time::sleep(Duration::from_micros(super::super::processes::random(
        micros,
    )))
    .await;
    doomed.kill().await;
    site.world.auth.clear_faults();

    tally.corrupted += usize::from(!site.is_sound().await);
    let rotated = site.world.auth.refreshes() > refreshes;
    let kept = site.is_honoured().await;
    let now = site.grant().await.value.refresh_token;
    let is_saved = now.as_ref().map(ExposeSecret::expose_secret)
        != stored.as_ref().map(ExposeSecret::expose_secret);
    // The server's own record says whether it was to be lost.
    assert_eq!(
        kept,
        !rotated || is_saved,
        "rotated: {rotated}, saved: {is_saved}"
    );
    match (rotated, kept) {
        (_, false) => tally.lost += 1,
        (true, true) => tally.after += 1,
        (false, true) => tally.before += 1,
    }
    spared.go().await;
    let said = spared.said().await;
    spared.end().await;
    assert_eq!(said == Said::Token, kept, "{said}");
    if !kept {
        assert!(
            matches!(&said, Said::Login(why) if why.contains("interrupted")),
            "{said}"
        );
        site.sign_in().await;
    }
    assert!(site.is_honoured().await);
}
