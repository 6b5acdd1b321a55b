use std::future::Future as _;
use std::task::{Context, Waker};

use http_body_util::BodyExt as _;

use super::*;
use crate::body::Body;

fn lane(limit: usize, version: Option<Version>) -> Arc<Lane> {
    let lane = Arc::new(Lane::new(limit, Duration::from_secs(4), false));
    version.into_iter().for_each(|version| lane.learn(version));
    lane
}

async fn call(lane: &Arc<Lane>) -> Ticket {
    Ticket::get(Arc::clone(lane), Errand::Call).await
}

/// Whether a connection may be made now.
fn may_connect(ticket: &Ticket) -> bool {
    let wait = ticket.wait();
    let mut turn = pin!(wait.turn_comes());
    turn.as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

fn connections(lane: &Lane) -> usize {
    lane.connections.load(Ordering::Acquire)
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_known_one_connects_and_the_others_when_it_ends_or_takes_too_long() {
    let lane = lane(2, None);
    let (first, second) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&first) && !may_connect(&second));
    let began = Instant::now();
    second.wait().turn_comes().await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    drop(first);
    let third = call(&lane).await;
    assert!(may_connect(&third), "who gave up leads no more");
}

#[tokio::test(start_paused = true)]
async fn over_http1_as_many_as_the_limit_says_connect_at_once_and_then_one_after_the_other() {
    let lane = lane(2, Some(Version::HTTP_11));
    let (first, second) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&first) && may_connect(&second));
    let (third, fourth) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&third) && !may_connect(&fourth));
    let stream = Ticket::get(Arc::clone(&lane), Errand::Stream).await;
    assert!(!may_connect(&stream));
    let began = Instant::now();
    stream.wait().turn_comes().await;
    let waited = began.elapsed();
    assert!((Duration::from_millis(100)..Duration::from_millis(900)).contains(&waited));
    // Whether the third is answered or takes its time.
    let began = Instant::now();
    fourth.wait().turn_comes().await;
    let fifth = call(&lane).await;
    fifth.wait().turn_comes().await;
    assert!(began.elapsed() >= ONE_MORE);
    assert_eq!(connections(&lane), 6);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_its_way_from_one_request_to_the_next_counts() {
    let lane = lane(1, Some(Version::HTTP_11));
    let (first, _second) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&first));
    // Somebody makes one beyond the limit just now.
    assert!(lane.lead(ONE_MORE).is_none());
    let answered = first.answered(Version::HTTP_11, Taken::Shortly);
    answered.unwrap().hands_on();
    assert!(!may_connect(&call(&lane).await));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_gone_or_carries_a_stream_makes_room_for_another() {
    let lane = lane(1, Some(Version::HTTP_11));
    let _other = call(&lane).await;
    let ends: [fn(Ticket); 4] = [
        // Closed by the server.
        |ticket| assert!(ticket.answered(Version::HTTP_11, Taken::ForEver).is_none()),
        // A stream that breaks off.
        |ticket| drop(ticket.answered(Version::HTTP_11, Taken::ForLong)),
        // The rest of its answer is not read.
        |ticket| drop(ticket.answered(Version::HTTP_11, Taken::Shortly)),
        // It fails, or is given up.
        drop,
    ];
    for (case, end) in ends.into_iter().enumerate() {
        let ticket = call(&lane).await;
        assert!(may_connect(&ticket), "case {case}");
        end(ticket);
        assert_eq!(connections(&lane), 0, "case {case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_which_all_is_read_that_was_announced_gives_its_connection_back() {
    let lane = lane(1, Some(Version::HTTP_11));
    for (is_read, kept) in [(false, 0), (true, 1)] {
        let ticket = call(&lane).await;
        assert!(may_connect(&ticket));
        let answered = ticket.answered(Version::HTTP_11, Taken::Shortly);
        let mut body = Body::received("all of it".into(), answered);
        if is_read {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "all of it");
        }
        drop(body);
        assert_eq!(connections(&lane), kept, "read: {is_read}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_counts_no_more_until_it_ends_well() {
    let lane = lane(4, Some(Version::HTTP_11));
    for _ in 0..3 {
        let stream = Ticket::get(Arc::clone(&lane), Errand::Stream).await;
        assert!(may_connect(&stream));
        let open = stream.answered(Version::HTTP_11, Taken::ForLong).unwrap();
        assert_eq!(connections(&lane), 0);
        open.hands_on();
        assert_eq!(connections(&lane), 1);
        // The next one takes that very connection.
        lane.connections.store(0, Ordering::Release);
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_shows_what_is_spoken_counts() {
    let lane = lane(1, None);
    let (first, second) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&first));
    let answered = first.answered(Version::HTTP_11, Taken::Shortly);
    assert_eq!(connections(&lane), 1);
    assert!(lane.lead(lane.connect).is_none());
    assert!(!may_connect(&second));
    drop(answered);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_while_it_waits_takes_no_connection_along() {
    let lane = lane(1, Some(Version::HTTP_11));
    let (first, second) = (call(&lane).await, call(&lane).await);
    assert!(may_connect(&first) && lane.lead(lane.connect).is_none());
    // What makes a connection for it goes first, and then the request.
    assert!(!may_connect(&second));
    drop(second);
    assert_eq!(connections(&lane), 1);
    // It got the connection of another one before.
    let third = call(&lane).await;
    assert!(!may_connect(&third));
    third.wait().ends();
    drop(third);
    assert_eq!(connections(&lane), 0);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_and_nobody_finds_is_there_no_more() {
    let lane = lane(4, Some(Version::HTTP_11));
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(call(&lane).await);
    }
    assert!(all.iter().all(may_connect) && lane.lead(lane.connect).is_none());
    let long = all.pop();
    all.into_iter().for_each(Ticket::hands_on);
    // They may be on their way to somebody.
    assert!(!may_connect(&call(&lane).await));
    assert_eq!(connections(&lane), 4);
    tokio::time::sleep(IN_TRANSIT * 2).await;
    let after = call(&lane).await;
    assert!(may_connect(&after));
    // The one of the long call, which is counted with its wait, and the new one.
    assert_eq!(connections(&lane), 3);
    drop((long, after));
}

#[tokio::test(start_paused = true)]
async fn exchanges_with_endpoints_wait_for_their_turn_until_it_shows_that_they_need_not() {
    let lane = lane(1, None);
    let exchange = || Ticket::get(Arc::clone(&lane), Errand::Endpoint);
    let first = exchange().await;
    let mut others = pin!(futures_util::future::join_all((0..50).map(|_| exchange())));
    let waits = tokio::time::timeout(Duration::from_millis(200), others.as_mut());
    assert!(waits.await.is_err());
    assert!(first.answered(Version::HTTP_2, Taken::Shortly).is_none());
    assert_eq!(others.await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn where_connections_cannot_be_gated_one_finds_out_and_the_others_wait_for_what_it_learns() {
    let lane = lane(8, None);
    let first = call(&lane).await;
    assert!(first.finds_out().await);
    let others = futures_util::future::join_all((0..20).map(|_| call(&lane))).await;
    let mut waiting = pin!(futures_util::future::join_all(
        others.iter().map(Ticket::finds_out)
    ));
    let moment = tokio::time::timeout(Duration::from_millis(50), waiting.as_mut());
    assert!(moment.await.is_err());
    first.learned(Version::HTTP_2);
    let began = Instant::now();
    assert_eq!(waiting.await, [false; 20]);
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn where_the_one_who_finds_out_fails_another_one_does() {
    let lane = lane(8, None);
    let (first, second) = (call(&lane).await, call(&lane).await);
    assert!(first.finds_out().await);
    drop(first);
    assert!(second.finds_out().await);
}
