//! A host over rmcp's own `auth` feature: what `docs/migrating.md` starts from.

use std::error::Error;

use rmcp::ServiceExt as _;
use rmcp::transport::auth::{
    AuthClient, AuthorizationManager, AuthorizationRequest, CredentialStore as _,
    InMemoryCredentialStore, OAuthState, StoredCredentials,
};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};

/// Signs in and lists the tools. `browser` opens a page and says at which address it ended.
pub async fn tools(
    server: &str,
    browser: impl AsyncFnOnce(String) -> String,
) -> Result<(Vec<String>, StoredCredentials), Box<dyn Error>> {
    let kept = InMemoryCredentialStore::new();
    // A server on this machine, which this manager otherwise refuses.
    let mut manager = AuthorizationManager::new_allowing_private_addresses(server).await?;
    manager.set_credential_store(kept.clone());
    let mut state = OAuthState::Unauthorized(manager);
    let request = AuthorizationRequest::new(REDIRECT_URI).with_client_name("host");
    state.start_authorization(request).await?;
    let callback = browser(state.get_authorization_url().await?).await;
    state.handle_callback_url(&callback).await?;
    let manager = state.into_authorization_manager();
    let manager = manager.ok_or("the login is not complete")?;

    let client = AuthClient::new(reqwest::Client::default(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(server);
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let service = ().serve(transport).await?;
    let tools = service.list_all_tools().await?;
    service.cancel().await?;
    let kept = kept.load().await?.ok_or("nothing was stored")?;
    let names = tools.into_iter().map(|tool| tool.name.into_owned());
    Ok((names.collect(), kept))
}

const REDIRECT_URI: &str = "http://127.0.0.1:47114/callback";
