//! The way to a server, one step at a time: name, addresses, connection, TLS. For explaining, not for sending.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection};
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::client::HttpClient;
use crate::error::Error;
use crate::leg::Leg;
use crate::tls::client_config;

/// What the way to a URL is like. A step that was not come to is `None`.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Path {
    /// The proxy that requests to it go through, without its credentials: then it is the proxy that looks up and connects.
    pub proxy: Option<String>,
    /// The addresses of its host, best first.
    pub lookup: Option<Timed<io::Result<Vec<IpAddr>>>>,
    /// The first address that was connected to, or the last failure; where there is a proxy, one of the proxy.
    pub connection: Option<Timed<io::Result<SocketAddr>>>,
    /// What the TLS handshake agreed on.
    pub tls: Option<Timed<io::Result<TlsFacts>>>,
}

/// A step, and how long it took.
#[derive(Debug)]
#[non_exhaustive]
pub struct Timed<T> {
    /// What came of it.
    pub outcome: T,
    /// How long it took.
    pub took: Duration,
}

/// What both sides of a TLS connection agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// The version, such as `TLS 1.3`.
    pub version: String,
    /// The protocol within it (ALPN), such as `h2`; `None` when the server named none.
    pub alpn: Option<String>,
}

impl HttpClient {
    /// Goes the way to `url` as a request of this client would, and keeps nothing: no request is sent, and the connection is
    /// closed. Rules for addresses are those of [`judge`](Self::judge), which the caller asks first: what may not be contacted
    /// is not connected to here either, so an address literal that is refused gives an empty path.
    ///
    /// Each step has the time of `timeouts.connect`. Through a proxy the way ends at the proxy: what lies behind it, TLS
    /// included, shows in a request.
    pub async fn path(&self, url: &Url) -> Path {
        let profile = self.profile();
        let mut path = Path::default();
        let limit = profile.timeouts.connect;
        if let Some(proxy) = profile.proxy.route(url) {
            path.proxy = Some(proxy.to_string());
            let (outcome, took) = timed(connect_to(proxy.url(), limit)).await;
            path.connection = Some(Timed { outcome, took });
            return path;
        }
        let (addresses, took) = timed(lookup(url, limit)).await;
        let found = addresses.as_ref().map(Vec::clone).unwrap_or_default();
        path.lookup = Some(Timed {
            outcome: addresses,
            took,
        });
        if found.is_empty() || self.judge(Leg::Resource, url).await.is_err() {
            return path;
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let (stream, took) = timed(connect(&found, port, limit)).await;
        let (stream, outcome) = match stream {
            Ok((stream, address)) => (Some(stream), Ok(address)),
            Err(error) => (None, Err(error)),
        };
        path.connection = Some(Timed { outcome, took });
        if let Some(stream) = stream.filter(|_| url.scheme() == "https") {
            let (outcome, took) = match client_config(&profile) {
                Ok(config) => timed(handshake(stream, config, url, limit)).await,
                Err(error) => (Err(io::Error::other(error)), Duration::ZERO),
            };
            path.tls = Some(Timed { outcome, took });
        }
        path
    }
}

impl Path {
    /// The failure of the handshake as the client itself would name it.
    #[must_use]
    pub fn tls_problem(&self) -> Option<TlsProblem> {
        let error = self.tls.as_ref()?.outcome.as_ref().err()?;
        Some(TlsProblem::below(error))
    }
}

/// The date in a certificate that it was refused for, and the time of the clock here that it was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateDate {
    /// When it ends, or begins, to be valid (seconds since 1970).
    pub limit: u64,
    /// What the clock here said (seconds since 1970).
    pub here: u64,
}

impl CertificateDate {
    /// That of an error or of a cause of it; `None` where no date is at fault.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        use rustls::CertificateError as Bad;
        let (time, limit) = match crate::cause::find::<rustls::Error>(error)? {
            rustls::Error::InvalidCertificate(Bad::ExpiredContext { time, not_after }) => {
                (time, not_after)
            }
            rustls::Error::InvalidCertificate(Bad::NotValidYetContext { time, not_before }) => {
                (time, not_before)
            }
            _ => return None,
        };
        Some(Self {
            limit: limit.as_secs(),
            here: time.as_secs(),
        })
    }
}

/// What is wrong with a TLS connection, finer than [`TlsFault`](crate::TlsFault): each calls for another remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The certificate comes from an authority that is not trusted.
    UnknownAuthority,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for another name.
    OtherName,
    /// Something else is wrong with the certificate.
    Certificate,
    /// The server wants a client certificate, or another one.
    ClientCertificate,
    /// What answered does not speak TLS.
    NotTls,
    /// The connection was cut, or nothing came for too long, before the handshake was over. It may go better next time.
    BrokenOff,
    /// There is no version or cipher that both sides speak.
    NothingInCommon,
    /// Anything else.
    Handshake,
}

