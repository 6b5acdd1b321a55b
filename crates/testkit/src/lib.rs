//! An authorization server and a resource-bound MCP server for tests: in process, on loopback,
//! scriptable, and strict.
//!
//! The servers are referees. They refuse whatever the specifications do not allow a client to
//! do, say why ([`AuthorizationServer::refusals`], [`McpServer::refusals`]), and write down every
//! request ([`Recorder`]). They share no code with the client that they judge, so that both
//! cannot make the same mistake.
//!
//! - [`CertificateAuthority`] makes certificates, so that TLS is real: a client that was not told
//!   to trust the authority gets no further than the handshake.
//! - [`AuthorizationServer`] has metadata, dynamic registration, an authorization page, tokens
//!   bound to one resource, rotation with reuse detection, and revocation. On demand it also has
//!   client credentials, signed client assertions, pushed requests, devices, assertions as
//!   grants, tokens bound to a key (DPoP), and plays an OpenID provider with token exchange.
//! - [`McpServer`] speaks streamable HTTP as of 2025-11-25 and 2026-07-28 and accepts only
//!   tokens whose audience is itself, with DPoP proofs where the test wants them.
//! - [`SigningKey`] signs what clients, platforms and identity providers of a test sign.
//! - [`FaultRule`]s make any of them fail on cue: bad statuses, web pages, cut connections, late
//!   and oversized answers, lost answers, edited ones, bytes that are no HTTP. `stop` and `restart` take a server down and up.
//! - [`Proxy`] is a forward proxy that notes what it was asked for; [`Distance`] puts a server as far away as a test
//!   wants and counts round trips; [`Browser`] plays the person
//!   who approves; [`Client`] sends single requests by hand.
//!
//! Every server listens on 127.0.0.1 only and stops when it is dropped.
//!
//! ```
//! use doorkey_testkit::{AuthorizationServer, CertificateAuthority, Client, Leg, McpServer, Recorder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let ca = CertificateAuthority::new()?;
//! let recorder = Recorder::new();
//! let auth = AuthorizationServer::builder()
//!     .tls(&ca)
//!     .issuer_path("/tenant1")
//!     .recorder(&recorder)
//!     .start()
//!     .await?;
//! let mcp = McpServer::builder()
//!     .tls(&ca)
//!     .authorization(&auth)
//!     .recorder(&recorder)
//!     .start()
//!     .await?;
//!
//! // A request without a token is challenged, and the challenge names the metadata.
//! let client = Client::new().trusting(&ca);
//! let ping = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
//! let refused = client.post_json(&mcp.url(), &ping).await?;
//! assert_eq!(refused.status, 401);
//! let challenge = refused.header("www-authenticate").unwrap_or_default();
//! assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp"), "{challenge}");
//!
//! // The metadata names the authorization server.
//! let url = format!("{}/.well-known/oauth-protected-resource/mcp", mcp.origin());
//! let metadata = client.get(&url).await?.json();
//! assert_eq!(metadata["resource"], mcp.url());
//! assert_eq!(metadata["authorization_servers"][0], auth.issuer());
//!
//! assert_eq!(recorder.count(Leg::Resource), 1);
//! assert_eq!(recorder.count(Leg::ResourceMetadata), 1);
//! # Ok(())
//! # })
//! # }
//! ```

#![forbid(unsafe_code)]

mod authorization;
mod browser;
mod certificate;
mod client;
mod clock;
mod commit;
mod connection;
mod distance;
mod dpop;
mod error;
mod fault;
mod jws;
mod key;
mod lent;
mod listen;
mod mcp;
mod proxy;
mod random;
mod recorder;
mod refusals;
mod reply;
mod request;
mod tls;

pub use authorization::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, ClientCredentials, Consent,
    Counters, DeviceGrant, Document, IssParameter, MetadataKind, Oddity, PushedRequests,
    RefreshTokens, RegistrationUpdates, ResourceParameter, StateParameter, StaticClient,
    TokenFacts, TrustedIssuer,
};
pub use browser::{Browser, Visit};
pub use certificate::{CertificateAuthority, Identity};
pub use client::{Client, Reply};
pub use distance::Distance;
pub use dpop::{Dpop, DpopNonces};
pub use error::Error;
pub use fault::{Edit, Fault, FaultRule, FaultTarget, Raw};
pub use key::{PublicKey, SigningAlgorithm, SigningKey};
pub use listen::Listen;
pub use mcp::{
    Answer, Caching, GetStream, McpServer, McpServerBuilder, Prm, Protect, ResourceIdentifier, Wire,
};
pub use proxy::{Proxy, ProxyBuilder, ProxyRequest};
pub use recorder::{Leg, RecordedRequest, Recorder};
