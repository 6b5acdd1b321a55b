//! Refresh at expiry: by many, killed, interrupted.

use std::time::Duration;

use doorkey_testkit::{Fault, FaultRule, Leg};
use integration::{Home, LIMIT, World};

use super::{Running, at_once, random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_at_expiry_refresh_once_and_all_succeed() {
    let world = World::new().await;
    let home = signed_in(&world).await;
    for round in 1..=2 {
        expire(&world, &home).await;
        for run in at_once(&home, 8, &["tools", "it"]).await {
            let run = run.succeeded();
            assert!(run.stdout.contains("echo"), "{run}");
        }
        assert_eq!(world.auth.refreshes(), round);
    }
    assert_eq!(world.auth.counters().refresh_requests, 2);
    assert_eq!(world.auth.counters().reuses, 0);
    assert_eq!(world.person.pages_opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_before_the_server_heard_of_its_refresh_costs_nothing() {
    let world = World::new().await;
    let home = signed_in(&world).await;
    expire(&world, &home).await;
    world.auth.fault(refresh_fault(Fault::Slow(LIMIT)));
    let stuck = Running::start(&home, &["tools", "it"]);
    refresh_requested(&world, 1).await;
    stuck.kill().await;
    world.auth.clear_faults();
    assert_eq!(world.auth.refreshes(), 0);
    home.run(&["tools", "it"]).await.succeeded();
    assert_eq!(world.auth.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_token_that_died_with_its_process_is_reported_as_that_and_a_login_mends_it() {
    let world = World::new().await;
    let home = signed_in(&world).await;
    expire(&world, &home).await;
    world.auth.fault(refresh_fault(Fault::Stalled(LIMIT)));
    let stuck = Running::start(&home, &["tools", "it"]);
    refresh_requested(&world, 1).await;
    answered(&world).await;
    stuck.kill().await;
    world.auth.clear_faults();
    assert_eq!(world.auth.refreshes(), 1, "the server rotated the token");
    for run in at_once(&home, 3, &["tools", "it"]).await {
        let run = run.ended_with(3);
        assert!(run.stderr.contains("doorkey login it"), "{run}");
    }
    // One of them asked the server; the others read what it wrote down.
    assert_eq!(world.auth.counters().refresh_requests, 2);
    home.run(&["login", "it"]).await.succeeded();
    home.run(&["tools", "it"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_process_finishes_the_refresh_it_has_begun() {
    let world = World::new().await;
    let home = signed_in(&world).await;
    for round in 1..=2 {
        expire(&world, &home).await;
        let late = Duration::from_millis(700);
        world.auth.fault(refresh_fault(Fault::Stalled(late)));
        let running = Running::start(&home, &["tools", "it"]);
        refresh_requested(&world, round).await;
        answered(&world).await;
        running.interrupt().await;
        let run = running.end().await;
        assert_ne!(run.code, 0, "{run}");
        world.auth.clear_faults();
        assert_eq!(world.auth.refreshes(), round);
        home.run(&["tools", "it"]).await.succeeded();
        assert_eq!(world.auth.refreshes(), round, "the rotated token was kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_at_random_moments_lose_a_login_only_if_its_token_was_on_the_way() {
    let world = World::new().await;
    let home = signed_in(&world).await;
    let mut logins = 1;
    for _ in 0..ROUNDS {
        // Long enough on the way to be caught there now and then.
        let late = Duration::from_millis(random(80));
        world
            .auth
            .fault(refresh_fault(Fault::Stalled(late)).times(1));
        let (refreshed, asked) = (world.auth.refreshes(), refresh_requests(&world));
        expire(&world, &home).await;
        let start = |_| Running::start(&home, &["tools", "it"]);
        let (doomed, spared): (Vec<_>, Vec<_>) =
            ((0..4).map(start).collect(), (0..2).map(start).collect());
        for process in doomed {
            tokio::time::sleep(Duration::from_millis(random(120))).await;
            process.kill().await;
        }
        let mut verdicts = Vec::new();
        for process in spared {
            verdicts.push(process.end().await);
        }
        world.auth.clear_faults();
        verdicts.push(home.run(&["tools", "it"]).await);
        let code = verdicts[0].code;
        for run in &verdicts {
            assert_eq!(run.code, code, "all are of one opinion: {run}");
        }
        if code != 0 {
            let run = verdicts.remove(0).ended_with(3);
            assert!(run.stderr.contains("doorkey login it"), "{run}");
            // Only then: the server answered a process that did not live to keep the answer.
            assert!(world.auth.refreshes() > refreshed, "{run}");
            assert!(refresh_requests(&world) >= asked + 2, "{run}");
            home.run(&["login", "it"]).await.succeeded();
            logins += 1;
        }
        // Whatever happened, it is settled now.
        for run in at_once(&home, 2, &["tools", "it"]).await {
            run.succeeded();
        }
        let list = home.run(&["list", "--json"]).await.succeeded().json();
        assert_eq!(list[0]["auth"]["status"], "logged_in", "{list}");
    }
    assert_eq!(world.person.pages_opened(), logins);
}

async fn signed_in(world: &World) -> Home {
    let home = Home::new(world, "");
    home.run(&["login", "it"]).await.succeeded();
    home
}

/// A day passes: the server takes the token no longer, and the store knows that it has expired.
async fn expire(world: &World, home: &Home) {
    world.auth.expire_access_tokens();
    home.expire().await;
}

fn refresh_fault(fault: Fault) -> FaultRule {
    FaultRule::on(Leg::Token)
        .grant("refresh_token")
        .respond(fault)
}

fn refresh_requests(world: &World) -> usize {
    let requests = world.recorder.of(Leg::Token);
    let is_refresh = |grant: Vec<String>| grant == ["refresh_token"];
    requests
        .iter()
        .filter(|request| is_refresh(request.form("grant_type")))
        .count()
}

async fn refresh_requested(world: &World, count: usize) {
    let what = format!("{count} refresh requests");
    let arrived = world
        .recorder
        .wait_until(LIMIT, &what, |_| refresh_requests(world) >= count);
    arrived.await.expect("a refresh");
}

/// The server has decided on every token request.
async fn answered(world: &World) {
    let arrived = world.recorder.wait_until(LIMIT, "an answer", |requests| {
        requests
            .iter()
            .filter(|request| request.leg == Leg::Token)
            .all(|request| request.status.is_some())
    });
    arrived.await.expect("an answer");
}

const ROUNDS: usize = 5;
