//! The sign-on at an identity provider: OpenID Connect's authorization code flow with PKCE, `state` and
//! `nonce` (OpenID Connect Core §3.1; EMA-14).

use doorkey_discovery::Scopes;
use doorkey_store::Grant;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::super::redirect::Asking;
use super::{Gone, Parts, at_provider, identity, identity_client, metadata};
use crate::error::Error;
use crate::flow::EnterpriseManaged;
use crate::interaction::{Interaction, InteractionRequest};
use crate::jwt::{claims, has_expired};
use crate::random::unguessable;
use crate::registration::check_redirect_uri;
use crate::scope::OFFLINE_ACCESS;

/// Signs the person on and keeps the identity.
pub(super) async fn sign_on(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    interaction: &dyn Interaction,
    gone: Gone<'_>,
) -> Result<(), Error> {
    let provider = metadata(parts, enterprise).await?;
    let missing = |member| Error::UnsupportedServer {
        issuer: enterprise.issuer.clone(),
        member,
        why: "is missing",
    };
    let authorization_endpoint = provider.authorization_endpoint.as_ref();
    let authorization_endpoint =
        authorization_endpoint.ok_or_else(|| missing("authorization_endpoint"))?;
    let configured = enterprise.token_endpoint.as_ref();
    let token_endpoint = configured
        .or(provider.token_endpoint.as_ref())
        .ok_or_else(|| missing("token_endpoint"))?;
    let request = InteractionRequest::new(parts.config.server.clone(), enterprise.issuer.clone());
    let mut channel = interaction.open(request).await?;
    check_redirect_uri(channel.redirect_uri())?;
    let client = identity_client(enterprise);
    let nonce = unguessable(parts.random)?;
    let scopes = scopes(enterprise, provider.scopes_supported.as_ref());
    let asking = Asking {
        parts,
        server: &provider,
        trusted_issuer: None,
        endpoint: authorization_endpoint,
        client: &client,
        resource: None,
        scopes: &scopes,
        thumbprint: None,
        nonce: Some(&nonce),
    };
    let endpoint = at_provider(parts, token_endpoint, &client);
    let (record, exchanged) = asking.through(channel.as_mut(), gone, endpoint).await?;
    drop(channel);
    let id_token = exchanged.tokens.id_token.as_ref();
    let person = check(parts, enterprise, id_token, &nonce)?;
    let id = client.id.as_str();
    let mut grant = Grant::new(enterprise.issuer.as_str(), id, token_endpoint.as_str());
    grant.account_label = person;
    grant.redirect_uri = Some(record.redirect_uri);
    grant.requested_scopes = scopes.iter().map(str::to_owned).collect();
    let revocation = provider.revocation_endpoint.as_ref();
    grant.revocation_endpoint = revocation.map(|url| url.as_str().to_owned());
    keep(parts, enterprise, &identity::updated(grant, &exchanged)).await
}

fn scopes(enterprise: &EnterpriseManaged, listed: Option<&Scopes>) -> Scopes {
    let scopes = Scopes::parse("openid").union(&enterprise.scopes);
    match listed {
        Some(listed) if listed.contains(OFFLINE_ACCESS) => {
            scopes.union(&Scopes::parse(OFFLINE_ACCESS))
        }
        _ => scopes,
    }
}

/// The claims that an identity token has to make (OpenID Connect Core §3.1.3.7). It came from the token
/// endpoint itself, so TLS vouches for who made it. Returns how the person is known.
fn check(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    id_token: Option<&SecretString>,
    nonce: &SecretString,
) -> Result<Option<String>, Error> {
    let wrong = |why| Error::InvalidIdToken {
        issuer: enterprise.issuer.clone(),
        why,
    };
    let token = id_token.ok_or_else(|| wrong("there is none"))?;
    let claims = claims(token).ok_or_else(|| wrong("it is no signed JWT"))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(enterprise.issuer.as_str()) {
        return Err(wrong("`iss` is another issuer"));
    }
    let client_id = enterprise.client.client_id.as_str();
    let is_for_us = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(all)) => all.iter().any(|audience| audience == client_id),
        _ => false,
    };
    if !is_for_us {
        return Err(wrong("`aud` is another client"));
    }
    if text("nonce") != Some(nonce.expose_secret()) {
        return Err(wrong("`nonce` is not the one that was sent"));
    }
    if has_expired(token, parts.clock.now()) {
        return Err(wrong("it has expired"));
    }
    let label = ["email", "preferred_username", "sub"]
        .into_iter()
        .find_map(text);
    Ok(label.map(|label| doorkey_http::clean_text(label, 200)))
}

async fn keep(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    grant: &Grant,
) -> Result<(), Error> {
    let key = identity::key(enterprise, &parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    let _lock = parts.store.lock_grant(&key, limit).await?;
    let stored = parts.store.grant(&key).await?;
    let expected = stored.map(|stored| stored.generation);
    identity::save(parts, enterprise, grant, expected).await
}
