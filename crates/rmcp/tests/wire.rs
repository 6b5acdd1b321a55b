//! The adapter over real sockets: tokens on every exchange, refresh and replay, and what reaches the caller.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at whatever it did not expect"
)]

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use doorkey_http::{Body, HttpClient, HttpProfile, Timeouts};
use doorkey_oauth::{AuthorizationConfig, Error, TokenSource};
use doorkey_rmcp::{
    AuthorizedClient, ClientError, ClientOptions, ConnectError, ConnectOptions, Connected, Event,
    ProbeOutcome, Protocol, Wire, authorization_error, connect, probe,
    rmcp::{
        ClientHandler,
        model::{ClientJsonRpcMessage, ClientRequest, PingRequest, RequestId},
        transport::streamable_http_client::{StreamableHttpClient, StreamableHttpError},
    },
};
use doorkey_store::{Grant, GrantKey, Store};
use futures_util::StreamExt;
use serde_json::{Value, json};
use url::Url;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

#[derive(Clone, Copy)]
struct Handler;

impl ClientHandler for Handler {}

/// An MCP server of either age that accepts one token, with its authorization server beside it.
async fn server(wire: Wire, accepted: &'static str) -> MockServer {
    let server = MockServer::start().await;
    let base = server.uri();
    let respond = move |request: &Request| match request.url.path() {
        "/.well-known/oauth-protected-resource/mcp" => json_response(&json!({
            "resource": format!("{base}/mcp"),
            "authorization_servers": [base],
        })),
        "/.well-known/oauth-authorization-server" => json_response(&json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        })),
        "/token" => json_response(&json!({
            "access_token": "new-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "refresh-2",
        })),
        "/mcp" => mcp(request, wire, accepted),
        _ => ResponseTemplate::new(404),
    };
    Mock::given(any())
        .respond_with(respond)
        .mount(&server)
        .await;
    server
}

fn mcp(request: &Request, wire: Wire, accepted: &str) -> ResponseTemplate {
    let sent = request
        .headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    if sent != Some(&format!("Bearer {accepted}")) {
        return ResponseTemplate::new(401)
            .append_header("www-authenticate", "Negotiate")
            .append_header("www-authenticate", r#"Bearer error="invalid_token""#)
            .set_body_raw("<html>sign in</html>", "text/html");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let result = match (
        body["method"].as_str().unwrap_or(request.method.as_str()),
        wire,
    ) {
        ("server/discover", Wire::Stateless) => json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {} },
            "ttlMs": 0,
            "cacheScope": "private",
        }),
        ("initialize", Wire::Stateful) => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "mock", "version": "1" },
        }),
        ("tools/list", _) => json!({
            "resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private",
        }),
        ("notifications/initialized", _) => return ResponseTemplate::new(202),
        ("DELETE", _) => return ResponseTemplate::new(200),
        _ => return ResponseTemplate::new(404).set_body_raw("<html>no</html>", "text/html"),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
    let response = json_response(&answer);
    match body["method"].as_str() {
        Some("initialize") => response.append_header("mcp-session-id", "session-1"),
        // The other shape an answer may have.
        Some("tools/list") => ResponseTemplate::new(200)
            .set_body_raw(format!("data: {answer}\n\n"), "text/event-stream"),
        _ => response,
    }
}

