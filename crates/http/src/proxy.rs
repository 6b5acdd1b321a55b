//! Which request goes through which proxy.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;
use url::Url;

/// Proxies for https and http requests, and the hosts that are asked directly.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProxyRules {
    /// The proxy for https URLs, by `CONNECT`.
    pub https: Option<ProxyUrl>,
    /// The proxy for http URLs.
    pub http: Option<ProxyUrl>,
    /// Hosts that are asked directly.
    pub no_proxy: NoProxy,
}

impl ProxyRules {
    /// One proxy for https and http URLs.
    #[must_use]
    pub fn all(proxy: ProxyUrl, no_proxy: NoProxy) -> Self {
        Self {
            https: Some(proxy.clone()),
            http: Some(proxy),
            no_proxy,
        }
    }

    /// The proxy that `url` is asked through, or `None`: directly.
    #[must_use]
    pub fn route(&self, _url: &Url) -> Option<&ProxyUrl> {
        todo!()
    }
}

/// The URL of a proxy, its credentials kept apart.
#[derive(Clone)]
pub struct ProxyUrl {
    url: Url,
    credentials: Option<(String, SecretString)>,
}

/// Why a text is no proxy URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// Not a URL.
    #[error("not a proxy URL: expected something like `http://proxy.example:3128`")]
    Url(#[from] url::ParseError),
    /// A scheme other than http and https.
    #[error("a proxy URL is http or https, not `{0}`")]
    Scheme(String),
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({})", self.url)
    }
}

/// A parsed `NO_PROXY` list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy;

impl NoProxy {
    /// Reads a comma-separated list.
    #[must_use]
    pub fn parse(_list: &str) -> Self {
        todo!()
    }
}
