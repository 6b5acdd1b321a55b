//! Everything a place can answer, for both documents: what is made of it when the next place has
//! the document, and when none has.

use std::time::Duration;

use doorkey_discovery::{Challenges, Discovery, DiscoveryOptions, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wiremock::ResponseTemplate;

use crate::world::{
    OAUTH, OPENID, PRM, PRM_AT_PATH, SLOW, World, bearer_with_metadata, client, told,
};

/// What a fault means: whether the document counts as absent, and whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    Absent,
    Trouble { transient: bool },
}

struct Fault {
    name: &'static str,
    answer: ResponseTemplate,
    meaning: Meaning,
    /// What a person reads.
    told: &'static str,
}

fn faults() -> Vec<Fault> {
    let mut faults = absences();
    faults.extend(troubles());
    faults
}

/// Answers that say the document is not here.
fn absences() -> Vec<Fault> {
    let fault = |name, answer, told| Fault {
        name,
        answer,
        meaning: Meaning::Absent,
        told,
    };
    let statuses = [
        (204, "HTTP 204"),
        (400, "HTTP 400"),
        (401, "HTTP 401"),
        (403, "HTTP 403"),
        (404, "HTTP 404"),
        (405, "HTTP 405"),
        (410, "HTTP 410"),
    ];
    let statuses = statuses.map(|(code, told)| fault(told, ResponseTemplate::new(code), told));
    let pages = [
        ("empty", "", "application/json", "it is empty"),
        (
            "html",
            "<html>hello",
            "text/html",
            "it looks like a web page",
        ),
        (
            "html as json",
            "<html>hello",
            "application/json",
            "it looks like a web page",
        ),
        (
            "text",
            "no such page",
            "text/plain",
            "it cannot be read as JSON",
        ),
        (
            "array",
            "[]",
            "application/json",
            "it is JSON of another kind",
        ),
        (
            "truncated json",
            "{\"issuer\":\"ht",
            "application/json",
            "it cannot be read as JSON",
        ),
        (
            "byte order mark",
            "\u{feff}{}",
            "application/json",
            "it starts with a byte order mark",
        ),
    ];
    let pages = pages.map(|(name, body, kind, told)| fault(name, page(body, kind), told));
    statuses.into_iter().chain(pages).collect()
}

/// Answers that say nothing about the document.
fn troubles() -> Vec<Fault> {
    let fault = |name, answer, transient, told| Fault {
        name,
        answer,
        meaning: Meaning::Trouble { transient },
        told,
    };
    let redirect = |to: &str| ResponseTemplate::new(302).insert_header("location", to);
    let refused = "the server answered 302 Found with a redirect to ";
    let mut faults = vec![
        fault(
            "oversized",
            page(&"x".repeat(100_000), "application/json"),
            true,
            "the response body is longer than 65536 bytes",
        ),
        fault(
            "slow",
            page("{}", "application/json").set_delay(SLOW),
            true,
            "waiting for the response took longer than 1.5 s",
        ),
        fault(
            "redirect to http",
            redirect("http://mcp.example/x"),
            false,
            refused,
        ),
        fault(
            "redirect to a file",
            redirect("file:///etc/passwd"),
            false,
            refused,
        ),
    ];
    for (code, told) in [
        (408, "HTTP 408, the request came too slowly"),
        (425, "HTTP 425, too early"),
        (429, "HTTP 429, too many requests"),
        (500, "HTTP 500"),
        (502, "HTTP 502"),
        (503, "HTTP 503"),
        (504, "HTTP 504"),
    ] {
        faults.push(fault(told, ResponseTemplate::new(code), true, told));
    }
    faults
}

fn page(body: &str, kind: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, kind)
}

fn assert_meaning(error: &Error, fault: &Fault, at: &str) {
    let text = told(error);
    let name = fault.name;
    match fault.meaning {
        Meaning::Absent => assert!(
            matches!(error, Error::NotFound { .. }),
            "{name} at {at}: {text}"
        ),
        Meaning::Trouble { transient } => {
            assert!(
                matches!(error, Error::Unreachable { .. }),
                "{name} at {at}: {text}"
            );
            assert_eq!(error.is_transient(), transient, "{name} at {at}: {text}");
        }
    }
    assert!(text.contains(fault.told), "{name} at {at}: {text}");
    assert!(!error.needs_login());
}

