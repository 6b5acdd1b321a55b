//! A login far away: its critical path, and the connections after the code.

use doorkey_testkit::{Leg, Listen, McpServerBuilder, StaticClient, Wire};
use integration::Home;

use super::Far;
use crate::support::login;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_with_registration_and_its_proof_takes_six_round_trips() {
    let far = Far::with(|auth| auth, stateless).await;
    let home = Home::new(&far.world, "");
    assert!(login(&far.world, &home).await.registered);
    assert_path(&far, &["registration"], STATELESS);
    assert_eq!(far.requests().len(), 7, "{:#?}", far.world.story());
    assert_eq!(far.connections_after_the_page(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_without_registration_takes_five() {
    let far = Far::with(|auth| auth, stateless).await;
    let home = Home::new(&far.world, "");
    login(&far.world, &home).await;
    far.world.recorder.clear();
    assert!(!login(&far.world, &home).await.registered);
    assert_path(&far, &[], STATELESS);
    assert_eq!(far.requests().len(), 6, "{:#?}", far.world.story());
    assert_eq!(far.connections_after_the_page(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_takes_as_many() {
    let client = StaticClient::public("by-hand").redirect_uri("http://127.0.0.1/callback");
    let far = Far::with(
        |auth| auth.static_client(client).loopback_any_port(true),
        stateless,
    )
    .await;
    let home = Home::new(&far.world, "");
    home.run(&["login", Home::SERVER]).await.succeeded();
    assert_path(&far, &["registration"], STATELESS);
    assert_eq!(far.connections_after_the_page(), 0);

    far.world.recorder.clear();
    let settings = format!(
        "[mcp_servers.{}.oauth]\nclient_id = \"by-hand\"",
        Home::SERVER
    );
    let by_hand = Home::new(&far.world, &settings);
    by_hand.run(&["login", Home::SERVER]).await.succeeded();
    assert_path(&far, &[], STATELESS);
    assert_eq!(far.connections_after_the_page(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_1_it_is_one_farther_unless_there_are_two_connections() {
    let ca = doorkey_testkit::CertificateAuthority::new().expect("a certificate authority");
    let recorder = doorkey_testkit::Recorder::new();
    let (to_auth, to_mcp) = (super::distance().await, super::distance().await);
    let listen = |distance| {
        let listen = Listen::new().tls(&ca).recorder(&recorder);
        listen.http1_only().behind(distance)
    };
    let auth = doorkey_testkit::AuthorizationServer::builder().listen(listen(&to_auth));
    let auth = auth.start().await.expect("a free port");
    let mcp = doorkey_testkit::McpServer::builder()
        .listen(listen(&to_mcp))
        .wire(Wire::Stateless2026_07_28)
        .authorization(&auth);
    let mcp = mcp.start().await.expect("a free port");
    let world = integration::World::of(ca, recorder, auth, mcp).await;
    let far = Far {
        world,
        to_auth,
        to_mcp,
    };
    let home = Home::new(&far.world, "");
    login(&far.world, &home).await;
    let path = far.critical_path();
    assert!((6..=7).contains(&path.len()), "{path:?}");
    assert_eq!(
        path[path.len() - 3..],
        ["token", "server/discover", "tools/list"]
    );
    assert_eq!(far.connections_after_the_page(), 0);
}

/// One more than on the stateless wire, once it is known that the server speaks the older one: it may refuse whatever
/// comes before `notifications/initialized`, and some do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_wire_of_2025_the_handshake_adds_its_one() {
    let far = Far::with(
        |auth| auth,
        |mcp| mcp.wire(Wire::Stateful2025_11_25).sessions(false),
    )
    .await;
    let home = Home::new(&far.world, "protocol = \"2025-11-25\"");
    home.run(&["login", Home::SERVER]).await.succeeded();
    let proof = ["initialize", "notifications/initialized", "tools/list"];
    assert_path(&far, &["registration"], &proof);
    assert_eq!(far.connections_after_the_page(), 0);
}

fn stateless(mcp: McpServerBuilder) -> McpServerBuilder {
    mcp.wire(Wire::Stateless2026_07_28)
}

/// The challenge with the resource metadata beside it, the authorization server's, what `between` says, the token, and
/// `proof`.
fn assert_path(far: &Far, between: &[&str], proof: &[&str]) {
    let path = far.critical_path();
    let tail = [
        &["authorization server metadata"],
        between,
        &["token"],
        proof,
    ]
    .concat();
    assert_eq!(path[1..], tail, "{:#?}", far.world.story());
    let first = far.requests();
    let first: Vec<_> = first[..2].iter().map(|request| request.leg).collect();
    assert!(
        first.contains(&Leg::Resource) && first.contains(&Leg::ResourceMetadata),
        "{first:?}"
    );
}

const STATELESS: &[&str] = &["server/discover", "tools/list"];
