//! The server's process: three ports, one thread, and an end when nobody holds its stdin any more.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Write;
use std::net::Ipv4Addr;
use std::rc::Rc;

use doorkey_testkit::{CertificateAuthority, Identity};
use http::Request;
use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

use super::answer::{Answers, OverTls, TOKEN_PATH};
use super::{Addresses, Counts};
use crate::BoxError;

/// Serves until stdin ends. A line `counts` on it is answered with what was seen since the last one; after a line
/// `expire` the token that was accepted so far is refused.
///
/// # Errors
/// If it cannot listen, or an argument is unknown.
pub async fn main(words: impl Iterator<Item = String>) -> Result<(), BoxError> {
    let seen = Rc::new(Seen {
        answers: Answers::new(keep(words)?)?,
        counts: Cell::default(),
    });
    LocalSet::new().run_until(serve(seen)).await
}

/// What connections share.
struct Seen {
    answers: Answers,
    counts: Cell<Counts>,
}

fn keep(mut words: impl Iterator<Item = String>) -> Result<u64, BoxError> {
    match (words.next().as_deref(), words.next()) {
        (None, _) => Ok(0),
        (Some("--keep"), Some(milliseconds)) => Ok(milliseconds.parse()?),
        (Some(word), _) => Err(format!("unexpected argument {word}").into()),
    }
}

async fn serve(seen: Rc<Seen>) -> Result<(), BoxError> {
    let authority = CertificateAuthority::named("bench authority")?;
    let identity = authority.issue_server(&["localhost", "127.0.0.1"])?;
    let addresses = Addresses {
        plain: format!("http://{}", listen(&seen, None).await?),
        tls: format!(
            "https://{}",
            listen(&seen, Some(acceptor(&identity, &["h2", "http/1.1"])?)).await?
        ),
        tls_http1: format!(
            "https://{}",
            listen(&seen, Some(acceptor(&identity, &["http/1.1"])?)).await?
        ),
        authority: authority.pem(),
    };
    tell(&addresses)?;
    let mut lines = stdin_lines();
    while let Some(line) = lines.recv().await {
        match line.as_str() {
            "counts" => tell(&seen.counts.take())?,
            "expire" => tell(&seen.answers.expire()?)?,
            _ => {}
        }
    }
    Ok(())
}

/// The lines of stdin, read by a thread of its own: the one of the server never waits for them.
fn stdin_lines() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        let read = std::io::stdin().lines().map_while(Result::ok);
        // Nobody listens any more when the server ends by itself.
        read.map(|line| sender.send(line)).all(|sent| sent.is_ok())
    });
    lines
}

fn tell(value: &impl serde::Serialize) -> Result<(), BoxError> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    Ok(stdout.flush()?)
}

fn acceptor(identity: &Identity, protocols: &[&str]) -> Result<TlsAcceptor, BoxError> {
    let chain = CertificateDer::pem_slice_iter(identity.certificate_pem().as_bytes())
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes())?;
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Ok(TlsAcceptor::from(std::sync::Arc::new(config)))
}

/// Opens a port and answers on it; the answer is its address.
async fn listen(seen: &Rc<Seen>, acceptor: Option<TlsAcceptor>) -> Result<String, BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let seen = Rc::clone(seen);
    spawn_local(async move {
        loop {
            // Out of descriptors or the like: a client that waits in vain says so.
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            seen.count(|counts| counts.connections += 1);
            spawn_local(connection(Rc::clone(&seen), stream, acceptor.clone()));
        }
    });
    Ok(address)
}

async fn connection(seen: Rc<Seen>, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match acceptor {
        None => exchange(seen, stream, false).await,
        // A failed handshake is the client's to report.
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                exchange(seen, stream, true).await;
            }
        }
    }
}

async fn exchange(
    seen: Rc<Seen>,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    tls: bool,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (mut head, body) = request.into_parts();
            if tls {
                head.extensions.insert(OverTls);
            }
            seen.count(|counts| {
                counts.requests += 1;
                counts.refreshes += u64::from(head.uri.path() == TOKEN_PATH);
            });
            let body = body
                .collect()
                .await
                .map(Collected::to_bytes)
                .unwrap_or_default();
            Ok::<_, Infallible>(seen.answers.answer(&head, &body))
        }
    });
    let mut builder = auto::Builder::new(Here);
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1024);
    // How a connection ended is for the client to judge.
    let _ended = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Seen {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }
}

/// Runs what HTTP/2 starts in this one thread.
#[derive(Clone, Copy)]
struct Here;

impl<F> hyper::rt::Executor<F> for Here
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
