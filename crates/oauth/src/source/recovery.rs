//! A 401 from the resource: another token, a login, or the plain truth (CH-01 to CH-05, REF-06).

use std::sync::Arc;

use doorkey_discovery::{Challenges, ConfiguredServer, Discovery, ResourceMetadata};
use doorkey_store::{Grant, Proof};

use super::held::{Held, Origin, Rejected};
use super::inner::Inner;
use super::{login, on_record, pace, refresh, save};
use crate::access_token::AccessToken;
use crate::config::ResourceChoice;
use crate::error::{Error, LoginReason};
use crate::events::tell;
use crate::resource::without_secrets;

/// See [`TokenSource::rejected`](crate::TokenSource::rejected).
pub(super) async fn rejected(
    inner: &Arc<Inner>,
    sent: Option<&AccessToken>,
    challenges: &Challenges,
) -> Result<AccessToken, Error> {
    let outcome = match sent {
        None => without_token(inner).await,
        Some(sent) => with_token(inner, sent, challenges).await,
    };
    match outcome {
        Ok(token) => Ok(token),
        Err(error) => sign_in_again(inner, with_challenges(error, challenges), challenges).await,
    }
}

/// No token was sent, so `invalid_token` means "authorization needed" (WWW-13). Somebody may have
/// signed in since.
async fn without_token(inner: &Arc<Inner>) -> Result<AccessToken, Error> {
    match inner.current_or_stored().await? {
        Some(held) => usable(inner, &held).await,
        None => Err(inner.login_required(LoginReason::NoGrant, None)),
    }
}

async fn with_token(
    inner: &Arc<Inner>,
    sent: &AccessToken,
    challenges: &Challenges,
) -> Result<AccessToken, Error> {
    for _ in 0..ROUNDS {
        let Some(held) = inner.current_or_stored().await? else {
            return Err(inner.login_required(LoginReason::NoGrant, None));
        };
        if held.token() != Some(sent) {
            return usable(inner, &held).await;
        }
        let recovered = shared_recovery(inner, &held, challenges).await?;
        if let Some(token) = recovered.token().filter(|token| *token != sent) {
            return Ok(token.clone());
        }
    }
    Err(by_resource(inner))
}

/// The error that an earlier rejection of this token led to: it is not sent again (CH-05).
pub(super) fn rejection(inner: &Inner, held: &Held) -> Option<Error> {
    match held.rejection(inner.clock.now())? {
        Rejected::ByResource => Some(by_resource(inner)),
        Rejected::NeedsLogin(reason) => Some(inner.login_required(reason.clone(), None)),
    }
}

/// The token of `held`, refreshed if it has expired.
async fn usable(inner: &Arc<Inner>, held: &Arc<Held>) -> Result<AccessToken, Error> {
    if let Some(error) = rejection(inner, held) {
        return Err(error);
    }
    if let Some(token) = held.valid_token(inner.clock.now()) {
        return Ok(token.clone());
    }
    let refreshed = refresh::refresh(inner, held).await?;
    refreshed
        .token()
        .cloned()
        .ok_or_else(|| inner.login_required(LoginReason::NoGrant, None))
}

/// One recovery for all who bring the same rejected token (CH-10).
async fn shared_recovery(
    inner: &Arc<Inner>,
    held: &Arc<Held>,
    challenges: &Challenges,
) -> Result<Arc<Held>, Error> {
    let settled = || {
        inner
            .current()
            .filter(|current| current.token() != held.token())
    };
    let start = |_| {
        let (inner, held, challenges) = (Arc::clone(inner), Arc::clone(held), challenges.clone());
        async move { recover(&inner, &held, &challenges).await }
    };
    inner.recoveries.join(&inner.tasks, settled, start).await
}

async fn recover(
    inner: &Arc<Inner>,
    held: &Arc<Held>,
    challenges: &Challenges,
) -> Result<Arc<Held>, Error> {
    // Another process may be ahead of us.
    let newest = inner.take_over(Some(held)).await?;
    let Some(current) = newest else {
        return Err(inner.login_required(LoginReason::NoGrant, None));
    };
    let now = inner.clock.now();
    if current.token() != held.token() && current.valid_token(now).is_some() {
        return Ok(current);
    }
    if let Some(error) = rejection(inner, &current) {
        return Err(error);
    }
    let expired = current.valid_token(now).is_none();
    tell::token_rejected(&inner.config, &current.grant.issuer, expired);
    if expired {
        return refresh::refresh(inner, &current).await;
    }
    // A refusal on record came after the token was in use, whatever an earlier process made of it.
    if let Some(reason) = current.refusal() {
        return Err(needs_login(inner, &current, reason.clone()).await);
    }
    if current.never_worked(now) {
        return Err(never_worked(inner, &current).await);
    }
    if !inner.is_renewable(&current) {
        return Err(needs_login(inner, &current, current.why_login()).await);
    }
    if let Some(error) = pace::hindrance(inner, &current.grant) {
        tell::refresh_delayed(&inner.config, &error);
        return Err(error);
    }
    if let Some(reason) = moved(inner, &current, challenges).await? {
        return Err(needs_login(inner, &current, reason).await);
    }
    let refreshed = refresh::refresh(inner, &current).await;
    if let Err(Error::LoginRequired { .. }) = &refreshed
        && let Some(held) = inner.current()
        && let Some(reason) = held.refusal()
        && held.token() == current.token()
    {
        needs_login(inner, &held, reason.clone()).await;
    }
    refreshed
}

