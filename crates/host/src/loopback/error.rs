//! Why the way back of a login could not be opened, and what to do about it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::holder::PortHolder;
use super::settings::CallbackPorts;

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopbackError {
    /// The fixed port is taken.
    #[error("the login has to come back to port {port} of {address}, which is in use by {holder}")]
    PortInUse {
        /// The port.
        port: u16,
        /// The loopback address.
        address: IpAddr,
        /// Who has it.
        holder: PortHolder,
        /// Another port, which was free just now; `None` where this login can come back to no other.
        free: Option<u16>,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No port of the range can be had, and one at least is taken.
    #[error(
        "the login has to come back to one of the ports {ports} of {address}, and none is free; {port} is in use by {holder}"
    )]
    PortsInUse {
        /// The ports.
        ports: CallbackPorts,
        /// The loopback address.
        address: IpAddr,
        /// The first of them that is taken.
        port: u16,
        /// Who has it.
        holder: PortHolder,
        /// Another port, as for [`PortInUse`](Self::PortInUse).
        free: Option<u16>,
        /// What the operating system said of that port.
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

impl LoopbackError {
    /// What a person does about it. `None` where the cause says no more than that it failed.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::PortInUse {
                port, holder, free, ..
            }
            | Self::PortsInUse {
                port, holder, free, ..
            } => Some(of_busy(*port, holder, *free)),
            Self::NoPort { .. } => Some(
                "write callback_port = 3118, or the port that the URL is forwarded to, beside \
                 callback_url"
                    .to_owned(),
            ),
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("choose a port above 1023: {CHOOSE}"))
            }
            Self::Listen { .. } => None,
        }
    }

    /// The same, with who holds the port and, where the login `may_move` to another one, which is free. It asks the
    /// operating system.
    pub(super) async fn with_holder(mut self, may_move: bool) -> Self {
        let (Self::PortInUse {
            port,
            address,
            holder,
            free,
            ..
        }
        | Self::PortsInUse {
            port,
            address,
            holder,
            free,
            ..
        }) = &mut self
        else {
            return self;
        };
        let (wanted, address) = (*port, *address);
        let looked = tokio::task::spawn_blocking(move || {
            let free = may_move.then(|| a_free_port(address)).flatten();
            (PortHolder::of(wanted), free)
        });
        // Nothing is lost where nobody could look: the port is named all the same.
        (*holder, *free) = looked.await.unwrap_or_default();
        self
    }
}

/// A port that nobody has just now.
fn a_free_port(address: IpAddr) -> Option<u16> {
    let socket = std::net::TcpListener::bind((address, 0)).ok()?;
    Some(socket.local_addr().ok()?.port())
}

fn of_busy(port: u16, holder: &PortHolder, free: Option<u16>) -> String {
    // Whoever holds it may have good reason to: nobody is told to end what is no login.
    let elsewhere = free.map(|free| format!("doorkey login NAME --callback-port {free}"));
    match (holder, elsewhere) {
        (PortHolder::ThisProcess | PortHolder::Process { is_login: true, .. }, Some(elsewhere)) => {
            format!("wait until that login is over, or {elsewhere}")
        }
        (PortHolder::ThisProcess | PortHolder::Process { is_login: true, .. }, None) => {
            "wait until that login is over: this one can come back to no other port".to_owned()
        }
        (PortHolder::Process { .. }, Some(elsewhere)) => {
            format!("{elsewhere}, a port that is free now, {FOR_GOOD}")
        }
        (PortHolder::Unknown, Some(elsewhere)) => format!(
            "{elsewhere}, a port that is free now, {FOR_GOOD}; {} shows who has the other",
            lister(port)
        ),
        (PortHolder::Process { .. }, None) => {
            format!("wait until port {port} is free: the login can come back to no other")
        }
        (PortHolder::Unknown, None) => format!(
            "wait until port {port} is free ({} shows who has it): the login can come back to no other",
            lister(port)
        ),
    }
}

/// What to type to see who listens on a port.
fn lister(port: u16) -> String {
    if cfg!(windows) {
        format!("netstat -ano | findstr :{port}")
    } else if cfg!(target_os = "linux") {
        format!("ss -ltnp 'sport = :{port}'")
    } else {
        format!("lsof -nP -iTCP:{port} -sTCP:LISTEN")
    }
}

/// Where a port stands that no option names.
const FOR_GOOD: &str = "or callback_port of [mcp_servers.NAME.oauth] for good";

const CHOOSE: &str =
    "doorkey login NAME --callback-port PORT, or callback_port of [mcp_servers.NAME.oauth]";
