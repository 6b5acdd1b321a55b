//! Whole connections over a scripted server: which requests are made, and what is made of refusals.

mod declared;
mod hostile;
mod in_use;
mod memory;
mod session;

use std::time::SystemTime;

use doorkey_oauth::Clock;
use rmcp::{model::ErrorCode, service::ServiceError};
use serde_json::json;

use super::*;
use crate::{
    ClientOptions, Event, Exchange, Protocol, authorization_error,
    testing::{
        Outcome, Script, Seen, answer, body, chunked_events, events, html, kept_discovery,
        login_required, refusal, scope_missing, server_url, silence, stateful, stateless, status,
    },
    transport_error,
};

#[derive(Clone, Copy)]
struct Handler;

impl ClientHandler for Handler {}

fn remembering(wire: Wire, discover: Option<Discovery>) -> ConnectOptions {
    ConnectOptions::default().with_remembered(Remembered::new(wire).with_discover(discover))
}

async fn connected(script: &Script, options: ConnectOptions) -> Connected<Handler> {
    let client = script.quiet_client();
    connect(client, &server_url(), options, Handler)
        .await
        .unwrap()
}

async fn refused(script: &Script, options: ConnectOptions) -> ConnectError {
    connect(script.quiet_client(), &server_url(), options, Handler)
        .await
        .unwrap_err()
}

const BOTH_STARTS: [&str; 4] = [
    "server/discover",
    "initialize",
    "notifications/initialized",
    "tools/list",
];

type Server = fn(&Seen) -> Outcome;

/// A server, what is known of it, and the requests up to its first `tools/list`.
fn starts() -> [(
    &'static str,
    Server,
    ConnectOptions,
    &'static [&'static str],
); 8] {
    [
        (
            "new, stateless",
            stateless,
            ConnectOptions::default(),
            &["server/discover", "tools/list"],
        ),
        (
            "new, stateful",
            stateful,
            ConnectOptions::default(),
            &BOTH_STARTS,
        ),
        (
            "asked for stateful",
            stateful,
            ConnectOptions::default().with_protocol(Protocol::V2025_11_25),
            &BOTH_STARTS[1..],
        ),
        (
            "stateful remembered",
            stateful,
            remembering(Wire::Stateful, None),
            &BOTH_STARTS[1..],
        ),
        (
            "stateless remembered",
            stateless,
            remembering(Wire::Stateless, None),
            &["server/discover", "tools/list"],
        ),
        (
            "answer remembered",
            stateless,
            remembering(Wire::Stateless, Some(kept_discovery())),
            &["tools/list"],
        ),
        (
            "unreadable answer remembered",
            stateless,
            remembering(Wire::Stateless, Some(unreadable())),
            &["server/discover", "tools/list"],
        ),
        (
            "stateful remembered, stateless since",
            stateless,
            remembering(Wire::Stateful, None),
            &["initialize", "server/discover", "tools/list"],
        ),
    ]
}

#[tokio::test]
async fn each_start_makes_the_requests_it_should_and_no_more() {
    for (name, server, options, expected) in starts() {
        let script = Script::new(move |seen, _| server(seen));
        let connected = connected(&script, options).await;
        connected.service.list_all_tools().await.unwrap();
        assert_eq!(script.names(), expected, "{name}");
        let expects_stateless = !expected.contains(&"notifications/initialized");
        assert_eq!(
            connected.wire == Wire::Stateless,
            expects_stateless,
            "{name}"
        );
        assert_eq!(connected.discover.is_some(), expects_stateless, "{name}");
        assert_eq!(connected.to_remember().wire, connected.wire);
    }
}

fn unreadable() -> Discovery {
    let answer = json!({ "tools": 1, "ttlMs": 60_000 });
    Discovery::new(answer, SystemTime::now())
}

/// A server of 2026-07-28 whose answer to `server/discover` may be kept for a minute.
fn stateless_and_kept(seen: &Seen) -> Outcome {
    match seen.name() {
        "server/discover" => answer(seen, &kept_discovery().answer),
        _ => stateless(seen),
    }
}

/// The clock of somebody who comes back later.
#[derive(Debug)]
struct Later(Duration);

impl Clock for Later {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.0
    }
}

#[tokio::test]
async fn what_is_remembered_of_one_start_serves_the_next_for_as_long_as_the_server_said() {
    let script = Script::new(|seen, _| stateless_and_kept(seen));
    let first = connected(&script, ConnectOptions::default()).await;
    let memory = first.to_remember();
    assert_eq!(memory.discover, first.discover);
    let warm = ConnectOptions::default().with_remembered(memory);
    let second = connected(&script, warm.clone()).await;
    second.service.list_all_tools().await.unwrap();
    assert_eq!(script.names(), ["server/discover", "tools/list"]);
    // An answer does not become younger by being used.
    assert_eq!(second.discover, first.discover);

    let later = warm.with_clock(Arc::new(Later(Duration::from_secs(61))));
    let third = connected(&script, later).await;
    assert_eq!(script.names()[2..], ["server/discover"]);
    assert_ne!(third.discover, first.discover);
}