#[tokio::test]
async fn a_fault_at_one_place_of_the_resource_metadata_leads_to_the_next_disc_17() {
    for fault in faults() {
        let world = World::new().await;
        world.answer(PRM_AT_PATH, fault.answer.clone()).await;
        world
            .json(
                PRM,
                &world.resource_document_for(&world.origin(), &[world.origin()]),
            )
            .await;
        let found = world
            .discovery()
            .resource_metadata(&world.mcp(), &Challenges::default())
            .await;
        assert_eq!(found.unwrap().url.path(), PRM, "{}", fault.name);
    }
}

#[tokio::test]
async fn a_fault_with_nothing_after_it_is_reported_with_every_place_disc_17() {
    for fault in faults() {
        let world = World::new().await;
        world.answer(PRM_AT_PATH, fault.answer.clone()).await;
        let error = world
            .discovery()
            .resource_metadata(&world.mcp(), &Challenges::default())
            .await
            .unwrap_err();
        assert_meaning(&error, &fault, PRM_AT_PATH);
        let text = told(&error);
        assert!(
            text.starts_with("resource metadata "),
            "the leg leads: {text}"
        );
        for place in [PRM_AT_PATH, PRM] {
            assert!(
                text.contains(&world.url(place)),
                "{}: {place} is missing from {text}",
                fault.name
            );
        }
        assert_eq!(world.asked().await, [PRM_AT_PATH, PRM], "{}", fault.name);
    }
}

#[tokio::test]
async fn a_fault_at_the_url_of_the_challenge_stops_disc_18() {
    for fault in faults() {
        let world = World::well_configured().await;
        world.answer("/custom", fault.answer.clone()).await;
        let error = world
            .discover(&bearer_with_metadata(&world.url("/custom")))
            .await
            .unwrap_err();
        assert_meaning(&error, &fault, "/custom");
        assert_eq!(world.asked().await, ["/custom"], "{}", fault.name);
    }
}

#[tokio::test]
async fn a_fault_at_one_place_of_the_server_metadata_leads_to_the_next_as_10_as_11() {
    for fault in faults() {
        let world = World::new().await;
        world.json(PRM_AT_PATH, &world.resource_document()).await;
        world.answer(OAUTH, fault.answer.clone()).await;
        world
            .json(OPENID, &world.server_document(&world.origin()))
            .await;
        assert!(world.discover("").await.is_ok(), "{}", fault.name);
        assert_eq!(
            world.asked().await,
            [PRM_AT_PATH, OAUTH, OPENID],
            "{}",
            fault.name
        );
    }
}

