//! Login in a task of its own: one at a time, saved before it is reported (AZ-22, TOK-21).

use std::pin::pin;
use std::sync::Arc;

use doorkey_discovery::{Challenges, Issuer, Scopes};
use doorkey_store::{Generation, Grant, Registration};

use super::flight::Interest;
use super::held::{Held, Origin, Replaced};
use super::identity::note_provider;
use super::inner::Inner;
use crate::client::{Client, ClientOrigin};
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::exchange::is_invalid_client;
use crate::flow::Flow;
use crate::interaction::Interaction;
use crate::key::SigningAlgorithm;
use crate::registration::kept::Kept;
use crate::registration::manage::{Known, known};
use crate::registration::{refuse_scopes, suspect};
use crate::report::LoginReport;
use crate::shared::lock;
use crate::sign_in::{Failed, Previous, SignedIn, Wish, sign_in};

/// See [`TokenSource::login`](crate::TokenSource::login).
pub(super) async fn login(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    start(inner, challenges, None, interaction).await
}

/// A login for exactly these scopes and what the host adds.
pub(super) async fn step_up(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    scopes: Scopes,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    start(inner, challenges, Some(scopes), interaction).await
}

async fn start(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    step_up: Option<Scopes>,
    interaction: Arc<dyn Interaction>,
) -> Result<LoginReport, Error> {
    inner.config.check_settings()?;
    let start = |interest| {
        let inner = Arc::clone(inner);
        let wish = Wish {
            challenges: challenges.clone(),
            previous: None,
            step_up,
            interaction,
        };
        async move { run(&inner, wish, interest).await }
    };
    inner.logins.join(&inner.tasks, || None, start).await
}

async fn run(
    inner: &Inner,
    mut wish: Wish,
    interest: Interest<LoginReport>,
) -> Result<LoginReport, Error> {
    check_store(inner).await?;
    wish.previous = previous(inner).await?;
    let mut gone = pin!(interest.lost());
    let signed = match sign_in(inner.parts(), &wish, gone.as_mut()).await {
        Ok(signed) => signed,
        Err(failed) if another_client_may_do(inner, &failed).await => {
            tracing::info!("the registration of this client does not serve, another is needed");
            match sign_in(inner.parts(), &wish, gone.as_mut()).await {
                Ok(signed) => signed,
                Err(failed) => {
                    // Twice is enough, but the next login shall not begin with a client that is refused.
                    another_client_may_do(inner, &failed).await;
                    return Err(failed.error);
                }
            }
        }
        Err(failed) => return Err(failed.error),
    };
    finish(inner, signed).await
}

