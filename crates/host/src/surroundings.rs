//! Where a login runs, as far as it bears on how a browser is reached: over SSH, in a container, inside Windows.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use url::Url;

use crate::environment::Environment;

/// What is known of the place that a login runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Surroundings {
    /// The SSH connection of whoever sits elsewhere.
    pub ssh: Option<Ssh>,
    /// What this is inside of.
    pub inside: Option<Inside>,
    /// Whether pages can be shown here: there is a display, or a program that `BROWSER` names.
    pub has_browser: bool,
    /// Whether nobody watches: `CI` is set.
    pub is_automation: bool,
}

/// An SSH connection, as its server told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ssh {
    /// The address and port of this machine by which it was reached, where they are known.
    pub server: Option<(IpAddr, u16)>,
    /// Who is logged in here.
    pub user: Option<String>,
}

/// What keeps a browser of the same person apart from this program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inside {
    /// A container on some machine.
    Container,
    /// A pod of Kubernetes, by its name where that is known.
    Pod(Option<String>),
    /// A place that an editor is connected to, which forwards ports by itself.
    Editor,
    /// Linux inside Windows.
    Wsl,
}

/// How the browser's answer gets here in spite of the surroundings. `Display` says it in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// The port is forwarded over SSH by this command, typed on the person's own machine.
    ForwardOverSsh {
        /// What to type.
        command: String,
    },
    /// The port is forwarded into the pod by this command.
    ForwardToPod {
        /// What to type.
        command: String,
    },
    /// A container's loopback is its own, whichever ports are published.
    ShareTheNetwork,
    /// The editor has to forward this port.
    ForwardByEditor {
        /// The port.
        port: u16,
    },
    /// Windows forwards `localhost` into Linux, unless that is switched off.
    WindowsForwards,
}

impl Surroundings {
    /// What the variables say, and the files that container engines leave.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self::seen(
            environment,
            |path| Path::new(path).exists(),
            cfg!(target_os = "linux"),
        )
    }

    /// The same of files that `exists` knows, on a system whose displays are named by variables or not.
    fn seen(
        environment: &Environment,
        exists: impl Fn(&str) -> bool,
        has_displays_by_name: bool,
    ) -> Self {
        let is_set = |names: &[&str]| {
            names
                .iter()
                .any(|name| environment.variable(name).is_some())
        };
        let text = |name: &str| environment.text(name).ok().flatten();
        let is_wsl = is_set(&["WSL_DISTRO_NAME", "WSL_INTEROP"]);
        // Container managers name themselves in this variable. Where it says `none`, as for a container that shares the
        // network and the desktop of its machine, the files that they leave say nothing.
        let is_container = match environment.variable("container") {
            Some(named) => named != "none",
            None => CONTAINER_FILES.iter().any(|path| exists(path)),
        };
        let inside = if is_set(&["CODESPACES", "REMOTE_CONTAINERS", "GITPOD_WORKSPACE_ID"]) {
            Some(Inside::Editor)
        } else if is_set(&["KUBERNETES_SERVICE_HOST"]) {
            Some(Inside::Pod(text("HOSTNAME").map(str::to_owned)))
        } else if is_container {
            Some(Inside::Container)
        } else {
            is_wsl.then_some(Inside::Wsl)
        };
        let ssh = is_set(&["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"]).then(|| Ssh {
            server: text("SSH_CONNECTION").and_then(server_of),
            user: text("USER").or(text("LOGNAME")).map(str::to_owned),
        });
        // Without names, a display is the desktop of this machine, where nobody sits who came over SSH.
        let has_display = match has_displays_by_name {
            true => (is_wsl && ssh.is_none()) || is_set(&["DISPLAY", "WAYLAND_DISPLAY"]),
            false => ssh.is_none(),
        };
        Self {
            has_browser: is_set(&["BROWSER"]) || has_display,
            is_automation: text("CI").is_some_and(|value| !matches!(value, "0" | "false")),
            ssh,
            inside,
        }
    }

    /// Why there is no browser here, to go on after "There is no browser here".
    #[must_use]
    pub fn why_no_browser(&self) -> Option<&'static str> {
        match (&self.inside, &self.ssh) {
            (Some(Inside::Editor), _) => Some("this is a remote workspace"),
            (_, Some(_)) => Some("you are connected by SSH"),
            (Some(Inside::Container | Inside::Pod(_)), None) => Some("this is a container"),
            (Some(Inside::Wsl) | None, None) => None,
        }
    }

    /// How a browser elsewhere gets back to `redirect_uri`, which is on the loopback of this machine.
    #[must_use]
    pub fn advice(&self, redirect_uri: &str) -> Option<Advice> {
        let redirect = Url::parse(redirect_uri).ok()?;
        let port = redirect.port().filter(|_| redirect.scheme() == "http")?;
        match (&self.inside, &self.ssh) {
            (Some(Inside::Editor), _) => Some(Advice::ForwardByEditor { port }),
            // Whoever comes by SSH gets to the network that this is in, container or not.
            (_, Some(ssh)) => {
                let host = match redirect.host_str() {
                    Some(host) if host != "localhost" => host,
                    _ => "127.0.0.1",
                };
                let destination = ssh.destination();
                let command = format!("ssh -N -L {port}:{host}:{port} {destination}");
                Some(Advice::ForwardOverSsh { command })
            }
            (Some(Inside::Pod(name)), None) => {
                let pod = name
                    .as_deref()
                    .filter(|name| is_plain(name))
                    .unwrap_or("POD");
                let command = format!("kubectl port-forward {pod} {port}:{port}");
                Some(Advice::ForwardToPod { command })
            }
            (Some(Inside::Container), None) => Some(Advice::ShareTheNetwork),
            (Some(Inside::Wsl), None) => Some(Advice::WindowsForwards),
            (None, None) => None,
        }
    }
}

