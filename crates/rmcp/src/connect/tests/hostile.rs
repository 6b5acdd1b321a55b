//! What a hostile server says: bounded in depth, and nothing that a terminal would obey (SEC-12, SEC-13).

use super::*;

const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;title\u{7}c\u{9b}2Jd\u{202e}e\u{200b}f\u{0}g";

/// Every text of the error and its causes, in whatever place rmcp keeps it.
fn texts(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<_> = chain.map(ToString::to_string).collect();
    if let Some(transport) = transport_error(error) {
        let first: &dyn std::error::Error = transport;
        let chain = std::iter::successors(Some(first), |error| error.source());
        texts.extend(chain.map(ToString::to_string));
    }
    texts.join(" | ")
}

#[track_caller]
fn assert_harmless(text: &str) {
    let is_shown = |c: char| matches!(c, '"' | '\'' | '\\' | '\n') || c.escape_debug().count() == 1;
    assert!(text.chars().all(is_shown), "{text:?}");
}

#[tokio::test]
async fn no_word_of_a_server_in_an_error_is_obeyed_by_a_terminal_sec_13() {
    type Answer = fn(&Seen) -> Outcome;
    let error = |seen: &Seen, status| {
        let error = json!({ "code": -32000, "message": HOSTILE });
        let message = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": error });
        body(status, "application/json", message.to_string())
    };
    let answers: [Answer; 7] = [
        |_| body(500, "text/plain", HOSTILE.to_owned()),
        |_| body(418, "text/plain", HOSTILE.to_owned()),
        |_| body(403, "text/plain", HOSTILE.to_owned()),
        |_| body(200, "application/json", format!("{{\"x\":\"{HOSTILE}\"")),
        |_| body(200, "text/caf\u{e9}\u{202e}\u{9b}x", HOSTILE.to_owned()),
        |_| {
            let mut answer = body(503, "text/plain", HOSTILE.to_owned())?;
            let wait = http::HeaderValue::from_bytes("7\u{9b}2J\u{202e}".as_bytes()).unwrap();
            answer.headers_mut().insert("retry-after", wait);
            Ok(answer)
        },
        |seen| {
            let error = json!({ "code": -32000, "message": HOSTILE });
            let message = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": error });
            events(format!("data: {message}\n\n"))
        },
    ];
    let scripts = answers.map(|answer| {
        Script::new(move |seen, _| match seen.name() {
            "tools/list" => answer(seen),
            _ => stateless(seen),
        })
    });
    let errors = [200, 400, 404].map(|status| {
        Script::new(move |seen, _| match seen.name() {
            "tools/list" => error(seen, status),
            _ => stateless(seen),
        })
    });
    for script in scripts.into_iter().chain(errors) {
        let connected = connected(&script, ConnectOptions::default()).await;
        let error = connected.service.list_all_tools().await.unwrap_err();
        assert_harmless(&texts(&error));
    }
    let script = Script::new(move |seen, _| error(seen, 400));
    assert_harmless(&texts(&refused(&script, ConnectOptions::default()).await));
}

#[tokio::test]
async fn json_that_is_nested_without_end_is_an_error_and_no_overflow_sec_12() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000));
    for (media, text) in [
        ("application/json", deep("[", "]")),
        ("application/json", deep("{\"a\":", "}")),
        (
            "application/json",
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}}}"#, deep("[", "]")),
        ),
        (
            "application/json",
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":1,"message":"m","data":{}}}}}"#,
                deep("[", "]")
            ),
        ),
    ] {
        let script = Script::new(move |seen, _| match seen.name() {
            "tools/list" => body(200, media, text.clone()),
            _ => stateless(seen),
        });
        let connected = connected(&script, ConnectOptions::default()).await;
        let error = connected.service.list_all_tools().await.unwrap_err();
        let told = told(&error);
        assert!(told[0].ends_with("the answer cannot be used"), "{told:?}");
        assert!(told[1].contains("recursion limit exceeded"), "{told:?}");
    }
}