impl TlsProblem {
    fn below(error: &(dyn std::error::Error + 'static)) -> Self {
        use io::ErrorKind as Kind;
        if let Some(tls) = crate::cause::find::<rustls::Error>(error) {
            return Self::of(tls);
        }
        let kind = crate::cause::find::<io::Error>(error).map(io::Error::kind);
        match kind {
            Some(
                Kind::TimedOut
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::UnexpectedEof,
            ) => Self::BrokenOff,
            _ => Self::Handshake,
        }
    }

    fn of(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as E};
        match error {
            E::InvalidCertificate(bad) => match bad {
                Bad::UnknownIssuer => Self::UnknownAuthority,
                Bad::Expired | Bad::ExpiredContext { .. } => Self::Expired,
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => Self::NotYetValid,
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Self::OtherName,
                _ => Self::Certificate,
            },
            E::AlertReceived(
                Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity,
            )
            | E::PeerIncompatible(_) => Self::NothingInCommon,
            E::AlertReceived(alert) if crate::handshake::is_about_our_certificate(*alert) => {
                Self::ClientCertificate
            }
            E::InvalidMessage(_) => Self::NotTls,
            _ => Self::Handshake,
        }
    }
}

impl Error {
    /// What exactly is wrong, for an error that [is about TLS](Self::is_tls).
    #[must_use]
    pub fn tls_problem(&self) -> Option<TlsProblem> {
        let Self::Tls { source, .. } = self else {
            return None;
        };
        Some(TlsProblem::below(&**source))
    }
}

async fn timed<T>(step: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (step.await, began.elapsed())
}

async fn within<T>(limit: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, step)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn lookup(url: &Url, limit: Duration) -> io::Result<Vec<IpAddr>> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
        Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
        Some(Host::Domain(name)) => {
            let found = within(limit, tokio::net::lookup_host((name, 0))).await?;
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address.ip()) {
                    addresses.push(address.ip());
                }
            }
            Ok(addresses)
        }
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

async fn connect(
    addresses: &[IpAddr],
    port: u16,
    limit: Duration,
) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in addresses.iter().take(MOST_ADDRESSES) {
        let address = SocketAddr::new(*address, port);
        match within(limit, TcpStream::connect(address)).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(url: &Url, limit: Duration) -> io::Result<SocketAddr> {
    let addresses = lookup(url, limit).await?;
    let port = url.port_or_known_default().unwrap_or(SOCKS);
    let (_closed, address) = connect(&addresses, port, limit).await?;
    Ok(address)
}

async fn handshake(
    stream: TcpStream,
    config: ClientConfig,
    url: &Url,
    limit: Duration,
) -> io::Result<TlsFacts> {
    let name = url.host_str().unwrap_or_default();
    let name = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let stream = Until {
        stream,
        end: Instant::now() + limit,
    };
    let shaking = tokio::task::spawn_blocking(move || shake(stream, config, name));
    within(limit, async { shaking.await.map_err(io::Error::other)? }).await
}

/// A stream on which nothing is waited for after a moment, however often a little comes.
struct Until {
    stream: std::net::TcpStream,
    end: Instant,
}

impl Until {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl io::Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(late)
    }
}

impl io::Write for Until {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Some systems say that a blocking read would block where its time was over.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn shake(
    mut stream: Until,
    mut config: ClientConfig,
    name: ServerName<'static>,
) -> io::Result<TlsFacts> {
    let asked = Arc::new(Asked {
        resolver: Arc::clone(&config.client_auth_cert_resolver),
        was: AtomicBool::new(false),
    });
    config.client_auth_cert_resolver = Arc::clone(&asked) as _;
    let connection = ClientConnection::new(Arc::new(config), name);
    let mut connection = connection.map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    if asked.was.load(Ordering::Acquire) {
        // In TLS 1.3 the server judges the client's certificate after the client is done.
        await_verdict(&mut connection, &mut stream)?;
    }
    let facts = TlsFacts {
        version: connection
            .protocol_version()
            .map(version)
            .unwrap_or_default(),
        alpn: connection
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
    };
    connection.send_close_notify();
    // What was agreed is known, whatever becomes of the farewell.
    drop(connection.write_tls(&mut stream));
    Ok(facts)
}

fn version(version: rustls::ProtocolVersion) -> String {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Whoever says nothing for a while has no objection.
fn await_verdict(connection: &mut ClientConnection, stream: &mut Until) -> io::Result<()> {
    stream.end = stream.end.min(Instant::now() + VERDICT);
    for _ in 0..MOST_RECORDS {
        match connection.read_tls(stream) {
            Ok(0) | Err(_) => break,
            Ok(_) => connection.process_new_packets().map_err(io::Error::other)?,
        };
    }
    Ok(())
}

/// Whether the server asked for a certificate.
#[derive(Debug)]
struct Asked {
    resolver: Arc<dyn ResolvesClientCert>,
    was: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        hints: &[&[u8]],
        schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.was.store(true, Ordering::Release);
        self.resolver.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}

const VERDICT: Duration = Duration::from_millis(500);
const MOST_RECORDS: usize = 8;

/// The port of a SOCKS proxy that names none.
const SOCKS: u16 = 1080;

/// A name with more of them is tried no further.
const MOST_ADDRESSES: usize = 4;
