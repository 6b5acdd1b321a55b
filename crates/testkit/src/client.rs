//! A plain HTTP client without opinions, for tests that speak to the servers by hand.

use std::{fmt, io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use url::{Host, Url, form_urlencoded};

use crate::{CertificateAuthority, Error, Identity, tls};

/// An HTTP/1.1 client: one connection per request, no redirects, no proxy, no cookies.
///
/// It trusts no certificate authority but those it is told of.
#[derive(Clone, Default)]
pub struct Client {
    trusted: Vec<CertificateAuthority>,
    identity: Option<Identity>,
}

/// An answer that has been read whole.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// How long one request may take, its answer included.
    pub const LIMIT: Duration = Duration::from_secs(10);
    /// The largest answer that is read, in bytes.
    pub const BODY_LIMIT: usize = 4 * 1024 * 1024;

    /// A client that trusts nobody yet, which is enough for plain HTTP.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also trusts certificates of `authority`.
    #[must_use]
    pub fn trusting(mut self, authority: &CertificateAuthority) -> Self {
        self.trusted.push(authority.clone());
        self
    }

    /// Presents a client certificate to servers that ask for one.
    #[must_use]
    pub fn identity(mut self, identity: &Identity) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// GETs `url`.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub async fn get(&self, url: &str) -> Result<Reply, Error> {
        let request = Request::get(url)
            .body(Bytes::new())
            .map_err(Error::Request)?;
        self.send(request).await
    }

    /// POSTs `fields` to `url` as a form.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Reply, Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Bytes::from(body))
            .map_err(Error::Request)?;
        self.send(request).await
    }

    /// POSTs `value` to `url` as JSON.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub async fn post_json(&self, url: &str, value: &serde_json::Value) -> Result<Reply, Error> {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .body(Bytes::from(value.to_string()))
            .map_err(Error::Request)?;
        self.send(request).await
    }

    /// Sends `request`, whose URL is absolute, and reads the answer whole.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is no connection (TLS included), [`Error::Exchange`] if it
    /// breaks off, [`Error::TimedOut`] after [`Client::LIMIT`], [`Error::TooLarge`] past
    /// [`Client::BODY_LIMIT`].
    pub async fn send(&self, request: Request<Bytes>) -> Result<Reply, Error> {
        let shown = shown(&request.uri().to_string());
        let exchange = async {
            let (head, body) = self.stream(request).await?.into_parts();
            Ok(Reply {
                status: head.status,
                headers: head.headers,
                body: collect(body, &shown).await?,
            })
        };
        within(Self::LIMIT, &shown, Box::pin(exchange)).await
    }

    /// Sends `request` and returns as soon as the header fields of the answer are there; the
    /// body is the caller's to read, without a limit.
    ///
    /// # Errors
    /// As [`send`](Self::send), but for the body.
    pub async fn stream(&self, request: Request<Bytes>) -> Result<Response<Incoming>, Error> {
        let url = parse(&request.uri().to_string())?;
        let shown = shown(url.as_str());
        let request = origin_form(request, &url)?;
        let exchange = async {
            let stream = connect(&url, &shown).await?;
            if url.scheme() == "https" {
                let stream = self.handshake(&url, stream, &shown).await?;
                converse(TokioIo::new(stream), request, &shown).await
            } else {
                converse(TokioIo::new(stream), request, &shown).await
            }
        };
        within(Self::LIMIT, &shown, Box::pin(exchange)).await
    }

    async fn handshake(
        &self,
        url: &Url,
        stream: TcpStream,
        shown: &str,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        let config = tls::client_config(&self.trusted, self.identity.as_ref())?;
        let name = ServerName::try_from(url.host_str().unwrap_or_default().to_owned())
            .map_err(|_| unsupported(shown, "its host cannot be in a certificate"))?;
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|source| connect_error(shown, source))
    }
}

impl Reply {
    /// The body as JSON; `Value::Null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text, with bytes that are none replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of a header field, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("trusted", &self.trusted.len())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Runs `work` with a limit.
pub(crate) async fn within<T>(
    limit: Duration,
    shown: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::TimedOut {
            what: format!("the answer of {shown}"),
            limit,
        }),
    }
}

/// A URL as it may appear in an error: no query, no fragment, not too long.
pub(crate) fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    bare.chars().take(SHOWN_LIMIT).collect()
}

pub(crate) fn parse(url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|source| Error::Url {
        url: shown(url),
        source,
    })
}

pub(crate) fn unsupported(shown: &str, reason: &'static str) -> Error {
    Error::UnsupportedUrl {
        url: shown.to_owned(),
        reason,
    }
}

/// One request on a fresh HTTP/1.1 connection.
pub(crate) async fn converse<S>(
    io: TokioIo<S>,
    request: Request<Full<Bytes>>,
    shown: &str,
) -> Result<Response<Incoming>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let broken = |source| Error::Exchange {
        url: shown.to_owned(),
        source,
    };
    let (mut sender, connection) = http1::handshake(io).await.map_err(broken)?;
    // The connection ends with the answer's body; its own error repeats the sender's.
    drop(tokio::spawn(connection));
    sender.send_request(request).await.map_err(broken)
}

fn origin_form(request: Request<Bytes>, url: &Url) -> Result<Request<Full<Bytes>>, Error> {
    let (mut head, body) = request.into_parts();
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    head.uri = target
        .parse()
        .map_err(|error: http::uri::InvalidUri| Error::Request(error.into()))?;
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let host = http::HeaderValue::try_from(host).map_err(|error| Error::Request(error.into()))?;
    head.headers.entry(header::HOST).or_insert(host);
    Ok(Request::from_parts(head, Full::new(body)))
}

async fn connect(url: &Url, shown: &str) -> Result<TcpStream, Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unsupported(shown, "only http and https are spoken here"));
    }
    let port = url.port_or_known_default().unwrap_or(80);
    let connected = match url.host() {
        Some(Host::Ipv4(ip)) => TcpStream::connect((ip, port)).await,
        Some(Host::Ipv6(ip)) => TcpStream::connect((ip, port)).await,
        Some(Host::Domain(name)) => TcpStream::connect((name, port)).await,
        None => return Err(unsupported(shown, "it has no host")),
    };
    connected.map_err(|source| connect_error(shown, source))
}

fn connect_error(shown: &str, source: io::Error) -> Error {
    Error::Connect {
        url: shown.to_owned(),
        source,
    }
}

async fn collect(body: Incoming, shown: &str) -> Result<Bytes, Error> {
    match Limited::new(body, Client::BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(source) => Error::Exchange {
                url: shown.to_owned(),
                source: *source,
            },
            Err(_) => Error::TooLarge {
                url: shown.to_owned(),
                limit: Client::BODY_LIMIT,
            },
        }),
    }
}

/// How much of a URL an error shows, in characters.
const SHOWN_LIMIT: usize = 200;
