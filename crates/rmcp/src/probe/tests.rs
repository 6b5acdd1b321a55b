//! Probes of a scripted network: where servers challenge, and what is left behind.

use std::sync::Mutex;

use doorkey_http::{Body, HttpProfile};
use http::{Request, Response};

use super::*;
use crate::testing::{
    Outcome, Seen, answer, body, html, refusal, server_url, stateful, stateless, status,
};

type Answers = fn(&Seen) -> Outcome;

/// A network on which `answers` is the only server; what it was asked is kept.
fn network(answers: Answers) -> (HttpClient, Arc<Mutex<Vec<Seen>>>) {
    let asked: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let log = Arc::clone(&asked);
    let bottom = tower::service_fn(move |request: Request<Body>| {
        let log = Arc::clone(&log);
        async move {
            let seen = Seen::read(request).await;
            log.lock().unwrap().push(seen.clone());
            answers(&seen).map_err(|_| std::io::Error::other("unreachable"))
        }
    });
    let profile = HttpProfile::default();
    (HttpClient::with_service(&profile, bottom).unwrap(), asked)
}

fn challenged(status: u16) -> Outcome {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/html")
        .header("www-authenticate", "Negotiate")
        .header(
            "www-authenticate",
            r#"Bearer error="insufficient_scope", scope="mcp:tools""#,
        );
    Ok(response.body(Body::from("<html>no</html>")).unwrap())
}

async fn outcome(
    answers: Answers,
    protocol: Protocol,
    remembered: Option<Wire>,
) -> (Result<ProbeOutcome, ConnectError>, Vec<String>) {
    let (http, asked) = network(answers);
    let outcome = probe(&http, &server_url(), protocol, remembered).await;
    let asked = asked.lock().unwrap();
    let names = asked.iter().map(|seen| seen.name().to_owned()).collect();
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("authorization").is_none())
    );
    for ending in asked.iter().filter(|seen| seen.name() == "DELETE") {
        assert_eq!(ending.header("mcp-session-id"), Some("session-1"));
        assert_eq!(ending.header("mcp-protocol-version"), Some("2025-11-25"));
    }
    (outcome, names)
}

#[tokio::test]
async fn a_challenge_is_found_wherever_it_comes_and_whatever_its_body() {
    let cases: [(&str, Answers, Option<Wire>, &[&str]); 6] = [
        ("at once", |_| challenged(401), None, &["server/discover"]),
        (
            "at once, old wire",
            |_| challenged(401),
            Some(Wire::Stateful),
            &["initialize"],
        ),
        ("as a 403", |_| challenged(403), None, &["server/discover"]),
        (
            "at tools/list",
            |seen| match seen.name() {
                "tools/list" => challenged(401),
                _ => stateless(seen),
            },
            None,
            &["server/discover", "tools/list"],
        ),
        (
            "at tools/list of a session",
            |seen| match seen.name() {
                "tools/list" => challenged(401),
                _ => stateful(seen),
            },
            Some(Wire::Stateful),
            &[
                "initialize",
                "notifications/initialized",
                "tools/list",
                "DELETE",
            ],
        ),
        (
            "at the notification",
            |seen| match seen.name() {
                "notifications/initialized" => challenged(401),
                _ => stateful(seen),
            },
            Some(Wire::Stateful),
            &["initialize", "notifications/initialized", "DELETE"],
        ),
    ];
    for (name, answers, remembered, expected) in cases {
        let (outcome, asked) = outcome(answers, Protocol::Auto, remembered).await;
        let Ok(ProbeOutcome::Challenged(challenges)) = outcome else {
            panic!("{name}: {outcome:?}");
        };
        assert_eq!(challenges.iter().count(), 2, "{name}");
        assert_eq!(
            challenges.scope().unwrap().to_string(),
            "mcp:tools",
            "{name}"
        );
        assert_eq!(asked, expected, "{name}");
    }
}

