//! What environment or configuration say about the network and cannot be used.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use doorkey_http::{PemError, ProxyUrlError, RootsError};

use crate::environment::NotText;
use crate::program::ProgramError;

/// What environment or configuration say about the network cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A file that a variable or key names cannot be read.
    #[error("{setting}: cannot read {}", path.display())]
    Read {
        /// The variable or key.
        setting: String,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A bundle holds no certificate, or a broken one.
    #[error("the trusted certificates cannot be used")]
    Roots(#[source] RootsError),
    /// A folder of certificates holds none.
    #[error("{setting}: no certificate in {}", path.display())]
    NoRoots {
        /// The variable.
        setting: String,
        /// Its value.
        path: PathBuf,
    },
    /// The system's certificates are switched off, and there are no others.
    #[error("system_roots = false in {table} leaves no certificate authority to trust")]
    NothingTrusted {
        /// The table that says so.
        table: String,
    },
    /// The client certificate or its key cannot be used.
    #[error("client_certificate {}: cannot be used with client_key {}", chain.display(), key.display())]
    Identity {
        /// The file with the chain.
        chain: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: PemError,
    },
    /// A variable that should name a proxy does not.
    #[error("{variable}: not the URL of a proxy")]
    Proxy {
        /// The variable.
        variable: String,
        /// Why.
        #[source]
        source: Arc<ProxyUrlError>,
    },
    /// A variable is not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A variable that the configuration names is not set.
    #[error("{key} of {server:?} names the environment variable {variable}, which is not set")]
    Unset {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A header value with characters that cannot be sent.
    #[error("{key} of {server:?}: {what} holds characters that a header cannot carry")]
    Header {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
        /// The variable or header.
        what: String,
    },
    /// The value of a header cannot be had from where the configuration says that it is.
    #[error("{key}: no value for the header {name}")]
    HeaderValue {
        /// The full key in the configuration.
        key: String,
        /// The header.
        name: String,
        /// Why.
        #[source]
        source: Arc<HeaderProblem>,
    },
    /// Each setting can be read, and no client can be made of them together.
    #[error("the network settings do not go together")]
    Client(#[source] Box<doorkey_http::Error>),
    /// An `Authorization` header of a kind that is not a bearer token.
    #[error("{key} of {server:?}: expected `Bearer` and a token in Authorization")]
    Scheme {
        /// The server.
        server: String,
        /// The key of the configuration.
        key: String,
    },
}

impl NetworkError {
    /// Whether the same may succeed later without anybody doing anything: a program took too long.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let Self::HeaderValue { source, .. } = self else {
            return false;
        };
        let problem = &**source;
        matches!(
            problem,
            HeaderProblem::Program(ProgramError::TimedOut { .. })
        )
    }
}

/// Why there is no value for a header. Nothing of a value is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderProblem {
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The variable is not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program did not print it.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// There is nothing in it.
    #[error("{0} holds nothing")]
    Empty(String),
    /// It is no single line of visible characters.
    #[error("{0} holds characters that a header cannot carry")]
    Characters(String),
}
