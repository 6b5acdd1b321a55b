//! The walk in which one leg at a time is answered too late.

use std::time::{Duration, Instant};

use doorkey_http::{HttpClient, Timeouts};
use doorkey_testkit::{Fault, FaultRule, Leg as Recorded};
use futures_util::future::join_all;
use http::Method;

use super::{Leg, drive::Rig};
use crate::World;

/// For each leg whether it ends with the time-out, well before the answer. If not `configured`, the answer is in time.
pub(super) async fn walk(configured: bool) -> Vec<(Leg, bool)> {
    let delay = if configured { ANSWER } else { Duration::ZERO };
    join_all(Leg::sent().map(|leg| async move { (leg, is_ended(leg, delay).await) })).await
}

async fn is_ended(leg: Leg, delay: Duration) -> bool {
    let (world, provider) = World::with_every_endpoint().await;
    let mut profile = world.profile();
    profile.timeouts = Timeouts::new(ANSWER, ANSWER, PATIENCE);
    let http = HttpClient::new(&profile).expect("a client");
    let rig = Rig::new(world, provider, http);
    rig.prepare(leg).await;
    match leg {
        Leg::IdentityProvider => rig.provider.server.fault(rule(leg, delay)),
        _ => {
            rig.world.auth.fault(rule(leg, delay));
            rig.world.mcp.fault(rule(leg, delay));
        }
    }
    rig.world.recorder.clear();
    let start = Instant::now();
    let failure = rig.failure(leg).await;
    let arrived = rig.world.recorder.requests();
    let arrived = arrived.iter().any(|request| Leg::of(request) == Some(leg));
    failure.is_some_and(|failure| failure.is_timeout && failure.leg == leg.tag())
        && arrived
        && start.elapsed() < ANSWER
}

fn rule(leg: Leg, delay: Duration) -> FaultRule {
    let rule = match leg {
        Leg::McpPost => FaultRule::on(Recorded::Resource).method(Method::POST),
        Leg::McpStream => FaultRule::on(Recorded::Resource).method(Method::GET),
        Leg::McpDelete => FaultRule::on(Recorded::Resource).method(Method::DELETE),
        Leg::ResourceMetadata => FaultRule::on(Recorded::ResourceMetadata),
        Leg::AuthorizationServerMetadata => FaultRule::on(Recorded::AuthorizationServerMetadata),
        Leg::Registration => FaultRule::on(Recorded::Registration),
        Leg::Token => FaultRule::on(Recorded::Token).grant("authorization_code"),
        Leg::Refresh => FaultRule::on(Recorded::Token).grant("refresh_token"),
        Leg::Revocation => FaultRule::on(Recorded::Revocation),
        Leg::Deregistration => FaultRule::on(Recorded::ClientConfiguration),
        Leg::PushedAuthorization => FaultRule::on(Recorded::PushedAuthorization),
        Leg::DeviceAuthorization => FaultRule::on(Recorded::DeviceAuthorization),
        Leg::IdentityProvider => FaultRule::on(Recorded::Token),
        Leg::AuthorizationPage => FaultRule::on(Recorded::Authorization),
    };
    rule.respond(Fault::Slow(delay))
}

/// The time-out: long enough for a busy machine to do everything else.
const PATIENCE: Duration = Duration::from_secs(3);
/// When the answer would come.
const ANSWER: Duration = Duration::from_secs(60);
