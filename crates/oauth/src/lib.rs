//! Obtains, refreshes, binds and hands out OAuth tokens for one resource, with a tower authorization layer.
//!
//! - A [`TokenSource`] is the one owner of the tokens of an account at an MCP server. Everybody else
//!   borrows an [`AccessToken`] from it. While the token is fresh, [`TokenSource::token`] takes no
//!   lock and makes no request.
//! - One `resource` (RFC 8707), byte for byte, goes with the authorization request, the code
//!   exchange and every refresh, exactly once; [`ResourceChoice`] replaces or omits it.
//! - Refresh, login and logout run in tasks that the source owns: a caller that is cancelled loses
//!   no rotated token. The order is lock, re-read, refresh, save durably, publish. A process that
//!   ends calls [`TokenSource::drain`].
//! - An [`AuthorizationLayer`] attaches the token to the requests it belongs to, and answers 401,
//!   403 `insufficient_scope` and redirects. It knows no MCP.
//! - Tokens come from a [`Flow`]: a browser, another device, the client's own credentials, a workload's
//!   JWT or an enterprise's identity provider. They are bound to a key where the resource asks for
//!   it (DPoP, RFC 9449, [`DpopChoice`]): the layer then signs a proof for each request.
//! - A person is reached through an [`Interaction`], and only where the host passed one: the default
//!   answer is [`Error::LoginRequired`], never a browser from a background task.
//! - What goes wrong is one [`Error`]: protocol errors are data ([`ProtocolError`]), each says
//!   whether it is transient, whether a person is needed, and the [`NextStep`].
//! - What an operator counts are named `tracing` events, listed in [`events`].
//!
//! Every request goes through the one [`HttpClient`](doorkey_http::HttpClient) that is passed in;
//! so do the [`Clock`] and the [`Random`] source.
//!
//! ```
//! use doorkey_http::{Body, HttpClient, HttpProfile};
//! use doorkey_oauth::{AuthorizationConfig, AuthorizationLayer, TokenSource};
//! use doorkey_store::Store;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A host would say `HttpClient::new(&profile)`; here an MCP server is played by a function.
//! let server: url::Url = "https://mcp.example/mcp".parse()?;
//! let mcp_server = service_fn(|_: Request<Body>| async {
//!     let challenge = r#"Bearer scope="files:read""#;
//!     Response::builder().status(401).header("www-authenticate", challenge).body(Body::empty())
//! });
//! let http = HttpClient::with_service(&HttpProfile::new(server.clone()), mcp_server)?;
//!
//! let config = AuthorizationConfig::new(server);
//! let tokens = TokenSource::builder(config, http.clone(), Store::memory()).build();
//! assert!(tokens.token().await?.is_none(), "nobody has signed in yet");
//!
//! let service = AuthorizationLayer::new(tokens.clone()).layer(http);
//! let request = Request::post("https://mcp.example/mcp").body(Body::from("{}"))?;
//! let error = service.oneshot(request).await.expect_err("a person has to sign in");
//! assert!(error.needs_login());
//! let challenges = error.challenges().cloned().unwrap_or_default();
//! assert_eq!(challenges.scope().unwrap_or_default().to_string(), "files:read");
//! // Now: tokens.login(&challenges, interaction).await?, and send the request again.
//! # Ok(())
//! # }
//! ```

mod access_token;
mod answer;
mod authorize;
mod callback;
mod client;
mod clock;
mod config;
mod dpop;
mod error;
pub mod events;
mod exchange;
mod flow;
mod form;
mod interaction;
mod jwt;
mod key;
mod layer;
mod learned;
mod member;
mod person;
mod protocol_error;
mod quirk;
mod random;
mod registration;
mod report;
mod resource;
mod revoke;
mod scope;
mod shared;
mod sign_in;
mod source;
mod token_response;

pub use access_token::{AccessToken, TokenType};
pub use clock::{Clock, SystemClock};
pub use config::{AuthorizationConfig, ClientChoice, ResourceChoice};
pub use doorkey_discovery::{Challenges, Issuer, ResourceId, Scopes};
pub use doorkey_store::ClientAuthMethod;
pub use error::{Attempts, Error, InvalidResponse, LoginReason, NextStep};
pub use flow::{
    AssertionError, AssertionSource, DpopChoice, EnterpriseManaged, Flow, Identity, IdentityClient,
};
pub use interaction::{
    BoxFuture, Callback, CallbackVerdict, Channel, Deny, DevicePrompt, Interaction,
    InteractionError, InteractionRequest, LoginWait, Prompt,
};
pub use key::{KeyError, SigningAlgorithm, SigningError, SigningKey};
pub use layer::{AuthorizationLayer, AuthorizationService, IdentityEpoch};
pub use protocol_error::ProtocolError;
pub use quirk::{
    Effect, Explanation, Pattern, PatternError, Place, Quirk, QuirkExplanation, QuirkMatch, Quirks,
    RedirectRule, ScopeParameter,
};
pub use random::{OsRandom, Random, RandomError};
pub use report::{
    DrainTimeout, LoginReport, LogoutOptions, LogoutReport, PendingLogin, StartedLogin, StepOutcome,
};
pub use shared::Shared;
pub use sign_in::outlook::ClientSource;
pub use source::{TokenSource, TokenSourceBuilder};
