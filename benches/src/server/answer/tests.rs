use http::Request;
use http_body_util::BodyExt;
use serde_json::json;

use super::*;

async fn said(path: &str, token: &str, message: &Value) -> (Response<()>, String) {
    let (head, ()) = Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .unwrap()
        .into_parts();
    let answer = Answers::new(0)
        .unwrap()
        .answer(&head, message.to_string().as_bytes());
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        Response::from_parts(head, ()),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "a\"1", "method": method, "params": params})
}

#[tokio::test]
async fn every_answer_is_json_with_the_id_of_its_request() {
    let cases = [
        ("/stateful", "initialize", json!({})),
        ("/stateful", "tools/list", json!({})),
        ("/stateless", "tools/list", json!({})),
        ("/stateless", "server/discover", json!({})),
        ("/stateless", "initialize", json!({})),
        ("/mcp", "ping", json!({})),
        (
            "/stateful",
            "tools/call",
            json!({"name": "echo", "arguments": {"text": "\"hello\""}}),
        ),
        ("/stateless", "tools/call", json!({"name": "blob"})),
    ];
    for (path, method, params) in cases {
        let (_, body) = said(path, TOKEN, &request(method, &params)).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["id"], "a\"1", "{path} {method}");
        let refused = (path, method) == ("/stateless", "initialize");
        assert_eq!(answer["error"].is_object(), refused, "{path} {method}");
    }
}

#[tokio::test]
async fn a_blob_is_a_mebibyte_and_a_stream_has_the_events_asked_for() {
    let (_, blob) = said(
        "/stateful",
        TOKEN,
        &request("tools/call", &json!({"name": "blob"})),
    )
    .await;
    let blob: Value = serde_json::from_str(&blob).unwrap();
    assert_eq!(
        blob["result"]["content"][0]["text"].as_str().unwrap().len(),
        BLOB
    );
    let asked = json!({"name": "stream", "arguments": {"events": 5}});
    let (head, stream) = said("/stateful", TOKEN, &request("tools/call", &asked)).await;
    assert_eq!(head.headers()[CONTENT_TYPE], "text/event-stream");
    let events: Vec<Value> = stream
        .split_terminator("\n\n")
        .map(|event| {
            serde_json::from_str(event.strip_prefix("event: message\ndata: ").unwrap()).unwrap()
        })
        .collect();
    assert_eq!((events.len(), events[4]["id"].as_str()), (5, Some("a\"1")));
}

#[tokio::test]
async fn a_token_that_expired_is_refused_with_where_to_refresh_it() {
    let (head, ()) = Request::post("/token")
        .header(HOST, "127.0.0.1:1")
        .body(())
        .unwrap()
        .into_parts();
    let answers = Answers::new(0).unwrap();
    answers.expire().unwrap();
    let issued = answers
        .answer(&head, b"")
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let issued: Value = serde_json::from_slice(&issued).unwrap();
    let ping = request("ping", &json!({})).to_string();
    for (token, status) in [
        (TOKEN, 401),
        (issued["access_token"].as_str().unwrap(), 200),
    ] {
        let (head, ()) = Request::post("/mcp")
            .header(HOST, "127.0.0.1:1")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(())
            .unwrap()
            .into_parts();
        let answer = answers.answer(&head, ping.as_bytes());
        assert_eq!(answer.status(), status);
        if status == 401 {
            let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
            assert!(
                challenge.contains("http://127.0.0.1:1/.well-known/oauth-protected-resource/mcp"),
                "{challenge}"
            );
        }
    }
}

#[tokio::test]
async fn without_the_token_there_is_no_answer_and_a_notification_is_accepted() {
    let (refused, _) = said("/mcp", "another", &request("ping", &json!({}))).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(
        said("/mcp", TOKEN, &note).await.0.status(),
        StatusCode::ACCEPTED
    );
}
