//! Streams, bounds and the end of sessions.

use super::*;

#[tokio::test]
async fn the_standalone_stream_is_opened_only_if_wanted() {
    for wanted in [true, false] {
        let script = Script::new(|seen, _| stateful(seen));
        let client = script.client(ClientOptions::default().with_standalone_stream(wanted));
        let options = remembering(Wire::Stateful, None);
        let connection = connect(client, &server_url(), options, Handler)
            .await
            .unwrap();
        connection.service.list_all_tools().await.unwrap();
        connection.service.cancel().await.unwrap();
        let names = script.names();
        assert_eq!(names.contains(&"GET".to_owned()), wanted, "{names:?}");
        assert_eq!(names.last().unwrap(), "DELETE");
    }
}

#[tokio::test]
async fn an_answer_that_broke_off_is_resumed_even_without_a_standalone_stream() {
    let script = Script::new(|seen, _| match seen.name() {
        "tools/list" => events("id: e7\nretry: 5\ndata:\n\n"),
        "GET" => {
            let result = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [] } });
            events(format!("id: e8\ndata: {result}\n\n"))
        }
        _ => stateful(seen),
    });
    let connection = connected(&script, remembering(Wire::Stateful, None)).await;
    connection.service.list_all_tools().await.unwrap();
    let seen = script.seen();
    let resumed = seen.iter().find(|seen| seen.name() == "GET").unwrap();
    assert_eq!(resumed.header("last-event-id"), Some("e7"));
    assert_eq!(resumed.header("mcp-session-id"), Some("session-1"));
}

#[tokio::test]
async fn an_oversized_event_fails_its_request_and_is_not_fetched_again() {
    let script = Script::new(|seen, _| match seen.name() {
        "tools/list" => chunked_events(vec![
            "id: e7\ndata:\n\n".to_owned(),
            format!("data: {}\n\n", "x".repeat(200)),
        ]),
        _ => stateful(seen),
    });
    let limits = crate::Limits {
        sse_event: 100,
        ..crate::Limits::default()
    };
    let options = ClientOptions::default()
        .with_standalone_stream(false)
        .with_limits(limits);
    let client = script.client(options);
    let mut happened = client.events();
    let options = remembering(Wire::Stateful, None);
    let connection = connect(client, &server_url(), options, Handler)
        .await
        .unwrap();
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(
        matches!(
            error,
            ServiceError::McpError(_) | ServiceError::TransportClosed
        ),
        "{error}"
    );
    assert!(matches!(
        happened.try_next(),
        Some(Event::StreamOverflow {
            limit: 100,
            answer: true
        })
    ));
    assert!(!script.names().contains(&"GET".to_owned()));
}

#[tokio::test]
async fn an_oversized_event_at_the_start_is_not_worth_another_try_err_09() {
    let script = Script::new(|_, _| chunked_events(vec![format!("data: {}\n\n", "x".repeat(200))]));
    let limits = crate::Limits {
        sse_event: 100,
        ..crate::Limits::default()
    };
    let client = script.client(ClientOptions::default().with_limits(limits));
    let options = remembering(Wire::Stateful, None).with_protocol(Protocol::V2025_11_25);
    let error = connect(client, &server_url(), options, Handler)
        .await
        .unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let script = Script::new(|seen, before| match before {
        0 => stateless(seen),
        _ => answer(seen, &json!({ "tools": [], "padding": "x".repeat(3000) })),
    });
    let limits = crate::Limits {
        json_body: 2000,
        ..crate::Limits::default()
    };
    let client = script.client(ClientOptions::default().with_limits(limits));
    let connection = connect(client, &server_url(), ConnectOptions::default(), Handler)
        .await
        .unwrap();
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert_eq!(told(&error)[1], "it is longer than 2000 bytes");
}

