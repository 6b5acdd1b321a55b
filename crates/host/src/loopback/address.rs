//! Which address the listener takes and which redirect URI that makes (AZ-15 to AZ-17).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;
use url::{Host, Url};

/// What the configuration says about the way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallbackSettings {
    /// The port to listen on; `None` lets the operating system pick one.
    pub port: Option<u16>,
    /// The redirect URI: on loopback its host, port and path are taken as they are; an https one is
    /// expected to be forwarded to `port` on this machine.
    pub url: Option<Url>,
}

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopbackError {
    /// The fixed port is taken.
    #[error(
        "port {port} on {address} is in use, and the configuration says the login comes back there"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// The loopback address.
        address: IpAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Any other failure to listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The configured redirect URI is on another machine and no port says where it arrives here.
    #[error(
        "callback_url {url} is not on loopback: set callback_port to the port it is forwarded to"
    )]
    NoPort {
        /// The configured redirect URI.
        url: Url,
    },
}

/// The open sockets, and what a request to them has to look like.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) redirect_uri: String,
    pub(super) endpoint: Endpoint,
}

/// What a callback has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) path: String,
    /// Acceptable `Host` values, in lower case.
    pub(super) hosts: Vec<String>,
}

impl LoopbackError {
    /// Whether this machine lacks the address or the whole address family (IPv6 switched off).
    fn is_absent_family(&self) -> bool {
        let Self::Listen { source, .. } = self else {
            return false;
        };
        // `io::ErrorKind` has no stable kind for an unsupported address family.
        source.kind() == io::ErrorKind::AddrNotAvailable
            || source.kind() == io::ErrorKind::Unsupported
            || source.raw_os_error() == Some(ADDRESS_FAMILY_UNSUPPORTED)
    }

    /// The same failure; a port that no configuration asked for is no configured one that is busy.
    fn of_choice(self, configured: Option<u16>) -> Self {
        match self {
            Self::PortInUse {
                port,
                address,
                source,
            } if configured.is_none() => Self::Listen {
                address: SocketAddr::new(address, port),
                source,
            },
            error => error,
        }
    }
}

impl CallbackSettings {
    /// A fixed port, a fixed redirect URI, both or neither.
    #[must_use]
    pub fn new(port: Option<u16>, url: Option<Url>) -> Self {
        Self { port, url }
    }
}

/// Opens the listener: where the configuration says so, else where a registered redirect URI of
/// `hints` points if that port is free, else on a free port.
pub(super) async fn bind(
    settings: &CallbackSettings,
    hints: &[String],
) -> Result<Bound, LoopbackError> {
    match (&settings.url, settings.port) {
        (Some(url), port) if !is_loopback(url) => bind_forwarded(url, port).await,
        (Some(url), port) => bind_loopback(url, port.or(url.port()), None).await,
        (None, Some(port)) => {
            // A registration that already has this port keeps its exact redirect URI.
            let hint = loopback_hints(hints).find(|hint| hint.1.port() == Some(port));
            let (text, url) = hint.map_or((None, default_url()), |(text, url)| (Some(text), url));
            bind_loopback(&url, Some(port), text).await
        }
        (None, None) => {
            for (text, url) in loopback_hints(hints) {
                if let Ok(bound) = bind_loopback(&url, url.port(), Some(text)).await {
                    return Ok(bound);
                }
            }
            bind_loopback(&default_url(), None, None).await
        }
    }
}

fn loopback_hints(hints: &[String]) -> impl Iterator<Item = (&str, Url)> {
    hints
        .iter()
        .filter_map(|text| Some((text.as_str(), Url::parse(text).ok()?)))
        .filter(|(_, url)| is_loopback(url) && url.port().is_some() && url.query().is_none())
}

