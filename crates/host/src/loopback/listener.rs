//! A small HTTP server for one redirect (RSP-01): a GET of the exact path with the expected `Host`, nothing else.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use doorkey_oauth::{Callback, CallbackVerdict};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Event;
use super::address::Endpoint;
use super::connections::{Connections, Place};
use super::page::{self, Login, Page};
use super::request::{Received, judge};
use crate::progress::{LoginStep, Progress};

/// Accepts connections until it is dropped; then its port is free at once, for the next login. A page that is being sent
/// is still sent.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Arc<Socket>,
    accepts: JoinHandle<()>,
}

/// A socket that can be closed while somebody waits for a connection: to end that task takes until it is run again.
#[derive(Debug)]
struct Socket(Mutex<Option<TcpListener>>);

/// What a request is answered with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) endpoint: Endpoint,
    pub(super) login: Login,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) progress: Arc<dyn Progress>,
    /// Whether the person was told of an answer inside another page.
    pub(super) embedded: AtomicBool,
}

impl Listener {
    pub(super) fn start(
        socket: TcpListener,
        desk: Arc<Desk>,
        connections: Arc<Connections>,
    ) -> Self {
        let socket = Arc::new(Socket(Mutex::new(Some(socket))));
        let accepts = tokio::spawn(accept(Arc::clone(&socket), desk, connections));
        Self { socket, accepts }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.socket.lock().take());
        self.accepts.abort();
    }
}

impl Socket {
    /// The next connection; `None` once it is closed.
    async fn accept(&self) -> Option<io::Result<TcpStream>> {
        poll_fn(|cx| match &*self.lock() {
            Some(socket) => socket
                .poll_accept(cx)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream))),
            None => Poll::Ready(None),
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(socket: Arc<Socket>, desk: Arc<Desk>, connections: Arc<Connections>) {
    loop {
        connections.room().await;
        let Some(accepted) = socket.accept().await else {
            return;
        };
        match accepted {
            Ok(stream) => connections.admit(|place| {
                tokio::spawn(serve(stream, Arc::clone(&desk), place)).abort_handle()
            }),
            Err(error) => {
                tracing::debug!(%error, "the callback listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, desk: Arc<Desk>, place: Place) {
    let service =
        service_fn(async |request| Ok::<_, Infallible>(answer(request, &desk, &place).await));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(REQUEST_BYTES)
        // One request for each connection: what follows it is not read.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a callback connection ended early"),
        Err(_elapsed) => tracing::debug!("a callback connection took too long"),
    }
}

async fn answer(request: Request<Incoming>, desk: &Desk, place: &Place) -> Response<Full<Bytes>> {
    let (request, _unread) = request.into_parts();
    let login = &desk.login;
    match judge(&request, &desk.endpoint) {
        Received::Callback => {}
        Received::Embedded => {
            tracing::debug!("an answer came inside another page, and was not used");
            if !desk.embedded.swap(true, Ordering::Relaxed) {
                desk.progress.report(&LoginStep::Embedded);
            }
            return respond(Page::Embedded, login);
        }
        Received::OtherMethod => return respond(Page::OtherMethod, login),
        Received::Nothing => return respond(Page::NotHere, login),
    }
    place.answering();
    let query = request.uri.query().unwrap_or_default().to_owned();
    let (reply, verdict) = oneshot::channel();
    let callback = Event::Callback(Callback::with_reply(query, reply));
    let judged = async {
        // Nobody takes it any more when the login is over.
        let _taken = desk.events.send(callback).await;
        verdict.await
    };
    match tokio::time::timeout(VERDICT_LIMIT, judged).await {
        Ok(Ok(CallbackVerdict::Accepted)) => respond(Page::Accepted, login),
        Ok(Ok(CallbackVerdict::Ignored)) => respond(Page::Ignored, login),
        Ok(Ok(CallbackVerdict::Refused { message })) => respond(Page::Refused(&message), login),
        Ok(Ok(_)) | Err(_) => respond(Page::SeeProgram, login),
        Ok(Err(_dropped)) => respond(Page::Over, login),
    }
}

fn respond(page: Page<'_>, login: &Login) -> Response<Full<Bytes>> {
    let status = match page {
        Page::NotHere => StatusCode::NOT_FOUND,
        Page::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
        Page::Ignored | Page::Embedded => StatusCode::BAD_REQUEST,
        // The answer was understood, whatever it said.
        Page::Accepted | Page::Refused(_) | Page::SeeProgram | Page::Over => StatusCode::OK,
    };
    let mut response = Response::new(Full::new(Bytes::from(page::render(page, login))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if page == Page::OtherMethod {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

/// On every answer. None of them lets a page of another origin read it, frame it or keep a handle to it.
const HEADERS: [(header::HeaderName, &str); 9] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        page::CONTENT_SECURITY_POLICY,
    ),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::CONNECTION, "close"),
];

/// Line and headers of a request; an authorization response is far smaller.
const REQUEST_BYTES: usize = 32 * 1024;
/// How long a client has for them.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long a page waits to learn what became of its callback.
const VERDICT_LIMIT: Duration = Duration::from_secs(45);
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
