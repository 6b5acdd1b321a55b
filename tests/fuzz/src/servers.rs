//! A resource and its authorization server that answer in process, and the runtime that asks them.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, HttpProfile};
use doorkey_oauth::{Clock, Random, RandomError};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use url::Url;

/// The MCP server.
pub(crate) const SERVER: &str = "https://mcp.example/mcp";
/// Its authorization server.
pub(crate) const ISSUER: &str = "https://as.example";

/// Runs a target's future. Waiting takes no time, and a panic in a task of its own counts as well.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.set(true);
            before(info);
        }));
    });
    let outcome = RUNTIME.with(|runtime| runtime.block_on(future));
    assert!(!PANICKED.take(), "a task panicked");
    outcome
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };

    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

/// What was asked of a place, in order.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) url: Url,
    pub(crate) body: Bytes,
}

impl Asked {
    /// The values of a form parameter.
    pub(crate) fn form(&self, name: &str) -> Vec<String> {
        values(url::form_urlencoded::parse(&self.body), name)
    }
}

/// The values of a parameter of a URL.
pub(crate) fn query(url: &Url, name: &str) -> Vec<String> {
    values(url.query_pairs(), name)
}

fn values(pairs: url::form_urlencoded::Parse<'_>, name: &str) -> Vec<String> {
    pairs
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// Places that give the same answer whenever they are asked. All others answer 404.
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    answers: Mutex<HashMap<String, (StatusCode, Bytes)>>,
    asked: Mutex<Vec<Asked>>,
}

impl Servers {
    /// With the two metadata documents of a well configured pair; `more` are further members of the authorization
    /// server's, each with its comma.
    pub(crate) fn new(more: &str) -> Self {
        let servers = Self::default();
        let resource = format!(r#"{{"resource":"{SERVER}","authorization_servers":["{ISSUER}"]}}"#);
        let server = format!(
            r#"{{"issuer":"{ISSUER}",{more}"authorization_endpoint":"{ISSUER}/authorize","token_endpoint":"{ISSUER}/token",
                "registration_endpoint":"{ISSUER}/register","code_challenge_methods_supported":["S256"],
                "token_endpoint_auth_methods_supported":["none","client_secret_basic","client_secret_post"]}}"#
        );
        let well_known = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
        servers.answer(well_known, 200, resource);
        let well_known = "https://as.example/.well-known/oauth-authorization-server";
        servers.answer(well_known, 200, server);
        servers
    }

    /// What a place answers.
    pub(crate) fn answer(&self, url: &str, status: u16, body: impl Into<Bytes>) {
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = (status, body.into());
        lock(&self.0.answers).insert(url.to_owned(), answer);
    }

    /// All that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.0.asked).clone()
    }

    /// What was asked of one place.
    pub(crate) fn asked_of(&self, url: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|request| request.url.as_str() == url);
        asked
    }

    /// Nobody was asked but these two.
    pub(crate) fn assert_nobody_else_was_asked(&self) {
        for request in self.asked() {
            let origin = request.url.origin().ascii_serialization();
            let known = origin == ISSUER || origin == "https://mcp.example";
            assert!(known, "{} was asked", request.url);
        }
    }

    /// A client that reaches these places and no others.
    pub(crate) fn http(&self) -> HttpClient {
        let servers = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let servers = servers.clone();
            async move { servers.respond(request).await }
        });
        let server = Url::parse(SERVER).expect("a URL");
        HttpClient::with_service(&HttpProfile::new(server), service).expect("a client")
    }

    async fn respond(&self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?;
        let url: Url = parts.uri.to_string().parse().expect("a URL");
        let answer = lock(&self.0.answers).get(url.as_str()).cloned();
        let body = body.to_bytes();
        lock(&self.0.asked).push(Asked { url, body });
        let (status, body) = answer.unwrap_or((StatusCode::NOT_FOUND, Bytes::new()));
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        Ok(response)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer as an input writes it: a line with the status, then the body. Without such a line all is the body of a 200.
pub(crate) fn answer(data: &[u8]) -> (u16, &[u8]) {
    let split = data.iter().position(|byte| *byte == b'\n');
    let status = split
        .and_then(|at| std::str::from_utf8(&data[..at]).ok())
        .and_then(|line| line.parse().ok())
        // What is no final answer is the business of HTTP, not of this program.
        .filter(|status| (200..=599).contains(status));
    match (status, split) {
        (Some(status), Some(at)) => (status, &data[at + 1..]),
        _ => (200, data),
    }
}

/// It is always the same moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Still;

/// That moment, in seconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_800_000_000;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

/// Gives the same bytes in the same order to every run, so that an input means the same each time.
#[derive(Debug, Default)]
pub(crate) struct Known;

/// The `state` that comes of it.
pub(crate) const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

impl Random for Known {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.fill(7);
        Ok(())
    }
}
