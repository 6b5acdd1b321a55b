//! Which URLs may be asked at all: https, or plain http on the loopback interface.
//!
//! What the user configured for a workload's identity is the one exception.

use http::Response;
use url::{Host, Url};

use crate::address::AddressPolicy;
use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::redact::RedactedUrl;
use crate::stack::{Asked, Below, Step};

/// Why a URL is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not https, and not http on loopback (SEC-01, SEC-02).
    #[error("{url} is not https; plain http is for `localhost`, 127.0.0.0/8 and ::1 only")]
    NotHttps {
        /// The URL as it may be shown.
        url: RedactedUrl,
    },
    /// A user name or password in the URL (SEC-11).
    #[error("{url} carries a user name or password; remove it, credentials do not belong in URLs")]
    Userinfo {
        /// The URL as it may be shown, without them.
        url: RedactedUrl,
    },
    /// An IPv6 address that would be asked through a proxy: the client at the bottom of the stack makes no TLS
    /// connection to a literal in brackets there.
    #[error(
        "{url} is an IPv6 address, which cannot be asked through a proxy; use a name, or list the address in `no_proxy`"
    )]
    Proxied {
        /// The URL as it may be shown.
        url: RedactedUrl,
    },
}

/// Checks that `url` may be asked: https, or http on a loopback host literal (`localhost`,
/// 127.0.0.0/8, `::1`), without userinfo.
///
/// Decided on the parsed host, never by looking a name up: a name that merely resolves to
/// loopback, `localhost.example` and `localhost.` do not count.
///
/// # Errors
///
/// [`EndpointError`] with the rule that was broken; a configured URL has to be corrected, one
/// that a server sent is not to be used.
pub fn check_endpoint(url: &Url) -> Result<(), EndpointError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Userinfo { url: url.into() });
    }
    let allowed = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => url.host().is_some_and(|host| is_loopback_literal(&host)),
        _ => false,
    };
    if allowed {
        Ok(())
    } else {
        Err(EndpointError::NotHttps { url: url.into() })
    }
}

/// Lets a request pass whose URL may be asked.
pub(crate) struct Endpoints {
    pub(crate) addresses: AddressPolicy,
}

impl Step for Endpoints {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        match check_endpoint(asked.exchange.url()) {
            Ok(()) => {}
            Err(EndpointError::NotHttps { .. }) if self.is_users_word(&asked.exchange) => {}
            Err(source) => {
                let exchange = asked.exchange.clone();
                return Err(Error::Endpoint { exchange, source });
            }
        }
        below.call(asked).await
    }
}

impl Endpoints {
    /// A cloud's metadata service speaks plain http, and the user said so.
    fn is_users_word(&self, exchange: &Exchange) -> bool {
        let (leg, origin) = (exchange.leg(), exchange.origin());
        origin.scheme() == "http" && self.addresses.is_users_workload(leg, origin)
    }
}

fn is_loopback_literal(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_http_on_loopback_without_userinfo() {
        for (url, accepted) in [
            ("https://as.example/token", true),
            ("https://10.0.0.1/token", true),
            ("http://localhost:3000/mcp", true),
            ("http://LOCALHOST/mcp", true),
            ("http://127.0.0.1/", true),
            ("http://127.200.3.4/", true),
            ("http://0x7f.1/", true),
            ("http://[::1]:8080/", true),
            ("http://as.example/", false),
            ("http://localhost.example/", false),
            ("http://localhost./", false),
            ("http://sub.localhost/", false),
            ("http://127.0.0.1.example/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://0.0.0.0/", false),
            ("http://10.0.0.1/", false),
            ("ftp://as.example/", false),
            ("javascript:alert(1)", false),
            ("file:///etc/passwd", false),
            ("https://user@as.example/", false),
            ("https://:password@as.example/", false),
            ("http://user:password@localhost/", false),
        ] {
            let verdict = check_endpoint(&Url::parse(url).unwrap());
            assert_eq!(verdict.is_ok(), accepted, "{url}: {verdict:?}");
        }
    }

    #[test]
    fn the_error_shows_no_credentials() {
        let url = Url::parse("https://user:secret@as.example/?token=secret").unwrap();
        let shown = check_endpoint(&url).unwrap_err().to_string();
        assert!(shown.contains("https://as.example/"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
