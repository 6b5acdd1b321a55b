//! The event stream that nothing waits for: whatever becomes of it, the session goes on.

use doorkey_testkit::{FaultRule, Leg, Wire};
use http::Method;
use integration::{Home, LIMIT, World};

use super::condition::Condition;
use crate::support::{close, login};

#[tokio::test]
async fn a_session_outlives_its_event_stream() {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    for condition in Condition::ALL {
        let Some(fault) = condition.fault() else {
            continue;
        };
        let rule = FaultRule::on(Leg::Resource).method(Method::GET);
        world.mcp.fault(rule.respond(fault));
        world.recorder.clear();

        let host = home.host();
        let connection = host.connect(Home::SERVER).await.expect("a connection");
        let asked = world.recorder.wait_until(LIMIT, "a stream", |requests| {
            requests.iter().any(|request| request.method == Method::GET)
        });
        asked.await.expect("the stream is asked for");
        for _ in 0..2 {
            let tools = connection.list_tools().await;
            assert!(tools.is_ok(), "{condition}: {tools:?}");
        }
        close(&host, connection).await;
        world.mcp.clear_faults();
        assert_eq!(world.mcp.sessions(), 0, "{condition}: {:#?}", world.story());
        let grant = home.grant().await.expect("the grant is kept").value;
        assert!(grant.refresh_token.is_some(), "{condition}");
    }
    assert_eq!(world.person.pages_opened(), 1);
}
