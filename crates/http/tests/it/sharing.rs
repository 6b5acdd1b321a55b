//! Clients of the same `Connections`: what they share, and what they never do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::{
    AddressClass, AddressPolicy, Body, Connections, Error, HttpClient, HttpProfile, Leg, Resolver,
    Timeouts,
};
use http::{Response, Version, header};
use tokio::sync::Semaphore;

use crate::ca::Ca;
use crate::server::{Names, Seen, Server, get, post};

/// A host that no name is looked up for.
const LITERAL: &str = "127.0.0.1";

fn connections() -> Connections {
    Connections::with_resolver(Arc::new(Names::default()))
}

/// A profile of an MCP server at `host` of this server.
fn profile(server: &Server, host: &str, ca: &Ca) -> HttpProfile {
    let mut profile = HttpProfile::new(server.url(host, "/mcp").parse().unwrap());
    profile.roots = ca.roots();
    profile
}

fn client(connections: &Connections, profile: &HttpProfile) -> HttpClient {
    connections.client(profile).unwrap()
}

async fn ask(client: &HttpClient, leg: Leg, url: &str) -> Result<Response<Body>, Error> {
    let answer = client.send_collected(leg, post(url, "x")).await;
    answer.map(|answer| answer.map(Body::from))
}

/// Over which connection each request came.
fn over(server: &Server) -> Vec<usize> {
    server.seen().iter().map(|seen| seen.connection).collect()
}

/// How many connections there were.
fn count(server: &Server) -> usize {
    server
        .seen()
        .iter()
        .map(|seen| seen.connection + 1)
        .max()
        .unwrap_or(0)
}

fn is_refused<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::AddressRefused { .. }))
}

async fn a_server(ca: &Ca) -> Server {
    Server::ok(Some(
        ca.server(&["mcp.test", "other.test", "as.test", LITERAL], None),
    ))
    .await
}

#[tokio::test]
async fn clients_that_would_make_the_same_connection_share_it_on_every_leg() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let connections = connections();
    let own = server.url("mcp.test", "/mcp");
    let named = server.url("as.test", "/token");
    for _ in 0..4 {
        let profile = profile(&server, "mcp.test", &ca);
        let client = client(&connections, &profile);
        client.pin_resource_class(Some(AddressClass::Loopback));
        ask(&client, Leg::Resource, &own).await.unwrap();
        ask(&client, Leg::Token, &named).await.unwrap();
    }
    // Nobody used them in between: they are gone with the client.
    assert_eq!(over(&server), [0, 1, 2, 3, 4, 5, 6, 7]);

    let server = a_server(&ca).await;
    let (own, named) = (
        server.url("mcp.test", "/mcp"),
        server.url("as.test", "/token"),
    );
    let clients: Vec<_> = (0..4)
        .map(|_| client(&connections, &profile(&server, "mcp.test", &ca)))
        .collect();
    for client in &clients {
        client.pin_resource_class(Some(AddressClass::Loopback));
        ask(client, Leg::Resource, &own).await.unwrap();
        ask(client, Leg::Token, &named).await.unwrap();
    }
    assert_eq!(over(&server), [0, 1, 0, 1, 0, 1, 0, 1]);
}

#[tokio::test]
async fn what_makes_a_connection_different_keeps_clients_apart() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let server = a_server(&ca).await;
    let url = server.url("mcp.test", "/mcp");
    let connections = connections();
    let plain = profile(&server, "mcp.test", &ca);
    let mut others = vec![plain.clone(); 9];
    others[1].client_identity = Some(clients.identity());
    others[2].client_identity = Some(clients.identity());
    others[3].http2 = false;
    others[4].timeouts = Timeouts::new(
        Duration::from_secs(9),
        Duration::from_secs(60),
        Duration::from_secs(30),
    );
    others[5].limits.headers = 1024 * 1024;
    others[6].limits.connections = 3;
    others[7].addresses.class = Some(AddressClass::Loopback);
    others[8].addresses.allow = vec![
        url.parse::<url::Url>()
            .unwrap()
            .origin()
            .ascii_serialization()
            .parse()
            .unwrap(),
    ];
    let made: Vec<_> = others
        .iter()
        .map(|profile| client(&connections, profile))
        .collect();
    for client in &made {
        ask(client, Leg::Resource, &url).await.unwrap();
    }
    assert_eq!(over(&server), (0..made.len()).collect::<Vec<_>>());
    // Roots that do not know the server do not get at it over a connection of those that do.
    let mut stranger = plain.clone();
    stranger.roots = Ca::new().roots();
    let stranger = client(&connections, &stranger);
    assert!(
        ask(&stranger, Leg::Resource, &url)
            .await
            .unwrap_err()
            .is_tls()
    );
    // And what is about headers or requests alone keeps nobody apart.
    let mut alike = plain;
    alike.user_agent = "another/1".to_owned();
    alike.resource_headers.insert("x-key", "k".parse().unwrap());
    alike.limits.resource = 7;
    alike.timeouts.total = Duration::from_secs(7);
    ask(&client(&connections, &alike), Leg::Resource, &url)
        .await
        .unwrap();
    assert_eq!(over(&server).last(), Some(&0));
}

