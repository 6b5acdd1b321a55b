//! What is measured of every store: one load, one save, one refresh under the lock, among so many grants.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use doorkey_store::{Generation, Grant, GrantKey, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Measures the store that `open` makes, empty, for each number of grants; what it is kept by comes with it.
///
/// A *load* reads another grant each time; a *save* replaces one by compare-and-swap, durably; a *refresh* is lock, load, save,
/// release: all that a refresh costs but the request.
///
/// `cargo test` runs all of it once, among few grants, so that what is measured is known to work.
pub(crate) fn measure<K: Any>(
    criterion: &mut Criterion,
    name: &str,
    sizes: &[usize],
    mut open: impl FnMut(&Runtime) -> (Store, K),
) {
    let runtime = Runtime::new().unwrap();
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let sizes = sizes.iter().filter(|size| is_measured || **size <= FEW);
    for &size in sizes {
        let (store, keep) = open(&runtime);
        runtime.block_on(fill(&store, size));
        let mut group = criterion.benchmark_group(format!("{name}/{size}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2));
        let mut next = (0..size).cycle();
        let mut another = move || key(next.next().unwrap_or_default());
        group.bench_function("load", |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..times {
                        store.grant(&another()).await.unwrap().unwrap();
                    }
                    started.elapsed()
                })
            });
        });
        let key = key(size / 2);
        group.bench_function("save", |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let mut generation = generation(&store, &key).await;
                    let grant = grant();
                    let started = Instant::now();
                    for _ in 0..times {
                        generation = store
                            .save_grant(&key, &grant, Some(generation))
                            .await
                            .unwrap();
                    }
                    started.elapsed()
                })
            });
        });
        group.bench_function("refresh", |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..times {
                        refresh(&store, &key).await;
                    }
                    started.elapsed()
                })
            });
        });
        group.finish();
        drop((store, keep));
    }
}

async fn refresh(store: &Store, key: &GrantKey) {
    let lock = store.lock_grant(key, LIMIT).await.unwrap();
    let stored = store.grant(key).await.unwrap().unwrap();
    store
        .save_grant(key, &stored.value, Some(stored.generation))
        .await
        .unwrap();
    lock.release().await;
}

async fn generation(store: &Store, key: &GrantKey) -> Generation {
    store.grant(key).await.unwrap().unwrap().generation
}

/// Saves so many grants, some at a time.
async fn fill(store: &Store, size: usize) {
    let next = Arc::new(std::sync::Mutex::new(0..size));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.lock().unwrap().next();
                let Some(number) = number else { return };
                store
                    .save_grant(&key(number), &grant(), None)
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

fn key(number: usize) -> GrantKey {
    GrantKey::new(
        format!("https://server-{number}.example.com/mcp"),
        "default",
    )
}

/// As large as one with a JWT for an access token.
fn grant() -> Grant {
    let mut grant = Grant::new(
        "https://as.example.com",
        "client-1234567890",
        "https://as.example.com/oauth/token",
    );
    grant.resource = Some("https://server.example.com/mcp".into());
    grant.access_token = Some("a".repeat(1200).into());
    grant.refresh_token = Some("r".repeat(64).into());
    grant
}

/// Grants that are saved in a moment, whatever the store.
const FEW: usize = 100;
/// A wait that is never reached.
const LIMIT: Duration = Duration::from_secs(60);
