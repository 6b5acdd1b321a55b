//! Flights whose callers come, go and panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_comes_after_a_task_was_given_up_starts_another_one_az_22() {
    let flights = Arc::new(Flights::new());
    let tasks = Tasks::default();
    let (given_up, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let start = |interest: Interest<u8>| {
        let (given_up, gate) = (Arc::clone(&given_up), Arc::clone(&gate));
        async move {
            interest.lost().await;
            given_up.notify_one();
            gate.notified().await;
            Err(Error::LoginAbandoned)
        }
    };
    let first = flights.join(&tasks, || None, start).now_or_never();
    assert!(first.is_none(), "the only caller left at once");
    tokio::time::timeout(LIMIT, given_up.notified())
        .await
        .unwrap();
    // The first task still runs, but nobody gets its outcome.
    let second = flights.join(&tasks, || None, |_| async { Ok(2) }).await;
    assert_eq!(second.unwrap(), 2);
    gate.notify_one();
    tasks.idle(LIMIT).await.unwrap();
}

#[tokio::test]
async fn who_comes_before_a_task_was_given_up_shares_it_az_22() {
    let flights = Arc::new(Flights::new());
    let tasks = Tasks::default();
    let gate = Arc::new(Notify::new());
    let start = |interest: Interest<u8>| {
        let gate = Arc::clone(&gate);
        async move {
            tokio::select! {
                () = interest.lost() => Err(Error::LoginAbandoned),
                () = gate.notified() => Ok(1),
            }
        }
    };
    drop(flights.join(&tasks, || None, start).now_or_never());
    // The task was not polled since its caller left.
    let second = flights.join(&tasks, || None, |_| async { Ok(2) });
    let open = async {
        tokio::task::yield_now().await;
        gate.notify_one();
    };
    let (second, ()) = tokio::join!(second, open);
    assert_eq!(second.unwrap(), 1);
}

#[tokio::test]
async fn a_start_that_panics_leaves_the_way_clear() {
    let flights = Arc::new(Flights::<u8>::new());
    let tasks = Tasks::default();
    let start = |_| -> std::future::Ready<Result<u8, Error>> { panic!("no task") };
    let join = flights.join(&tasks, || None, start);
    let caught = catch_unwind(AssertUnwindSafe(|| join.now_or_never()));
    assert!(caught.is_err());
    let next = flights.join(&tasks, || None, |_| async { Ok(1) });
    assert_eq!(tokio::time::timeout(LIMIT, next).await.unwrap().unwrap(), 1);
}

#[test]
fn without_a_runtime_nothing_is_left_running_law_7() {
    let flights = Arc::new(Flights::<u8>::new());
    let tasks = Tasks::default();
    for _ in 0..2 {
        let joined = flights
            .join(&tasks, || None, |_| async { Ok(1) })
            .now_or_never();
        assert!(matches!(joined, Some(Err(Error::NoRuntime))));
    }
}
