//! A host with an HTTP client of its own: it stays at the bottom, and the rules of `doorkey-http` and the authorization
//! layer go on top of it.
//!
//! `cargo run -p doorkey-oauth --example own_http -- http://127.0.0.1:8080/mcp` asks a server on this machine.

use std::sync::Arc;

use doorkey_http::{Body, HttpClient, HttpProfile, Leg};
use doorkey_oauth::{
    AuthorizationConfig, AuthorizationLayer, Deny, Error, Interaction, TokenSource,
};
use doorkey_store::Store;
use http::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tower::{Layer as _, ServiceExt as _, service_fn};
use url::Url;

/// The client that the host has anyway. What it does about TLS, proxies and addresses is the host's business from here on.
pub type Own = Client<HttpConnector, Body>;

/// Puts the rules of `doorkey-http` over the host's client: legs, header scopes, redirects, time-outs and limits.
pub fn over(own: Own, server: Url) -> Result<HttpClient, doorkey_http::Error> {
    let bottom = service_fn(move |request: Request<Body>| {
        let leg = request.extensions().get::<Leg>().copied();
        tracing::debug!(?leg, "a request leaves through the host's own client");
        let answer = own.request(request);
        async move {
            let answer = answer.await?;
            Ok::<_, hyper_util::client::legacy::Error>(answer.map(Body::new))
        }
    });
    HttpClient::with_service(&HttpProfile::new(server), bottom)
}

/// Sends one message to an MCP server, signing in first where `person` may be asked.
pub async fn ask(
    http: HttpClient,
    server: Url,
    person: Arc<dyn Interaction>,
    message: &'static str,
) -> Result<Response<Body>, Error> {
    let config = AuthorizationConfig::new(server.clone());
    let tokens = TokenSource::builder(config, http.clone(), Store::memory())
        .interaction(person)
        .build();
    let service = AuthorizationLayer::new(tokens).layer(http);
    let request = Request::post(server.as_str())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Body::from(message))
        .map_err(|_| Error::TaskLost)?;
    service.oneshot(request).await
}

/// The first message of MCP.
pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"own-http","version":"1"}}}"#;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example is a program")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server: Url = std::env::args().nth(1).ok_or("expected a URL")?.parse()?;
    let own = Client::builder(TokioExecutor::new()).build_http();
    let http = over(own, server.clone())?;
    // Nobody is asked here: a server that wants a login says so as an error.
    match ask(http, server, Arc::new(Deny), INITIALIZE).await {
        Ok(answer) => println!("{}", answer.status()),
        Err(error) if error.needs_login() => println!("a person has to sign in: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