#[tokio::test]
async fn an_answer_that_the_server_wants_nobody_to_keep_is_not_remembered_and_the_wire_is() {
    let script = Script::new(|seen, _| stateless(seen));
    let first = connected(&script, ConnectOptions::default()).await;
    assert!(first.discover.is_some());
    assert_eq!(first.to_remember(), Remembered::new(Wire::Stateless));
    let options = ConnectOptions::default().with_remembered(first.to_remember());
    connected(&script, options).await;
    assert_eq!(script.names(), ["server/discover", "server/discover"]);
}

/// Every text of the chain, from the transport's down.
fn told(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let transport = transport_error(error).expect("a failure of the transport");
    let first: &dyn std::error::Error = transport;
    std::iter::successors(Some(first), |error| error.source())
        .map(ToString::to_string)
        .collect()
}

fn unavailable() -> Outcome {
    let mut response = body(503, "text/plain", "back\nsoon".to_owned())?;
    let seven = http::HeaderValue::from_static("7");
    response.headers_mut().insert("retry-after", seven);
    Ok(response)
}

type Failing = fn() -> Outcome;

/// A failing answer, its status as it is told, what else is told, and the seconds to wait.
fn failing_answers() -> [(Failing, &'static str, &'static str, Option<u64>); 9] {
    const OF_NO_USE: &str = "200 OK, but the answer cannot be used";
    [
        (unavailable, "503 Service Unavailable", "back soon", Some(7)),
        (|| html(502), "502 Bad Gateway", "a web page", None),
        (
            || body(500, "application/json", "{\"oops\":1}".to_owned()),
            "500 Internal Server Error",
            "{\"oops\":1}",
            None,
        ),
        (
            || body(429, "application/json", "{}".to_owned()),
            "429 Too Many Requests",
            "{}",
            None,
        ),
        (
            || body(418, "text/plain", "no coffee".to_owned()),
            "418 I'm a teapot",
            "no coffee",
            None,
        ),
        (
            || html(200),
            OF_NO_USE,
            "its content type is text/html, not that of JSON or of events",
            None,
        ),
        (
            || body(200, "application/json", "[".to_owned()),
            OF_NO_USE,
            "no JSON-RPC message (EOF while parsing a list at line 1 column 1): [",
            None,
        ),
        (
            || body(200, "application/json", " \n".to_owned()),
            OF_NO_USE,
            "the body is empty, where a JSON-RPC message belongs",
            None,
        ),
        (
            || body(200, "application/json", "x".repeat(17 << 20)),
            OF_NO_USE,
            "it is longer than 16777216 bytes",
            None,
        ),
    ]
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_told_with_its_request_status_and_first_cause() {
    for (failing, status, cause, seconds) in failing_answers() {
        let script = Script::new(move |seen, _| match seen.name() {
            "tools/list" => failing(),
            _ => stateless(seen),
        });
        let connected = connected(&script, ConnectOptions::default()).await;
        let error = connected.service.list_all_tools().await.unwrap_err();
        let request = "resource request POST https://mcp.example/mcp";
        let told = told(&error);
        assert!(told[0].starts_with(request), "{told:?}");
        assert!(told[0].ends_with(&format!(": {status}")), "{told:?}");
        assert_eq!(told[1..], [cause]);
        let transport = transport_error(&error).unwrap();
        let wait = seconds.map(Duration::from_secs);
        assert_eq!(transport.retry_after(), wait, "{told:?}");
        let status = transport.answer_error().unwrap().status();
        let passes = status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(transport.is_transient(), passes, "{told:?}");
    }
}

#[tokio::test]
async fn a_start_that_a_failing_server_prevents_is_told_the_same_way() {
    let script = Script::new(|_, _| unavailable());
    let error = refused(&script, ConnectOptions::default()).await;
    assert!(error.is_transient());
    let told = told(&error);
    assert!(told[0].ends_with(": 503 Service Unavailable"), "{told:?}");
    assert_eq!(told[1..], ["back soon"]);
    let wait = transport_error(&error).unwrap().retry_after();
    assert_eq!(wait, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn what_prevents_a_new_session_is_told_to_those_who_wait_for_it() {
    for (again, expected) in [
        (unavailable as Failing, "503 Service Unavailable"),
        (login_required, "sign"),
    ] {
        let script = Script::new(move |seen, before| match seen.name() {
            "tools/list" => status(404),
            "initialize" if before > 2 => again(),
            "server/discover" => html(404),
            _ => stateful(seen),
        });
        let connected = connected(&script, ConnectOptions::default()).await;
        let error = connected.service.list_all_tools().await.unwrap_err();
        let told = told(&error);
        let needs_login = authorization_error(&error).is_some();
        assert_eq!(needs_login, expected == "sign", "{told:?}");
        assert!(needs_login || told[0].ends_with(expected), "{told:?}");
    }
}

#[tokio::test]
async fn the_requests_of_each_wire_carry_what_its_revision_wants() {
    let script = Script::new(|seen, _| stateless(seen));
    let running = connected(&script, ConnectOptions::default()).await;
    running.service.list_all_tools().await.unwrap();
    for seen in script.seen() {
        assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(seen.header("mcp-method"), Some(seen.name()));
        assert_eq!(
            seen.header("accept"),
            Some("text/event-stream, application/json")
        );
        let meta = &seen.body["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
    }

    let script = Script::new(|seen, _| stateful(seen));
    let options = ConnectOptions::default().with_protocol(Protocol::V2025_11_25);
    let running = connected(&script, options).await;
    running.service.list_all_tools().await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].body["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(seen[0].header("mcp-protocol-version"), None);
    for seen in &seen[1..] {
        assert_eq!(seen.header("mcp-protocol-version"), Some("2025-11-25"));
        assert_eq!(seen.header("mcp-session-id"), Some("session-1"));
    }
    assert_ne!(seen[0].body["id"], seen[2].body["id"]);
}

#[tokio::test]
async fn authorization_network_and_server_failures_never_lead_to_the_other_wire() {
    type Failure = fn() -> Outcome;
    let failures: [(&str, Failure); 5] = [
        ("login", login_required),
        ("scope", scope_missing),
        ("forbidden", || html(403)),
        ("rate limit", || status(429)),
        ("server", || html(503)),
    ];
    for (name, failure) in failures {
        for remembered in [None, Some(Wire::Stateful), Some(Wire::Stateless)] {
            let script = Script::new(move |_, _| failure());
            let options =
                ConnectOptions::default().with_remembered(remembered.map(Remembered::new));
            let error = refused(&script, options).await;
            assert_eq!(script.names().len(), 1, "{name}: {error}");
            assert_eq!(error.needs_login(), name == "login", "{name}");
            assert_eq!(
                error.is_transient(),
                matches!(name, "rate limit" | "server"),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_needed_login_is_typed_and_keeps_every_challenge() {
    let script = Script::new(|_, _| login_required());
    let client = script.quiet_client();
    let mut happened = client.events();
    let error = connect(client, &server_url(), ConnectOptions::default(), Handler)
        .await
        .unwrap_err();
    let typed = authorization_error(&error).unwrap();
    assert!(typed.needs_login());
    assert_eq!(typed.challenges().unwrap().iter().count(), 2);
    assert!(matches!(
        happened.try_next(),
        Some(Event::LoginRequired { exchange: Exchange::Request(method), .. }) if method == "server/discover"
    ));
    let text = format!("{error}");
    assert!(
        !text.contains("secret") && text.contains("https://mcp.example/mcp"),
        "{text}"
    );
}

#[tokio::test]
async fn a_version_error_that_offers_the_version_is_answered_by_asking_again_once() {
    let supported = json!({ "supported": ["2026-07-28"] });
    let again = supported.clone();
    let script = Script::new(move |seen, before| match before {
        0 => refusal(400, seen, -32022, &supported),
        _ => stateless(seen),
    });
    let connection = connected(&script, ConnectOptions::default()).await;
    assert_eq!(connection.wire, Wire::Stateless);
    assert_eq!(script.names(), ["server/discover", "server/discover"]);

    let script = Script::new(move |seen, _| refusal(400, seen, -32022, &again));
    let options = ConnectOptions::default().with_protocol(Protocol::V2026_07_28);
    let error = refused(&script, options).await;
    assert!(matches!(
        error,
        ConnectError::WireRefused {
            wire: Wire::Stateless,
            ..
        }
    ));
    assert_eq!(script.names().len(), 2);
}

#[tokio::test]
async fn a_server_left_over_from_the_transport_before_is_found_out_by_its_first_event() {
    for (first, is_retired) in [
        ("event: endpoint\ndata: /messages?session=1\n\n", true),
        (": hello\nevent: message\ndata: {}\n\n", false),
        ("", false),
    ] {
        let script = Script::new(move |seen, _| {
            let response = http::Response::builder();
            let response = match seen.verb {
                http::Method::GET => response
                    .header("content-type", "text/event-stream")
                    .body(doorkey_http::Body::from(first)),
                _ => response.status(405).body(doorkey_http::Body::empty()),
            };
            Ok(response.unwrap())
        });
        let error = refused(&script, ConnectOptions::default()).await;
        assert_eq!(
            matches!(error, ConnectError::RetiredTransport { .. }),
            is_retired,
            "{error:?}"
        );
        assert!(!error.is_transient() && !error.needs_login());
        assert_eq!(script.names(), ["server/discover", "initialize", "GET"]);
        let asked = script.seen().pop().unwrap();
        assert_eq!(asked.header("accept"), Some("text/event-stream"));
    }
}

#[tokio::test]
async fn an_error_only_a_stateless_server_knows_is_no_reason_to_fall_back() {
    for code in [-32020, -32021] {
        let script = Script::new(move |seen, _| refusal(400, seen, code, &json!(null)));
        let error = refused(&script, ConnectOptions::default()).await;
        assert!(
            matches!(&error, ConnectError::Rejected { error, .. } if error.code == ErrorCode(code))
        );
        assert_eq!(script.names(), ["server/discover"]);
    }
}

#[tokio::test]
async fn a_server_that_refuses_both_wires_is_reported_by_what_it_said_to_initialize() {
    let script = Script::new(|_, _| html(404));
    let error = refused(&script, ConnectOptions::default()).await;
    assert_eq!(script.names(), ["server/discover", "initialize", "GET"]);
    let text = error.to_string();
    assert!(
        text.contains("2025-11-25") && text.contains("404"),
        "{text}"
    );
    assert!(
        text.contains("https://mcp.example/mcp") && !text.contains("secret"),
        "{text}"
    );

    let script = Script::new(|seen, _| match seen.name() {
        "initialize" => refusal(200, seen, -32000, &json!(null)),
        _ => html(405),
    });
    for remembered in [Wire::Stateful, Wire::Stateless] {
        let error = refused(&script, remembering(remembered, None)).await;
        assert!(matches!(error, ConnectError::Rejected { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_notification_that_is_refused_ends_the_start_with_the_typed_cause() {
    let script = Script::new(|seen, _| match seen.name() {
        "notifications/initialized" => login_required(),
        _ => stateful(seen),
    });
    let client = script.quiet_client();
    let mut happened = client.events();
    let options = remembering(Wire::Stateful, None);
    let error = connect(client, &server_url(), options, Handler)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Lifecycle(_)));
    assert!(error.needs_login() && !error.is_transient());
    assert!(authorization_error(&error).is_some_and(doorkey_oauth::Error::needs_login));
    assert!(matches!(
        happened.try_next(),
        Some(Event::NotificationUnauthorized { exchange: Exchange::Notification(method), .. })
            if method == "notifications/initialized"
    ));
    // The session nobody will use is given back.
    assert_eq!(
        script.names(),
        ["initialize", "notifications/initialized", "DELETE"]
    );
}

#[tokio::test]
async fn a_refused_request_keeps_its_type_and_the_connection_lives_on() {
    let script = Script::new(|seen, before| match (seen.name(), before) {
        ("tools/list", 1) => login_required(),
        ("tools/list", 2) => scope_missing(),
        _ => stateless(seen),
    });
    let connection = connected(&script, ConnectOptions::default()).await;
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(error.is_authorization_required());
    let header = error.auth_challenge().unwrap();
    assert!(
        header.contains("Negotiate") && header.contains("resource_metadata="),
        "{header}"
    );
    assert!(authorization_error(&error).is_some_and(doorkey_oauth::Error::needs_login));

    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(matches!(
        authorization_error(&error),
        Some(doorkey_oauth::Error::InsufficientScope { required, .. }) if required.contains("files:write")
    ));
    assert!(!error.is_authorization_required());
    connection.service.list_all_tools().await.unwrap();
}

#[tokio::test]
async fn a_json_rpc_error_stays_one_whatever_status_it_comes_with() {
    for code in [200, 400, 404, 500] {
        let script = Script::new(move |seen, before| match before {
            0 => stateless(seen),
            _ => refusal(code, seen, -32601, &json!(null)),
        });
        let connection = connected(&script, ConnectOptions::default()).await;
        let error = connection.service.list_all_tools().await.unwrap_err();
        assert!(
            matches!(&error, ServiceError::McpError(error) if error.code == ErrorCode::METHOD_NOT_FOUND),
            "{code}: {error}"
        );
        assert!(authorization_error(&error).is_none());
    }
}

#[tokio::test]
async fn a_start_that_takes_too_long_is_given_up() {
    let script = Script::new(|_, _| silence());
    let options = ConnectOptions::default().with_startup_limit(Duration::from_millis(50));
    let error = refused(&script, options).await;
    assert!(matches!(error, ConnectError::Timeout { .. }) && error.is_transient());
}
