//! A 401 anywhere in the life of a connection: one refresh, the same request again, the same session.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at whatever it did not expect"
)]

use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, HttpProfile, Leg};
use doorkey_oauth::{AuthorizationConfig, TokenSource};
use doorkey_rmcp::{
    AuthorizedClient, ClientOptions, ConnectOptions, Protocol, connect, rmcp::ClientHandler,
};
use doorkey_store::{Grant, Store};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use url::Url;

/// A server of either age that takes `old-token` until a request of one name comes, and from then on `new-token` alone.
#[derive(Clone)]
struct Server(Arc<Mutex<State>>);

struct State {
    turns_at: &'static str,
    turned: bool,
    seen: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    leg: Leg,
    /// The JSON-RPC method, or the HTTP method of a request that carries none.
    name: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Server {
    fn turning_at(name: &'static str) -> Self {
        Self(Arc::new(Mutex::new(State {
            turns_at: name,
            turned: false,
            seen: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The requests to the MCP server, with the token that each carried.
    fn named(&self, name: &str) -> Vec<Seen> {
        let mut seen = self.state().seen.clone();
        seen.retain(|seen| seen.leg == Leg::Resource && seen.name == name);
        seen
    }

    fn count(&self, leg: Leg) -> usize {
        self.state()
            .seen
            .iter()
            .filter(|seen| seen.leg == leg)
            .count()
    }

    /// Waits until a request of that name was answered otherwise than by a 401.
    async fn served(&self, name: &str) {
        let served = async {
            while !self.named(name).iter().any(|seen| !self.refuses(seen)) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(LIMIT, served).await;
        assert!(
            in_time.is_ok(),
            "{name} was not served: {:?}",
            self.state().seen
        );
    }

    fn refuses(&self, seen: &Seen) -> bool {
        self.state().turned && seen.headers["authorization"] == "Bearer old-token"
    }

    fn http(&self) -> HttpClient {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.answer(request).await }
        });
        HttpClient::with_service(&HttpProfile::new(url()), service).unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> io::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let name = message["method"].as_str().unwrap_or(parts.method.as_str());
        let seen = Seen {
            leg: parts.extensions.get::<Leg>().copied().unwrap(),
            name: name.to_owned(),
            headers: parts.headers,
            body,
        };
        let mut state = self.state();
        state.seen.push(seen.clone());
        if seen.leg == Leg::Resource && seen.name == state.turns_at {
            state.turned = true;
        }
        drop(state);
        Ok(match seen.leg {
            Leg::Resource if self.refuses(&seen) => unauthorized(),
            Leg::Resource => mcp(&seen.name, &message["id"]),
            Leg::ResourceMetadata => json_response(&json!({
                "resource": url(), "authorization_servers": [ISSUER],
            })),
            Leg::Token => json_response(&json!({
                "access_token": "new-token", "token_type": "Bearer", "expires_in": 3600,
            })),
            leg => panic!("nobody asks for {leg}"),
        })
    }
}

fn unauthorized() -> Response<Body> {
    Response::builder()
        .status(401)
        .header("www-authenticate", r#"Bearer error="invalid_token""#)
        .body(Body::from("<html>sign in</html>"))
        .unwrap()
}

fn mcp(name: &str, id: &Value) -> Response<Body> {
    let result = match name {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "scripted", "version": "1" },
        }),
        "server/discover" => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {} }, "ttlMs": 0, "cacheScope": "private",
        }),
        "tools/list" => json!({
            "resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private",
        }),
        "GET" => return silence(),
        _ => return Response::builder().status(202).body(Body::empty()).unwrap(),
    };
    let mut response = json_response(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    if name == "initialize" {
        let session = "session-1".parse().unwrap();
        response.headers_mut().insert("mcp-session-id", session);
    }
    response
}

fn json_response(body: &Value) -> Response<Body> {
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

/// An event stream that stays open.
fn silence() -> Response<Body> {
    let nothing = stream::pending::<Result<Frame<Bytes>, Infallible>>();
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(Body::new(StreamBody::new(nothing))).unwrap()
}

/// A login of two hours ago whose token is good for another one.
async fn signed_in(http: &HttpClient) -> TokenSource {
    let config = AuthorizationConfig::new(url());
    let store = Store::memory();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let mut grant = Grant::new(ISSUER, "client-1", format!("{ISSUER}/token"));
    grant.resource = Some(url().to_string());
    grant.access_token = Some("old-token".into());
    grant.refresh_token = Some("refresh-1".into());
    grant.token_type = "Bearer".to_owned();
    grant.issued_at = now - 7200;
    grant.expires_at = Some(now + 3600);
    store
        .save_grant(&config.grant_key(), &grant, None)
        .await
        .unwrap();
    TokenSource::builder(config, http.clone(), store).build()
}

fn url() -> Url {
    Url::parse("https://mcp.example/mcp").unwrap()
}

#[derive(Clone, Copy)]
struct Handler;

impl ClientHandler for Handler {}

/// A whole session, each step after the one before it was served.
async fn live(server: &Server, protocol: Protocol, steps: &[&str]) {
    let http = server.http();
    let tokens = signed_in(&http).await;
    let client = AuthorizedClient::new(http, tokens, ClientOptions::default());
    let options = ConnectOptions::default().with_protocol(protocol);
    let connected = connect(client, &url(), options, Handler).await.unwrap();
    if steps.contains(&"GET") {
        server.served("GET").await;
    }
    connected.service.list_all_tools().await.unwrap();
    connected.service.cancel().await.unwrap();
    if steps.contains(&"DELETE") {
        server.served("DELETE").await;
    }
}

#[tokio::test]
async fn a_401_is_recovered_from_wherever_it_comes_and_the_session_goes_on_ch_03() {
    let lives = [
        (
            Protocol::V2025_11_25,
            &[
                "initialize",
                "notifications/initialized",
                "GET",
                "tools/list",
                "DELETE",
            ][..],
        ),
        (Protocol::V2026_07_28, &["server/discover", "tools/list"]),
    ];
    for (protocol, steps) in lives {
        for place in steps {
            let server = Server::turning_at(place);
            live(&server, protocol, steps).await;
            for step in steps {
                let sent = server.named(step);
                let expected = if step == place { 2 } else { 1 };
                assert_eq!(
                    sent.len(),
                    expected,
                    "{step} of a life that turns at {place}"
                );
            }
            let [refused, repeated]: [_; 2] = server.named(place).try_into().unwrap();
            assert_eq!(refused.headers["authorization"], "Bearer old-token");
            assert_eq!(repeated.headers["authorization"], "Bearer new-token");
            assert_eq!(refused.body, repeated.body, "{place}");
            let others = |mut headers: HeaderMap| {
                headers.remove("authorization");
                headers
            };
            assert_eq!(others(refused.headers), others(repeated.headers), "{place}");
            assert_eq!(
                (
                    server.count(Leg::Token),
                    server.count(Leg::ResourceMetadata)
                ),
                (1, 1),
                "{place}"
            );
        }
    }
}

const ISSUER: &str = "https://as.example";
/// Everything a wait in a test may take.
const LIMIT: Duration = Duration::from_secs(20);