#[tokio::test]
async fn an_expired_session_is_begun_anew_at_a_revision_that_has_sessions() {
    let script = Script::new(|seen, before| match (seen.name(), before) {
        ("tools/list", 2) => html(404),
        _ => stateful(seen),
    });
    let connection = connected(&script, remembering(Wire::Stateful, None)).await;
    connection.service.list_all_tools().await.unwrap();
    let names = script.names();
    let expected = [&BOTH_STARTS[1..], &BOTH_STARTS[1..]].concat();
    assert_eq!(names, expected);
    let again = &script.seen()[3];
    assert_eq!(again.body["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(again.header("mcp-session-id"), None);
}

#[tokio::test]
async fn an_unknown_method_inside_a_session_is_not_an_expired_session() {
    let script = Script::new(|seen, _| match seen.name() {
        "tools/list" => refusal(404, seen, -32601, &json!(null)),
        _ => stateful(seen),
    });
    let connection = connected(&script, remembering(Wire::Stateful, None)).await;
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(matches!(error, ServiceError::McpError(_)), "{error}");
    assert_eq!(script.names(), &BOTH_STARTS[1..]);
}

#[tokio::test]
async fn the_standalone_stream_is_told_of_once_it_is_open() {
    let script = Script::new(|seen, _| match seen.name() {
        "GET" => events(""),
        _ => stateful(seen),
    });
    let client = script.client(ClientOptions::default());
    let mut happened = client.events();
    let options = remembering(Wire::Stateful, None);
    let connection = connect(client, &server_url(), options, Handler)
        .await
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), happened.next()).await;
    assert!(matches!(
        told,
        Ok(Some(Event::StreamOpened { resumed: false }))
    ));
    assert!(script.names().contains(&"GET".to_owned()));
    drop(connection);
}

#[tokio::test]
async fn a_session_that_is_not_ended_and_a_stream_that_is_refused_are_told() {
    let script = Script::new(|seen, _| match seen.name() {
        "GET" | "DELETE" => login_required(),
        _ => stateful(seen),
    });
    let client = script.client(ClientOptions::default());
    let mut happened = client.events();
    let options = remembering(Wire::Stateful, None);
    let connection = connect(client, &server_url(), options, Handler)
        .await
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), happened.next()).await;
    assert!(matches!(
        told,
        Ok(Some(Event::StreamUnauthorized { resumed: false, .. }))
    ));
    connection.service.list_all_tools().await.unwrap();
    connection.service.cancel().await.unwrap();
    assert!(matches!(
        happened.try_next(),
        Some(Event::SessionDeleteFailed { error: Some(error), .. }) if error.needs_login()
    ));
    let streams = script.names().iter().filter(|name| *name == "GET").count();
    assert_eq!(streams, 1);
}

#[tokio::test]
async fn a_stream_that_is_not_to_be_had_is_no_failure_of_login_or_session_ch_12() {
    let refusals: [fn() -> Outcome; 5] = [
        || status(404),
        || html(404),
        || status(405),
        || html(405),
        || html(200),
    ];
    for refuse in refusals {
        let script = Script::new(move |seen, _| match seen.name() {
            "GET" => refuse(),
            _ => stateful(seen),
        });
        let client = script.client(ClientOptions::default());
        let mut happened = client.events();
        let options = remembering(Wire::Stateful, None);
        let connection = connect(client, &server_url(), options, Handler)
            .await
            .unwrap();
        let asked = async {
            while !script.names().contains(&"GET".to_owned()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(5), asked).await;
        asked.unwrap();
        for _ in 0..2 {
            connection.service.list_all_tools().await.unwrap();
        }
        connection.service.cancel().await.unwrap();
        let names = script.names();
        let count = |name: &str| names.iter().filter(|one| *one == name).count();
        assert_eq!((count("initialize"), count("GET")), (1, 1), "{names:?}");
        let in_session = script.seen();
        let in_session = in_session.iter().filter(|seen| seen.name() == "tools/list");
        assert!(in_session.clone().count() == 2);
        for seen in in_session {
            assert_eq!(seen.header("mcp-session-id"), Some("session-1"));
        }
        while let Some(event) = happened.try_next() {
            let told = event.to_string();
            assert!(
                !matches!(
                    event,
                    Event::StreamUnauthorized { .. } | Event::LoginRequired { .. }
                ),
                "{told}"
            );
        }
    }
}
