//! What can go wrong while a test server starts, stops or is asked something.

use std::{io, net::SocketAddr, time::Duration};

/// An error of the test kit itself, never of the code under test.
///
/// What a server refuses is an HTTP answer, not an `Error`; see
/// [`AuthorizationServer::refusals`](crate::AuthorizationServer::refusals).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The loopback port could not be opened.
    #[error("could not listen on {address}")]
    Listen {
        /// The address that was asked for; port 0 means any.
        address: SocketAddr,
        /// Why the operating system refused.
        #[source]
        source: io::Error,
    },
    /// A certificate or its key could not be made.
    #[error("could not issue a certificate")]
    Certificate(#[source] rcgen::Error),
    /// Certificates, keys or roots do not make a TLS configuration.
    #[error("could not set up TLS")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// A PEM text holds no usable certificate or key.
    #[error("could not read a PEM text")]
    Pem(#[source] tokio_rustls::rustls::pki_types::pem::Error),
    /// The verifier of client certificates could not be made.
    #[error("could not set up the check of client certificates")]
    ClientVerifier(#[source] tokio_rustls::rustls::client::VerifierBuilderError),
    /// A signing key could not be made, read or used.
    #[error("could not use a signing key")]
    Key(#[source] jsonwebtoken::errors::Error),
    /// A key is of a kind that the kit does not know.
    #[error("the key is not supported: {reason}")]
    UnsupportedKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random(#[source] getrandom::Error),
    /// A URL given to the kit, or by a server to the headless browser, is not usable.
    #[error("`{url}` is not a usable URL")]
    Url {
        /// The text, bounded.
        url: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// A URL has a scheme or form that the client does not speak.
    #[error("`{url}` cannot be requested: {reason}")]
    UnsupportedUrl {
        /// The URL without its query.
        url: String,
        /// What is missing or unknown.
        reason: &'static str,
    },
    /// The connection to a server failed.
    #[error("could not connect to {url}")]
    Connect {
        /// The URL without its query.
        url: String,
        /// The network or TLS reason.
        #[source]
        source: io::Error,
    },
    /// A request or its answer broke off.
    #[error("the exchange with {url} broke off")]
    Exchange {
        /// The URL without its query.
        url: String,
        /// hyper's reason.
        #[source]
        source: hyper::Error,
    },
    /// A request could not be put together.
    #[error("could not build a request")]
    Request(#[source] http::Error),
    /// An answer was larger than the kit reads.
    #[error("the answer of {url} exceeds {limit} bytes")]
    TooLarge {
        /// The URL without its query.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The headless browser was sent round in circles.
    #[error("more than {limit} redirects, the last one to {url}")]
    TooManyRedirects {
        /// The last target without its query.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The headless browser met a page that it cannot act on.
    #[error("no way on from the page at {url} (status {status})")]
    DeadEnd {
        /// The page's URL without its query.
        url: String,
        /// Its HTTP status.
        status: u16,
    },
}

impl Error {
    /// Whether trying the same thing again may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Exchange { .. } | Self::TimedOut { .. }
        )
    }
}
