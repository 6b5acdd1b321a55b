//! The recorder.

use std::time::Duration;

use doorkey_testkit::{Error, Leg};

use crate::support::{World, text};

#[tokio::test]
async fn every_leg_is_recorded_with_what_it_carried() {
    let world = World::new().await;
    let (id, tokens) = world.log_in(&[]).await;
    world.ping(text(&tokens, "access_token")).await;
    let legs: Vec<Leg> = world.recorder.requests().iter().map(|r| r.leg).collect();
    assert_eq!(
        legs,
        [
            Leg::Registration,
            Leg::Authorization,
            Leg::Token,
            Leg::Resource
        ]
    );

    let requests = world.recorder.requests();
    let [registration, authorization, token, ping] = requests.as_slice() else {
        panic!("four requests");
    };
    assert_eq!(registration.server, "authorization server");
    assert_eq!(registration.status, Some(201));
    assert_eq!(registration.json().unwrap()["client_name"], "test");
    assert_eq!(authorization.query("resource"), [world.mcp.resource()]);
    assert_eq!(authorization.path(), "/authorize");
    assert_eq!(token.form("client_id"), [id]);
    assert_eq!(token.form("resource"), [world.mcp.resource()]);
    assert_eq!(ping.rpc_method.as_deref(), Some("ping"));
    assert_eq!(ping.server, "mcp server");
    assert_eq!(ping.url, world.mcp.url());
    assert!(!ping.client_certificate);
    assert!(ping.header("authorization").unwrap().starts_with("Bearer "));
}

#[tokio::test]
async fn what_is_printed_holds_no_secret() {
    let world = World::new().await;
    let (_, tokens) = world.log_in(&[]).await;
    let token = text(&tokens, "access_token");
    world.ping(token).await;
    for request in world.recorder.requests() {
        let printed = format!("{request:?} {request}");
        for secret in [token, "code-", "the-state", crate::support::VERIFIER] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}

#[tokio::test]
async fn waiting_ends_with_the_requests_or_with_the_limit() {
    let world = World::new().await;
    let limit = Duration::from_secs(10);
    let (requests, _) = tokio::join!(world.recorder.wait_for(2, limit), async {
        world.register().await;
        world.register().await;
    });
    assert_eq!(requests.unwrap().len(), 2);
    let short = Duration::from_millis(20);
    let late = world.recorder.wait_for(3, short).await.unwrap_err();
    assert!(matches!(late, Error::TimedOut { .. }));
    world.recorder.clear();
    assert!(world.recorder.is_empty());
}