/// Listens on the literal that the redirect URI names; `exact` is that URI's own spelling.
async fn bind_loopback(
    url: &Url,
    port: Option<u16>,
    exact: Option<&str>,
) -> Result<Bound, LoopbackError> {
    let (sockets, chosen) = on_one_port(&addresses(url), port, listen).await?;
    let mut redirect = url.clone();
    // Cannot fail: the URL is http and has a host.
    let _unchanged = redirect.set_port(Some(chosen));
    let redirect_uri = exact.map_or_else(|| redirect.to_string(), str::to_owned);
    let endpoint = Endpoint {
        path: redirect.path().to_owned(),
        hosts: vec![authority(&redirect)],
    };
    Ok(Bound {
        sockets,
        redirect_uri,
        endpoint,
    })
}

/// Listens on loopback for a redirect URI that something forwards here.
async fn bind_forwarded(url: &Url, port: Option<u16>) -> Result<Bound, LoopbackError> {
    let port = port.ok_or_else(|| LoopbackError::NoPort { url: url.clone() })?;
    let (socket, port) = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(port)).await?;
    let hosts = vec![
        authority(url),
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
    ];
    let endpoint = Endpoint {
        path: url.path().to_owned(),
        hosts,
    };
    Ok(Bound {
        sockets: vec![socket],
        redirect_uri: url.to_string(),
        endpoint,
    })
}

/// One port on all of these addresses: a browser tries any that the host of the redirect URI
/// stands for, and another program on one of them must not get the code (RFC 8252 §8.3).
async fn on_one_port<S>(
    addresses: &[IpAddr],
    port: Option<u16>,
    listen: impl AsyncFn(IpAddr, Option<u16>) -> Result<(S, u16), LoopbackError>,
) -> Result<(Vec<S>, u16), LoopbackError> {
    let mut attempts = 0;
    'port: loop {
        attempts += 1;
        let mut sockets = Vec::new();
        let mut chosen = port;
        for address in addresses {
            match listen(*address, chosen).await {
                Ok((socket, port)) => {
                    chosen = Some(port);
                    sockets.push(socket);
                }
                // Nobody can listen there, so nobody else does. One address has to be there.
                Err(error) if !sockets.is_empty() && error.is_absent_family() => {}
                // A port that is ours to choose is free on one address and taken on another.
                Err(LoopbackError::PortInUse { .. })
                    if port.is_none() && attempts < PORT_ATTEMPTS =>
                {
                    continue 'port;
                }
                Err(error) => return Err(error.of_choice(port)),
            }
        }
        return Ok((sockets, chosen.unwrap_or_default()));
    }
}

async fn listen(address: IpAddr, port: Option<u16>) -> Result<(TcpListener, u16), LoopbackError> {
    let wanted = SocketAddr::new(address, port.unwrap_or(0));
    let failed = |source: io::Error| match (source.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => LoopbackError::PortInUse {
            port,
            address,
            source,
        },
        _ => LoopbackError::Listen {
            address: wanted,
            source,
        },
    };
    let socket = TcpListener::bind(wanted).await.map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    Ok((socket, port))
}

/// The loopback addresses that the host of a redirect URI stands for.
fn addresses(url: &Url) -> Vec<IpAddr> {
    match url.host() {
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Ipv4(address)) => vec![address.into()],
        _ => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && doorkey_http::check_endpoint(url).is_ok()
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[expect(clippy::expect_used, reason = "a constant that a test parses")]
fn default_url() -> Url {
    Url::parse(DEFAULT_REDIRECT).expect("a URL")
}

/// How many ports are tried that the operating system picks for one address family and another
/// program has on the other.
const PORT_ATTEMPTS: usize = 16;
/// `EAFNOSUPPORT`.
const ADDRESS_FAMILY_UNSUPPORTED: i32 = if cfg!(windows) {
    10047
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    97
} else {
    47
};
/// RFC 8252 section 7.3; the port is filled in.
pub(crate) const DEFAULT_REDIRECT: &str = "http://127.0.0.1/callback";

#[cfg(test)]
mod tests;
