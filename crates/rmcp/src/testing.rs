//! A scripted MCP server that answers in process, for the tests of this crate.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use doorkey_discovery::Challenges;
use doorkey_http::{Body, Timeouts};
use doorkey_oauth::{Error, LoginReason};
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tower::{Service, util::BoxCloneSyncService};
use url::Url;

use crate::{AuthorizedClient, ClientOptions, Discovery};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) verb: Method,
    pub(crate) headers: http::HeaderMap,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) async fn read(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            verb: parts.method,
            headers: parts.headers,
            path: parts.uri.path().to_owned(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// The JSON-RPC method, or the HTTP method of a request that carries none.
    pub(crate) fn name(&self) -> &str {
        self.body["method"].as_str().unwrap_or(self.verb.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The error is boxed only because it is large.
pub(crate) type Outcome = Result<Response<Body>, Box<Error>>;
type Respond = dyn Fn(&Seen, usize) -> Outcome + Send + Sync;

/// Answers requests by a function of the request and of how many came before it, and remembers them.
#[derive(Clone)]
pub(crate) struct Script {
    respond: Arc<Respond>,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The first requests wait here for one another.
    gathering: Option<(usize, Arc<Barrier>)>,
}

impl Script {
    pub(crate) fn new(respond: impl Fn(&Seen, usize) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            respond: Arc::new(respond),
            seen: Arc::default(),
            gathering: None,
        }
    }

    /// The same script, which answers none of the first `count` requests before it has seen them all.
    pub(crate) fn gathering(&self, count: usize) -> Self {
        Self {
            gathering: Some((count, Arc::new(Barrier::new(count)))),
            ..self.clone()
        }
    }

    pub(crate) fn client(&self, options: ClientOptions) -> AuthorizedClient {
        let service = BoxCloneSyncService::new(self.clone());
        AuthorizedClient::over(service, Timeouts::default(), options)
    }

    /// A client that opens no standalone stream.
    pub(crate) fn quiet_client(&self) -> AuthorizedClient {
        self.client(ClientOptions::default().with_standalone_stream(false))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.seen()
            .iter()
            .map(|seen| seen.name().to_owned())
            .collect()
    }
}

impl Service<Request<Body>> for Script {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let seen = Seen::read(request).await;
            let before = {
                let mut all = this.seen.lock().unwrap();
                all.push(seen.clone());
                all.len() - 1
            };
            if let Some((count, barrier)) = &this.gathering
                && before < *count
            {
                barrier.wait().await;
            }
            (this.respond)(&seen, before).map_err(|error| *error)
        })
    }
}

pub(crate) fn server_url() -> Url {
    Url::parse("https://mcp.example/mcp?key=secret#part").unwrap()
}

/// What a server of 2025-11-25 answers; it knows no `server/discover`.
pub(crate) fn stateful(seen: &Seen) -> Outcome {
    match seen.name() {
        "initialize" => {
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "scripted", "version": "1" },
            });
            let mut response = answer(seen, &result)?;
            let session = http::HeaderValue::from_static("session-1");
            response.headers_mut().insert("mcp-session-id", session);
            Ok(response)
        }
        "notifications/initialized" => status(202),
        "tools/list" => answer(seen, &json!({ "tools": [] })),
        "GET" => status(405),
        "DELETE" => status(200),
        _ => html(404),
    }
}

/// What a server of 2026-07-28 answers; it knows no `initialize`.
pub(crate) fn stateless(seen: &Seen) -> Outcome {
    match seen.name() {
        "server/discover" => answer(seen, &discovered()),
        "tools/list" => answer(
            seen,
            &json!({ "resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private" }),
        ),
        _ => refusal(404, seen, -32601, &json!(null)),
    }
}

/// What the server says of itself. Nobody is to keep it.
pub(crate) fn discovered() -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": { "tools": {} },
        "ttlMs": 0,
        "cacheScope": "private",
    })
}

/// The same from a server that let it be kept, received just now.
pub(crate) fn kept_discovery() -> Discovery {
    let mut answer = discovered();
    answer["ttlMs"] = json!(60_000);
    Discovery::new(answer, SystemTime::now())
}

pub(crate) fn answer(seen: &Seen, result: &Value) -> Outcome {
    let message = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result });
    body(200, "application/json", message.to_string())
}

pub(crate) fn refusal(status: u16, seen: &Seen, code: i32, data: &Value) -> Outcome {
    let error = json!({ "code": code, "message": "refused", "data": data });
    let message = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": error });
    body(status, "application/json", message.to_string())
}

pub(crate) fn html(status: u16) -> Outcome {
    body(status, "text/html", "<html>not here</html>".to_owned())
}

pub(crate) fn events(text: impl Into<String>) -> Outcome {
    body(200, "text/event-stream", text.into())
}

/// The same, arriving in pieces.
pub(crate) fn chunked_events(pieces: Vec<String>) -> Outcome {
    let frames = pieces
        .into_iter()
        .map(|piece| Ok(Frame::data(Bytes::from(piece))));
    stream(futures_util::stream::iter(frames))
}

/// An event stream that never says anything.
pub(crate) fn silence() -> Outcome {
    stream(futures_util::stream::pending())
}

fn stream(
    frames: impl futures_core::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static,
) -> Outcome {
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(Body::new(StreamBody::new(frames))).unwrap())
}

pub(crate) fn status(status: u16) -> Outcome {
    Ok(Response::builder()
        .status(status)
        .body(Body::empty())
        .unwrap())
}

pub(crate) fn body(status: u16, media: &str, text: String) -> Outcome {
    let response = Response::builder().status(status);
    let response = response.header("content-type", media);
    Ok(response.body(Body::from(text)).unwrap())
}

/// What the authorization layer says when somebody has to sign in.
pub(crate) fn login_required() -> Outcome {
    Err(Box::new(Error::LoginRequired {
        server: server_url().into(),
        reason: LoginReason::NoGrant,
        challenges: Challenges::parse([CHALLENGES]),
        cause: None,
    }))
}

/// And when a scope is missing.
pub(crate) fn scope_missing() -> Outcome {
    let challenges =
        Challenges::parse([r#"Bearer error="insufficient_scope", scope="files:write""#]);
    Err(Box::new(Error::InsufficientScope {
        required: challenges.scope().unwrap_or_default(),
        challenges,
    }))
}

pub(crate) const CHALLENGES: &str =
    r#"Negotiate, Bearer realm="a \"b\"", resource_metadata="https://mcp.example/prm""#;
