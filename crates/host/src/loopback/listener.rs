//! A small HTTP server for one redirect (RSP-01): GET, exact path, expected `Host`, 404 otherwise.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorkey_oauth::{Callback, CallbackVerdict};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Event;
use super::address::Endpoint;
use super::page::{self, Page};

/// Accepts connections until it is dropped. A page that is being sent is still sent.
#[derive(Debug)]
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    pub(super) fn start(
        socket: TcpListener,
        endpoint: Arc<Endpoint>,
        events: mpsc::Sender<Event>,
        connections: Arc<Semaphore>,
    ) -> Self {
        Self(tokio::spawn(accept(socket, endpoint, events, connections)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(
    socket: TcpListener,
    endpoint: Arc<Endpoint>,
    events: mpsc::Sender<Event>,
    connections: Arc<Semaphore>,
) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                // Too many at once: this one waits, as those behind it do in the backlog.
                let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                    return;
                };
                tokio::spawn(serve(stream, Arc::clone(&endpoint), events.clone(), permit));
            }
            Err(error) => {
                tracing::debug!(%error, "the callback listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    endpoint: Arc<Endpoint>,
    events: mpsc::Sender<Event>,
    _permit: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| {
        let (endpoint, events) = (Arc::clone(&endpoint), events.clone());
        async move { Ok::<_, Infallible>(answer(&request, &endpoint, &events).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a callback connection ended early"),
        Err(_elapsed) => tracing::debug!("a callback connection took too long"),
    }
}

async fn answer(
    request: &Request<Incoming>,
    endpoint: &Endpoint,
    events: &mpsc::Sender<Event>,
) -> Response<Full<Bytes>> {
    if !is_callback(request, endpoint) {
        return respond(Page::NotHere);
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (reply, verdict) = oneshot::channel();
    if events
        .send(Event::Callback(Callback::with_reply(query, reply)))
        .await
        .is_err()
    {
        return respond(Page::Over);
    }
    match tokio::time::timeout(VERDICT_LIMIT, verdict).await {
        Ok(Ok(CallbackVerdict::Accepted)) => respond(Page::Accepted),
        Ok(Ok(CallbackVerdict::Ignored)) => respond(Page::Ignored),
        Ok(Ok(CallbackVerdict::Refused { message })) => respond(Page::Refused(&message)),
        Ok(Ok(_)) | Err(_) => respond(Page::SeeTerminal),
        Ok(Err(_dropped)) => respond(Page::Over),
    }
}

/// A page on another site can make a browser send requests here, also under a name that it made
/// resolve to loopback; the `Host` gives that away.
fn is_callback(request: &Request<Incoming>, endpoint: &Endpoint) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts
        .next()
        .and_then(|host| host.to_str().ok())
        .map(str::to_ascii_lowercase);
    request.method() == Method::GET
        && request.uri().authority().is_none()
        && request.uri().path() == endpoint.path
        && host.is_some_and(|host| endpoint.hosts.contains(&host))
        && hosts.next().is_none()
}

fn respond(page: Page<'_>) -> Response<Full<Bytes>> {
    let status = match page {
        Page::NotHere => StatusCode::NOT_FOUND,
        Page::Ignored | Page::Refused(_) => StatusCode::BAD_REQUEST,
        Page::Accepted | Page::Over | Page::SeeTerminal => StatusCode::OK,
    };
    let mut response = Response::new(Full::new(Bytes::from(page::render(page))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            page::CONTENT_SECURITY_POLICY,
        ),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Connections served at once: a browser opens some that it never uses.
pub(super) const CONNECTIONS: usize = 16;
/// Line and headers of a request; an authorization response is far smaller.
const REQUEST_BYTES: usize = 32 * 1024;
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long a page waits to learn what became of its callback, token request included.
const VERDICT_LIMIT: Duration = Duration::from_secs(45);
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
