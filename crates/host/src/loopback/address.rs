//! Which address the listener takes and which redirect URI that makes (AZ-15 to AZ-17).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;
use url::{Host, Url};

use super::error::LoopbackError;
use super::holder::PortHolder;
use super::settings::{CallbackHost, CallbackPorts, CallbackSettings};

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

    /// Whether another port may be had all the same: this one is taken, or the system keeps it to itself, as some do with
    /// single ports.
    fn is_of_this_port(&self) -> bool {
        match self {
            Self::PortInUse { .. } => true,
            Self::Listen { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// Of two failures the first, but that somebody has a port says more.
    fn or_what_says_more(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Listen { .. }, Self::PortInUse { .. }) => other,
            _ => self,
        }
    }

    /// The failure as one of all of these ports.
    fn of_all(self, ports: CallbackPorts) -> Self {
        match self {
            Self::PortInUse {
                port,
                address,
                holder,
                free,
                source,
            } if ports.single().is_none() => Self::PortsInUse {
                ports,
                address,
                port,
                holder,
                free,
                source,
            },
            error => error,
        }
    }

    /// The same failure; a port that no configuration asked for is no configured one that is busy.
    fn of_choice(self, configured: Option<u16>) -> Self {
        match self {
            Self::PortInUse {
                port,
                address,
                source,
                ..
            } if configured.is_none() => Self::Listen {
                address: SocketAddr::new(address, port),
                source,
            },
            error => error,
        }
    }
}

/// Opens the listener: where the configuration says so, else where a registered redirect URI of
/// `hints` points if that port is free, else on a free port. Whether the login `may_move` to a port that nobody named
/// matters for what is advised where the port is taken.
pub(super) async fn bind(
    settings: &CallbackSettings,
    hints: &[String],
    may_move: bool,
) -> Result<Bound, LoopbackError> {
    let bound = match &settings.url {
        Some(url) if !is_loopback(url) => bind_forwarded(url, settings.ports).await,
        Some(url) => match settings.ports.or(url.port().map(CallbackPorts::from)) {
            Some(ports) => bind_one_of(ports, |_| (url.clone(), None)).await,
            None => bind_loopback(url, None, None).await,
        },
        None => bind_chosen(settings, hints).await,
    };
    match bound {
        Err(error) => Err(error.with_holder(may_move).await),
        bound => bound,
    }
}

/// Where no redirect URI is configured. A registration that already has a port keeps its exact redirect URI.
async fn bind_chosen(
    settings: &CallbackSettings,
    hints: &[String],
) -> Result<Bound, LoopbackError> {
    let host = settings.host.map(CallbackHost::redirect_url);
    let hints: Vec<_> = loopback_hints(hints)
        .filter(|(_, url)| {
            let is_there = |host: &Url| host.host() == url.host();
            let has_port =
                |ports: CallbackPorts| url.port().is_some_and(|port| ports.contains(port));
            host.as_ref().is_none_or(is_there) && settings.ports.is_none_or(has_port)
        })
        .collect();
    let fresh = host.unwrap_or_else(|| CallbackHost::default().redirect_url());
    let single = settings.ports.and_then(CallbackPorts::single);
    if single.is_none() {
        for (text, url) in &hints {
            if let Ok(bound) = bind_loopback(url, url.port(), Some(text)).await {
                return Ok(bound);
            }
        }
    }
    let Some(ports) = settings.ports else {
        return bind_loopback(&fresh, None, None).await;
    };
    bind_one_of(ports, |port| {
        let hint = hints.iter().find(|(_, url)| url.port() == Some(port));
        hint.map_or((fresh.clone(), None), |(text, url)| {
            (url.clone(), Some(*text))
        })
    })
    .await
}

/// Listens on the first of these ports that can be had, for the redirect URI that `at` says. Any failure that is not one
/// of a single port is one of all of them.
async fn bind_one_of<'a>(
    ports: CallbackPorts,
    at: impl Fn(u16) -> (Url, Option<&'a str>),
) -> Result<Bound, LoopbackError> {
    let listen_at = async |port| {
        let (url, exact) = at(port);
        bind_loopback(&url, Some(port), exact).await
    };
    let mut outcome = listen_at(ports.first()).await;
    for port in ports.iter().skip(1) {
        let failure = match outcome {
            Err(failure) if failure.is_of_this_port() => failure,
            outcome => return outcome,
        };
        outcome = match listen_at(port).await {
            Err(error) if error.is_of_this_port() => Err(failure.or_what_says_more(error)),
            outcome => outcome,
        };
    }
    outcome.map_err(|failure| failure.of_all(ports))
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

/// Listens on loopback for a redirect URI that something forwards here, which needs to know the one port.
async fn bind_forwarded(url: &Url, ports: Option<CallbackPorts>) -> Result<Bound, LoopbackError> {
    let port = ports.map(CallbackPorts::first);
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
            holder: PortHolder::Unknown,
            free: None,
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

pub(super) fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && doorkey_http::check_endpoint(url).is_ok()
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
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

#[cfg(test)]
mod tests;
