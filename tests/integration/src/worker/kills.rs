//! SIGKILL at random moments of the refresh.

use std::{
    iter::Sum,
    time::{Duration, Instant},
};

use doorkey_testkit::Fault;
use secrecy::ExposeSecret;

use super::{Said, Site, Worker};

/// What came of kills.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How many there were.
    pub kills: usize,
    /// Before the server had rotated the token.
    pub before: usize,
    /// After the new token was saved.
    pub after: usize,
    /// Between the two: the login is lost.
    pub lost: usize,
    /// How many stores were damaged.
    pub corrupted: usize,
}

impl Tally {
    /// The row of the table in `docs/reliability.md`, under its head.
    pub fn table(&self, store: &str) -> String {
        let Self {
            kills,
            before,
            after,
            lost,
            corrupted,
        } = self;
        format!(
            "| store | kills | before the answer | after the save | login lost | stores corrupted |\n\
             |---|---|---|---|---|---|\n\
             | {store} | {kills} | {before} | {after} | {lost} | {corrupted} |"
        )
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |one, other| Self {
            kills: one.kills + other.kills,
            before: one.before + other.before,
            after: one.after + other.after,
            lost: one.lost + other.lost,
            corrupted: one.corrupted + other.corrupted,
        })
    }
}

/// Kills so many processes in the middle of a refresh.
///
/// # Panics
/// When a login is lost that need not be, or somebody is held up.
pub async fn kills(site: &Site, count: usize) -> Tally {
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
    let late = Duration::from_millis(random(30));
    if tally.kills.is_multiple_of(2) {
        site.fault(Fault::Stalled(late));
    }
    let window = whole * 3 / 2 + late;
    let mut doomed = Worker::start(site, None).await;
    let mut spared = Worker::start(site, None).await;
    doomed.go().await;
    let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    tokio::time::sleep(Duration::from_micros(random(micros))).await;
    doomed.kill().await;
    site.world.auth.clear_faults();

    tally.corrupted += usize::from(!site.is_sound().await);
    let (rotated, kept) = outcome(site, refreshes).await;
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

/// Whether the server rotated the token since it had done so many refreshes, and whether the login is alive: read again until the server
/// did nothing in between, for a request may still be on its way when the process that sent it is gone.
async fn outcome(site: &Site, refreshes: usize) -> (bool, bool) {
    loop {
        let seen = site.world.auth.refreshes();
        tokio::time::sleep(ARRIVAL).await;
        let kept = is_kept(site).await;
        if site.world.auth.refreshes() == seen {
            return (seen > refreshes, kept);
        }
    }
}

/// Whether the login is alive, once what a killed process had sent to a database has been done.
async fn is_kept(site: &Site) -> bool {
    let limit = if site.is_remote() {
        SETTLING
    } else {
        Duration::ZERO
    };
    let started = Instant::now();
    loop {
        if site.is_honoured().await || started.elapsed() >= limit {
            return site.is_honoured().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const SETTLING: Duration = Duration::from_secs(1);
/// How long what was sent on loopback may take to be read.
const ARRIVAL: Duration = Duration::from_millis(20);

/// A number below `limit`, another one each time.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(limit) % limit.max(1)
}
