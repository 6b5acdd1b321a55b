//! A host with an rmcp set-up of its own: the authorized client goes where rmcp's own HTTP client was.
//!
//! `cargo run -p doorkey-rmcp --example own_rmcp -- https://mcp.example.com/mcp` lists the tools of a server that wants no login.

use std::sync::Arc;
use std::time::Duration;

use doorkey_http::{HttpClient, HttpProfile};
use doorkey_oauth::{AuthorizationConfig, Challenges, Deny, Interaction, TokenSource};
use doorkey_rmcp::{
    AuthorizedClient, ClientOptions, ConnectOptions, authorization_error, connect, rmcp,
};
use doorkey_store::Store;
use url::Url;

/// What the host does when the server calls back: here nothing.
#[derive(Clone, Debug)]
pub struct Handler;

impl rmcp::ClientHandler for Handler {}

/// One owner of the tokens for each server and account; every connection borrows from it.
pub fn tokens(server: Url, store: Store) -> Result<(HttpClient, TokenSource), doorkey_http::Error> {
    let http = HttpClient::new(&HttpProfile::new(server.clone()))?;
    let config = AuthorizationConfig::new(server);
    let tokens = TokenSource::builder(config, http.clone(), store).build();
    Ok((http, tokens))
}

/// The names of the server's tools, after a login where one is needed and `person` may be asked.
pub async fn tools(
    http: HttpClient,
    tokens: TokenSource,
    person: Arc<dyn Interaction>,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let server = tokens.server().clone();
    let client = AuthorizedClient::new(http, tokens.clone(), ClientOptions::default());
    let once = || connect(client.clone(), &server, ConnectOptions::default(), Handler);
    let connected = match once().await {
        Err(error) if error.needs_login() => {
            // What the server said: which scopes it wants, and where it says so.
            let challenges = authorization_error(&error).and_then(|cause| cause.challenges());
            let challenges = challenges.cloned().unwrap_or_else(Challenges::default);
            tokens.login(&challenges, person).await?;
            once().await?
        }
        connected => connected?,
    };
    let tools = connected.service.list_all_tools().await?;
    connected.service.cancel().await?;
    // A refresh that is under way ends before the program does.
    tokens.drain(Duration::from_secs(30)).await?;
    Ok(tools
        .into_iter()
        .map(|tool| tool.name.into_owned())
        .collect())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example is a program")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("expected a URL")?.parse()?;
    let (http, owner) = tokens(server, Store::memory())?;
    for tool in tools(http, owner, Arc::new(Deny)).await? {
        println!("{tool}");
    }
    Ok(())
}
