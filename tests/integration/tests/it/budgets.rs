//! How many requests each way through takes, by what the servers recorded. The browser's own are not among them.

use doorkey_testkit::{Caching, Leg, StaticClient, Wire};
use http::Method;
use integration::{Home, World};
use serde_json::json;

use crate::support::{login, tools};

#[tokio::test]
async fn a_first_login_takes_five_requests_before_its_proof() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    assert!(login(&world, &home).await.registered);
    let expected = [
        Leg::Resource,
        Leg::ResourceMetadata,
        Leg::AuthorizationServerMetadata,
        Leg::Registration,
        Leg::Token,
    ];
    assert_eq!(before_proof(&world), expected, "{:#?}", world.story());
}

#[tokio::test]
async fn a_second_login_registers_nothing_and_takes_four() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.recorder.clear();
    assert!(!login(&world, &home).await.registered);
    assert_eq!(before_proof(&world), WITHOUT_REGISTRATION);
    assert_eq!(world.auth.registrations(), 1);
}

#[tokio::test]
async fn a_login_with_a_client_registered_by_hand_takes_four() {
    let client = StaticClient::public("by-hand").redirect_uri(CALLBACK);
    let world = World::with(
        |auth| auth.static_client(client).loopback_any_port(true),
        |mcp| mcp,
    )
    .await;
    let home = Home::new(&world, &oauth("client_id = \"by-hand\""));
    assert!(!login(&world, &home).await.registered);
    assert_eq!(before_proof(&world), WITHOUT_REGISTRATION);
}

#[tokio::test]
async fn a_login_with_a_metadata_document_takes_four() {
    let url = "https://client.example/metadata.json";
    let document = json!({
        "client_id": url,
        "client_name": "doorkey",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let world = World::with(
        |auth| {
            auth.metadata_document_clients(true)
                .metadata_document(url, document)
                .loopback_any_port(true)
        },
        |mcp| mcp,
    )
    .await;
    let home = Home::new(&world, &oauth(&format!("client_metadata_url = {url:?}")));
    assert!(!login(&world, &home).await.registered);
    assert_eq!(before_proof(&world), WITHOUT_REGISTRATION);
}

#[tokio::test]
async fn the_program_has_the_same_budgets() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    home.run(&["login", Home::SERVER]).await.succeeded();
    assert_eq!(before_proof(&world).len(), 5, "{:#?}", world.story());

    world.recorder.clear();
    home.run(&["login", Home::SERVER]).await.succeeded();
    assert_eq!(before_proof(&world), WITHOUT_REGISTRATION);
    assert_eq!(world.auth.registrations(), 1);
    assert_eq!(world.person.pages_opened(), 2);

    world.recorder.clear();
    let run = home.run(&["tools", Home::SERVER]).await.succeeded();
    assert!(run.stdout.contains("echo"), "{run}");
    assert_eq!(messages(&world), ["server/discover", "tools/list"]);

    home.expire().await;
    world.auth.expire_access_tokens();
    world.recorder.clear();
    home.run(&["tools", Home::SERVER]).await.succeeded();
    assert_eq!(world.recorder.count(Leg::Token), 1);
    assert_eq!(world.recorder.len(), 3, "{:#?}", world.story());
    assert_eq!(world.person.pages_opened(), 2);
}

/// The server of this test hands out no session, so that there is none to end.
#[tokio::test]
async fn warm_tools_take_three_requests_on_the_wire_of_2025() {
    let world = World::with(
        |auth| auth,
        |mcp| mcp.wire(Wire::Stateful2025_11_25).sessions(false),
    )
    .await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.recorder.clear();
    tools(&home).await.expect("tools");
    let expected = ["initialize", "notifications/initialized", "tools/list"];
    assert_eq!(messages(&world), expected);

    world.recorder.clear();
    home.run(&["tools", Home::SERVER]).await.succeeded();
    assert_eq!(messages(&world), expected);
}

#[tokio::test]
async fn a_session_that_was_handed_out_is_ended_with_a_fourth() {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateful2025_11_25)).await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.recorder.clear();
    tools(&home).await.expect("tools");
    assert_eq!(
        messages(&world),
        [
            "initialize",
            "notifications/initialized",
            "tools/list",
            "DELETE"
        ]
    );
    assert_eq!(world.mcp.sessions(), 0);
}

#[tokio::test]
async fn warm_tools_take_two_requests_on_the_wire_of_2026() {
    let world = World::with(|auth| auth, |mcp| mcp.wire(Wire::Stateless2026_07_28)).await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    for _ in 0..2 {
        world.recorder.clear();
        tools(&home).await.expect("tools");
        assert_eq!(messages(&world), ["server/discover", "tools/list"]);
    }
}

