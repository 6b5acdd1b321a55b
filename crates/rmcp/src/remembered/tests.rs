//! Refusals of a server that changed its wire, and errors that name no request.

use std::time::Duration;

use rmcp::{ClientHandler, service::ServiceError};
use serde_json::{Value, json};

use super::*;
use crate::{
    ConnectOptions, Connected, Remembered, authorization_error, connect,
    testing::{
        Outcome, Script, Seen, body, events, kept_discovery, refusal, server_url, stateful,
        stateless,
    },
};

#[derive(Clone, Copy)]
struct Handler;

impl ClientHandler for Handler {}

/// A connection that asked nobody yet.
async fn remembering(script: &Script) -> Connected<Handler> {
    let memory = Remembered::new(Wire::Stateless).with_discover(kept_discovery());
    let options = ConnectOptions::default().with_remembered(memory);
    started(script, options).await
}

async fn started(script: &Script, options: ConnectOptions) -> Connected<Handler> {
    connect(script.quiet_client(), &server_url(), options, Handler)
        .await
        .unwrap()
}

/// Far less than any time limit of a call: an answer that is matched to nothing shows as `None`.
async fn tools(connection: &Connected<Handler>) -> Option<Result<(), ServiceError>> {
    let listing = connection.service.list_all_tools();
    let listed = tokio::time::timeout(Duration::from_secs(5), listing).await;
    Some(listed.ok()?.map(drop))
}

fn error(id: Option<Value>, code: i32) -> Value {
    let mut message = json!({
        "jsonrpc": "2.0",
        "error": { "code": code, "message": "Bad Request: Unsupported protocol version: 2026-07-28" },
    });
    if let Some(id) = id {
        message["id"] = id;
    }
    message
}

fn json_answer(status: u16, message: &Value) -> Outcome {
    body(status, "application/json", message.to_string())
}

/// Answers with a message.
type Refuse = fn(&Value) -> Outcome;

