//! Takes over a login that rmcp's `auth` feature stored, so that nobody has to sign in again.

use std::error::Error;

use doorkey_discovery::Discovery;
use doorkey_oauth::{Challenges, TokenSource};
use doorkey_store::{Grant, Store};
use serde_json::Value;

/// Saves `stored` (the JSON of rmcp's `StoredCredentials`) as the grant of `tokens`, unless there is one already.
pub async fn take_over(
    stored: &Value,
    tokens: &TokenSource,
    http: &doorkey_http::HttpClient,
    store: &Store,
) -> Result<(), Box<dyn Error>> {
    let config = tokens.config().ok_or("a server with a login")?;
    // What rmcp does not store is asked for once: the endpoints, and the resource as it is published.
    let discovery = Discovery::new(http.clone(), config.discovery.clone());
    let found = discovery
        .discover(&config.server, &Challenges::default())
        .await?;
    let issuer = found.server.listed.as_str();
    if stored["issuer"]
        .as_str()
        .is_some_and(|named| named != issuer)
    {
        return Err("the server has another authorization server by now: sign in again".into());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let client = text(&stored["client_id"]).ok_or("no client")?;
    let endpoint = found
        .server
        .token_endpoint
        .as_ref()
        .ok_or("no token endpoint")?;
    let answer = &stored["token_response"];
    let received = stored["token_received_at"].as_u64().unwrap_or_default();

    let mut grant = Grant::new(issuer, client, endpoint.as_str());
    grant.resource = Some(found.resource.as_str().to_owned());
    grant.access_token = text(&answer["access_token"]).map(Into::into);
    grant.refresh_token = text(&answer["refresh_token"]).map(Into::into);
    grant.issued_at = received;
    grant.expires_at = answer["expires_in"]
        .as_u64()
        .map(|lifetime| received + lifetime);
    grant.dynamic_registration = true;
    let scopes = stored["granted_scopes"].as_array().into_iter().flatten();
    grant.requested_scopes = scopes.filter_map(text).collect();
    store.save_grant(&config.grant_key(), &grant, None).await?;
    Ok(())
}
