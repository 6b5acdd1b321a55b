//! What is said of a login: `status`, and `list` in words.

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
    assert_eq!(rows[0]["next"], "doorkey login one", "{rows}");
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