#[tokio::test]
async fn a_connection_of_the_users_own_server_is_not_lent_to_one_that_only_a_server_named() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let connections = connections();
    let own = client(&connections, &profile(&server, "mcp.test", &ca));
    let near = server.url("mcp.test", "/mcp");
    ask(&own, Leg::Resource, &near).await.unwrap();
    // A public server leads to the same origin, to which a connection is open.
    let mut public = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    public.roots = ca.roots();
    let public = client(&connections, &public);
    for leg in Leg::ALL {
        assert!(is_refused(&ask(&public, leg, &near).await), "{leg}");
    }
    ask(&own, Leg::Resource, &near).await.unwrap();
    assert_eq!(over(&server), [0, 0]);
}

/// Answers with whatever was set last.
#[derive(Debug)]
struct Moving(Mutex<&'static str>);

impl Resolver for Moving {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
    ) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
        let found = self.0.lock().unwrap().parse().unwrap();
        Box::pin(async move { Ok(vec![found]) })
    }
}

#[tokio::test]
async fn a_server_that_is_held_to_its_class_never_uses_what_a_rebound_name_opened_for_another() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let names = Arc::new(Moving(Mutex::new("127.0.0.1")));
    let connections = Connections::with_resolver(Arc::clone(&names) as Arc<dyn Resolver>);
    let url = server.url("mcp.test", "/mcp");
    // One whose class nobody knows follows the name to this machine, and keeps the connection open.
    let free = client(&connections, &profile(&server, "mcp.test", &ca));
    ask(&free, Leg::Resource, &url).await.unwrap();
    // One that was public at login shares the host, the roots and the registry.
    let mut held = profile(&server, "mcp.test", &ca);
    held.addresses = AddressPolicy::default().with_class(Some(AddressClass::Public));
    let held = client(&connections, &held);
    assert!(is_refused(&ask(&held, Leg::Resource, &url).await));
    // Nor does one that is pinned in its life, after it used that very connection.
    let later = client(&connections, &profile(&server, "mcp.test", &ca));
    ask(&later, Leg::Resource, &url).await.unwrap();
    later.pin_resource_class(Some(AddressClass::Public));
    assert!(is_refused(&ask(&later, Leg::Resource, &url).await));
    ask(&free, Leg::Resource, &url).await.unwrap();
    assert_eq!(over(&server), [0, 0, 0]);
}

#[tokio::test]
async fn after_its_class_was_forgotten_a_server_is_found_anew_though_others_have_connections() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let connections = connections();
    let url = server.url("mcp.test", "/mcp");
    let named = server.url("as.test", "/token");
    let clients = [0, 1].map(|_| client(&connections, &profile(&server, "mcp.test", &ca)));
    for client in &clients {
        ask(client, Leg::Resource, &url).await.unwrap();
        ask(client, Leg::Token, &named).await.unwrap();
    }
    clients[0].pin_resource_class(None);
    assert_eq!(clients[0].resource_class(), None);
    for client in &clients {
        ask(client, Leg::Resource, &url).await.unwrap();
        ask(client, Leg::Token, &named).await.unwrap();
    }
    assert_eq!(clients[0].resource_class(), Some(AddressClass::Loopback));
    // Only the first goes to its own server over a new one; the others are judged as before.
    assert_eq!(over(&server), [0, 1, 0, 1, 2, 1, 0, 1]);
}

#[tokio::test]
async fn a_pin_to_what_is_known_keeps_the_connections_to_others() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let client = client(&connections(), &profile(&server, "mcp.test", &ca));
    let named = server.url("as.test", "/token");
    let own = server.url("mcp.test", "/mcp");
    ask(&client, Leg::Resource, &own).await.unwrap();
    ask(&client, Leg::Token, &named).await.unwrap();
    client.pin_resource_class(client.resource_class());
    ask(&client, Leg::Token, &named).await.unwrap();
    assert_eq!(over(&server), [0, 1, 1]);
}

