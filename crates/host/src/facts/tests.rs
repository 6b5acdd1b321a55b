use serde_json::json;

use super::*;
use crate::config::Config;
use crate::home::Home;

/// The same server under two names, for two accounts.
fn servers() -> (ServerConfig, ServerConfig) {
    let text = r#"
        [mcp_servers.work]
        url = "https://mcp.example/mcp"
        account = "work"

        [mcp_servers.home]
        url = "https://mcp.example/mcp"
        account = "home"
    "#;
    let config = Config::parse(&Home::at("/home/ada/doorkey"), text).unwrap();
    let server = |name| config.server(name).unwrap().clone();
    (server("work"), server("home"))
}

fn answer(scope: &str, milliseconds: u64) -> Discovery {
    let answer = json!({
        "supportedVersions": ["2026-07-28"],
        "cacheScope": scope,
        "ttlMs": milliseconds,
    });
    // Records keep whole seconds.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Discovery::new(answer, UNIX_EPOCH + Duration::from_secs(now.as_secs()))
}

/// What a start of `server` is told.
async fn known(store: &Store, server: &ServerConfig) -> Option<Discovery> {
    let memory = remembered(store, server).await.unwrap().unwrap();
    assert_eq!(memory.wire, Wire::Stateless);
    memory.discover
}

#[tokio::test]
async fn a_private_answer_is_for_the_account_that_asked() {
    let store = Store::memory();
    let (work, home) = servers();
    let private = answer("private", 60_000);
    remember(&store, &work, Wire::Stateless, Some(&private)).await;
    assert_eq!(known(&store, &work).await, Some(private.clone()));
    assert_eq!(known(&store, &home).await, None);

    let other = answer("private", 90_000);
    remember(&store, &home, Wire::Stateless, Some(&other)).await;
    assert_eq!(known(&store, &work).await, Some(private));
    assert_eq!(known(&store, &home).await, Some(other));
}

#[tokio::test]
async fn a_public_answer_is_for_every_account_until_the_server_says_otherwise() {
    let store = Store::memory();
    let (work, home) = servers();
    let public = answer("public", 60_000);
    remember(&store, &work, Wire::Stateless, Some(&public)).await;
    assert_eq!(known(&store, &home).await, Some(public));

    let private = answer("private", 60_000);
    remember(&store, &home, Wire::Stateless, Some(&private)).await;
    assert_eq!(known(&store, &work).await, None);
}

#[tokio::test]
async fn an_answer_that_may_not_be_kept_is_not_and_the_wire_is() {
    let store = Store::memory();
    let (work, _) = servers();
    let mut old = answer("private", 60_000);
    old.received_at -= Duration::from_secs(61);
    for discover in [Some(answer("private", 0)), Some(old), None] {
        let before = answer("private", 60_000);
        remember(&store, &work, Wire::Stateless, Some(&before)).await;
        remember(&store, &work, Wire::Stateless, discover.as_ref()).await;
        assert_eq!(known(&store, &work).await, None, "{discover:?}");
        let record = store.facts(&server_key(&work)).await.unwrap().unwrap();
        assert_eq!(record.value.discover, None, "{discover:?}");
    }
}

#[tokio::test]
async fn whoever_signs_in_next_is_told_nothing_that_was_said_to_another() {
    let store = Store::memory();
    let (work, home) = servers();
    for (scope, is_kept) in [("private", false), ("public", true)] {
        let answer = answer(scope, 60_000);
        remember(&store, &work, Wire::Stateless, Some(&answer)).await;
        forget_private(&store, &work).await;
        assert_eq!(known(&store, &work).await.is_some(), is_kept, "{scope}");
    }
    let private = answer("private", 60_000);
    remember(&store, &home, Wire::Stateless, Some(&private)).await;
    forget_private(&store, &work).await;
    assert_eq!(known(&store, &home).await, Some(private));
}

#[tokio::test]
async fn a_record_of_another_shape_is_as_good_as_no_answer() {
    let store = Store::memory();
    let (work, _) = servers();
    remember(&store, &work, Wire::Stateless, None).await;
    for kept in [
        json!({ "supportedVersions": ["2026-07-28"], "ttlMs": 0 }),
        json!({ "private": { "work": { "answer": {} } } }),
        json!([1]),
    ] {
        update(&store, &work, |facts| facts.discover = Some(kept.clone())).await;
        assert_eq!(known(&store, &work).await, None, "{kept}");
    }
}
