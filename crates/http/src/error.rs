//! What can go wrong with a request, named so that a person knows what to do.

use std::time::Duration;

use http::StatusCode;

use crate::BoxError;
use crate::address::AddressRefused;
use crate::body::BodyError;
use crate::cause;
use crate::endpoint::EndpointError;
use crate::exchange::Exchange;
#[cfg(feature = "client")]
use crate::handshake;
use crate::handshake::TlsFault;
use crate::leg::Leg;
use crate::redact::RedactedUrl;
use crate::timeout::Phase;
#[cfg(feature = "client")]
use crate::verifier;

/// A request that got no answer, or a profile that no client can be built from.
///
/// An HTTP status is not an error here: every answer is handed back, but for redirects that must
/// not be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the profile is unusable; correct it.
    #[error("the HTTP setting `{setting}` is unusable")]
    Profile {
        /// The field of [`HttpProfile`](crate::HttpProfile).
        setting: &'static str,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// The settings were due to be read anew and could not be; nothing was sent.
    #[error("{exchange}: not sent, because the settings could not be read anew")]
    Reload {
        /// The request.
        exchange: Exchange,
        /// What the source of the settings says, or what is wrong with the new ones.
        #[source]
        source: BoxError,
    },
    /// A header that would reach every origin and must not; move it.
    #[error(
        "the header `{name}` in `default_headers` would be sent to every server; \
         put it under `resource_headers` (the MCP server) or `origin_headers` (one named origin)"
    )]
    HeaderRefused {
        /// The header's name.
        name: String,
    },
    /// The request's URL is not absolute.
    #[error("{leg} request: its URL is not absolute")]
    Url {
        /// The leg.
        leg: Leg,
        /// What the parser says.
        #[source]
        source: url::ParseError,
    },
    /// The URL is not one that may be asked.
    #[error("{exchange}: refused")]
    Endpoint {
        /// The request.
        exchange: Exchange,
        /// The rule.
        #[source]
        source: EndpointError,
    },
    /// The address behind the URL is not one that may be contacted.
    #[error("{exchange}: refused")]
    AddressRefused {
        /// The request.
        exchange: Exchange,
        /// The rule, and the setting that makes an exception.
        #[source]
        source: AddressRefused,
    },
    /// The server redirects where it must not be followed.
    #[error("{exchange}: the server answered {status} with a redirect to {target}")]
    RedirectRefused {
        /// The request that was answered.
        exchange: Exchange,
        /// The status of the answer.
        status: StatusCode,
        /// Where it points, as it may be shown.
        target: String,
        /// The rule.
        #[source]
        source: RedirectRule,
    },
    /// No connection: name lookup, TCP or proxy.
    #[error("{exchange}: could not connect")]
    Connect {
        /// The request.
        exchange: Exchange,
        /// The first cause.
        #[source]
        source: BoxError,
    },
    /// No secure connection; nothing was sent.
    #[error("{exchange}: no secure connection: {fault}")]
    Tls {
        /// The request.
        exchange: Exchange,
        /// What to look at.
        fault: TlsFault,
        /// What TLS says, the certificate's fault included.
        #[source]
        source: BoxError,
    },
    /// The time was over.
    #[error("{exchange}: {phase} took longer than {} s (setting `{}`)", limit.as_secs_f64(), phase.setting())]
    Timeout {
        /// The request.
        exchange: Exchange,
        /// What was being waited for.
        phase: Phase,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The response's header block is too long, or has more than 100 fields.
    #[error(
        "{exchange}: the response headers have more than {limit} bytes or 100 fields \
         (setting `limits.headers`)"
    )]
    HeadersTooLarge {
        /// The request.
        exchange: Exchange,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The response body is too long.
    #[error("{exchange}: the response body is longer than {limit} bytes (setting `limits`)")]
    BodyTooLarge {
        /// The request.
        exchange: Exchange,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The response body broke off.
    #[error("{exchange}: the response could not be read to its end")]
    Body {
        /// The request.
        exchange: Exchange,
        /// The first cause.
        #[source]
        source: BoxError,
    },
    /// No valid answer came over the connection, or the host's own service failed.
    #[error("{exchange}: no valid response")]
    Transport {
        /// The request.
        exchange: Exchange,
        /// The first cause.
        #[source]
        source: BoxError,
    },
}

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectRule {
    /// The leg carries credentials or changes state: it goes to its endpoint or nowhere.
    #[error("{0} requests are never redirected; {next}", next = final_url(*.0))]
    Leg(Leg),
    /// Too many hops.
    #[error("more than {0} redirects in a row (setting `limits.redirects`)")]
    TooMany(usize),
    /// From https to http.
    #[error("a redirect never leads from https to http")]
    Downgrade,
    /// A method that asks for more than a document.
    #[error("only GET and HEAD requests follow redirects")]
    Method,
    /// The target may not be asked.
    #[error("the target is not an endpoint")]
    Target(#[source] EndpointError),
    /// The `Location` header is not a URL.
    #[error("the Location header is not a URL")]
    Location,
}

/// Who puts the final URL where it is looked up: most endpoints come from metadata.
const fn final_url(leg: Leg) -> &'static str {
    match leg {
        Leg::Resource => "configure the final URL",
        Leg::IdentityProvider => {
            "configure the final URL, or the operator of the identity provider has to publish it"
        }
        _ => "the operator of the authorization server has to publish the final URL",
    }
}

impl Error {
    /// The request the error is about; `None` for a profile that is unusable.
    #[must_use]
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Profile { .. } | Self::HeaderRefused { .. } | Self::Url { .. } => None,
            Self::Reload { exchange, .. }
            | Self::Endpoint { exchange, .. }
            | Self::AddressRefused { exchange, .. }
            | Self::RedirectRefused { exchange, .. }
            | Self::Connect { exchange, .. }
            | Self::Tls { exchange, .. }
            | Self::Timeout { exchange, .. }
            | Self::HeadersTooLarge { exchange, .. }
            | Self::BodyTooLarge { exchange, .. }
            | Self::Body { exchange, .. }
            | Self::Transport { exchange, .. } => Some(exchange),
        }
    }

    /// What the request was for.
    #[must_use]
    pub fn leg(&self) -> Option<Leg> {
        match self {
            Self::Url { leg, .. } => Some(*leg),
            _ => self.exchange().map(Exchange::leg),
        }
    }

    /// The URL of the request, as it may be shown.
    #[must_use]
    pub fn url(&self) -> Option<&RedactedUrl> {
        self.exchange().map(Exchange::shown)
    }

    /// True when the same request may succeed later without anybody changing anything: no
    /// connection, a time-out, an exchange or body that broke off.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Timeout { .. }
                | Self::Transport { .. }
                | Self::Body { .. }
        )
    }

    /// True when no connection was made, so that the server has seen nothing of the request.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::Reload { .. }
                | Self::Timeout {
                    phase: Phase::Connect | Phase::Reload,
                    ..
                }
        )
    }

    /// True when the time was over.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// True when TLS failed: an untrusted certificate, a name that does not match, no common
    /// version, a client certificate demanded.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// Sorts what came from the service at the bottom.
    pub(crate) fn from_bottom(exchange: &Exchange, err: BoxError, connect: Duration) -> Self {
        let err = match err.downcast::<Self>() {
            Ok(own) => return *own,
            Err(other) => other,
        };
        #[cfg(feature = "client")]
        let err = match err.downcast::<cause::NarrowedDown>() {
            Ok(narrowed) => return Self::narrowed_down(exchange, *narrowed, connect),
            Err(other) => other,
        };
        let exchange = exchange.clone();
        if let Some(refused) = cause::find::<AddressRefused>(&*err) {
            return Self::AddressRefused {
                exchange,
                source: refused.clone(),
            };
        }
        #[cfg(feature = "client")]
        {
            if let Some((fault, tls)) = handshake::find(&*err) {
                if let Some(source) = verifier::without_authorities(&tls) {
                    let setting = "roots";
                    return Self::Profile { setting, source };
                }
                return Self::Tls {
                    exchange,
                    fault,
                    source: Box::new(tls),
                };
            }
            let outer = cause::find::<reqwest::Error>(&*err);
            if outer.is_some_and(|err| err.is_connect() && err.is_timeout()) {
                return Self::Timeout {
                    exchange,
                    phase: Phase::Connect,
                    limit: connect,
                };
            }
            if outer.is_some_and(reqwest::Error::is_connect) {
                return Self::Connect {
                    exchange,
                    source: cause::deepest(err),
                };
            }
        }
        #[cfg(not(feature = "client"))]
        let _: Duration = connect;
        Self::Transport {
            exchange,
            source: cause::plain(err),
        }
    }

    /// A failure to connect that may be owed to the addresses that were left out.
    #[cfg(feature = "client")]
    fn narrowed_down(
        exchange: &Exchange,
        narrowed: cause::NarrowedDown,
        connect: Duration,
    ) -> Self {
        let cause::NarrowedDown { refused, source } = narrowed;
        let source: BoxError = match Self::from_bottom(exchange, source, connect) {
            Self::Connect { source, .. } => source,
            timeout @ Self::Timeout { .. } => Box::new(timeout),
            // Somebody answered.
            other => return other,
        };
        Self::Connect {
            exchange: exchange.clone(),
            source: Box::new(cause::NarrowedDown { refused, source }),
        }
    }

    /// The rule by which an address was refused, if that is why the request was not sent, or why
    /// it could be sent to other addresses of the host only, of which none could be reached.
    #[must_use]
    pub fn refused_address(&self) -> Option<&AddressRefused> {
        match self {
            Self::AddressRefused { source, .. } => Some(source),
            #[cfg(feature = "client")]
            Self::Connect { source, .. } => {
                let narrowed = source.downcast_ref::<cause::NarrowedDown>();
                narrowed.map(|narrowed| &narrowed.refused)
            }
            _ => None,
        }
    }

    /// An error of a response's body, with the request it belongs to.
    pub(crate) fn from_body(exchange: Exchange, err: BodyError) -> Self {
        match err {
            BodyError::TooLarge { limit } => Self::BodyTooLarge { exchange, limit },
            BodyError::Timeout { phase, limit } => Self::Timeout {
                exchange,
                phase,
                limit,
            },
            BodyError::Broken(source) => Self::Body { exchange, source },
        }
    }

    /// Always false: the network below knows of no logins.
    #[must_use]
    pub const fn needs_login(&self) -> bool {
        false
    }
}