/// Finds out that the store cannot be written before a person has gone to the browser.
async fn check_store(inner: &Inner) -> Result<(), Error> {
    let limit = inner.config.refresh_lock_limit;
    match inner.store.lock_grant(&inner.key, limit).await {
        Ok(lock) => {
            drop(lock);
            Ok(())
        }
        // Somebody else is busy with it, so it works.
        Err(doorkey_store::Error::LockTimeout { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn previous(inner: &Inner) -> Result<Option<Previous>, Error> {
    let stored = inner.store.grant(&inner.key).await?;
    Ok(stored.map(|stored| {
        let grant = stored.value;
        Previous {
            issuer: Issuer::new(grant.issuer),
            client_id: grant.client_id,
            resource: grant.resource,
            requested: grant.requested_scopes.into_iter().collect(),
            dpop_key: grant.dpop_key,
            flow: grant.flow,
        }
    }))
}

/// Draws the consequences of a failure for the registration that was used. `true`: an old one is
/// gone or too narrow, and another may succeed (REG-23).
async fn another_client_may_do(inner: &Inner, failed: &Failed) -> bool {
    let Some(client) = &failed.client else {
        return false;
    };
    let Some(kept) = client.kept() else {
        return false;
    };
    let reused = matches!(client.origin, ClientOrigin::Reused(_));
    if is_invalid_client(&failed.error) || is_unknown_client(&failed.error) {
        let Kept { key, generation } = kept;
        let removed = inner.store.remove_registration(key, *generation).await;
        return reused && removed.is_ok();
    }
    if reused && matches!(failed.error, Error::LoginTimedOut { .. }) {
        // A server that no longer knows the client says so on its page only.
        doubt(inner, kept).await;
    }
    if reused && is_invalid_scope(&failed.error) {
        return change_registration(inner, kept, |registration| {
            refuse_scopes(registration, &failed.scopes)
        })
        .await;
    }
    false
}

/// Finds out whether a client that a person may have been refused with is still known, where the
/// server tells; else the next login registers anew.
async fn doubt(inner: &Inner, kept: &Kept) {
    let asked = async {
        let stored = inner.store.registration(&kept.key).await?;
        match stored.filter(|stored| stored.generation == kept.generation) {
            Some(stored) => known(&inner.http, &stored.value).await,
            None => Ok(Known::Unsaid),
        }
    };
    match asked.await {
        Ok(Known::There(None)) => tracing::debug!("the registration is still known"),
        Ok(Known::There(Some(token))) => {
            change_registration(inner, kept, |registration| {
                registration.registration_access_token = Some(token);
                true
            })
            .await;
        }
        Ok(Known::Gone) => {
            let Kept { key, generation } = kept;
            if let Err(error) = inner.store.remove_registration(key, *generation).await {
                tracing::warn!(%error, "a registration that is gone could not be dropped");
            }
        }
        Ok(Known::Unsaid) | Err(_) => {
            change_registration(inner, kept, |registration| {
                suspect(registration);
                true
            })
            .await;
        }
    }
}

fn is_unknown_client(error: &Error) -> bool {
    matches!(error, Error::AuthorizationResponse(error)
        if error.is("unauthorized_client") || error.is("invalid_client"))
}

fn is_invalid_scope(error: &Error) -> bool {
    matches!(error, Error::AuthorizationResponse(error) if error.is("invalid_scope"))
}

/// Saves what `change` does to the record if it still is that version, unless it says `false`.
/// Whether it was saved.
async fn change_registration(
    inner: &Inner,
    Kept { key, generation }: &Kept,
    change: impl FnOnce(&mut Registration) -> bool,
) -> bool {
    let outcome = async {
        let Some(stored) = inner.store.registration(key).await? else {
            return Ok(false);
        };
        let mut registration = stored.value;
        if stored.generation != *generation || !change(&mut registration) {
            return Ok(false);
        }
        inner
            .store
            .save_registration(key, &registration, Some(*generation))
            .await
            .map(|_| true)
    };
    outcome.await.unwrap_or_else(|error: doorkey_store::Error| {
        tracing::warn!(%error, "a registration could not be updated");
        false
    })
}

/// Saves the grant and publishes it. When the store fails, the tokens stay usable in this process
/// and the failure is reported.
async fn finish(inner: &Inner, signed: SignedIn) -> Result<LoginReport, Error> {
    remember_method(inner, &signed).await;
    let grant = grant_of(&signed, &inner.config.flow);
    let limit = inner.config.refresh_lock_limit;
    // Held until the grant is published. A login wins over whoever holds the lock for too long;
    // compare-and-swap still guards it.
    let _lock = inner.store.lock_grant(&inner.key, limit).await.ok();
    let mut replaced = Replaced::Unknown;
    let saved = save(inner, &grant, &mut replaced).await;
    let generation = saved.as_ref().ok().copied();
    let mut held = Held::new(grant, generation, Origin::SignedIn)
        .at(signed.received_at(), signed.tokens.expires_at());
    held.saved = saved.is_ok();
    held.replaced = replaced;
    inner.publish_login(held);
    lock(&inner.backoff).reset();
    match saved {
        Ok(_) => {
            inner.note_store(None);
            Ok(report(signed))
        }
        Err(error) => {
            inner.note_store(Some(error.clone()));
            Err(error)
        }
    }
}

/// Saves the grant over whatever is stored, and tells in `replaced` what that was.
async fn save(inner: &Inner, grant: &Grant, replaced: &mut Replaced) -> Result<Generation, Error> {
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let stored = inner.store.grant(&inner.key).await?;
        let expected = stored.as_ref().map(|stored| stored.generation);
        *replaced = stored.map_or(Replaced::Nothing, |stored| Replaced::of(&stored.value));
        match inner.store.save_grant(&inner.key, grant, expected).await {
            Ok(generation) => return Ok(generation),
            Err(error) if error.is_conflict() => conflict = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

/// Keeps the authentication method that worked, where another had been agreed on.
async fn remember_method(inner: &Inner, signed: &SignedIn) {
    let Some(kept) = signed.client.kept() else {
        return;
    };
    if signed.method != signed.client.method {
        change_registration(inner, kept, |registration| {
            registration.token_endpoint_auth_method = signed.method;
            true
        })
        .await;
    }
}

fn grant_of(signed: &SignedIn, flow: &Flow) -> Grant {
    let Client {
        id,
        secret,
        secret_expires_at,
        ..
    } = signed.client.clone();
    let tokens = &signed.tokens;
    let text = |url: &url::Url| url.as_str().to_owned();
    let mut grant = Grant::new(
        signed.server.listed.as_str(),
        id,
        signed.token_endpoint.as_str(),
    );
    grant.resource.clone_from(&signed.resource);
    grant.revocation_endpoint = signed.server.revocation_endpoint.as_ref().map(text);
    grant.authorization_endpoint = signed.server.authorization_endpoint.as_ref().map(text);
    grant.client_auth_method = signed.method;
    grant.client_secret = secret;
    grant.client_secret_expires_at = secret_expires_at;
    grant.redirect_uri.clone_from(&signed.redirect_uri);
    grant.dpop_key = signed.key.as_ref().map(|key| key.stored().clone());
    let published = &signed.server.issuer;
    grant.assertion_audience =
        (*published != signed.server.listed).then(|| published.as_str().to_owned());
    grant.access_token = Some(tokens.access_token.clone());
    grant.refresh_token.clone_from(&tokens.refresh_token);
    tokens.token_type.scheme().clone_into(&mut grant.token_type);
    grant.expires_at = tokens.expires_at().map(unix_seconds);
    grant.issued_at = unix_seconds(tokens.received_at);
    grant.requested_scopes = names(&signed.scopes);
    grant.granted_scopes = tokens.scope.as_ref().map(names);
    let algorithm = signed.client.algorithm.map(SigningAlgorithm::as_str);
    grant.assertion_algorithm = algorithm.map(str::to_owned);
    grant.flow = Some(flow.as_str().to_owned());
    grant.dynamic_registration = signed.client.is_dynamic();
    if let Flow::EnterpriseManaged(enterprise) = flow {
        note_provider(&mut grant, enterprise);
    }
    grant
}

fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}

fn report(signed: SignedIn) -> LoginReport {
    LoginReport {
        issuer: signed.server.listed,
        resource: signed.resource,
        expires_at: signed.tokens.expires_at(),
        refreshable: signed.tokens.refresh_token.is_some(),
        token_type: signed.tokens.token_type,
        scopes: signed.tokens.scope.unwrap_or(signed.scopes),
        registered: matches!(signed.client.origin, ClientOrigin::Registered(_)),
        match_kind: signed.match_kind,
        source: signed.source,
    }
}

const ROUNDS: usize = 3;
