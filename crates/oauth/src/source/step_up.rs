//! A 403 `insufficient_scope`: a new authorization for more scopes, never a refresh (REF-12, UP-*).

use std::sync::Arc;

use doorkey_discovery::{Challenges, Discovery, Scopes};

use super::held::Held;
use super::inner::{Inner, REFUSAL_MEMORY};
use super::login;
use crate::access_token::AccessToken;
use crate::error::{Error, LoginReason};
use crate::events::tell;
use crate::shared::lock;

/// See [`TokenSource::insufficient_scope`](crate::TokenSource::insufficient_scope).
pub(super) async fn insufficient_scope(
    inner: &Arc<Inner>,
    sent: &AccessToken,
    challenges: &Challenges,
) -> Result<AccessToken, Error> {
    tell::step_up_asked(&inner.config, &challenges.scope().unwrap_or_default());
    let outcome = step_up(inner, sent, challenges).await;
    match &outcome {
        Ok(_) => tell::step_up_granted(&inner.config),
        Err(error) => tell::step_up_refused(&inner.config, error),
    }
    outcome
}

async fn step_up(
    inner: &Arc<Inner>,
    sent: &AccessToken,
    challenges: &Challenges,
) -> Result<AccessToken, Error> {
    let challenged = challenges.scope().unwrap_or_default();
    let refuse = || Error::InsufficientScope {
        required: challenged.clone(),
        challenges: challenges.clone(),
    };
    for _ in 0..ROUNDS {
        let Some(held) = newest(inner).await? else {
            return Err(inner.login_required(LoginReason::NoGrant, None));
        };
        if let Some(token) = stepped_up_already(inner, &held, sent, &challenged) {
            return Ok(token);
        }
        let Some(interaction) = inner.way_in() else {
            return Err(refuse());
        };
        let requested = held.requested();
        let wanted = if challenged.is_empty() {
            offered(inner, challenges).await
        } else {
            challenged.clone()
        };
        // The union adds nothing: another authorization would end here again (UP-05, UP-08).
        if requested.is_superset(&wanted) {
            return Err(refuse());
        }
        let union = requested.union(&wanted);
        if refused_lately(inner, &union) {
            return Err(refuse());
        }
        match login::step_up(inner, challenges, union.clone(), interaction).await {
            // Perhaps another caller's login was joined: look whether it brought what is missing.
            Ok(_) => {}
            Err(Error::Interaction(cause)) if cause.is_denied() => return Err(refuse()),
            Err(error) => {
                remember_refusal(inner, union, &error);
                return Err(error);
            }
        }
    }
    Err(refuse())
}

/// The newest grant: somebody may have stepped up in another process.
async fn newest(inner: &Inner) -> Result<Option<Arc<Held>>, Error> {
    let known = inner.current_or_stored().await?;
    match known {
        Some(held) => inner.take_over(Some(&held)).await,
        None => Ok(None),
    }
}

/// A token other than the one that was refused, for which these scopes were asked.
fn stepped_up_already(
    inner: &Inner,
    held: &Held,
    sent: &AccessToken,
    challenged: &Scopes,
) -> Option<AccessToken> {
    held.valid_token(inner.clock.now())
        .filter(|token| *token != sent && held.requested().is_superset(challenged))
        .cloned()
}

/// What configuration and resource metadata offer when the challenge names no scope (UP-08).
async fn offered(inner: &Inner, challenges: &Challenges) -> Scopes {
    let discovery = Discovery::new(inner.http.clone(), inner.config.discovery.clone());
    let supported = discovery
        .resource_metadata(&inner.config.server, challenges)
        .await
        .ok()
        .and_then(|found| found.metadata.scopes_supported)
        .unwrap_or_default();
    inner.config.scopes.union(&supported)
}

fn refused_lately(inner: &Inner, scopes: &Scopes) -> bool {
    let now = inner.clock.now();
    let mut refused = lock(&inner.refused_scopes);
    refused.retain(|(_, when)| {
        now.duration_since(*when)
            .is_ok_and(|age| age < REFUSAL_MEMORY)
    });
    refused.iter().any(|(known, _)| known == scopes)
}

/// Remembers that a person or the server said no, so that the page does not open again (UP-06).
fn remember_refusal(inner: &Inner, scopes: Scopes, error: &Error) {
    let is_refusal = matches!(
        error,
        Error::Denied(_) | Error::AuthorizationResponse(_) | Error::TokenEndpoint { .. }
    );
    if is_refusal && !error.is_transient() {
        lock(&inner.refused_scopes).push((scopes, inner.clock.now()));
    }
}

/// Logins of other callers may be joined first; the last round only looks at the outcome.
const ROUNDS: usize = 4;
