//! A forward proxy: CONNECT tunnels and absolute-form requests (RFC 9110 §9.3.6, RFC 9112 §3.2.2).

use std::{
    collections::HashMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::Method;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    CertificateAuthority, Error,
    tls::{self, ClientCertificates},
};

mod tunnel;

/// A forward proxy on 127.0.0.1 that reaches loopback addresses only.
///
/// It speaks HTTP/1.1 to its clients, plain or over TLS, and stops when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// A proxy in the making; see [`Proxy::builder`].
#[derive(Clone, Default)]
pub struct ProxyBuilder {
    routes: HashMap<String, SocketAddr>,
    credentials: Option<(String, String)>,
    authority: Option<CertificateAuthority>,
}

/// What a client asked the proxy for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyRequest {
    /// `CONNECT` for a tunnel, any other method for a plain request.
    pub method: Method,
    /// Host and port, the port always there.
    pub authority: String,
    /// Whether the client sent `Proxy-Authorization`.
    pub authorized: bool,
    /// The status of the proxy's own answer, or of the forwarded one.
    pub status: u16,
}

struct Shared {
    routes: HashMap<String, SocketAddr>,
    credentials: Option<(String, String)>,
    requests: Mutex<Vec<ProxyRequest>>,
}

impl Proxy {
    /// Starts a proxy without routes and credentials. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] if no port can be opened.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Starts describing a proxy.
    #[must_use]
    pub fn builder() -> ProxyBuilder {
        ProxyBuilder::default()
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The proxy's URL, as `HTTPS_PROXY` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Everything asked for so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<ProxyRequest> {
        self.shared.requests().clone()
    }

    /// Host and port of everything asked for so far, in order.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let requests = self.shared.requests();
        requests.iter().map(|r| r.authority.clone()).collect()
    }

    /// Forgets what was asked for so far.
    pub fn clear(&self) {
        self.shared.requests().clear();
    }
}

impl ProxyBuilder {
    /// Connects requests for `authority` (host and port) to `address`, so that a test can use
    /// host names that do not exist.
    #[must_use]
    pub fn route(mut self, authority: impl Into<String>, address: SocketAddr) -> Self {
        self.routes.insert(authority.into(), address);
        self
    }

    /// Answers 407 to requests without these credentials (Basic).
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Is asked over TLS alone, with a certificate of `authority` for `localhost` and `127.0.0.1`:
    /// an `https://` proxy.
    #[must_use]
    pub fn tls(mut self, authority: &CertificateAuthority) -> Self {
        self.authority = Some(authority.clone());
        self
    }

    /// Opens the port and starts to answer. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] if no port can be opened, [`Error::Certificate`] if no certificate can be made.
    pub async fn start(self) -> Result<Proxy, Error> {
        let acceptor = self.authority.as_ref().map(acceptor).transpose()?;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |source| Error::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            routes: self.routes,
            credentials: self.credentials,
            requests: Mutex::default(),
        });
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let task = tokio::spawn(tunnel::accept(listener, acceptor, Arc::clone(&shared)));
        Ok(Proxy {
            address,
            scheme,
            shared,
            task,
        })
    }
}

fn acceptor(authority: &CertificateAuthority) -> Result<TlsAcceptor, Error> {
    let identity = authority.issue_server(&["localhost", "127.0.0.1"])?;
    // What follows on the connection is the tunnel's.
    let config = tls::server_config(&identity, &ClientCertificates::NotAsked, true)?;
    Ok(TlsAcceptor::from(config))
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<ProxyRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBuilder")
            .field("routes", &self.routes)
            .field("credentials", &self.credentials.is_some())
            .field("tls", &self.authority.is_some())
            .finish()
    }
}
