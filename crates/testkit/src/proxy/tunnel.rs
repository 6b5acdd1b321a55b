//! What the proxy does with one connection.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1 as server};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{ProxyRequest, Shared};

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Accepts until aborted; aborting also ends the open connections and tunnels.
pub(super) async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                open.spawn(secured(stream, acceptor.clone(), Arc::clone(&shared)));
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn secured(stream: TcpStream, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let Some(acceptor) = acceptor else {
        return connection(stream, shared).await;
    };
    // Who does not trust the certificate knows why; here there is nobody to tell.
    let handshake = tokio::time::timeout(CONNECT_LIMIT, acceptor.accept(stream)).await;
    if let Ok(Ok(stream)) = handshake {
        connection(stream, shared).await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
) {
    // A tunnel runs in this task, so that it ends with the proxy.
    let (tunnel, mut tunnels) = tokio::sync::mpsc::channel(1);
    let service = hyper::service::service_fn(move |request| {
        let (shared, tunnel) = (Arc::clone(&shared), tunnel.clone());
        async move { Ok::<_, Infallible>(exchange(request, &shared, tunnel).await) }
    });
    let served = server::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECT_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if served.is_ok()
        && let Ok((upgrade, mut target)) = tunnels.try_recv()
    {
        run_tunnel(upgrade, &mut target).await;
    }
}

type Tunnel = (hyper::upgrade::OnUpgrade, TcpStream);

async fn run_tunnel(upgrade: hyper::upgrade::OnUpgrade, target: &mut TcpStream) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let mut client = TokioIo::new(upgraded);
    // Either side may close whenever it likes; there is nobody to tell.
    let _bytes = tokio::io::copy_bidirectional(&mut client, target).await;
}

async fn exchange(
    mut request: Request<Incoming>,
    shared: &Shared,
    tunnel: tokio::sync::mpsc::Sender<Tunnel>,
) -> Response<Body> {
    let method = request.method().clone();
    let authorization = request.headers().get(header::PROXY_AUTHORIZATION).cloned();
    let authority = authority(request.uri());
    let reply = match (&authority, shared.admits(authorization.as_ref())) {
        (None, _) => status(StatusCode::BAD_REQUEST),
        (Some(_), false) => demand_credentials(),
        (Some(authority), true) => match shared.connect(authority).await {
            Err(code) => status(code),
            Ok(target) if method == Method::CONNECT => {
                let upgrade = hyper::upgrade::on(&mut request);
                match tunnel.try_send((upgrade, target)) {
                    Ok(()) => status(StatusCode::OK),
                    Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
                }
            }
            Ok(target) => forward(request, target).await,
        },
    };
    shared.requests().push(ProxyRequest {
        method,
        authority: authority.unwrap_or_default(),
        authorized: authorization.is_some(),
        status: reply.status().as_u16(),
    });
    reply
}

impl Shared {
    fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some((user, password)) = &self.credentials else {
            return true;
        };
        let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        authorization.is_some_and(|given| given.as_bytes() == expected.as_bytes())
    }

    /// Connects to the routed address, or to a loopback address by itself.
    async fn connect(&self, authority: &str) -> Result<TcpStream, StatusCode> {
        let address = match self.routes.get(authority) {
            Some(address) => *address,
            None => loopback(authority).ok_or(StatusCode::FORBIDDEN)?,
        };
        match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
            Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
            Ok(Err(_)) => Err(StatusCode::BAD_GATEWAY),
            Ok(Ok(stream)) => Ok(stream),
        }
    }
}

/// The loopback address that host and port name, without asking a resolver.
fn loopback(authority: &str) -> Option<SocketAddr> {
    let address = authority.replacen("localhost:", "127.0.0.1:", 1);
    let address: SocketAddr = address.parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

fn authority(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    let port = match (authority.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, Some("http")) => 80,
        (None, _) => return None,
    };
    Some(format!("{}:{port}", authority.host()))
}

/// Passes one plain request on, in origin form and without what was meant for the proxy.
async fn forward(mut request: Request<Incoming>, target: TcpStream) -> Response<Body> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    request.headers_mut().remove(header::PROXY_AUTHORIZATION);
    let Ok((mut sender, connection)) = client::handshake(TokioIo::new(target)).await else {
        return status(StatusCode::BAD_GATEWAY);
    };
    // The connection ends with the answer; its error is also the sender's.
    drop(tokio::spawn(connection));
    match sender.send_request(request).await {
        Ok(reply) => reply.map(BodyExt::boxed_unsync),
        Err(_) => status(StatusCode::BAD_GATEWAY),
    }
}

fn demand_credentials() -> Response<Body> {
    let mut reply = status(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    let challenge = HeaderValue::from_static("Basic realm=\"proxy\"");
    reply
        .headers_mut()
        .insert(header::PROXY_AUTHENTICATE, challenge);
    reply
}

fn status(code: StatusCode) -> Response<Body> {
    let body = Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
    let mut reply = Response::new(body);
    *reply.status_mut() = code;
    reply
}

/// How long connecting, and reading a request's header fields, may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
