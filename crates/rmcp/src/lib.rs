//! An authorized streamable HTTP transport for rmcp, the Rust MCP SDK.
//!
//! [`AuthorizedClient`] is rmcp's `StreamableHttpClient` over the authorization layer of `doorkey-oauth`. One
//! [`TokenSource`](doorkey_oauth::TokenSource) owns the token; POST, GET stream and DELETE borrow it. A 401 is answered below rmcp:
//! refresh, replay, and only if that is no help an error that says what a person has to do.
//!
//! - [`connect`] goes from a client to a running rmcp service. It settles the [`Wire`] first, so that rmcp's own start never
//!   waits for a token within its fixed ten seconds, and so that a remembered server is asked nothing twice.
//! - [`probe`] finds a server's challenge before anybody has signed in.
//! - [`authorization_error`] finds the typed cause in whatever error rmcp returned, [`transport_error`] what happened to the
//!   message: which request, which status, how long to wait.
//! - [`AuthorizedClient::events`] tells of failures whose callers are inside rmcp and tell nobody.
//!
//! Nothing here logs in: a token source that may not ask a person answers
//! [`LoginRequired`](doorkey_oauth::Error::LoginRequired), and the host decides.
//!
//! ```
//! use doorkey_http::{Body, HttpClient, HttpProfile};
//! use doorkey_oauth::TokenSource;
//! use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectOptions, Wire, connect, rmcp};
//! use http::{Request, Response};
//!
//! /// Stands in for the network: a server of 2026-07-28 without tools.
//! async fn server(request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
//!     assert_eq!(request.headers()["authorization"], "Bearer t0ken");
//!     let answer = match request.headers()["mcp-method"].as_bytes() {
//!         b"server/discover" => {
//!             r#"{"jsonrpc":"2.0","id":0,"result":{"resultType":"complete","ttlMs":60000,"cacheScope":"private",
//!                 "supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}"#
//!         }
//!         _ => {
//!             r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[]}}"#
//!         }
//!     };
//!     let response = Response::builder().header("content-type", "application/json");
//!     Ok(response.body(Body::from(answer)).expect("these headers are valid"))
//! }
//!
//! #[derive(Clone)]
//! struct Handler;
//! impl rmcp::ClientHandler for Handler {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "https://mcp.example/mcp".parse()?;
//! let http = HttpClient::with_service(&HttpProfile::default(), tower::service_fn(server))?;
//! let tokens = TokenSource::fixed(url, "t0ken".into());
//! let url = "https://mcp.example/mcp".parse()?;
//! let client = AuthorizedClient::new(http, tokens, ClientOptions::default());
//!
//! let connected = connect(client, &url, ConnectOptions::default(), Handler).await?;
//! assert_eq!(connected.wire, Wire::Stateless);
//! assert!(connected.service.list_all_tools().await?.is_empty());
//!
//! // Kept and handed to the next connect within that minute, this saves it the `server/discover`.
//! let remembered = connected.to_remember();
//! assert!(remembered.discover.is_some());
//! # Ok(())
//! # }
//! ```

mod answer;
mod client;
mod connect;
mod connection;
mod declared;
mod decode;
mod discovery;
mod error;
mod event;
mod lifecycle;
mod options;
mod probe;
mod refusal;
mod remembered;
mod reply;
mod retired;
mod settle;
mod sse;
mod stream;
mod streamable;
#[cfg(test)]
mod testing;
mod transport;
mod unauthenticated;
mod wire;

pub use client::AuthorizedClient;
pub use connect::{Connected, connect};
pub use discovery::Discovery;
pub use error::{ClientError, ConnectError, TransportError, authorization_error, transport_error};
pub use event::{Event, EventStream, Exchange};
pub use options::{ClientOptions, ConnectOptions, Limits, Remembered};
pub use probe::{ProbeOutcome, probe};
pub use refusal::AnswerError;
pub use rmcp;
pub use transport::AuthorizedTransport;
pub use wire::{Protocol, UnknownProtocol, Wire};
