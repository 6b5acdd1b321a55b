//! Which request goes through which proxy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Proxies, and the hosts that are asked directly.
///
/// Only https requests go through a proxy. Plain http stays on this machine (loopback, and the
/// place of a [workload's identity](crate::AddressPolicy::workload)), and a proxy would be sent
/// its bearer tokens in the clear: such requests are always sent directly.
///
/// An `https://` proxy is itself asked over TLS: its certificate is verified against the profile's
/// roots, and the client certificate is shown to it when it asks. Its credentials go into
/// `Proxy-Authorization` of the `CONNECT` alone; servers behind it never see them.
///
/// Nothing is taken from the environment, and no https host is exempt by itself: to keep
/// `https://localhost` direct, name it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProxyRules {
    /// The proxy for https URLs, by `CONNECT` (RFC 9110 §9.3.6). A URL whose host is an IPv6 literal is
    /// refused ([`EndpointError::Proxied`](crate::EndpointError::Proxied)): ask such a host directly, by
    /// [`no_proxy`](Self::no_proxy).
    pub https: Option<ProxyUrl>,
    /// A proxy for http URLs: without effect, since no http URL goes through one. It is there so
    /// that a pair of settings as other programs have them can be kept and shown as it is.
    pub http: Option<ProxyUrl>,
    /// Hosts that are asked directly.
    pub no_proxy: NoProxy,
}

impl ProxyRules {
    /// These rules.
    #[must_use]
    pub const fn new(https: Option<ProxyUrl>, http: Option<ProxyUrl>, no_proxy: NoProxy) -> Self {
        Self {
            https,
            http,
            no_proxy,
        }
    }

    /// One proxy in both places.
    #[must_use]
    pub fn all(proxy: ProxyUrl, no_proxy: NoProxy) -> Self {
        Self {
            https: Some(proxy.clone()),
            http: Some(proxy),
            no_proxy,
        }
    }

    /// The proxy that `url` is asked through, or `None`: directly, as every URL that is not https.
    #[must_use]
    pub fn route(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = self.https.as_ref().filter(|_| url.scheme() == "https");
        proxy.filter(|_| !self.no_proxy.matches(url))
    }
}

/// The URL of a proxy, perhaps with credentials, which no output shows.
#[derive(Clone)]
pub struct ProxyUrl {
    shown: Url,
    full: SecretString,
}

impl ProxyUrl {
    /// The URL without credentials.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.shown
    }

    /// The URL with credentials, percent-encoded.
    #[must_use]
    pub const fn full(&self) -> &SecretString {
        &self.full
    }
}

/// Why a text is no proxy URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// Not a URL.
    #[error("not a proxy URL: expected something like `http://proxy.example:3128`")]
    Url(#[from] url::ParseError),
    /// A scheme other than http and https.
    #[error("a proxy URL begins with http:// or https://, not with {0}:")]
    Scheme(String),
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    /// Reads `http://[user:password@]host:port`; without a scheme, http is meant.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let full = match text.contains("://") {
            true => Url::parse(text)?,
            false => Url::parse(&format!("http://{text}"))?,
        };
        if !matches!(full.scheme(), "http" | "https") {
            return Err(ProxyUrlError::Scheme(full.scheme().to_owned()));
        }
        let mut shown = full.clone();
        // Neither fails for a URL with a host, which http and https URLs have.
        let _: Result<(), ()> = shown.set_username("");
        let _: Result<(), ()> = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        Ok(Self {
            shown,
            full: String::from(full).into(),
        })
    }
}

impl PartialEq for ProxyUrl {
    fn eq(&self, other: &Self) -> bool {
        self.full.expose_secret() == other.full.expose_secret()
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({})", self.shown)
    }
}

/// A `NO_PROXY` list: hosts that are asked without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// The name itself and every name below it.
    Name(String),
    /// The addresses that share so many leading bits.
    Network(IpAddr, u8),
}

impl NoProxy {
    /// Reads a list as other tools do, parted by commas or blanks: `*` for every host; a name for
    /// itself and all below it, with or without a leading `.` or `*.`; an address; a network such
    /// as `10.0.0.0/8`; each perhaps with a port. Names are compared, never looked up.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let items = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(
            items
                .filter(|item| !item.is_empty())
                .map(Entry::parse)
                .collect(),
        )
    }

    /// Whether `url` is asked directly.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let port = url.port_or_known_default();
        self.0
            .iter()
            .any(|entry| (entry.port.is_none() || entry.port == port) && entry.hosts.contain(&host))
    }
}

impl Entry {
    fn parse(item: &str) -> Self {
        if item == "*" {
            return Self {
                hosts: Hosts::All,
                port: None,
            };
        }
        if let Some(network) = Hosts::network(item) {
            return Self {
                hosts: network,
                port: None,
            };
        }
        let (host, port) = match item.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (item, None),
            },
            None => (item, None),
        };
        let hosts = Hosts::network(host).unwrap_or_else(|| Hosts::name(host));
        Self { hosts, port }
    }
}

impl Hosts {
    fn name(host: &str) -> Self {
        let host = host.strip_prefix('*').unwrap_or(host);
        let host = host.strip_prefix('.').unwrap_or(host);
        let host = host.strip_suffix('.').unwrap_or(host);
        // The URL parser's form of the name, so that letter case and punycode do not matter.
        match Host::parse(host) {
            Ok(Host::Domain(name)) => Self::Name(name),
            _ => Self::Name(host.to_ascii_lowercase()),
        }
    }

