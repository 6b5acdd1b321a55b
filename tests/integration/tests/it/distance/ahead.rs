//! Resource metadata that are asked for beside the challenge: used where the challenge allows it, and never in its place.

use std::time::Duration;

use doorkey_testkit::{Fault, FaultRule, Leg, Prm, Wire};
use integration::{Home, World};

use super::Far;
use crate::support::login;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/mcp";

/// The paths of the resource metadata that were asked for, in order.
fn places(world: &World) -> Vec<String> {
    let asked = world.recorder.of(Leg::ResourceMetadata);
    asked.iter().map(|it| it.path().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_challenge_names_elsewhere_is_fetched_from_there_and_counts() {
    let elsewhere = "/metadata/of/this";
    let far = Far::with(
        |auth| auth,
        |mcp| {
            let mcp = mcp.wire(Wire::Stateless2026_07_28);
            mcp.resource_metadata(Prm::Custom(elsewhere.to_owned()))
        },
    )
    .await;
    let home = Home::new(&far.world, "");
    let report = login(&far.world, &home).await;
    assert_eq!(
        report.source.map(doorkey_discovery::Source::as_str),
        Some("challenge")
    );
    assert_eq!(places(&far.world), [WELL_KNOWN, elsewhere]);
    let path = far.critical_path();
    assert_eq!(
        path.len(),
        7,
        "what was asked for ahead was in vain: {path:?}"
    );
}

#[tokio::test]
async fn a_challenge_that_names_nothing_leads_to_the_place_that_was_asked_already() {
    let world = World::with(|auth| auth, |mcp| mcp.resource_metadata(Prm::PathWellKnown)).await;
    let home = Home::new(&world, "");
    let report = login(&world, &home).await;
    assert_eq!(
        report.source.map(doorkey_discovery::Source::as_str),
        Some("path_well_known")
    );
    assert_eq!(places(&world), [WELL_KNOWN]);

    let world = World::with(|auth| auth, |mcp| mcp.resource_metadata(Prm::RootWellKnown)).await;
    let home = Home::new(&world, "");
    let report = login(&world, &home).await;
    assert_eq!(
        report.source.map(doorkey_discovery::Source::as_str),
        Some("root_well_known")
    );
    let root = WELL_KNOWN.trim_end_matches("/mcp");
    assert_eq!(places(&world), [WELL_KNOWN, root]);
}

#[tokio::test]
async fn a_place_that_does_not_answer_keeps_nobody_who_is_sent_elsewhere() {
    let elsewhere = Prm::Custom("/metadata/of/this".to_owned());
    let world = World::with(|auth| auth, |mcp| mcp.resource_metadata(elsewhere)).await;
    let hour = Duration::from_secs(3600);
    let rule = FaultRule::on(WELL_KNOWN).respond(Fault::Slow(hour));
    world.mcp.fault(rule);
    let home = Home::new(&world, "");
    login(&world, &home).await;
}

#[tokio::test]
async fn what_was_asked_ahead_serves_one_login_and_the_next_one_asks_anew() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    let host = home.host();
    for logins in 1..=2 {
        let outcome = host
            .login(Home::SERVER, world.person.interaction(), &doorkey::Silent)
            .await;
        outcome.expect("a login");
        assert_eq!(places(&world).len(), logins, "{:#?}", world.story());
    }
    // Whoever is challenged in mid-session was not asked for by a person.
    world.recorder.clear();
    world.auth.expire_access_tokens();
    let listed = host.with_connection(Home::SERVER, async |it| it.list_tools().await);
    listed.await.expect("tools after a refresh");
    let first = &world.recorder.requests()[0];
    assert_eq!(first.leg, Leg::Resource, "{:#?}", world.story());
}