/// Whether the resource has moved to another authorization server or identifier since the login:
/// asked once, before a token that has not expired is refreshed (REF-06).
async fn moved(
    inner: &Inner,
    held: &Held,
    challenges: &Challenges,
) -> Result<Option<LoginReason>, Error> {
    let options = inner.config.discovery_options();
    let configured = options.authorization_server.clone();
    let discovery = Discovery::new(inner.http.clone(), options);
    let found = match discovery
        .resource_metadata(&inner.config.server, challenges)
        .await
    {
        Ok(found) => found,
        Err(
            error @ (doorkey_discovery::Error::NotFound { .. }
            | doorkey_discovery::Error::Unreachable { .. }),
        ) => {
            tracing::debug!(%error, "the resource metadata cannot be had, so the refresh is tried");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    if !is_named(&held.grant.issuer, &found.metadata, configured.as_ref()) {
        return Ok(Some(LoginReason::IssuerChanged));
    }
    let same_resource = inner.config.resource != ResourceChoice::Auto
        // Left out because a quirk says so: no other one was asked for.
        || held.grant.resource.is_none()
        || held.grant.resource.as_deref() == Some(found.metadata.resource.as_str());
    Ok((!same_resource).then_some(LoginReason::ResourceChanged))
}

/// Whether the resource still names that issuer. One that names none leaves it to the configuration.
fn is_named(
    issuer: &str,
    resource: &ResourceMetadata,
    configured: Option<&ConfiguredServer>,
) -> bool {
    let listed = &resource.authorization_servers;
    match configured {
        Some(ConfiguredServer::Issuer(own)) if listed.is_empty() => own.as_str() == issuer,
        Some(ConfiguredServer::Metadata(own)) if listed.is_empty() => own.listed.as_str() == issuer,
        _ => listed.iter().any(|listed| listed.as_str() == issuer),
    }
}

/// Ends the use of a token that only a login can replace, here and, as far as no correction of the
/// configuration helps, in later processes (CH-05).
async fn needs_login(inner: &Inner, held: &Held, reason: LoginReason) -> Error {
    held.reject(Rejected::NeedsLogin(reason.clone()));
    let known = held.grant.proof == Proof::Rejected
        && on_record::login_reason(&held.grant).as_ref() == Some(&reason);
    if on_record::is_kept(&reason) && !known {
        mark_rejected(inner, held, |grant| on_record::record(grant, &reason)).await;
    }
    inner.login_required(reason, None)
}

/// Ends the use of a token that the resource never took.
async fn never_worked(inner: &Inner, held: &Held) -> Error {
    held.reject(Rejected::ByResource);
    if held.grant.proof != Proof::Rejected {
        mark_rejected(inner, held, |grant| {
            grant.last_error = Some(String::from(
                "the resource refuses a token that was just issued",
            ));
        })
        .await;
    }
    by_resource(inner)
}

/// Marks the stored token set, if it still is this one, so that later processes do not start over.
async fn mark_rejected(inner: &Inner, held: &Held, note: impl Fn(&mut Grant)) {
    let marked = save::update(inner, held, |grant| {
        grant.proof = Proof::Rejected;
        note(grant);
    });
    if let Err(error) = marked.await {
        tracing::warn!(%error, "a rejected token could not be marked");
    }
}

fn by_resource(inner: &Inner) -> Error {
    Error::TokenRejectedByResource {
        server: without_secrets(&inner.config.server),
        challenges: Challenges::default(),
    }
}

/// Puts the challenges of this caller's response into the error.
fn with_challenges(error: Error, challenges: &Challenges) -> Error {
    match error {
        Error::LoginRequired {
            server,
            reason,
            cause,
            ..
        } => Error::LoginRequired {
            server,
            reason,
            challenges: challenges.clone(),
            cause,
        },
        Error::TokenRejectedByResource { server, .. } => Error::TokenRejectedByResource {
            server,
            challenges: challenges.clone(),
        },
        other => other,
    }
}

/// Signs in where the host or the flow allows that, for a failure that a login can mend.
async fn sign_in_again(
    inner: &Arc<Inner>,
    error: Error,
    challenges: &Challenges,
) -> Result<AccessToken, Error> {
    // A token straight from a login that is refused would only be refused again.
    let hopeful = match &error {
        Error::LoginRequired { .. } => true,
        // Only a person can do something about it, say by choosing another account.
        Error::TokenRejectedByResource { .. } if !inner.config.flow.is_unattended() => inner
            .current()
            .is_some_and(|held| held.origin != Origin::SignedIn),
        _ => false,
    };
    let Some(interaction) = inner.way_in().filter(|_| hopeful) else {
        return Err(error);
    };
    if inner.config.flow.is_unattended()
        && let Some(failure) = inner.backed_off()
        // A person who is there is not kept waiting for what only they can do.
        && !(failure.needs_login() && inner.interaction.is_some())
    {
        return Err(failure);
    }
    match login::login(inner, challenges, interaction).await {
        Ok(_) => inner
            .current()
            .and_then(|held| held.token().cloned())
            .ok_or(error),
        Err(Error::Interaction(cause)) if cause.is_denied() => Err(error),
        Err(failure) if inner.config.flow.is_unattended() => Err(inner.wait_after(failure)),
        Err(failure) => Err(failure),
    }
}

const ROUNDS: usize = 3;
