//! Which issuers and MCP servers a quirk is about.

use std::cell::OnceCell;
use std::fmt;

use url::{Host, Url};

/// Issuers or MCP servers, told by their host and path.
///
/// - `https://accounts.google.com`: this very string.
/// - `mcp.slack.com`: https at that host and the default port, whatever the path.
/// - `*.okta.com`: any host below that one. A `*` between two dots stands for one label.
/// - `login.microsoftonline.com/*/v2.0`: `*` stands for one part of the path, `**` at its end for any number.
/// - `*/realms/*`: any host, where the path says enough.
/// - `127.0.0.1:8080`: a port other than the default one is named; only loopback may do without https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Exact(Url),
    Like {
        host: Vec<String>,
        /// What every such host ends in: the last labels of it that are named.
        end: String,
        port: Option<u16>,
        path: Option<Vec<String>>,
    },
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A URL is compared as it is.
    #[error("a URL with a `*` in it: leave `https://` out")]
    WildUrl,
    /// Only https, or http on loopback.
    #[error("a URL that no token may go to")]
    Url,
    /// The host is none.
    #[error("no host name")]
    Host,
    /// So many hosts that it names nobody.
    #[error("a host that says too little: name two labels at its end, such as `*.example.com`")]
    Wide,
    /// Any host needs a path.
    #[error("any host at all: name a path, such as `*/realms/*`")]
    Everywhere,
    /// The port is none.
    #[error("no port number")]
    Port,
    /// `**` stands at the end alone.
    #[error("`**` before the end of its path")]
    Rest,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let kind = match text.contains("://") {
            true => exact(text)?,
            false => like(text)?,
        };
        let text = text.to_owned();
        Ok(Self { text, kind })
    }

    /// Whether an issuer is one of those.
    #[must_use]
    pub fn matches(&self, issuer: &str) -> bool {
        self.matches_read(issuer, &OnceCell::new())
    }

    /// The same; what the issuer is as a URL is put into `read`, for the next pattern.
    pub(super) fn matches_read(&self, issuer: &str, read: &OnceCell<Option<Url>>) -> bool {
        match self.kind {
            Kind::Exact(_) => self.text == issuer,
            Kind::Like { .. } => {
                let url = read.get_or_init(|| Url::parse(issuer).ok());
                url.as_ref().is_some_and(|url| self.is_like(url))
            }
        }
    }

    /// Whether the URL of an MCP server is one of those. Unlike an issuer it is no mere string: a slash after the host, its
    /// letters and the default port make no difference.
    #[must_use]
    pub fn matches_server(&self, server: &Url) -> bool {
        match &self.kind {
            Kind::Exact(own) => own == server,
            Kind::Like { .. } => self.is_like(server),
        }
    }

    fn is_like(&self, url: &Url) -> bool {
        let Kind::Like {
            host,
            end,
            port,
            path,
        } = &self.kind
        else {
            return false;
        };
        // Most patterns are not about most hosts, which shows here for a fraction of the rest.
        let found = url.host_str().unwrap_or_default().trim_end_matches('.');
        if !found.ends_with(end.as_str()) {
            return false;
        }
        let is_right_port = url.port_or_known_default() == Some(port.unwrap_or(HTTPS));
        is_right_port
            && url.host().is_some_and(|found| is_host(host, &found))
            && path.as_ref().is_none_or(|path| is_path(path, url.path()))
            && doorkey_http::check_endpoint(url).is_ok()
    }

    /// The text it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names one host, or one string.
    #[must_use]
    pub fn is_one_host(&self) -> bool {
        match &self.kind {
            Kind::Exact(_) => true,
            Kind::Like { host, .. } => host.iter().all(|label| label != "*"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn exact(text: &str) -> Result<Kind, PatternError> {
    if text.contains('*') {
        return Err(PatternError::WildUrl);
    }
    let url = Url::parse(text).map_err(|_| PatternError::Url)?;
    doorkey_http::check_endpoint(&url).map_err(|_| PatternError::Url)?;
    Ok(Kind::Exact(url))
}

fn like(text: &str) -> Result<Kind, PatternError> {
    let (authority, path) = match text.split_once('/') {
        Some((authority, path)) => (authority, Some(parts(path))),
        None => (text, None),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| PatternError::Port)?)),
        None => (authority, None),
    };
    let host: Vec<String> = host.split('.').map(str::to_ascii_lowercase).collect();
    if !host.iter().all(|label| is_label(label)) {
        return Err(PatternError::Host);
    }
    match host.as_slice() {
        [any] if any == "*" => {
            let says_enough = |path: &Vec<String>| path.iter().any(|part| !part.starts_with('*'));
            if !path.as_ref().is_some_and(says_enough) {
                return Err(PatternError::Everywhere);
            }
        }
        labels if labels.iter().any(|label| label == "*") => {
            let last = labels.iter().rev().take(2);
            if last.filter(|label| *label != "*").count() < 2 {
                return Err(PatternError::Wide);
            }
        }
        _ => {}
    }
    if let Some(path) = &path {
        let rest = path.iter().position(|part| part == "**");
        if rest.is_some_and(|at| at + 1 != path.len()) {
            return Err(PatternError::Rest);
        }
    }
    let named = host.iter().rposition(|label| label == "*");
    let end = host[named.map_or(0, |at| at + 1)..].join(".");
    Ok(Kind::Like {
        host,
        end,
        port,
        path,
    })
}

fn is_label(label: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    label == "*" || (!label.is_empty() && label.len() < 64 && label.bytes().all(is_letter))
}

fn is_host(pattern: &[String], host: &Host<&str>) -> bool {
    let address;
    let host = match host {
        Host::Domain(name) => *name,
        Host::Ipv4(_) | Host::Ipv6(_) => {
            address = host.to_string();
            &address
        }
    };
    // From the end, where most hosts differ soonest from most patterns.
    let mut labels = host.trim_end_matches('.').rsplit('.');
    let (is_below, wanted) = match pattern {
        [any] if any == "*" => return true,
        [first, rest @ ..] if first == "*" => (true, rest),
        all => (false, all),
    };
    for wanted in wanted.iter().rev() {
        let Some(label) = labels.next() else {
            return false;
        };
        if wanted != "*" && !wanted.eq_ignore_ascii_case(label) {
            return false;
        }
    }
    // Any number of labels more, but one at least; or none.
    labels.next().is_some() == is_below
}

fn is_path(pattern: &[String], path: &str) -> bool {
    let found = parts(path.strip_prefix('/').unwrap_or(path));
    let one = |(pattern, part): (&String, &String)| pattern == "*" || pattern == part;
    match pattern.split_last() {
        Some((last, first)) if last == "**" => {
            found.len() >= first.len() && first.iter().zip(&found).all(one)
        }
        _ => pattern.len() == found.len() && pattern.iter().zip(&found).all(one),
    }
}

/// The parts of a path; a slash at its end makes no difference.
fn parts(path: &str) -> Vec<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    match path {
        "" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

const HTTPS: u16 = 443;
