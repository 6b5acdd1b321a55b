//! Everything a user can say about the network, as plain data.

use std::fmt;

use http::HeaderMap;
use url::Url;

use crate::address::AddressPolicy;
use crate::identity::ClientIdentity;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::proxy::ProxyRules;
use crate::redact::RedactedUrl;
use crate::roots::Roots;
use crate::timeout::Timeouts;

/// The network as the user configured it: clone it, change it, build an
/// [`HttpClient`](crate::HttpClient) from it again.
///
/// `Default` trusts the system's roots, uses no proxy and adds nothing but a User-Agent. Nothing
/// here is read from the environment.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpProfile {
    /// The certificate authorities to trust.
    pub roots: Roots,
    /// The certificate shown to servers that ask for one.
    pub client_identity: Option<ClientIdentity>,
    /// Proxies, always explicit.
    pub proxy: ProxyRules,
    /// Whether HTTP/2 is offered beside HTTP/1.1 in the TLS handshake (ALPN, RFC 7301), to servers
    /// and through proxies. Default true; false is for what stands in between and breaks it.
    pub http2: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How much to read.
    pub limits: Limits,
    /// The `User-Agent` of every request that has none of its own. Default `doorkey/<version>`.
    pub user_agent: String,
    /// Headers of every request to anybody. `Authorization`, `Cookie`, `Proxy-Authorization` and
    /// values marked sensitive are refused here: they belong to one origin.
    pub default_headers: HeaderMap,
    /// Headers of requests to the origin of [`resource`](Self::resource), and to no other.
    pub resource_headers: HeaderMap,
    /// Headers of requests to one named origin, such as a gateway in front of it.
    pub origin_headers: Vec<(Origin, HeaderMap)>,
    /// The MCP server URL that the user configured.
    pub resource: Option<Url>,
    /// Which addresses may be contacted beyond the public ones.
    pub addresses: AddressPolicy,
}

impl HttpProfile {
    /// The default profile for the MCP server at `resource`.
    #[must_use]
    pub fn new(resource: Url) -> Self {
        Self {
            resource: Some(resource),
            ..Self::default()
        }
    }

    /// The origin of [`resource`](Self::resource).
    #[must_use]
    pub fn resource_origin(&self) -> Option<Origin> {
        self.resource.as_ref().map(Origin::from)
    }
}

impl Default for HttpProfile {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            client_identity: None,
            proxy: ProxyRules::default(),
            http2: true,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            user_agent: concat!("doorkey/", env!("CARGO_PKG_VERSION")).to_owned(),
            default_headers: HeaderMap::new(),
            resource_headers: HeaderMap::new(),
            origin_headers: Vec::new(),
            resource: None,
            addresses: AddressPolicy::default(),
        }
    }
}

/// Header names without their values: gateway credentials are among them.
impl fmt::Debug for HttpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins: Vec<_> = self
            .origin_headers
            .iter()
            .map(|(origin, map)| (origin, names(map)))
            .collect();
        f.debug_struct("HttpProfile")
            .field("roots", &self.roots)
            .field("client_identity", &self.client_identity)
            .field("proxy", &self.proxy)
            .field("http2", &self.http2)
            .field("timeouts", &self.timeouts)
            .field("limits", &self.limits)
            .field("user_agent", &self.user_agent)
            .field("default_headers", &names(&self.default_headers))
            .field("resource_headers", &names(&self.resource_headers))
            .field("origin_headers", &origins)
            .field("resource", &self.resource.as_ref().map(RedactedUrl::from))
            .field("addresses", &self.addresses)
            .finish()
    }
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(http::HeaderName::as_str).collect()
}