    fn network(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        Some(Self::Network(address, length.unwrap_or(whole).min(whole)))
    }

    fn contain(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Name(name), Host::Domain(host)) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                host.strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(network, length), Host::Ipv4(address)) => {
                shares_prefix(*network, (*address).into(), *length)
            }
            (Self::Network(network, length), Host::Ipv6(address)) => {
                shares_prefix(*network, (*address).into(), *length)
                    || shares_prefix(*network, address.to_canonical(), *length)
            }
            (Self::Name(_), _) | (Self::Network(..), Host::Domain(_)) => false,
        }
    }
}

fn shares_prefix(network: IpAddr, address: IpAddr, length: u8) -> bool {
    let (left, right, width) = match (network, address) {
        (IpAddr::V4(left), IpAddr::V4(right)) => (
            u128::from(u32::from(left)),
            u128::from(u32::from(right)),
            32,
        ),
        (IpAddr::V6(left), IpAddr::V6(right)) => (u128::from(left), u128::from(right), 128),
        _ => return false,
    };
    // A shift by the whole width of u128 (`/0`) leaves nothing that could differ.
    (left ^ right)
        .checked_shr(width - u32::from(length))
        .unwrap_or(0)
        == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn direct(list: &str, url: &str) -> bool {
        NoProxy::parse(list).matches(&Url::parse(url).unwrap())
    }

    #[test]
    fn no_proxy_lists_are_read_as_other_tools_read_them() {
        for (list, url, expected) in [
            ("", "https://as.example", false),
            ("*", "https://as.example", true),
            ("as.example", "https://as.example", true),
            ("AS.Example", "https://as.example", true),
            ("as.example", "https://login.as.example", true),
            (".as.example", "https://as.example", true),
            ("*.as.example", "https://login.as.example", true),
            ("as.example", "https://evilas.example", false),
            ("as.example", "https://as.example.evil", false),
            ("example", "https://as.example.", true),
            ("a, as.example b", "https://as.example", true),
            ("as.example:8443", "https://as.example:8443", true),
            ("as.example:8443", "https://as.example", false),
            ("as.example:443", "https://as.example", true),
            ("localhost", "http://localhost:80", true),
            ("localhost", "http://127.0.0.1", false),
            ("127.0.0.1", "http://127.0.0.1:9", true),
            ("127.0.0.1:9", "http://127.0.0.1:8", false),
            ("10.0.0.0/8", "https://10.255.1.2", true),
            ("10.0.0.0/8", "https://11.0.0.1", false),
            ("10.0.0.0/8", "https://[::ffff:10.1.1.1]", true),
            ("10.0.0.0/33", "https://10.0.0.1", false),
            ("0.0.0.0/0", "https://10.0.0.1", true),
            ("::1", "http://[::1]:8080", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("[::1]:8080", "http://[::1]", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("::/0", "https://[fd12::1]", true),
            ("bücher.example", "https://xn--bcher-kva.example", true),
            ("10.0.0.0/x", "https://10.0.0.0", false),
        ] {
            assert_eq!(direct(list, url), expected, "{list:?} {url}");
        }
    }

    #[test]
    fn https_has_its_proxy_and_plain_http_has_none() {
        let proxy = |text: &str| Some(text.parse::<ProxyUrl>().unwrap());
        let list = NoProxy::parse("direct.example");
        let rules = ProxyRules::new(proxy("http://secure:1"), proxy("plain:2"), list);
        for (url, expected) in [
            ("https://as.example", Some("http://secure:1/")),
            ("http://localhost", None),
            ("http://127.0.0.1:3000", None),
            ("http://169.254.169.254", None),
            ("https://direct.example", None),
            ("ftp://as.example", None),
        ] {
            let route = rules.route(&Url::parse(url).unwrap());
            assert_eq!(route.map(ToString::to_string).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_proxy_url_keeps_its_credentials_to_itself() {
        let proxy: ProxyUrl = "user:s%65cret@proxy.example:3128".parse().unwrap();
        assert_eq!(
            proxy.full().expose_secret(),
            "http://user:s%65cret@proxy.example:3128/"
        );
        assert_eq!(proxy.to_string(), "http://proxy.example:3128/");
        let debug = format!("{:?}", ProxyRules::all(proxy, NoProxy::default()));
        assert!(
            !debug.contains("s%65cret") && !debug.contains("user"),
            "{debug}"
        );
    }

    #[test]
    fn other_schemes_and_no_urls_are_refused() {
        for text in ["socks5://proxy.example", "ftp://proxy", "http://", ""] {
            assert!(text.parse::<ProxyUrl>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_exactly_the_addresses_that_share_its_prefix(
            network in any::<u32>(), address in any::<u32>(), length in 0_u8..=32,
        ) {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            let shared = shares_prefix(IpAddr::V4(network.into()), IpAddr::V4(address.into()), length);
            prop_assert_eq!(shared, network & mask == address & mask);
        }

        #[test]
        fn any_list_is_read_without_a_panic(list in ".{0,80}") {
            let _: bool = direct(&list, "https://as.example");
        }
    }
}