/// What servers say before they read a request: without an id, or with one that nobody sent.
fn anonymous_errors(code: i32) -> [(&'static str, Refuse, Value); 8] {
    let null = error(Some(Value::Null), code);
    let missing = error(None, code);
    [
        ("400, id null", |it| json_answer(400, it), null.clone()),
        ("400, no id", |it| json_answer(400, it), missing.clone()),
        ("404, id null", |it| json_answer(404, it), null.clone()),
        ("200, id null", |it| json_answer(200, it), null.clone()),
        ("200, no id", |it| json_answer(200, it), missing),
        (
            "400, an id nobody sent",
            |it| json_answer(400, it),
            error(Some(json!("server-error")), code),
        ),
        (
            "an event",
            |it| events(format!("data: {it}\n\n")),
            null.clone(),
        ),
        (
            "an event after an empty one",
            |it| events(format!("id: 1\ndata:\n\ndata: {it}\n\n")),
            null,
        ),
    ]
}

/// ERR-04, ERR-07.
#[tokio::test]
async fn an_error_that_names_no_request_fails_the_request_it_answers() {
    for (name, answer, message) in anonymous_errors(-32000) {
        let script = Script::new(move |seen, before| match before {
            1 => answer(&message),
            _ => stateless(seen),
        });
        let connection = started(&script, ConnectOptions::default()).await;
        let error = tools(&connection).await.expect(name).unwrap_err();
        assert!(
            matches!(&error, ServiceError::McpError(error) if error.code == ErrorCode(-32000)),
            "{name}: {error}"
        );
        assert!(authorization_error(&error).is_none(), "{name}");
        tools(&connection).await.expect(name).unwrap();
        assert_eq!(
            script.names(),
            ["server/discover", "tools/list", "tools/list"],
            "{name}"
        );
    }
}

/// ERR-02, ERR-03.
#[tokio::test]
async fn a_401_or_403_with_such_a_body_is_about_authorization_and_asks_nothing_anew() {
    for status in [401, 403] {
        let script =
            Script::new(move |_, _| json_answer(status, &error(Some(Value::Null), -32000)));
        let connection = remembering(&script).await;
        let error = tools(&connection).await.unwrap().unwrap_err();
        assert!(
            !matches!(error, ServiceError::McpError(_)),
            "{status}: {error}"
        );
        assert_eq!(error.is_authorization_required(), status == 401, "{error}");
        assert_eq!(script.names(), ["tools/list"]);
    }
}

/// ERR-05.
#[tokio::test]
async fn a_404_with_such_a_body_in_a_session_means_that_the_session_is_gone() {
    let script = Script::new(|seen, before| match before {
        2 => json_answer(404, &error(Some(Value::Null), -32001)),
        _ => stateful(seen),
    });
    let options = ConnectOptions::default().with_remembered(Remembered::new(Wire::Stateful));
    let connection = started(&script, options).await;
    tools(&connection).await.unwrap().unwrap();
    let start = ["initialize", "notifications/initialized", "tools/list"];
    assert_eq!(script.names(), [start, start].concat());
}

/// ERR-04, ERR-05.
#[tokio::test]
async fn a_server_that_became_stateful_is_asked_anew_whichever_way_it_refuses() {
    for code in [-32000, -32600, -32022] {
        for (name, answer, message) in anonymous_errors(code) {
            // An event before the error shows that the request was taken.
            if name == "an event after an empty one" {
                continue;
            }
            let script = Script::new(move |seen, _| match seen.name() {
                "initialize" | "notifications/initialized" => stateful(seen),
                _ => answer(&message),
            });
            let connection = remembering(&script).await;
            for _ in 0..2 {
                let error = tools(&connection).await.expect(name).unwrap_err();
                assert!(is_outdated(&error), "{code}, {name}: {error}");
            }
            assert_eq!(
                script.names(),
                ["tools/list", "server/discover", "tools/list"],
                "{code}, {name}"
            );
            let anew = started(&script, ConnectOptions::default()).await;
            assert_eq!(anew.wire, Wire::Stateful, "{code}, {name}");
        }
    }
}

/// ERR-04.
#[tokio::test]
async fn an_error_that_only_a_stateless_server_gives_confirms_the_memory() {
    type Answer = fn(&Seen) -> Outcome;
    let refusals: [(&str, Answer); 6] = [
        ("header mismatch", |seen| {
            refusal(400, seen, -32020, &Value::Null)
        }),
        ("header mismatch, id null", |_| {
            json_answer(400, &error(Some(Value::Null), -32020))
        }),
        ("missing capability", |seen| {
            refusal(400, seen, -32021, &Value::Null)
        }),
        ("unknown method", |seen| {
            refusal(404, seen, -32601, &Value::Null)
        }),
        ("bad parameters", |seen| {
            refusal(400, seen, -32602, &Value::Null)
        }),
        ("an error of the tool's own", |seen| {
            refusal(200, seen, -32000, &Value::Null)
        }),
    ];
    for (name, refuse) in refusals {
        let script = Script::new(move |seen, _| refuse(seen));
        let connection = remembering(&script).await;
        for _ in 0..2 {
            let error = tools(&connection).await.expect(name).unwrap_err();
            assert!(
                matches!(error, ServiceError::McpError(_)),
                "{name}: {error}"
            );
        }
        assert_eq!(script.names(), ["tools/list"; 2], "{name}");
    }
}

/// ERR-03.
#[tokio::test]
async fn a_failing_server_neither_confirms_nor_refutes_the_memory() {
    let script = Script::new(|seen, before| match before {
        0 => json_answer(500, &error(Some(Value::Null), -32603)),
        1 => json_answer(400, &error(Some(Value::Null), -32000)),
        _ => stateless(seen),
    });
    let connection = remembering(&script).await;
    tools(&connection).await.unwrap().unwrap_err();
    assert_eq!(script.names(), ["tools/list"]);
    tools(&connection).await.unwrap().unwrap_err();
    tools(&connection).await.unwrap().unwrap();
    assert_eq!(
        script.names(),
        ["tools/list", "tools/list", "server/discover", "tools/list"]
    );
}

#[tokio::test]
async fn an_answer_in_events_confirms_the_memory_and_loses_none_of_them() {
    let script = Script::new(|seen, before| {
        let id = &seen.body["id"];
        let result = json!({ "jsonrpc": "2.0", "id": id, "result": {
            "resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private",
        } });
        match before {
            0 => events(format!("data: {result}\n\n")),
            1 => json_answer(400, &error(Some(Value::Null), -32000)),
            _ => stateless(seen),
        }
    });
    let connection = remembering(&script).await;
    tools(&connection).await.unwrap().unwrap();
    let error = tools(&connection).await.unwrap().unwrap_err();
    assert!(matches!(error, ServiceError::McpError(_)), "{error}");
    assert_eq!(script.names(), ["tools/list", "tools/list"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_refused_together_ask_once_and_recover_together() {
    let script = Script::new(|seen, before| match before {
        0..=2 => refusal(400, seen, -32022, &Value::Null),
        _ => stateless(seen),
    });
    let all = together(&script).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(asked(&script), 1);
    assert_eq!(script.names().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_refused_together_by_a_server_that_became_stateful_all_learn_it() {
    let script = Script::new(|_, _| json_answer(400, &error(Some(Value::Null), -32000)));
    for outcome in together(&script).await {
        let error = outcome.unwrap_err();
        assert!(is_outdated(&error), "{error}");
    }
    assert_eq!(asked(&script), 1);
    assert_eq!(script.names().len(), 4);
}

/// Three first requests, each of which is answered only when all were sent.
async fn together(script: &Script) -> Vec<Result<(), ServiceError>> {
    let connection = remembering(&script.gathering(3)).await;
    let requests = [tools(&connection), tools(&connection), tools(&connection)];
    let answers = futures_util::future::join_all(requests).await;
    answers.into_iter().map(Option::unwrap).collect()
}

fn asked(script: &Script) -> usize {
    let names = script.names();
    names
        .iter()
        .filter(|name| *name == "server/discover")
        .count()
}

fn is_outdated(error: &ServiceError) -> bool {
    error
        .to_string()
        .contains("no longer answers as it was remembered")
}
