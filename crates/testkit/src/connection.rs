//! Connections of a server: accept, handshake, read, record, commit a fault or answer.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Leg, Raw, Recorder,
    commit::{self, Committed},
    fault::FaultScript,
    lent::Lent,
    recorder::RecordedRequest,
    reply::{self, Reply},
    request::Received,
};

/// What a server does with a request that has been read whole.
pub(crate) trait Service: Send + Sync + 'static {
    /// What the request is for.
    fn leg(&self, request: &Received) -> Leg;

    /// The proper answer.
    fn answer(&self, request: &Received) -> Reply;
}

/// Everything that the connections of one server share.
pub(crate) struct Connections {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) origin: String,
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) http1_only: bool,
    pub(crate) name: String,
    pub(crate) recorder: Recorder,
    pub(crate) faults: Arc<FaultScript>,
}

/// One connection: what is known of the peer, and how to cut it.
struct Peer {
    number: usize,
    client_certificate: bool,
    cut: Arc<Notify>,
    /// What is written after the cut.
    raw: Mutex<Option<Raw>>,
}

impl Connections {
    /// Accepts until aborted; aborting also ends the open connections.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut open = JoinSet::new();
        let mut numbers = 0..;
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let number = numbers.next().unwrap_or_default();
                        open.spawn(Arc::clone(&self).connection(stream, number));
                    }
                    // Out of descriptors or the like: give others a chance to close some.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = open.join_next() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, number: usize) {
        // Without it a small answer can wait for a delayed acknowledgement.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let Some(acceptor) = self.acceptor.clone() else {
            return self.serve(stream, number, false).await;
        };
        // A failed handshake is the client's to report; a server has nobody to tell.
        let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream));
        if let Ok(Ok(stream)) = handshake.await {
            let client_certificate = stream.get_ref().1.peer_certificates().is_some();
            self.serve(stream, number, client_certificate).await;
        }
    }

    async fn serve<S>(self: Arc<Self>, stream: S, number: usize, client_certificate: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let cut = Arc::new(Notify::new());
        let peer = Arc::new(Peer {
            number,
            client_certificate,
            cut: Arc::clone(&cut),
            raw: Mutex::default(),
        });
        let stream = Lent::new(stream);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(READ_LIMIT);
        if self.http1_only {
            builder = builder.http1_only();
        }
        let of_requests = Arc::clone(&peer);
        let service = hyper::service::service_fn(move |request| {
            Arc::clone(&self).exchange(Arc::clone(&of_requests), request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream.clone()), service);
        tokio::select! {
            // How a connection ended is for the client to judge.
            _ended = connection => {}
            () = cut.notified() => {}
        }
        let raw = peer.raw().take();
        if let Some(raw) = raw {
            stream.write(raw).await;
        }
    }

    /// One request; an error makes hyper close the connection without an answer.
    async fn exchange(
        self: Arc<Self>,
        peer: Arc<Peer>,
        request: Request<Incoming>,
    ) -> io::Result<Reply> {
        let received = match self.read(&peer, request).await {
            Ok(received) => received,
            Err(status) => return Ok(reply::empty(status)),
        };
        let leg = self.service.leg(&received);
        let entry = self.recorder.record(self.entry(leg, &peer, &received));
        let committed = match self.faults.take(leg, &received) {
            None => Committed::Answer(self.service.answer(&received)),
            Some(fault) => commit::commit(fault, || self.service.answer(&received)).await,
        };
        match committed {
            Committed::Answer(reply) => {
                self.recorder.answered(entry, reply.status().as_u16());
                Ok(reply)
            }
            Committed::Cut => {
                peer.cut.notify_one();
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Committed::Raw(raw) => {
                *peer.raw() = Some(raw);
                peer.cut.notify_one();
                // An answer, or an error, would have hyper write as well.
                std::future::pending().await
            }
        }
    }

    async fn read(&self, peer: &Peer, request: Request<Incoming>) -> Result<Received, StatusCode> {
        let (head, body) = request.into_parts();
        let host = head
            .uri
            .authority()
            .map(ToString::to_string)
            .or_else(|| Some(head.headers.get(header::HOST)?.to_str().ok()?.to_owned()));
        let scheme = self.origin.split("://").next().unwrap_or_default();
        let path_and_query = head.uri.path_and_query().map_or("/", |pq| pq.as_str());
        let url = match host {
            Some(host) => format!("{scheme}://{host}{path_and_query}"),
            None => format!("{}{path_and_query}", self.origin),
        };
        let body = read_body(body).await?;
        Ok(Received {
            rpc_method: rpc_method(&body),
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            url,
            headers: head.headers,
            body,
            client_certificate: peer.client_certificate,
        })
    }

    fn entry(&self, leg: Leg, peer: &Peer, received: &Received) -> RecordedRequest {
        RecordedRequest {
            server: self.name.clone(),
            leg,
            method: received.method.clone(),
            url: received.url.clone(),
            headers: received.headers.clone(),
            body: received.body.clone(),
            body_truncated: false,
            client_certificate: received.client_certificate,
            connection: peer.number,
            rpc_method: received.rpc_method.clone(),
            at: SystemTime::now(),
            arrived: Instant::now(),
            answered: None,
            status: None,
        }
    }
}

impl Peer {
    fn raw(&self) -> std::sync::MutexGuard<'_, Option<Raw>> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_body(body: Incoming) -> Result<Bytes, StatusCode> {
    let collected = Limited::new(body, REQUEST_LIMIT).collect();
    match tokio::time::timeout(READ_LIMIT, collected).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
    }
}

fn rpc_method(body: &[u8]) -> Option<String> {
    let message: serde_json::Value = serde_json::from_slice(body).ok()?;
    message.get("jsonrpc")?;
    Some(message.get("method")?.as_str()?.to_owned())
}

/// The largest request body that a server reads, in bytes.
const REQUEST_LIMIT: usize = 1024 * 1024;
/// How long a client may take to send a request.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