impl Ssh {
    /// The arguments by which this machine is reached again.
    fn destination(&self) -> String {
        let (host, port) = match self.server {
            Some((address, port)) => (address.to_string(), port),
            None => ("THIS-MACHINE".to_owned(), USUAL_PORT),
        };
        let user = self.user.as_deref().filter(|user| is_plain(user));
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        match port {
            USUAL_PORT => format!("{user}{host}"),
            port => format!("-p {port} {user}{host}"),
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForwardOverSsh { command } => write!(
                f,
                "To let the browser of your own machine get back here by itself, run this on it before you open the page:\n\n  {command}"
            ),
            Self::ForwardToPod { command } => write!(
                f,
                "To let the browser of your own machine get back here by itself, run this on it before you open the page:\n\n  {command}"
            ),
            Self::ShareTheNetwork => f.write_str(
                "A browser outside does not get back into a container by itself, whichever ports are published: \
                 paste the address, or start the container with --network=host.",
            ),
            Self::ForwardByEditor { port } => write!(
                f,
                "Your editor forwards port {port}; if the browser ends at a page that does not load, paste its address."
            ),
            Self::WindowsForwards => f.write_str(
                "The page opens in the browser of Windows. If it ends at a page that does not load, paste its address: \
                 Windows then does not forward localhost (localhostForwarding in .wslconfig).",
            ),
        }
    }
}

/// The address and port of the server in `SSH_CONNECTION`: `client port server port`.
fn server_of(connection: &str) -> Option<(IpAddr, u16)> {
    let mut words = connection.split_whitespace().skip(2);
    // An address of one link only names that link after a `%`.
    let address = words.next()?.split('%').next()?;
    Some((address.parse().ok()?, words.next()?.parse().ok()?))
}

/// Whether a name means the same to every shell.
fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !name.starts_with('-')
}

const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
const USUAL_PORT: u16 = 22;

#[cfg(test)]
mod tests;