#[tokio::test]
async fn a_client_that_others_share_with_learns_where_its_server_is_from_their_connection() {
    let ca = Ca::new();
    let server = a_server(&ca).await;
    let connections = connections();
    let url = server.url("mcp.test", "/mcp");
    let clients = [0, 1].map(|_| client(&connections, &profile(&server, "mcp.test", &ca)));
    for client in &clients {
        assert_eq!(client.resource_class(), None);
        ask(client, Leg::Resource, &url).await.unwrap();
        assert_eq!(client.resource_class(), Some(AddressClass::Loopback));
    }
    assert_eq!(over(&server), [0, 0]);
}

/// Answers when it is let.
async fn waiting(ca: &Ca) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let tls = ca.server(&["mcp.test", "as.test", LITERAL], None);
    let server = Server::start(Some(tls), move |seen: Seen| {
        let opened = Arc::clone(&opened);
        async move {
            if !["/now", "/events"].contains(&seen.path.as_str()) {
                opened.acquire().await.unwrap().forget();
            }
            let answer = Response::builder();
            match seen.path.as_str() {
                "/stream" | "/events" => answer.header(header::CONTENT_TYPE, "text/event-stream"),
                _ => answer,
            }
            .body(Body::from("ok"))
            .unwrap()
        }
    })
    .await;
    (server, gate)
}

async fn together(
    clients: &[HttpClient],
    leg: Leg,
    url: &str,
) -> tokio::task::JoinSet<Result<Response<Body>, Error>> {
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients {
        let (client, url) = (client.clone(), url.to_owned());
        tasks.spawn(async move { ask(&client, leg, &url).await });
    }
    tasks
}

async fn all_well(tasks: tokio::task::JoinSet<Result<Response<Body>, Error>>) {
    for answer in tasks.join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_hundred_first_requests_at_once_make_one_connection_over_http2() {
    let ca = Ca::new();
    for (leg, mcp, host) in FIRST_REQUESTS {
        let server = a_server(&ca).await;
        let connections = connections();
        let mut profile = profile(&server, mcp, &ca);
        profile.addresses.class = Some(AddressClass::Loopback);
        let clients: Vec<_> = (0..100).map(|_| client(&connections, &profile)).collect();
        all_well(together(&clients, leg, &server.url(host, "/now")).await).await;
        let seen = server.seen();
        assert_eq!((seen.len(), count(&server)), (100, 1), "{leg} at {host}");
        assert!(seen.iter().all(|seen| seen.version == Version::HTTP_2));
    }
}

#[tokio::test]
async fn a_hundred_first_requests_at_once_share_few_connections_over_http1() {
    let ca = Ca::new();
    for (leg, mcp, host) in FIRST_REQUESTS {
        if (leg, host) == (Leg::Resource, LITERAL) {
            // No name is looked up, which is where a call would wait.
            continue;
        }
        // Many servers answer each call with a short stream of events.
        for path in ["/now", "/events"] {
            let (server, _gate) = waiting(&ca).await;
            let connections = connections();
            let mut profile = profile(&server, mcp, &ca);
            profile.addresses.class = Some(AddressClass::Loopback);
            // However slow this machine is, nobody loses patience while others end.
            profile.timeouts.connect = Duration::from_secs(120);
            profile.http2 = false;
            let clients: Vec<_> = (0..100).map(|_| client(&connections, &profile)).collect();
            let began = std::time::Instant::now();
            all_well(together(&clients, leg, &server.url(host, path)).await).await;
            // Beyond the limit they are made one after the other, while those there are do the work.
            let most = profile.limits.connections + beyond(began);
            let made = count(&server);
            assert!((1..=most).contains(&made), "{leg} at {host}{path}: {made}");
            assert_eq!(server.seen().len(), 100);
        }
    }
}

/// Counts the connections that are made: one lookup for each.
#[derive(Debug, Default)]
struct Counted(AtomicUsize);

impl Resolver for Counted {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
    ) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()]) })
    }
}

#[tokio::test]
async fn requests_that_are_given_up_while_they_wait_make_no_room_for_others() {
    let ca = Ca::new();
    let (server, gate) = waiting(&ca).await;
    let names = Arc::new(Counted::default());
    let connections = Connections::with_resolver(Arc::clone(&names) as Arc<dyn Resolver>);
    let mut profile = profile(&server, "mcp.test", &ca);
    profile.http2 = false;
    profile.limits.connections = 4;
    let clients: Vec<_> = (0..4).map(|_| client(&connections, &profile)).collect();
    let url = server.url("mcp.test", "/slow");
    let slow = together(&clients, Leg::Resource, &url).await;
    let all_asked = async {
        while server.seen().len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, all_asked).await.unwrap();
    let (began, made) = (std::time::Instant::now(), names.0.load(Ordering::SeqCst));
    for _ in 0..10 {
        let mut waiting = together(&[&clients[..]; 5].concat(), Leg::Resource, &url).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        waiting.shutdown().await;
    }
    let more = names.0.load(Ordering::SeqCst) - made;
    let most = beyond(began);
    assert!(more <= most, "{more} of {most}");
    gate.add_permits(500);
    all_well(slow).await;
}

