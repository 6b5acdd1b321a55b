//! What is said of a login: `status`, and `list` in words.

use std::time::{Duration, Instant};

use doorkey_testkit::{Fault, FaultRule, Leg};
use serde_json::Value;

use crate::world::{ONE, World};

#[tokio::test(flavor = "multi_thread")]
async fn status_says_who_until_when_with_what_where_and_what_to_type() {
    let world = World::start(&format!(
        "{ONE}scopes = [\"tools:read\"]\n[mcp_servers.off]\nurl = \"https://off.example/mcp\"\nenabled = false\n"
    ))
    .await;
    world
        .run(&["status", "one", "--table"])
        .await
        .expect(0, &["not tried yet", "next", "doorkey login one"]);
    world.login(&[]).await.expect(0, &[]);
    world
        .run(&["login", "one", "--account", "work", "--start"])
        .await
        .expect(0, &[]);
    let ran = world.run(&["status", "--table"]).await;
    let ran = ran.expect(
        0,
        &[
            "signed in",
            "; then it renews itself",
            "tools:read",
            "(not encrypted)",
            "doorkey enable off",
        ],
    );
    let until = ran.out.lines().find(|line| line.contains("until")).unwrap();
    assert!(until.contains(", in "), "{until}");

    let rows = world.run(&["status", "one"]).await.expect(0, &[]);
    let rows: Value = serde_json::from_str(&rows.out).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let auth = &rows[0]["auth"];
    assert_eq!(auth["status"], "logged_in");
    let left = auth["expires_in_sec"].as_i64().unwrap();
    assert!((1..=86_400).contains(&left), "{left}");
    assert_eq!(rows[0]["next"], Value::Null);
    world.run(&["logout", "one"]).await.expect(0, &[]);
    world.run(&["tools", "one"]).await.expect(3, &[]);
    let rows = world.run(&["status", "one"]).await.expect(0, &[]);
    let rows: Value = serde_json::from_str(&rows.out).unwrap();
    assert_eq!(rows[0]["auth"]["code"], "login-required", "{rows}");
    assert_eq!(rows[0]["next"]["command"], "doorkey login one", "{rows}");
    world
        .run(&["status", "one", "--table"])
        .await
        .expect(0, &["why", "login-required", "doorkey login one"]);
    world
        .run(&["status", "three"])
        .await
        .expect(9, &["no server named \"three\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_named_servers_ends_with_the_code_of_what_failed() {
    let world = World::start(&format!(
        "{ONE}[mcp_servers.away]\nurl = \"http://127.0.0.1:9/mcp\"\n"
    ))
    .await;
    world.login(&[]).await.expect(0, &[]);
    let checked = ["status", "--check", "--table"];
    let ran = world.run(&[&checked[..], &["one"]].concat()).await;
    ran.expect(0, &["check", "ok ("]);
    let ran = world.run(&checked).await;
    ran.expect(6, &["ok (", "could not connect"]);
    let ran = world.run(&["list", "--check", "--table"]).await;
    ran.expect(0, &["CHECK", "TIME", " ms", "could not connect"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_server_that_hangs_ends_the_program_soon_after_its_limit() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    world
        .mcp
        .fault(FaultRule::on(Leg::Resource).respond(Fault::Slow(Duration::from_secs(40))));
    let since = Instant::now();
    let check = ["status", "--table", "--check", "--check-limit", "1"];
    let ran = world.run(&check).await;
    let took = since.elapsed();
    let ran = ran.expect(6, &["no answer within 1 s"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!ran.err.contains("waiting"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_a_check_began_is_waited_for_and_that_is_said_and_its_token_is_kept() {
    let world = World::start(ONE).await;
    world.login(&[]).await.expect(0, &[]);
    world.authorization.expire_access_tokens();
    let answers_after = Duration::from_secs(5);
    world.authorization.fault(
        FaultRule::on(Leg::Token)
            .grant("refresh_token")
            .respond(Fault::Slow(answers_after)),
    );
    let since = Instant::now();
    let ran = world
        .run(&["list", "--check", "--check-limit", "1"])
        .await
        .expect(0, &[]);
    let took = since.elapsed();
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(rows[0]["check"]["error"]["code"], "timed-out", "{rows}");
    let said =
        "a refresh is still under way; waiting at most 30 s so that its new token is not lost";
    assert!(ran.err.contains(said), "{}", ran.err);
    assert!(
        (answers_after..Duration::from_secs(20)).contains(&took),
        "{took:?}"
    );
    world.authorization.clear_faults();
    world.run(&["tools", "one"]).await.expect(0, &[]);
    let refreshes = world.authorization.counters().refreshes;
    assert_eq!(refreshes, 1, "what came late is what is used");
}