fn json_response(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn url(server: &MockServer) -> Url {
    Url::parse(&format!("{}/mcp", server.uri())).unwrap()
}

fn http(server: &MockServer) -> HttpClient {
    let mut profile = HttpProfile::default();
    profile.resource = Some(url(server));
    HttpClient::new(&profile).unwrap()
}

fn fixed(server: &MockServer, bearer: &str) -> AuthorizedClient {
    let tokens = TokenSource::fixed(url(server), bearer.into());
    AuthorizedClient::new(http(server), tokens, ClientOptions::default())
}

/// A token source over a stored grant whose access token is `old-token`; `lifetime` from now in seconds.
async fn stored(server: &MockServer, lifetime: i64) -> (TokenSource, Store) {
    let config = AuthorizationConfig::new(url(server));
    let store = Store::memory();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut grant = Grant::new(server.uri(), "client-1", format!("{}/token", server.uri()));
    grant.resource = Some(url(server).to_string());
    grant.access_token = Some("old-token".into());
    grant.refresh_token = Some("refresh-1".into());
    grant.token_type = "Bearer".to_owned();
    grant.issued_at = now - 7200;
    grant.expires_at = Some(now.checked_add_signed(lifetime).unwrap());
    let key: GrantKey = config.grant_key();
    store.save_grant(&key, &grant, None).await.unwrap();
    let tokens = TokenSource::builder(config, http(server), store.clone()).build();
    (tokens, store)
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

/// `POST tools/list`, `GET`, `POST /token` …
async fn names(server: &MockServer) -> Vec<String> {
    let name = |request: &Request| match (request.url.path(), request.method.as_str()) {
        ("/mcp", "POST") => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            body["method"].as_str().unwrap().to_owned()
        }
        ("/mcp", method) => method.to_owned(),
        (path, _) => path.to_owned(),
    };
    requests(server).await.iter().map(name).collect()
}

async fn start(
    client: AuthorizedClient,
    server: &MockServer,
) -> Result<Connected<Handler>, ConnectError> {
    connect(client, &url(server), ConnectOptions::default(), Handler).await
}

#[tokio::test]
async fn both_wires_work_and_every_exchange_is_authorized() {
    for wire in [Wire::Stateless, Wire::Stateful] {
        let server = server(wire, "fixed-token").await;
        let connected = start(fixed(&server, "fixed-token"), &server).await.unwrap();
        assert_eq!(connected.wire, wire);
        connected.service.list_all_tools().await.unwrap();
        connected.service.cancel().await.unwrap();
        for request in requests(&server).await {
            let sent: Vec<_> = request.headers.get_all("authorization").iter().collect();
            assert_eq!(
                sent,
                ["Bearer fixed-token"],
                "{} {}",
                request.method,
                request.url
            );
            assert!(request.headers.contains_key("user-agent"));
        }
        let names = names(&server).await;
        let expected: &[&str] = match wire {
            Wire::Stateless => &["server/discover", "tools/list"],
            _ => &[
                "server/discover",
                "initialize",
                "notifications/initialized",
                "tools/list",
                "DELETE",
            ],
        };
        let posts: Vec<_> = names.iter().filter(|name| *name != "GET").collect();
        assert_eq!(posts, expected);
        assert_eq!(names.contains(&"GET".to_owned()), wire == Wire::Stateful);
    }
}

#[tokio::test]
async fn a_token_past_its_expiry_is_refreshed_before_it_is_sent() {
    let server = server(Wire::Stateless, "new-token").await;
    let (tokens, store) = stored(&server, -60).await;
    let key = tokens.config().unwrap().grant_key();
    let client = AuthorizedClient::new(http(&server), tokens, ClientOptions::default());
    let connected = start(client, &server).await.unwrap();
    connected.service.list_all_tools().await.unwrap();
    assert_eq!(
        names(&server).await,
        ["/token", "server/discover", "tools/list"]
    );
    let kept = store.grant(&key).await.unwrap().unwrap().value;
    assert!(kept.refresh_token.is_some());
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_same_request_sent_again() {
    let server = server(Wire::Stateless, "new-token").await;
    let (tokens, _store) = stored(&server, 3600).await;
    let client = AuthorizedClient::new(http(&server), tokens, ClientOptions::default());
    let connected = start(client, &server).await.unwrap();
    connected.service.list_all_tools().await.unwrap();

    let all = requests(&server).await;
    let discoveries: Vec<_> = all
        .iter()
        .filter(|it| it.headers.contains_key("mcp-method"))
        .take(2)
        .collect();
    let [rejected, replayed] = discoveries[..] else {
        unreachable!()
    };
    assert_eq!(rejected.body, replayed.body);
    assert_eq!(rejected.headers["authorization"], "Bearer old-token");
    assert_eq!(replayed.headers["authorization"], "Bearer new-token");
    let without_token = |request: &Request| {
        let mut headers = request.headers.clone();
        headers.remove("authorization");
        headers
    };
    assert_eq!(without_token(rejected), without_token(replayed));
    let names = names(&server).await;
    assert_eq!(
        names.iter().filter(|name| *name == "/token").count(),
        1,
        "{names:?}"
    );
    assert!(
        names.ends_with(&["server/discover".to_owned(), "tools/list".to_owned()]),
        "{names:?}"
    );
}

#[tokio::test]
async fn without_a_grant_a_login_is_needed_and_nobody_is_asked() {
    let server = server(Wire::Stateless, "any").await;
    let config = AuthorizationConfig::new(url(&server));
    let tokens = TokenSource::builder(config, http(&server), Store::memory()).build();
    let client = AuthorizedClient::new(http(&server), tokens, ClientOptions::default());
    let mut happened = client.events();
    let error = start(client, &server).await.unwrap_err();
    assert!(error.needs_login() && !error.is_transient());
    let Some(Error::LoginRequired { challenges, .. }) = authorization_error(&error) else {
        panic!("{error:?}");
    };
    assert_eq!(challenges.iter().count(), 2);
    assert!(matches!(
        happened.try_next(),
        Some(Event::LoginRequired { .. })
    ));
    assert_eq!(names(&server).await[0], "server/discover");
}

#[tokio::test]
async fn a_refused_fixed_bearer_is_typed_and_never_becomes_a_login() {
    let server = server(Wire::Stateless, "another").await;
    let error = start(fixed(&server, "fixed-token"), &server)
        .await
        .unwrap_err();
    assert!(
        matches!(
            authorization_error(&error),
            Some(Error::BearerRejected { .. })
        ),
        "{error:?}"
    );
    assert!(!error.needs_login());
    assert_eq!(names(&server).await, ["server/discover"]);
}

#[tokio::test]
async fn a_static_authorization_is_refused_before_anything_is_sent() {
    let server = server(Wire::Stateless, "fixed-token").await;
    let client = fixed(&server, "fixed-token");
    let uri: Arc<str> = url(&server).as_str().into();
    let ping = || {
        let ping = ClientRequest::PingRequest(PingRequest::default());
        ClientJsonRpcMessage::request(ping, RequestId::Number(1))
    };
    let mut refusals = vec![
        client
            .post_message(
                Arc::clone(&uri),
                ping(),
                None,
                Some("mine".to_owned()),
                HashMap::new(),
            )
            .await
            .map(drop)
            .unwrap_err(),
    ];
    for name in ["authorization", "proxy-authorization"] {
        let headers = HashMap::from([(name.parse().unwrap(), "Bearer mine".parse().unwrap())]);
        let posted = client
            .post_message(Arc::clone(&uri), ping(), None, None, headers.clone())
            .await;
        refusals.push(posted.map(drop).unwrap_err());
        let opened = client
            .get_stream(Arc::clone(&uri), None, None, None, headers.clone())
            .await;
        refusals.push(opened.map(drop).unwrap_err());
        let ended = client
            .delete_session(Arc::clone(&uri), "s".into(), None, headers)
            .await;
        refusals.push(ended.unwrap_err());
    }
    for refusal in refusals {
        assert!(
            matches!(
                &refusal,
                StreamableHttpError::Client(ClientError::StaticAuthorization { .. })
            ),
            "{refusal}"
        );
        assert!(!refusal.to_string().contains("mine"), "{refusal}");
    }
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_passing_failure_of_the_network() {
    let server = server(Wire::Stateless, "fixed-token").await;
    let client = fixed(&server, "fixed-token");
    let gone = url(&server);
    drop(server);
    // A mock server returns to a pool: a port that was bound and let go is surely closed.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut gone = gone;
    gone.set_port(Some(closed.port())).unwrap();
    let options = ConnectOptions::default().with_startup_limit(Duration::from_secs(20));
    let error = connect(client, &gone, options, Handler).await.unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{error:?}");
    assert!(matches!(authorization_error(&error), Some(Error::Http(_))));
    assert!(error.to_string().contains(&gone.to_string()), "{error}");
}

#[tokio::test]
async fn a_probe_reports_every_challenge_and_sends_no_token() {
    let server = server(Wire::Stateful, "fixed-token").await;
    let outcome = probe(&http(&server), &url(&server), Protocol::Auto, None)
        .await
        .unwrap();
    let ProbeOutcome::Challenged(challenges) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(challenges.iter().count(), 2);
    let all = requests(&server).await;
    assert_eq!(all.len(), 1);
    assert!(!all[0].headers.contains_key("authorization"));
}

/// Answers everything with an event stream on which nothing ever comes.
async fn silent(_: http::Request<Body>) -> Result<http::Response<Body>, std::io::Error> {
    let nothing =
        futures_util::stream::pending::<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>();
    let body = Body::new(http_body_util::StreamBody::new(nothing));
    let response = http::Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(body).unwrap())
}

#[tokio::test]
async fn a_stream_opened_with_get_may_be_silent_for_longer_than_an_answer_and_not_for_ever() {
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);
    let url = Url::parse("https://mcp.example/mcp").unwrap();
    let http =
        HttpClient::with_service(&HttpProfile::default(), tower::service_fn(silent)).unwrap();
    let timeouts = Timeouts::new(LONG, SHORT, LONG);
    let events = async |options: ClientOptions, resumed: Option<&str>| {
        let tokens = TokenSource::fixed(url.clone(), "fixed-token".into());
        let client = AuthorizedClient::new(http.clone(), tokens, options);
        let opened = client.get_stream(
            url.as_str().into(),
            Some("session-1".into()),
            resumed.map(str::to_owned),
            None,
            HashMap::new(),
        );
        opened.await.unwrap()
    };
    for resumed in [None, Some("event-1")] {
        let options = ClientOptions::default().with_timeouts(timeouts);
        assert!(options.stream_silence >= Duration::from_secs(15 * 60));
        let mut stream = events(options.clone(), resumed).await;
        let waited = tokio::time::timeout(8 * SHORT, stream.next()).await;
        assert!(waited.is_err(), "{resumed:?}: {waited:?}");

        let mut stream = events(options.with_stream_silence(SHORT), resumed).await;
        let ended = tokio::time::timeout(LONG / 2, stream.next()).await;
        assert!(matches!(ended, Ok(Some(Err(_)))), "{resumed:?}: {ended:?}");
    }
}

#[tokio::test]
async fn the_clients_own_time_limits_replace_those_of_the_profile() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(202).set_delay(Duration::from_secs(5));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let tokens = TokenSource::fixed(url(&server), "fixed-token".into());
    let timeouts = Timeouts::new(
        Duration::from_secs(5),
        Duration::from_secs(5),
        Duration::from_millis(50),
    );
    let options = ClientOptions::default().with_timeouts(timeouts);
    let client = AuthorizedClient::new(http(&server), tokens, options);
    let error = start(client, &server).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(matches!(error, ConnectError::Settle { .. }), "{error:?}");
}