#[tokio::test]
async fn a_fault_of_the_server_metadata_with_nothing_after_it_is_reported_as_11_as_13() {
    for fault in faults() {
        let world = World::new().await;
        world.json(PRM_AT_PATH, &world.resource_document()).await;
        world.answer(OAUTH, fault.answer.clone()).await;
        let error = world.discover("").await.unwrap_err();
        assert_meaning(&error, &fault, OAUTH);
        let text = told(&error);
        assert!(
            text.starts_with("authorization server metadata "),
            "the leg leads: {text}"
        );
        for place in [OAUTH, OPENID] {
            assert!(
                text.contains(&world.url(place)),
                "{}: {place} is missing from {text}",
                fault.name
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_no_missing_document_and_its_wait_is_told() {
    let waits = |code: u16, wait| ResponseTemplate::new(code).insert_header("retry-after", wait);
    for (at_path, at_root, seconds) in [
        (waits(429, "7"), ResponseTemplate::new(404), Some(7)),
        (waits(503, "7"), waits(429, " 30 "), Some(30)),
        // Waiting does not make a document appear.
        (waits(429, "7"), waits(404, "30"), Some(7)),
        (waits(429, "soon"), waits(408, "-1"), None),
        (waits(429, "99999999999"), ResponseTemplate::new(404), None),
    ] {
        let world = World::new().await;
        world.answer(PRM_AT_PATH, at_path).await;
        world.answer(PRM, at_root).await;
        let error = world.discover("").await.unwrap_err();
        let text = told(&error);
        assert!(
            matches!(error, Error::Unreachable { .. }) && error.is_transient(),
            "{text}"
        );
        assert_eq!(
            error.retry_after(),
            seconds.map(Duration::from_secs),
            "{text}"
        );
        let told_wait = seconds.map(|seconds| format!("asked to wait {seconds} s"));
        assert!(told_wait.is_none_or(|wait| text.contains(&wait)), "{text}");
    }
}

/// Every place that was tried and every link of the chain says its own, once.
fn assert_told_once(error: &Error) {
    let text = told(error);
    for attempt in error.attempts().unwrap() {
        // A place may be the beginning of another: what ends it is a blank or a colon.
        let named = text
            .split([' ', ';'])
            .filter(|word| word.trim_end_matches(':') == attempt.place());
        assert_eq!(named.count(), 1, "{}: {text}", attempt.place());
    }
    let links = std::iter::successors(Some(error as &dyn std::error::Error), |link| link.source());
    let links: Vec<_> = links.map(ToString::to_string).collect();
    for (index, link) in links.iter().enumerate() {
        let above = links[..index]
            .iter()
            .find(|above| above.contains(link.as_str()));
        assert_eq!(above, None, "{text}");
    }
}

#[tokio::test]
async fn a_failed_request_is_told_once_along_the_chain() {
    for (first, second) in troubles().into_iter().zip(troubles().into_iter().rev()) {
        let world = World::new().await;
        world.answer(PRM_AT_PATH, first.answer).await;
        world.answer(PRM, second.answer).await;
        assert_told_once(&resource_error(&world).await);
    }
    let world = World::new().await;
    for (place, to) in [(PRM_AT_PATH, "/gone"), (PRM, "/gone")] {
        let answer = ResponseTemplate::new(302).insert_header("location", to);
        world.answer(place, answer).await;
    }
    let away = ResponseTemplate::new(302).insert_header("location", "ftp://h/");
    world.answer("/gone", away).await;
    let error = resource_error(&world).await;
    assert_told_once(&error);
    assert!(
        told(&error).contains(&world.url("/gone")),
        "{}",
        told(&error)
    );
}

async fn resource_error(world: &World) -> Error {
    let discovery = world.discovery();
    discovery
        .resource_metadata(&world.mcp(), &Challenges::default())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_refused_connection_is_remembered_and_told_disc_17_leg_01() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server: Url = format!("http://{}/mcp", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = discover(&server).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_transient(),
        "{}",
        told(&error)
    );
    assert!(
        told(&error).contains("could not connect"),
        "{}",
        told(&error)
    );
    assert_told_once(&error);
    let told_first = "resource metadata could not be fetched: the request failed; ";
    assert!(told(&error).starts_with(told_first), "{}", told(&error));
    assert!(told(&error).contains(": likewise: "), "{}", told(&error));
    assert_eq!(error.attempts().unwrap().iter().count(), 2);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_remembered_and_told_disc_17_leg_01() {
    let world = World::new().await;
    let server = world
        .url("/mcp")
        .replace("http://", "https://")
        .parse()
        .unwrap();
    let error = discover(&server).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_transient(),
        "{}",
        told(&error)
    );
    assert!(world.asked().await.is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_remembered_and_told_disc_17() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"resource\":";
    let server = answer_always(answer).await;
    let error = discover(&server).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_transient(),
        "{}",
        told(&error)
    );
    assert!(
        told(&error).contains("the connection was cut before the answer was complete"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn what_is_no_http_is_remembered_and_told_disc_17() {
    let server = answer_always("SSH-2.0-OpenSSH_9.2\r\n").await;
    let error = discover(&server).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }),
        "{}",
        told(&error)
    );
}

async fn discover(server: &Url) -> Result<doorkey_discovery::Discovered, Error> {
    let discovery = Discovery::new(client(server), DiscoveryOptions::default());
    discovery.discover(server, &Challenges::default()).await
}

/// The MCP URL of a server that gives these bytes to every request and closes.
async fn answer_always(answer: &'static str) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}/mcp", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = connection.read(&mut request).await;
            if read.is_ok() && connection.write_all(answer.as_bytes()).await.is_ok() {
                drop(connection.shutdown().await);
            }
        }
    });
    server
}