#[tokio::test]
async fn a_bare_401_is_a_challenge_that_says_nothing() {
    let (outcome, _) = outcome(|_| status(401), Protocol::V2025_11_25, None).await;
    assert_eq!(
        outcome.unwrap(),
        ProbeOutcome::Challenged(Challenges::default())
    );
}

#[tokio::test]
async fn an_open_server_is_asked_as_far_as_its_tools() {
    let (found, asked) = outcome(stateless, Protocol::Auto, None).await;
    assert_eq!(
        found.unwrap(),
        ProbeOutcome::Open {
            wire: Wire::Stateless
        }
    );
    assert_eq!(asked, ["server/discover", "tools/list"]);

    let (found, asked) = outcome(stateful, Protocol::Auto, None).await;
    assert_eq!(
        found.unwrap(),
        ProbeOutcome::Open {
            wire: Wire::Stateful
        }
    );
    assert_eq!(asked.len(), 5);
    assert_eq!(asked.last().unwrap(), "DELETE");
}

#[tokio::test]
async fn a_server_without_tools_is_open_all_the_same() {
    let answers: Answers = |seen| match seen.name() {
        "tools/list" => refusal(404, seen, -32601, &serde_json::Value::Null),
        _ => stateless(seen),
    };
    let (found, _) = outcome(answers, Protocol::Auto, None).await;
    assert!(matches!(found, Ok(ProbeOutcome::Open { .. })), "{found:?}");
}

#[tokio::test]
async fn neither_an_answer_nor_a_challenge_is_an_error() {
    let cases: [(Answers, bool); 4] = [
        (|_| status(503), true),
        (|_| html(403), false),
        (|_| body(200, "application/json", "{".to_owned()), false),
        (|_| crate::testing::login_required(), true),
    ];
    for (answers, transient) in cases {
        let (outcome, _) = outcome(answers, Protocol::Auto, None).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_inside_the_origin_and_named_outside_of_it() {
    fn redirect(status: u16, to: &str) -> Outcome {
        let response = Response::builder().status(status).header("location", to);
        Ok(response.body(Body::empty()).unwrap())
    }
    let (found, asked) = outcome(
        |seen| match seen.path.as_str() {
            "/v2" => stateless(seen),
            _ => redirect(307, "/v2"),
        },
        Protocol::V2026_07_28,
        None,
    )
    .await;
    assert!(matches!(found, Ok(ProbeOutcome::Open { .. })), "{found:?}");
    assert_eq!(asked.len(), 4);

    let cases: [(Answers, usize); 3] = [
        (
            |_| redirect(307, "https://other.example/mcp?code=secret"),
            1,
        ),
        (|_| redirect(302, "/v2"), 1),
        (|_| redirect(308, "/again"), 4),
    ];
    for (answers, requests) in cases {
        let (outcome, asked) = outcome(answers, Protocol::Auto, None).await;
        let error = outcome.unwrap_err();
        let typed = authorization_error(&error).unwrap().to_string();
        assert!(typed.contains("points to https://"), "{typed}");
        assert!(!typed.contains("secret"), "{typed}");
        assert_eq!(asked.len(), requests, "{typed}");
    }
}

#[tokio::test]
async fn the_whole_answer_of_a_stateless_server_may_come_as_events() {
    let answers: Answers = |seen| {
        let response = match seen.name() {
            "server/discover" => answer(seen, &crate::testing::discovered())?,
            _ => return stateless(seen),
        };
        let json = response.into_body().as_bytes().unwrap().to_vec();
        let json = String::from_utf8(json).unwrap();
        body(
            200,
            "text/event-stream; charset=utf-8",
            format!("data: {json}\n\n"),
        )
    };
    let (found, _) = outcome(answers, Protocol::Auto, None).await;
    assert_eq!(
        found.unwrap(),
        ProbeOutcome::Open {
            wire: Wire::Stateless
        }
    );
}
