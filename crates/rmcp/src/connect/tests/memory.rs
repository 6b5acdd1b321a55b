//! What is remembered of a server that has changed since.

use super::*;

#[tokio::test]
async fn a_memory_the_server_outgrew_is_asked_about_once_and_the_request_repeated() {
    let script = Script::new(|seen, before| match before {
        0 => refusal(400, seen, -32022, &json!({ "supported": ["2026-07-28"] })),
        _ => stateless(seen),
    });
    let options = remembering(Wire::Stateless, Some(kept_discovery()));
    let connection = connected(&script, options).await;
    connection.service.list_all_tools().await.unwrap();
    connection.service.list_all_tools().await.unwrap();
    let names = script.names();
    assert_eq!(
        names,
        ["tools/list", "server/discover", "tools/list", "tools/list"]
    );
    let seen = script.seen();
    assert_eq!(seen[0].body, seen[2].body);
}

#[tokio::test]
async fn a_memory_is_doubted_only_until_the_first_answer() {
    let script = Script::new(|seen, before| match before {
        1 => refusal(400, seen, -32022, &json!({ "supported": ["2026-07-28"] })),
        _ => stateless(seen),
    });
    let options = remembering(Wire::Stateless, Some(kept_discovery()));
    let connection = connected(&script, options).await;
    connection.service.list_all_tools().await.unwrap();
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(matches!(error, ServiceError::McpError(_)), "{error}");
    assert_eq!(script.names(), ["tools/list", "tools/list"]);
}

#[tokio::test]
async fn a_request_that_may_have_been_heard_is_never_repeated() {
    let script = Script::new(|seen, before| match before {
        0 => body(200, "application/json", "{\"half".to_owned()),
        _ => stateless(seen),
    });
    let options = remembering(Wire::Stateless, Some(kept_discovery()));
    let connection = connected(&script, options).await;
    let error = connection.service.list_all_tools().await.unwrap_err();
    let told = told(&error);
    assert!(told[1].contains("no JSON-RPC message"), "{told:?}");
    assert_eq!(script.names(), ["tools/list", "server/discover"]);
}

#[tokio::test]
async fn a_failed_refresh_of_the_memory_is_reported_as_itself() {
    let script = Script::new(|seen, before| match before {
        0 => refusal(400, seen, -32022, &json!(null)),
        _ => login_required(),
    });
    let options = remembering(Wire::Stateless, Some(kept_discovery()));
    let connection = connected(&script, options).await;
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(error.is_authorization_required(), "{error}");
    assert!(authorization_error(&error).is_some_and(doorkey_oauth::Error::needs_login));
}

#[tokio::test]
async fn a_memory_that_no_longer_holds_is_an_error_that_says_so() {
    let script = Script::new(|_, _| html(404));
    let client = script.quiet_client();
    let mut happened = client.events();
    let options = remembering(Wire::Stateless, Some(kept_discovery()));
    let connection = connect(client, &server_url(), options, Handler)
        .await
        .unwrap();
    let error = connection.service.list_all_tools().await.unwrap_err();
    assert!(
        format!("{error}").contains("no longer answers as it was remembered"),
        "{error}"
    );
    assert_eq!(script.names(), ["tools/list", "server/discover"]);
    assert!(matches!(
        happened.try_next(),
        Some(Event::RememberedWireRefused)
    ));
    drop(connection);
}
