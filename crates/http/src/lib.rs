//! One network profile becomes the one HTTP client every request of an OAuth stack goes through.

mod address;
mod body;
mod cause;
mod client;
mod endpoint;
mod error;
mod exchange;
mod identity;
mod leg;
mod limits;
mod origin;
mod pem;
mod profile;
mod proxy;
mod redact;
mod refused;
mod roots;
mod timeout;

pub use address::AddressPolicy;
pub use body::{Body, BodyError};
pub use client::HttpClient;
pub use endpoint::{EndpointError, check_endpoint};
pub use error::{Error, RedirectRule};
pub use exchange::Exchange;
pub use identity::ClientIdentity;
pub use leg::Leg;
pub use limits::Limits;
pub use origin::{Origin, OriginError};
pub use pem::PemError;
pub use profile::HttpProfile;
pub use proxy::{NoProxy, ProxyRules, ProxyUrl, ProxyUrlError};
pub use redact::{RedactedUrl, clean_text};
pub use refused::AddressRefused;
pub use roots::{RootCertificate, RootFile, Roots, RootsError, roots_from_files};
pub use timeout::{Phase, Timeouts};

/// Any error, as services and bodies pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
