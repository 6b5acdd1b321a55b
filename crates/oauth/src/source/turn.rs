//! Whose turn it is to sign in: one login at a time for a grant, in whatever process (AZ-22).

use std::pin::Pin;
use std::time::Duration;

use doorkey_store::{Error as StoreError, Grant, LockGuard, Stored};

use super::conclude;
use super::held::Held;
use super::inner::Inner;
use crate::error::Error;
use crate::events::tell;
use crate::interaction::{Interaction, LoginWait};
use crate::report::LoginReport;
use crate::shared::lock;
use crate::sign_in::wait;
use crate::sign_in::{DISCOVERY_LIMIT, Wish};

/// The right to sign in, until it is dropped.
pub(super) struct Turn {
    _lock: LockGuard,
    /// The grant as it was before the wait.
    before: Option<Stored<Grant>>,
    /// The grant as it is now.
    pub(super) found: Option<Stored<Grant>>,
}

/// Waits until nobody else is signing in. A process that died no longer counts.
///
/// The order of locks is login, registration, grant; who holds one of the later never waits for an
/// earlier one.
///
/// # Errors
/// [`Error::Store`], also when somebody else signs in for longer than any login takes;
/// [`Error::LoginAbandoned`] once `gone` completes.
pub(super) async fn take(
    inner: &Inner,
    interaction: &dyn Interaction,
    gone: Pin<&mut (dyn Future<Output = ()> + Send)>,
) -> Result<Turn, Error> {
    let before = inner.store.grant(&inner.key).await?;
    let lock = match inner.store.lock_login(&inner.key, Duration::ZERO).await {
        Err(StoreError::LockTimeout { .. }) => {
            let limit = limit(inner);
            let server = inner.config.server.clone();
            tell::login_waiting(&inner.config, limit);
            interaction.waiting(&LoginWait::new(server, &inner.config.account, limit));
            tokio::select! {
                biased;
                lock = tell::lock_waited(&inner.config, "login", inner.store.lock_login(&inner.key, limit)) => lock?,
                () = gone => return Err(Error::LoginAbandoned),
            }
        }
        outcome => outcome?,
    };
    Ok(Turn {
        _lock: lock,
        // Nobody is sent to a login that cannot be saved over what is there.
        found: inner.store.known_grant(&inner.key).await?,
        before,
    })
}

/// As long as the slowest login takes that somebody else may have begun just now.
fn limit(inner: &Inner) -> Duration {
    wait::limit(&inner.config) + DISCOVERY_LIMIT + SLACK
}

/// Takes the login that somebody else completed meanwhile, if it is what this one was to bring: the
/// person is not sent to a second page.
pub(super) fn adopt(inner: &Inner, turn: &Turn, wish: &Wish) -> Option<LoginReport> {
    let found = turn.found.as_ref()?;
    if !is_another_login(turn.before.as_ref(), found) || !serves(inner, &found.value, wish) {
        return None;
    }
    let held = Held::stored(found.clone());
    let now = inner.clock.now();
    if held.refusal().is_some()
        || held.rejection(now).is_some()
        || (held.valid_token(now).is_none() && !inner.is_renewable(&held))
    {
        return None;
    }
    tell::login_adopted(&inner.config, &found.value.issuer);
    inner.publish_login(held);
    lock(&inner.backoff).reset();
    Some(conclude::adopted(&found.value))
}

/// Whether the grant is of another login than the one before. A refresh keeps the name of its login;
/// records without names are told apart by their version.
fn is_another_login(before: Option<&Stored<Grant>>, found: &Stored<Grant>) -> bool {
    let Some(before) = before else {
        return true;
    };
    match (&before.value.login_id, &found.value.login_id) {
        (None, None) => before.generation != found.generation,
        (before, found) => before != found,
    }
}

/// Whether it fits the configuration and was asked for all the scopes that are wanted.
fn serves(inner: &Inner, grant: &Grant, wish: &Wish) -> bool {
    let wanted = wish.step_up.clone().or_else(|| wish.challenges.scope());
    let wanted = inner.config.scopes.union(&wanted.unwrap_or_default());
    let asked = grant.requested_scopes.iter().cloned().collect();
    inner.config.check(grant).is_ok()
        && grant.proof != doorkey_store::Proof::Rejected
        && doorkey_discovery::Scopes::is_superset(&asked, &wanted)
}

/// What registration, the exchange and slow stores may take besides.
const SLACK: Duration = Duration::from_secs(2 * 60);
