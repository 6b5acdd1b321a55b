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
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Every port of the range is taken.
    #[error(
        "the login has to come back to one of the ports {ports} of {address}, and all are in use; {} by {holder}",
        ports.first()
    )]
    PortsInUse {
        /// The ports.
        ports: CallbackPorts,
        /// The loopback address.
        address: IpAddr,
        /// Who has the first of them.
        holder: PortHolder,
        /// What the operating system said of the last.
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
            Self::PortInUse { port, holder, .. } => Some(of_busy(*port, holder)),
            Self::PortsInUse { ports, holder, .. } => Some(of_busy(ports.first(), holder)),
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

    /// The same, with who holds the port. It asks the operating system.
    pub(super) async fn with_holder(mut self) -> Self {
        let (wanted, holder) = match &mut self {
            Self::PortInUse { port, holder, .. } => (*port, holder),
            Self::PortsInUse { ports, holder, .. } => (ports.first(), holder),
            _ => return self,
        };
        let found = tokio::task::spawn_blocking(move || PortHolder::of(wanted)).await;
        // Nothing is lost where nobody could look: the port is named all the same.
        *holder = found.unwrap_or_default();
        self
    }
}

fn of_busy(port: u16, holder: &PortHolder) -> String {
    match holder {
        PortHolder::ThisProcess | PortHolder::Process { is_login: true, .. } => {
            format!("wait until that login is over, or choose another port: {CHOOSE}")
        }
        PortHolder::Process { id, .. } => {
            format!("end process {id}, or choose another port: {CHOOSE}")
        }
        PortHolder::Unknown => format!(
            "end the program that listens on port {port} ({} shows it), or choose another port: {CHOOSE}",
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

const CHOOSE: &str =
    "doorkey login NAME --callback-port PORT, or callback_port in the configuration";
