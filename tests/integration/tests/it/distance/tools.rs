//! Warm starts far away.

use doorkey::Error;
use doorkey_testkit::{Caching, Leg, Wire};
use integration::Home;

use super::Far;
use crate::support::login;

const HANDSHAKE: [&str; 3] = ["initialize", "notifications/initialized", "tools/list"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warm_tools_take_two_round_trips_on_the_stateless_wire_or_one_where_the_server_allows_it() {
    let hour = 3_600_000;
    for (caching, path) in [
        (Caching::Never, &["server/discover", "tools/list"][..]),
        (Caching::Public(hour), &["tools/list"]),
    ] {
        let far = Far::with(
            |auth| auth,
            |mcp| mcp.wire(Wire::Stateless2026_07_28).caching(caching),
        )
        .await;
        let home = Home::new(&far.world, "");
        login(&far.world, &home).await;
        far.world.recorder.clear();
        home.run(&["tools", Home::SERVER]).await.succeeded();
        assert_eq!(far.critical_path(), path, "{:#?}", far.world.story());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_wire_of_2025_they_take_three_and_nobody_waits_for_the_end_of_the_session() {
    let far = Far::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let home = Home::new(&far.world, "");
    login(&far.world, &home).await;
    far.world.recorder.clear();

    let host = home
        .host()
        .with_standalone_stream(false)
        .with_late_closing();
    let listed = host.with_connection(Home::SERVER, async |connection| {
        connection.list_tools().await
    });
    assert!(!listed.await.expect("tools").is_empty());
    let told: Vec<_> = far.requests().iter().map(super::name).collect();
    assert_eq!(told[..3], HANDSHAKE);
    assert!(
        !told[3..].contains(&"DELETE".to_owned()),
        "told before it was heard: {told:?}"
    );
    host.closed().await;
    assert_eq!(far.critical_path(), [&HANDSHAKE[..], &["DELETE"]].concat());
    assert_eq!(far.world.mcp.sessions(), 0);

    far.world.recorder.clear();
    home.run(&["tools", Home::SERVER]).await.succeeded();
    assert_eq!(far.critical_path(), [&HANDSHAKE[..], &["DELETE"]].concat());
    assert_eq!(far.world.mcp.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_closed_late_ends_its_session_when_the_task_failed_too() {
    let far = Far::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let home = Home::new(&far.world, "");
    login(&far.world, &home).await;
    let host = home
        .host()
        .with_standalone_stream(false)
        .with_late_closing();
    let failed = host.with_connection(Home::SERVER, async |_| {
        Err::<(), _>(Error::Disabled {
            server: String::from("none"),
        })
    });
    assert!(failed.await.is_err());
    host.closed().await;
    assert_eq!(far.world.mcp.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_due_costs_one_round_trip_more() {
    let far = Far::with(|auth| auth, |mcp| mcp.wire(Wire::Stateless2026_07_28)).await;
    let home = Home::new(&far.world, "");
    login(&far.world, &home).await;
    home.expire().await;
    far.world.auth.expire_access_tokens();
    far.world.recorder.clear();
    home.run(&["tools", Home::SERVER]).await.succeeded();
    let path = ["token", "server/discover", "tools/list"];
    assert_eq!(far.critical_path(), path, "{:#?}", far.world.story());
    assert_eq!(far.world.recorder.count(Leg::Token), 1);
}
