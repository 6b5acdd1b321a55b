//! The part that every server shares: a loopback port, TLS, faults, the recorder, and an end.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    CertificateAuthority, Distance, Error, FaultRule, Identity, Recorder,
    connection::{Connections, Service},
    fault::FaultScript,
    tls::{self, ClientCertificates},
};

/// Where and how a server listens. Always on 127.0.0.1.
///
/// The default is plain HTTP on any free port, HTTP/1.1 and HTTP/2, under the host name
/// `127.0.0.1`.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    pub(crate) identity: TlsIdentity,
    pub(crate) clients: ClientCertificates,
    pub(crate) http1_only: bool,
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    pub(crate) distance: Option<Arc<Distance>>,
    pub(crate) name: Option<String>,
    pub(crate) recorder: Option<Recorder>,
}

/// Where the server's certificate comes from.
#[derive(Clone, Debug, Default)]
pub(crate) enum TlsIdentity {
    #[default]
    Plain,
    /// Issued at start for the host name and the loopback names.
    Issued(CertificateAuthority),
    Given(Identity),
}

impl Listen {
    /// Plain HTTP on any free port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// TLS with a certificate of `authority` for the host name, `localhost` and `127.0.0.1`.
    #[must_use]
    pub fn tls(mut self, authority: &CertificateAuthority) -> Self {
        self.identity = TlsIdentity::Issued(authority.clone());
        self
    }

    /// TLS with this very certificate, for instance an expired one or one for another name.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = TlsIdentity::Given(identity);
        self
    }

    /// Refuses TLS connections that show no certificate of `authority`.
    #[must_use]
    pub fn require_client_certificate(mut self, authority: &CertificateAuthority) -> Self {
        self.clients = ClientCertificates::Required(authority.clone());
        self
    }

    /// Asks for a certificate of `authority`, notes in the recorder whether there was one, and
    /// goes on without.
    #[must_use]
    pub fn request_client_certificate(mut self, authority: &CertificateAuthority) -> Self {
        self.clients = ClientCertificates::Requested(authority.clone());
        self
    }

    /// Speaks HTTP/1.1 only.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.http1_only = true;
        self
    }

    /// The host in the server's URLs, `127.0.0.1` or `localhost` or a name that a proxy of the
    /// test maps to the server. The socket is on 127.0.0.1 all the same.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// A fixed port; 0, the default, is any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Is reached over `distance`: the server's URLs name that port, and what comes there gets here.
    #[must_use]
    pub fn behind(mut self, distance: &Arc<Distance>) -> Self {
        self.distance = Some(Arc::clone(distance));
        self
    }

    /// The server's name in the recorder.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where the server's requests are recorded.
    #[must_use]
    pub fn recorder(mut self, recorder: &Recorder) -> Self {
        self.recorder = Some(recorder.clone());
        self
    }

    /// Opens the port, so that the server's URLs are known before it answers.
    pub(crate) async fn bind(self, default_name: &str) -> Result<Bound, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = listener(address).await?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        let public = self.distance.as_ref().map_or(address, |distance| {
            distance.lead_to(address);
            distance.addr()
        });
        let host = self.host.clone().unwrap_or_else(|| LOOPBACK.to_owned());
        let acceptor = self.acceptor(&host)?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        Ok(Bound {
            listener,
            address,
            origin: format!("{scheme}://{host}:{}", public.port()),
            acceptor,
            http1_only: self.http1_only,
            name: self.name.unwrap_or_else(|| default_name.to_owned()),
            recorder: self.recorder.unwrap_or_default(),
        })
    }

    fn acceptor(&self, host: &str) -> Result<Option<TlsAcceptor>, Error> {
        let identity = match &self.identity {
            TlsIdentity::Plain => return Ok(None),
            TlsIdentity::Issued(authority) => {
                let mut names = vec![host, "localhost", LOOPBACK];
                names.dedup();
                authority.issue_server(&names)?
            }
            TlsIdentity::Given(identity) => identity.clone(),
        };
        let config = tls::server_config(&identity, &self.clients, self.http1_only)?;
        Ok(Some(TlsAcceptor::from(config)))
    }
}

/// An open port that does not answer yet.
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// Scheme, host and port, without a final slash.
    pub(crate) origin: String,
    acceptor: Option<TlsAcceptor>,
    http1_only: bool,
    name: String,
    recorder: Recorder,
}

impl Bound {
    /// Starts answering with `service`.
    pub(crate) fn serve(self, service: Arc<dyn Service>) -> Running {
        let connections = Connections {
            service,
            origin: self.origin.clone(),
            acceptor: self.acceptor,
            http1_only: self.http1_only,
            name: self.name,
            recorder: self.recorder,
            faults: Arc::new(FaultScript::default()),
        };
        let connections = Arc::new(connections);
        let task = tokio::spawn(Arc::clone(&connections).accept(self.listener));
        Running {
            address: self.address,
            origin: self.origin,
            connections,
            task: Mutex::new(Some(task)),
        }
    }
}

/// A server that answers until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) origin: String,
    connections: Arc<Connections>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    pub(crate) fn fault(&self, rule: FaultRule) {
        self.connections.faults.add(rule);
    }

    pub(crate) fn fault_hits(&self) -> Vec<usize> {
        self.connections.faults.hits()
    }

    pub(crate) fn clear_faults(&self) {
        self.connections.faults.clear();
    }

    /// Ends every connection and closes the port; afterwards it refuses connections.
    pub(crate) async fn stop(&self) {
        let Some(task) = self.task().take() else {
            return;
        };
        task.abort();
        // The join error says that the task was aborted, which is what was asked for.
        let _aborted = task.await;
    }

    /// Answers on the same port again after [`stop`](Self::stop).
    pub(crate) async fn restart(&self) -> Result<(), Error> {
        self.stop().await;
        let listener = listener(self.address).await?;
        let task = tokio::spawn(Arc::clone(&self.connections).accept(listener));
        *self.task() = Some(task);
        Ok(())
    }

    fn task(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

async fn listener(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })
}

/// The one address that servers listen on.
const LOOPBACK: &str = "127.0.0.1";
