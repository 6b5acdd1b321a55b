//! Says which authorization server guards an MCP server.
//!
//! An MCP server that wants a token answers 401. What follows is fixed by three RFCs and the MCP
//! authorization pages, and all of it is here:
//!
//! 1. `probe` sends the real request and reads the [`Challenges`] of a 401 (RFC 9110, RFC 6750,
//!    RFC 9728 §5.1).
//! 2. `Discovery` fetches the [`ResourceMetadata`] (RFC 9728), holds its `resource` to the server
//!    URL, and fetches the [`AuthorizationServerMetadata`] (RFC 8414 or OpenID Connect Discovery)
//!    of the server it names.
//! 3. The outcome is `Discovered`: the identifier to send as `resource` on every leg, and where
//!    to send it.
//!
//! Three rules hold throughout. A document that speaks for another resource or another issuer
//! contributes nothing. Identifiers are the exact strings that were published. And a failure names
//! every place that was tried, the first grave cause leading.
//!
//! Everything but the sending is pure: parsing, the places to look at, validation. Without the
//! feature `fetch` (on by default) only that half remains, and no network or runtime is in the
//! tree.
//!
//! ```
//! use doorkey_discovery::{
//!     Challenges, ResourceMatch, ResourceMatchKind, ResourceMetadata, ResourceRule, Source,
//!     resource_metadata_candidates, validate_resource,
//! };
//!
//! let server = "https://mcp.example/public/mcp".parse()?;
//! let challenges = Challenges::parse([r#"Bearer error="invalid_token", scope="mcp:read""#]);
//! assert_eq!(challenges.resource_metadata(), None);
//! assert_eq!(
//!     resource_metadata_candidates(&server)[0].as_str(),
//!     "https://mcp.example/.well-known/oauth-protected-resource/public/mcp",
//! );
//!
//! // What that place answered:
//! let body = br#"{
//!     "resource": "https://mcp.example/public/mcp",
//!     "authorization_servers": ["https://as.example"]
//! }"#;
//! let metadata = ResourceMetadata::parse(body)?;
//! let rule = ResourceRule::new(Source::PathWellKnown, ResourceMatch::Exact);
//! assert_eq!(validate_resource(&metadata.resource, &server, rule)?, ResourceMatchKind::Exact);
//! assert_eq!(metadata.authorization_servers[0].as_str(), "https://as.example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod authorization_server;
mod challenge;
mod document;
mod identifier;
mod json;
mod legacy;
mod resource;
mod scopes;
mod source;
mod text;
mod well_known;

#[cfg(feature = "fetch")]
mod attempt;
#[cfg(feature = "fetch")]
mod discover;
#[cfg(feature = "fetch")]
mod error;
#[cfg(feature = "fetch")]
mod options;
#[cfg(feature = "fetch")]
mod probe;

pub use address::{MAX_URL_BYTES, UrlError, endpoint_of_server, url_of_server};
pub use authorization_server::AuthorizationServerMetadata;
pub use challenge::{Challenge, Challenges};
pub use document::{BodyKind, DocumentError, MAX_DOCUMENT_BYTES, MAX_LIST};
pub use identifier::{Issuer, ResourceId};
pub use json::{JsonError, JsonObject, MAX_JSON_DEPTH};
pub use legacy::{legacy_base, legacy_defaults};
pub use resource::{
    ResourceMatch, ResourceMatchKind, ResourceMetadata, ResourceMismatch, ResourceRule,
    derived_resource, validate_resource,
};
pub use scopes::{Iter as ScopesIter, MAX_SCOPES, Scopes};
pub use source::Source;
pub use well_known::{
    authorization_server_candidates, legacy_metadata_candidate, resource_metadata_candidates,
};

#[cfg(feature = "fetch")]
pub use attempt::{Attempt, Attempts, Failure};
#[cfg(feature = "fetch")]
pub use discover::{Ahead, Discovered, Discovery, FoundResource, MAX_REQUESTS};
#[cfg(feature = "fetch")]
pub use error::Error;
#[cfg(feature = "fetch")]
pub use options::{ConfiguredServer, DiscoveryOptions};
#[cfg(feature = "fetch")]
pub use probe::{MAX_CHALLENGE_BODY_BYTES, Probe, probe};