/// How many connections may have been made beyond the limit since then: one every 20 ms, and the first at once.
fn beyond(began: std::time::Instant) -> usize {
    usize::try_from(began.elapsed().as_millis() / 20).unwrap() + 2
}

/// A leg, the host of the MCP server, and the host that is asked.
const FIRST_REQUESTS: [(Leg, &str, &str); 4] = [
    (Leg::Resource, "mcp.test", "mcp.test"),
    (Leg::Token, "mcp.test", "as.test"),
    (Leg::Resource, LITERAL, LITERAL),
    (Leg::Token, LITERAL, LITERAL),
];

#[tokio::test]
async fn whoever_connects_first_a_connection_is_everybodys_before_any_answer() {
    let ca = Ca::new();
    for host in ["mcp.test", LITERAL] {
        let (server, gate) = waiting(&ca).await;
        let client = client(&connections(), &profile(&server, host, &ca));
        let url = server.url(host, "/slow");
        let slow = together(std::slice::from_ref(&client), Leg::Resource, &url).await;
        tokio::task::yield_now().await;
        let beside = async {
            let now = server.url(host, "/now").parse().unwrap();
            client.warm(Leg::ResourceMetadata, &now).await.unwrap();
            ask(&client, Leg::ResourceMetadata, now.as_str()).await
        };
        let beside = tokio::time::timeout(Duration::from_secs(2), beside).await;
        assert_eq!(beside.unwrap().unwrap().status(), 200, "{host}");
        gate.add_permits(1);
        all_well(slow).await;
        assert_eq!(over(&server), [0, 0], "{host}");
    }
}

#[tokio::test]
async fn exchanges_with_an_endpoint_wait_for_each_other_and_calls_and_streams_do_not() {
    let ca = Ca::new();
    let connections = connections();
    let (server, gate) = waiting(&ca).await;
    let mut profile = profile(&server, "mcp.test", &ca);
    profile.addresses.class = Some(AddressClass::Loopback);
    profile.http2 = false;
    profile.limits.connections = 2;
    let clients: Vec<_> = (0..6).map(|_| client(&connections, &profile)).collect();
    let settle = async |asked: usize| {
        let reached = async {
            while server.seen().len() < asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, reached).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.seen().len(), asked);
    };
    // Two at a time, whatever time they take.
    let exchanges = together(&clients, Leg::Token, &server.url("as.test", "/slow")).await;
    settle(2).await;
    gate.add_permits(1);
    settle(3).await;
    gate.add_permits(5);
    all_well(exchanges).await;
    assert_eq!(count(&server), 2);
    // Calls that take long, all at once.
    let calls = together(&clients, Leg::Resource, &server.url("mcp.test", "/slow")).await;
    settle(12).await;
    // Streams that are open, and requests beside them at once.
    let mut streams = tokio::task::JoinSet::new();
    for client in &clients {
        let (client, url) = (client.clone(), server.url("mcp.test", "/stream"));
        streams.spawn(async move { client.send(Leg::Resource, get(&url)).await });
    }
    settle(18).await;
    gate.add_permits(12);
    all_well(calls).await;
    let open = streams.join_all().await;
    assert!(open.iter().all(Result::is_ok));
    let began = std::time::Instant::now();
    all_well(together(&clients, Leg::Resource, &server.url("mcp.test", "/now")).await).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(open);
}

#[tokio::test]
async fn a_request_that_was_given_up_holds_nobody_up() {
    let ca = Ca::new();
    let (server, _gate) = waiting(&ca).await;
    let connections = connections();
    let mut profile = profile(&server, "mcp.test", &ca);
    profile.addresses.class = Some(AddressClass::Loopback);
    profile.http2 = false;
    profile.limits.connections = 1;
    let client = client(&connections, &profile);
    for leg in [Leg::Token, Leg::Resource] {
        for _ in 0..3 {
            let slow = server.url("as.test", "/slow");
            let asked = ask(&client, leg, &slow);
            tokio::time::timeout(Duration::from_millis(300), asked)
                .await
                .unwrap_err();
        }
        let now = server.url("as.test", "/now");
        let asked = ask(&client, leg, &now);
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await;
        answer.unwrap().unwrap();
    }
}
