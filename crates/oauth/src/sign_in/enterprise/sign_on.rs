//! The sign-on at an identity provider: OpenID Connect's authorization code flow with PKCE, `state` and
//! `nonce` (OpenID Connect Core §3.1; EMA-14).

use doorkey_discovery::Scopes;

use super::super::check_redirect;
use super::super::redirect::{Asking, judge_authorization_page};
use super::id_token::{Answers, check};
use super::provider::{metadata, of_metadata};
use super::{Gone, Parts, at_provider, identity, keep};
use crate::error::Error;
use crate::flow::EnterpriseManaged;
use crate::interaction::{Channel, Interaction, InteractionRequest};
use crate::random::unguessable;
use crate::registration::check_redirect_uri;
use crate::scope::OFFLINE_ACCESS;

/// Signs the person on and keeps the identity; one at a time, in whatever process (AZ-22).
pub(super) async fn sign_on(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    interaction: &dyn Interaction,
    mut gone: Gone<'_>,
) -> Result<(), Error> {
    let request = InteractionRequest::new(parts.config.server.clone(), enterprise.issuer.clone());
    let mut channel = interaction.open(request).await?;
    check_redirect_uri(channel.redirect_uri())?;
    let key = keep::sign_on_key(enterprise, &parts.config.account);
    let limit = parts.config.interaction_limit;
    let _turn = tokio::select! {
        biased;
        turn = parts.store.lock_grant(&key, limit) => turn?,
        () = gone.as_mut() => return Err(Error::LoginAbandoned),
    };
    // Who had the turn before may have signed the same person on.
    match identity::subject(parts, enterprise).await {
        Err(Error::LoginRequired { .. }) => ask(parts, enterprise, channel.as_mut(), gone).await,
        outcome => outcome.map(drop),
    }
}

async fn ask(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    channel: &mut dyn Channel,
    gone: Gone<'_>,
) -> Result<(), Error> {
    let metadata = metadata(parts, enterprise).await?;
    check_redirect(&metadata)?;
    let page = metadata.authorization_endpoint.as_ref();
    let page = page.ok_or_else(|| {
        Error::unsupported(&enterprise.issuer, "authorization_endpoint", "is missing")
    })?;
    judge_authorization_page(parts, &metadata.listed, page).await?;
    let provider = of_metadata(enterprise, &metadata)?;
    let nonce = unguessable(parts.random)?;
    let scopes = scopes(enterprise, metadata.scopes_supported.as_ref());
    let asking = Asking {
        parts,
        server: &metadata,
        trusted_issuer: None,
        endpoint: page,
        client: &provider.client,
        resource: None,
        quirks: None,
        scopes: &scopes,
        thumbprint: None,
        nonce: Some(&nonce),
        may_push: true,
    };
    let endpoint = at_provider(parts, &provider.token_endpoint, &provider.client);
    let (record, exchanged) = asking.through(channel, gone, endpoint).await?;
    let id_token = exchanged.tokens.id_token.as_ref();
    let id_token = id_token.ok_or_else(|| Error::InvalidIdToken {
        issuer: enterprise.issuer.clone(),
        why: "there is none",
    })?;
    let answers = Answers::SignOn(&nonce);
    let person = check(enterprise, id_token, answers, parts.clock.now())?;
    let mut grant = identity::record(enterprise, &provider);
    grant.account_label = person;
    grant.redirect_uri = Some(record.redirect_uri);
    grant.requested_scopes = scopes.iter().map(str::to_owned).collect();
    let key = enterprise.grant_key(&parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    // A sign-on wins over whoever holds the lock for too long; each save still names what it replaces.
    let _lock = parts.store.lock_grant(&key, limit).await.ok();
    keep::save(parts, enterprise, &identity::updated(grant, &exchanged)).await;
    Ok(())
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
