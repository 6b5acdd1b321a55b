//! `token`: what a script gets, and who gets nothing.

use serde_json::Value;

use crate::world::{ONE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_the_token_that_the_server_takes_and_nothing_else() {
    let world = World::start(ONE).await;
    let none = world.run(&["token", "one"]).await;
    let none = none.expect(3, &["next: doorkey login one"]);
    assert!(none.out.is_empty(), "{}", none.out);

    world.login(&[]).await.expect(0, &[]);
    world.tokens_sent();
    world.run(&["tools", "one"]).await.expect(0, &[]);
    let sent = world.tokens_sent();
    let token = world.run(&["-vv", "token", "one"]).await.expect(0, &[]);
    let plain = token.out.trim_end();
    assert!(sent.contains(&format!("Bearer {plain}")), "{sent:?}");
    assert!(!token.err.contains(plain), "not in a log: {}", token.err);
    let header = world
        .run(&["token", "one", "--header"])
        .await
        .expect(0, &[]);
    assert_eq!(header.out, format!("Authorization: Bearer {plain}\n"));
    let shown = world.run(&["token", "one", "--json"]).await.expect(0, &[]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["access_token"], plain);
    assert_eq!(shown["token_type"], "Bearer");
    assert!(shown["expires_at"].as_str().unwrap().ends_with('Z'));
    assert!(shown["resource"].as_str().unwrap().starts_with("https://"));
    assert!(
        world.tokens_sent().is_empty(),
        "a fresh one costs no request"
    );
    world
        .run(&["token", "one", "--account", "other"])
        .await
        .expect(3, &["next: doorkey login one --account other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_token_is_printed_too_and_a_server_that_is_off_has_none() {
    let config = format!("{ONE}bearer_token_env_var = \"TOKEN\"\n");
    let world = World::start(&config).await.with("TOKEN", "t0ken");
    let ran = world.run(&["token", "one"]).await.expect(0, &[]);
    assert_eq!(ran.out, "t0ken\n");
    world.configure(&format!("{config}enabled = false\n"));
    let ran = world.run(&["token", "one"]).await;
    assert!(ran.expect(9, &["is disabled"]).out.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_shown_on_a_terminal_unless_it_is_meant_to_be() {
    let config = format!("{ONE}bearer_token_env_var = \"TOKEN\"\n");
    let world = World::start(&config).await.with("TOKEN", "t0ken");
    let ran = world.run_on_terminal(&["token", "one"]).await;
    let ran = ran.expect(
        2,
        &["stay on the screen", "next: doorkey token one | COMMAND"],
    );
    assert!(!ran.out.contains("t0ken"), "{}", ran.out);
    let ran = world.run_on_terminal(&["token", "one", "--show"]).await;
    ran.expect(0, &["t0ken"]);
}
