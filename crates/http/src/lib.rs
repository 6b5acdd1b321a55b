//! One network profile becomes the one HTTP client every request of an OAuth stack goes through.
//!
//! Signing in to a remote MCP server takes requests of many kinds: to the server itself, to two
//! metadata documents, to registration, token and revocation endpoints. They go to several origins,
//! but they are all made on behalf of one user with one network: the same certificate authorities
//! and client certificate, the same proxy, the same headers, time-outs and limits. Here these are
//! data, an [`HttpProfile`], and built they are an [`HttpClient`].
//!
//! - Every request says what it is for: its [`Leg`]. The leg decides redirects, limits and how a
//!   failure is told.
//! - Headers have scopes. [`default_headers`](HttpProfile::default_headers) go to everybody and may
//!   hold no credentials; [`resource_headers`](HttpProfile::resource_headers) go to the MCP server's
//!   own origin; [`origin_headers`](HttpProfile::origin_headers) to a named one. A redirect does not
//!   carry them anywhere else.
//! - Redirects are a table: metadata documents follow a few checked hops, the resource leg hands the
//!   redirect back, every other leg refuses it.
//! - Only https URLs are asked, or http on loopback ([`check_endpoint`]), and a server cannot lead
//!   the client to an address that is closer than the one the user named ([`AddressPolicy`]).
//! - No body is read and nothing is waited for without a limit ([`Limits`], [`Timeouts`]). No
//!   compression is offered to servers and none is undone, so a body is never longer than it came.
//! - What may change while a client lives, a CA file or the output of a command, comes from a
//!   `ProfileSource`.
//! - An [`Error`] names leg, method and URL without its secrets, and as its source the first cause.
//!
//! ```
//! use doorkey_http::{Body, BoxError, HttpClient, HttpProfile, Leg};
//! use http::{HeaderValue, Request, Response};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let mut profile = HttpProfile::new("https://mcp.example/mcp".parse()?);
//! profile.resource_headers.insert("x-gateway-key", HeaderValue::from_static("secret"));
//!
//! // `HttpClient::new(&profile)` makes connections; a host, or a test, may bring its own service.
//! let echo = tower::service_fn(|request: Request<Body>| async move {
//!     let told = request.headers().contains_key("x-gateway-key");
//!     Ok::<_, BoxError>(Response::new(Body::from(if told { "told" } else { "not told" })))
//! });
//! let client = HttpClient::with_service(&profile, echo)?;
//!
//! let message = Request::post("https://mcp.example/mcp").body(Body::from("{}"))?;
//! assert_eq!(client.send_collected(Leg::Resource, message).await?.body(), "told");
//! let refresh = Request::post("https://as.example/token").body(Body::from("…"))?;
//! assert_eq!(client.send_collected(Leg::Token, refresh).await?.body(), "not told");
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! The stack is made of layers, outermost first: trace span, deadline, redirects, header scopes,
//! request log, header limit, endpoint check, address rules, connection. Redirects stand above
//! the headers so that each hop is judged anew. [`HttpClient::layer`] puts a host's own tower layer
//! on top, [`HttpClient::with_service`] its own tower service at the bottom; between them the way
//! down is one future, and what is known of a request goes beside it.
//!
//! # Features
//!
//! `client` (default) brings the connection: reqwest over rustls with aws-lc-rs, HTTP/2 by ALPN,
//! one pool for each way to judge addresses, shared by clients of the same [`Connections`]. Without it only [`HttpClient::with_service`] builds a client.

mod address;
mod body;
#[cfg(feature = "client")]
mod bottom;
mod cause;
mod class;
mod client;
#[cfg(feature = "client")]
mod connections;
mod endpoint;
mod entrance;
mod error;
mod exchange;
mod handshake;
mod headers;
mod identity;
mod kinds;
#[cfg(feature = "client")]
mod lane;
mod leg;
mod limits;
mod network;
mod opener;
mod origin;
#[cfg(feature = "client")]
mod path;
mod pem;
#[cfg(feature = "client")]
mod pool;
mod profile;
mod proxy;
#[cfg(feature = "client")]
mod reach;
mod record;
mod redact;
mod redirect;
#[cfg(feature = "client")]
mod reload;
#[cfg(feature = "client")]
mod resolve;
mod roots;
mod sent;
mod sorted;
mod stack;
mod tag;
mod timeout;
#[cfg(feature = "client")]
mod tls;
mod told;
#[cfg(feature = "client")]
mod transport;
mod trouble;
#[cfg(feature = "client")]
mod verifier;

pub use address::{AddressClass, AddressPolicy, AddressRefused, UnknownAddressClass};
pub use body::{Body, BodyError};
pub use cause::ConnectionCut;
pub use client::{HttpClient, HttpService};
#[cfg(feature = "client")]
pub use connections::Connections;
pub use endpoint::{EndpointError, check_endpoint};
pub use error::{Error, RedirectRule};
pub use exchange::Exchange;
pub use handshake::TlsFault;
pub use identity::ClientIdentity;
pub use leg::Leg;
pub use limits::Limits;
pub use network::{Network, NetworkError};
pub use opener::for_opener;
pub use origin::{Origin, OriginError};
#[cfg(feature = "client")]
pub use path::{CertificateDate, Path, Timed, TlsFacts, TlsProblem};
pub use pem::PemError;
pub use profile::HttpProfile;
pub use proxy::{NoProxy, ProxyRules, ProxyUrl, ProxyUrlError};
pub use record::{Outcome, Recorded, Recorder};
pub use redact::{RedactedUrl, clean_text};
#[cfg(feature = "client")]
pub use reload::ProfileSource;
#[cfg(feature = "client")]
pub use resolve::{Resolver, SystemResolver};
pub use roots::{RootCertificate, RootFile, Roots, RootsError, each_once, roots_from_files};
#[cfg(feature = "client")]
pub use roots::{SystemRootsError, system_root_places, system_roots};
pub use sent::SentSecrets;
pub use timeout::{Phase, Timeouts};
#[cfg(feature = "client")]
pub use tls::tls_config;
pub use trouble::Trouble;

/// Any error, as services and bodies pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
