//! A server on loopback, plain or TLS, HTTP/1.1 or HTTP/2, that records what it is asked.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use doorkey_http::{Body, Resolver};
use http::{HeaderMap, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which connection it came over, counted from 0.
    pub(crate) connection: usize,
    /// The certificate that the client showed, in DER.
    pub(crate) client: Option<Vec<u8>>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Handler = Arc<dyn Fn(Seen) -> Answer + Send + Sync>;

/// What the next connection is accepted with.
type Tls = Arc<Mutex<Option<Arc<ServerConfig>>>>;

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    scheme: &'static str,
    tls: Tls,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers every request with `answer`.
    pub(crate) async fn start<F, A>(tls: Option<Arc<ServerConfig>>, answer: F) -> Self
    where
        F: Fn(Seen) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let handler: Handler = Arc::new(move |seen| Box::pin(answer(seen)));
        let tls = Arc::new(Mutex::new(tls));
        let task = tokio::spawn(accept(
            listener,
            Arc::clone(&tls),
            Arc::clone(&seen),
            handler,
        ));
        Self {
            port,
            scheme,
            tls,
            seen,
            task,
        }
    }

    /// Answers every request with 200 and `ok`.
    pub(crate) async fn ok(tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start(tls, async |_| Response::new(Body::from("ok"))).await
    }

    /// A URL of this server under a name of the certificate.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.port)
    }

    /// Shows another certificate from the next connection on.
    pub(crate) fn replace(&self, tls: Arc<ServerConfig>) {
        *self.tls.lock().unwrap() = Some(tls);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Tls, seen: Arc<Mutex<Vec<Seen>>>, handler: Handler) {
    let mut connections = tokio::task::JoinSet::new();
    for connection in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let tls = tls.lock().unwrap().clone();
        let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
        connections.spawn(serve(stream, tls, connection, seen, handler));
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    connection: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
    handler: Handler,
) {
    // A connection that fails is what some tests are about: the client tells.
    match tls {
        None => answer(stream, None, connection, seen, handler).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                let shown = stream.get_ref().1.peer_certificates();
                let client = shown.and_then(|chain| Some(chain.first()?.to_vec()));
                answer(stream, client, connection, seen, handler).await;
            }
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Option<Vec<u8>>,
    connection: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
    handler: Handler,
) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (seen, handler, client) = (Arc::clone(&seen), Arc::clone(&handler), client.clone());
        async move {
            let (parts, body) = request.into_parts();
            let request = Seen {
                path: parts.uri.path().to_owned(),
                version: parts.version,
                headers: parts.headers,
                body: body.collect().await?.to_bytes(),
                connection,
                client,
            };
            seen.lock().unwrap().push(request.clone());
            Ok::<_, hyper::Error>(handler(request).await)
        }
    });
    let builder = Builder::new(TokioExecutor::new());
    drop(
        builder
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

/// Every name under `.test` is this machine; other names are looked up in a table.
#[derive(Debug, Default)]
pub(crate) struct Names(pub(crate) HashMap<&'static str, IpAddr>);

impl Resolver for Names {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        let found = match self.0.get(host) {
            Some(address) => Some(*address),
            None => host
                .ends_with(".test")
                .then_some(Ipv4Addr::LOCALHOST.into()),
        };
        Box::pin(async move {
            found
                .map(|address| vec![address])
                .ok_or_else(|| io::Error::other("no such name"))
        })
    }
}

pub(crate) fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

pub(crate) fn post(url: &str, body: &'static str) -> Request<Body> {
    Request::post(url).body(body.into()).unwrap()
}

/// An error and its causes, as a program prints them.
pub(crate) fn chain(err: &dyn std::error::Error) -> String {
    let links = std::iter::successors(Some(err), |err| err.source());
    links
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
