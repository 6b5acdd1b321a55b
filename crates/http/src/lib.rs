//! One network profile becomes the one HTTP client every request of an OAuth stack goes through.

mod address;
mod body;
#[cfg(feature = "client")]
mod bottom;
mod cause;
mod client;
mod endpoint;
mod error;
mod exchange;
mod handshake;
mod headers;
mod identity;
mod leg;
mod limits;
mod origin;
mod pem;
mod profile;
mod proxy;
#[cfg(feature = "client")]
mod reach;
mod redact;
mod redirect;
#[cfg(feature = "client")]
mod resolve;
mod roots;
mod sorted;
mod stack;
mod tag;
mod timeout;
#[cfg(feature = "client")]
mod tls;

pub use address::{AddressClass, AddressPolicy, AddressRefused};
pub use body::{Body, BodyError};
pub use client::{HttpClient, HttpService};
pub use endpoint::{EndpointError, check_endpoint};
pub use error::{Error, RedirectRule};
pub use exchange::Exchange;
pub use handshake::TlsFault;
pub use identity::ClientIdentity;
pub use leg::Leg;
pub use limits::Limits;
pub use origin::{Origin, OriginError};
pub use pem::PemError;
pub use profile::HttpProfile;
pub use proxy::{NoProxy, ProxyRules, ProxyUrl, ProxyUrlError};
pub use redact::{RedactedUrl, clean_text};
#[cfg(feature = "client")]
pub use resolve::{Resolver, SystemResolver};
pub use roots::{RootCertificate, RootFile, Roots, RootsError, roots_from_files};
#[cfg(feature = "client")]
pub use roots::{SystemRootsError, system_roots};
pub use timeout::{Phase, Timeouts};

/// Any error, as services and bodies pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