#[tokio::test]
async fn warm_tools_take_one_request_if_the_server_lets_its_discovery_be_kept() {
    for caching in [Caching::Private(AN_HOUR), Caching::Public(AN_HOUR)] {
        let world = World::with(
            |auth| auth,
            |mcp| mcp.wire(Wire::Stateless2026_07_28).caching(caching),
        )
        .await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        for _ in 0..2 {
            world.recorder.clear();
            tools(&home).await.expect("tools");
            assert_eq!(messages(&world), ["tools/list"], "{caching:?}");
        }
        world.recorder.clear();
        home.run(&["tools", Home::SERVER]).await.succeeded();
        assert_eq!(messages(&world), ["tools/list"], "{caching:?}");

        // What was said to one person is not for the next.
        world.recorder.clear();
        login(&world, &home).await;
        let requests = world.recorder.requests();
        let asks_anew = requests.iter().filter(|it| {
            it.rpc_method.as_deref() == Some("server/discover") && it.status == Some(200)
        });
        let is_private = matches!(caching, Caching::Private(_));
        assert_eq!(asks_anew.count(), usize::from(is_private), "{caching:?}");
    }
}

#[tokio::test]
async fn nothing_but_mcp_is_asked_while_the_token_is_fresh() {
    let world = World::new().await;
    let home = Home::new(&world, "");
    login(&world, &home).await;
    world.recorder.clear();
    world.auth.stop().await;
    for _ in 0..3 {
        tools(&home)
            .await
            .expect("tools without the authorization server");
    }
    let requests = 3 * ["server/discover", "tools/list"].len();
    assert_eq!(world.counts(), [(Leg::Resource, requests)]);
}

#[tokio::test]
async fn an_expired_token_costs_exactly_one_refresh_and_nothing_else() {
    for wire in [Wire::Stateful2025_11_25, Wire::Stateless2026_07_28] {
        let world = World::with(|auth| auth, |mcp| mcp.wire(wire)).await;
        let home = Home::new(&world, "");
        login(&world, &home).await;
        for day in 1..=2 {
            world.auth.expire_access_tokens();
            home.expire().await;
            world.recorder.clear();
            tools(&home).await.expect("tools");
            assert_eq!(world.auth.refreshes(), day);
            let requests = world.recorder.requests();
            assert_eq!(requests[0].leg, Leg::Token, "{:#?}", world.story());
            assert!(requests[1..].iter().all(|it| it.leg == Leg::Resource));
            assert!(requests.iter().all(|it| it.status != Some(401)));
        }
        assert_eq!(world.person.pages_opened(), 1);
    }
}

/// The legs up to the one that brought the token. What follows has to be MCP alone.
fn before_proof(world: &World) -> Vec<Leg> {
    let requests = world.recorder.requests();
    let mut legs: Vec<Leg> = requests
        .iter()
        .map(|request| request.leg)
        .filter(|leg| *leg != Leg::Authorization)
        .collect();
    // They are on their way together.
    if legs.starts_with(&[Leg::ResourceMetadata, Leg::Resource]) {
        legs.swap(0, 1);
    }
    let end = legs.iter().position(|leg| *leg == Leg::Token);
    let end = end.unwrap_or_else(|| panic!("no token: {:#?}", world.story())) + 1;
    let (before, proof) = legs.split_at(end);
    assert!(!proof.is_empty(), "no proof: {:#?}", world.story());
    let alone = proof.iter().all(|leg| *leg == Leg::Resource);
    assert!(alone, "{:#?}", world.story());
    before.to_vec()
}

/// Every request in order, which all have to be the MCP server's: its JSON-RPC method, else its HTTP method.
fn messages(world: &World) -> Vec<String> {
    let requests = world.recorder.requests();
    let only_mcp = requests.iter().all(|request| request.leg == Leg::Resource);
    assert!(only_mcp, "{:#?}", world.story());
    requests
        .into_iter()
        .map(|request| match request.rpc_method {
            Some(method) if request.method == Method::POST => method,
            _ => request.method.to_string(),
        })
        .collect()
}

fn oauth(settings: &str) -> String {
    format!("[mcp_servers.{}.oauth]\n{settings}", Home::SERVER)
}

const WITHOUT_REGISTRATION: [Leg; 4] = [
    Leg::Resource,
    Leg::ResourceMetadata,
    Leg::AuthorizationServerMetadata,
    Leg::Token,
];
/// In milliseconds.
const AN_HOUR: u64 = 3_600_000;
const CALLBACK: &str = "http://127.0.0.1/callback";
