//! Logins that one process starts and another one finishes, and how many are started.

use std::sync::Arc;
use std::time::Duration;

use doorkey_discovery::{Challenges, Issuer};
use doorkey_store::{LockGuard, Login, PendingAuthorization, Stored};
use secrecy::SecretString;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::inner::Inner;
use super::{class, conclude, login, refusal};
use crate::callback::{Judgement, pasted_answer, state_problem};
use crate::clock::{from_unix_seconds, unix_seconds};
use crate::error::{Attempts, Error, InvalidResponse};
use crate::events::tell;
use crate::exchange::is_invalid_client;
use crate::flow::{DpopChoice, Flow};
use crate::interaction::Deny;
use crate::learned;
use crate::report::{LoginReport, PendingLogin, StartedLogin};
use crate::sign_in::started::{self, Started};
use crate::sign_in::{Failed, Wish};

/// See [`TokenSource::start_login`](crate::TokenSource::start_login).
pub(super) async fn start(
    inner: &Arc<Inner>,
    challenges: &Challenges,
    redirect_uri: Option<String>,
) -> Result<StartedLogin, Error> {
    inner.config.check_settings()?;
    check_flow(inner)?;
    let wish = Wish {
        challenges: challenges.clone(),
        previous: None,
        step_up: None,
        interaction: Arc::new(Deny),
    };
    owned(inner, |inner| async move {
        tell::login_started(&inner.config, "halves");
        let started = started_for(&inner, wish, redirect_uri).await;
        match &started {
            Ok(started) => tell::login_pending(&inner.config, started.issuer.as_str()),
            Err(error) => tell::login_failed(&inner.config, error),
        }
        started
    })
    .await
}

async fn started_for(
    inner: &Inner,
    mut wish: Wish,
    redirect_uri: Option<String>,
) -> Result<StartedLogin, Error> {
    let _turn = turn(inner).await?;
    // Nobody is sent to a login that cannot be saved over what is there.
    let stored = inner.store.known_grant(&inner.key).await?;
    note_start(inner).await?;
    wish.previous = stored.as_ref().map(login::previous);
    let anew = class::Anew::begin_asked(inner);
    let first = started::start(inner.parts(), &wish, redirect_uri.clone()).await;
    let started = match first {
        Err(failed) if login::another_client_may_do(inner, &failed).await => {
            started::start(inner.parts(), &wish, redirect_uri).await
        }
        outcome => outcome,
    };
    // Until somebody finishes it, the grant that is there counts.
    anew.restore().await;
    let Started {
        pending,
        url,
        found: (match_kind, source),
    } = started.map_err(|failed: Failed| failed.error)?;
    let told = told(&pending);
    let replaced = keep(inner, pending).await?;
    if replaced {
        tracing::info!("a login that was started before can no longer be finished");
    }
    Ok(StartedLogin {
        url,
        issuer: told.issuer,
        redirect_uri: told.redirect_uri,
        scopes: told.scopes,
        expires_at: told.expires_at,
        replaced,
        match_kind,
        source,
    })
}

/// The right to sign in, for one half of a login (AZ-22). Somebody who is at a page has it for longer than
/// anybody should wait here: their login is neither overtaken nor overwritten.
///
/// # Errors
/// [`Error::Store`] with a lock timeout, while another login is under way: try again when it is over.
async fn turn(inner: &Inner) -> Result<LockGuard, Error> {
    Ok(inner.store.lock_login(&inner.key, TURN).await?)
}

/// Only a browser comes back with something to paste.
fn check_flow(inner: &Inner) -> Result<(), Error> {
    if matches!(inner.config.flow, Flow::AuthorizationCode) {
        return Ok(());
    }
    Err(Error::Configuration {
        setting: "flow",
        why: format!(
            "a login by {} is not started in one process and finished in another",
            inner.config.flow.as_str()
        ),
    })
}

/// Runs `work` in a task of its own: who goes away loses no code that was taken and no token.
async fn owned<T, F>(inner: &Arc<Inner>, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (sender, outcome) = oneshot::channel();
    let work = work(Arc::clone(inner)).instrument(tell::login_span(&inner.config));
    inner.tasks.spawn(async move {
        drop(sender.send(work.await));
    })?;
    outcome.await.map_err(|_| Error::TaskLost)?
}

/// Saves the request in place of an earlier one. Whether there was one that could still be finished.
async fn keep(inner: &Inner, pending: PendingAuthorization) -> Result<bool, Error> {
    let now = unix_seconds(inner.clock.now());
    let mut replaced = false;
    change(inner, |login| {
        let before = login.pending.replace(pending.clone());
        replaced = before.is_some_and(|before| !is_over(&before, now));
        true
    })
    .await?;
    Ok(replaced)
}

/// See [`TokenSource::finish_login`](crate::TokenSource::finish_login).
pub(super) async fn finish(inner: &Arc<Inner>, callback: &str) -> Result<LoginReport, Error> {
    inner.config.check_settings()?;
    check_flow(inner)?;
    let callback = zeroize::Zeroizing::new(callback.to_owned());
    owned(inner, |inner| async move {
        let outcome = finished(&inner, &callback).await;
        outcome.inspect_err(|error| tell::login_failed(&inner.config, error))
    })
    .await
}

async fn finished(inner: &Inner, callback: &str) -> Result<LoginReport, Error> {
    // Held to the end, as by a login in one piece.
    let _turn = turn(inner).await?;
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let Some((stored, pending)) = waiting(inner).await? else {
            return Err(Error::NoPendingLogin);
        };
        let now = inner.clock.now();
        if is_over(&pending, unix_seconds(now)) {
            drop(take(inner, stored).await);
            return Err(Error::InvalidAuthorizationResponse(
                InvalidResponse::Expired,
            ));
        }
        if !fits(inner, &pending) {
            drop(take(inner, stored).await);
            return Err(Error::InvalidAuthorizationResponse(
                InvalidResponse::OtherSettings,
            ));
        }
        let record = started::record(&pending);
        let pasted = pasted_answer(callback, &record.redirect_uri);
        let pasted = pasted.map_err(Error::InvalidAuthorizationResponse)?;
        let code = match pasted.judge(&record, now) {
            Judgement::Code(code) => code,
            Judgement::Foreign => {
                let problem = state_problem(&pasted.query);
                return Err(Error::InvalidAuthorizationResponse(problem));
            }
            Judgement::Insufficient => {
                let problem = InvalidResponse::NotTheAddress;
                return Err(Error::InvalidAuthorizationResponse(problem));
            }
            Judgement::Ended(error) => {
                // The server's own answer is the end of this request; a wrong paste is not.
                if matches!(*error, Error::Denied(_) | Error::AuthorizationResponse(_)) {
                    drop(take(inner, stored).await);
                }
                return Err(*error);
            }
        };
        // Taken before it is used, so that of many who have the code one uses it.
        match take(inner, stored).await {
            Ok(()) => {}
            Err(error) if error.is_conflict() => {
                conflict = Some(error);
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        return exchanged(inner, pending, &code).await;
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

/// Uses the code, once the request was taken.
async fn exchanged(
    inner: &Inner,
    pending: PendingAuthorization,
    code: &SecretString,
) -> Result<LoginReport, Error> {
    let draft = pending.grant.clone();
    let anew = class::Anew::go_on(inner, &draft);
    match started::finish(inner.parts(), pending, code).await {
        Ok(signed) => conclude::finish(inner, signed).await,
        Err(error) => {
            anew.restore().await;
            if is_invalid_client(&error) {
                learned::forget(&inner.store, &draft.issuer).await;
            }
            if is_invalid_client(&error) && draft.dynamic_registration {
                // The next login registers anew (REG-23).
                refusal::drop_registration(inner, &draft).await;
            }
            Err(error)
        }
    }
}

/// The record of logins, and the request in it that waits for its answer.
async fn waiting(inner: &Inner) -> Result<Option<(Stored<Login>, PendingAuthorization)>, Error> {
    let stored = inner.store.login(&inner.key).await?;
    Ok(stored.and_then(|stored| {
        let pending = stored.value.pending.clone()?;
        Some((stored, pending))
    }))
}

/// Removes the request by the version that was read: nobody else gets it after that.
async fn take(inner: &Inner, mut stored: Stored<Login>) -> Result<(), doorkey_store::Error> {
    stored.value.pending = None;
    save(inner, &stored.value, Some(stored.generation)).await
}

/// Saves the record in place of that version of it.
async fn save(
    inner: &Inner,
    login: &Login,
    expected: Option<doorkey_store::Generation>,
) -> Result<(), doorkey_store::Error> {
    let saved = inner.store.save_login(&inner.key, login, expected);
    saved.await.map(drop)
}

/// Whether it can no longer be answered. One that was made in the future is of a clock that has been set
/// back since: nobody knows how old it is.
fn is_over(pending: &PendingAuthorization, now: u64) -> bool {
    pending.expires_at < now || pending.started_at > now.saturating_add(AHEAD)
}

/// Whether a grant of that request would be what the configuration asks for now (ST-02).
fn fits(inner: &Inner, pending: &PendingAuthorization) -> bool {
    let mut draft = pending.grant.clone();
    let is_bound = match inner.config.dpop {
        // A bearer token in answer would not do.
        DpopChoice::Require => pending.binding_required,
        _ => draft.dpop_key.is_some(),
    };
    let kind = if is_bound { "DPoP" } else { "Bearer" };
    kind.clone_into(&mut draft.token_type);
    inner.config.check(&draft).is_ok()
}

fn told(pending: &PendingAuthorization) -> PendingLogin {
    let grant = &pending.grant;
    let time = |seconds| from_unix_seconds(seconds).unwrap_or(std::time::UNIX_EPOCH);
    PendingLogin {
        issuer: Issuer::new(grant.issuer.as_str()),
        redirect_uri: grant.redirect_uri.clone().unwrap_or_default(),
        scopes: started::requested(pending),
        started_at: time(pending.started_at),
        expires_at: time(pending.expires_at),
    }
}

/// See [`TokenSource::pending_login`](crate::TokenSource::pending_login).
pub(super) async fn pending(inner: &Inner) -> Result<Option<PendingLogin>, Error> {
    let now = unix_seconds(inner.clock.now());
    let Some((stored, pending)) = waiting(inner).await? else {
        return Ok(None);
    };
    if is_over(&pending, now) {
        // Its secrets are of no use any more. Who looks is not to fail because of that.
        if let Err(error) = take(inner, stored).await {
            tracing::debug!(%error, "a login that can no longer be finished could not be removed");
        }
        return Ok(None);
    }
    Ok(Some(told(&pending)))
}

/// Notes that a login begins, unless too many did within a minute. It also shows that the store can be
/// written, before a person has gone to the browser.
///
/// # Errors
/// [`Error::TooManyAttempts`]; [`Error::Store`].
pub(super) async fn note_start(inner: &Inner) -> Result<(), Error> {
    let limit = inner.config.logins_per_minute;
    let now = unix_seconds(inner.clock.now());
    let mut refused = None;
    let noted = change(inner, |login| {
        let times = &login.recent_starts;
        match inner.login_brake.check(Attempts::Logins, limit, times, now) {
            Ok(()) => super::brake::note(&mut login.recent_starts, limit, now),
            Err(error) => refused = Some(error),
        }
        refused.is_none()
    });
    let noted = noted.await;
    if let Some(error) = refused {
        return Err(error);
    }
    inner.login_brake.note(limit, now);
    match noted {
        Err(error) if inner.config.flow.is_unattended() => {
            // Nobody is sent anywhere in vain, and memory counts as well.
            tracing::warn!(%error, "the start of a login could not be noted");
            Ok(())
        }
        outcome => outcome,
    }
}

/// Discards a login that was started: somebody signed in, or out.
pub(super) async fn discard(inner: &Inner) {
    let discarded = change(inner, |login| login.pending.take().is_some());
    if let Err(error) = discarded.await {
        tracing::warn!(%error, "a login that was started could not be discarded");
    }
}

/// Removes all that is known of the logins of this account: somebody signs out.
pub(super) async fn forget(inner: &Inner) -> Result<(), Error> {
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let Some(stored) = inner.store.login(&inner.key).await? else {
            // Nothing is left, whoever removed it.
            conflict = None;
            break;
        };
        let removed = inner.store.remove_login(&inner.key, stored.generation);
        match removed.await {
            Err(error) if error.is_conflict() => conflict = Some(error),
            outcome => {
                outcome?;
                conflict = None;
                break;
            }
        }
    }
    if let Some(error) = conflict {
        return Err(error.into());
    }
    inner.store.discard_set_aside_logins(&inner.key).await?;
    Ok(())
}

/// Saves what `change` does to the record, whoever changed it before, unless it says `false`.
async fn change(inner: &Inner, mut change: impl FnMut(&mut Login) -> bool) -> Result<(), Error> {
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let stored = inner.store.login(&inner.key).await?;
        let (mut login, generation) = match stored {
            Some(stored) => (stored.value, Some(stored.generation)),
            None => (Login::default(), None),
        };
        if !change(&mut login) {
            return Ok(());
        }
        match save(inner, &login, generation).await {
            Err(error) if error.is_conflict() => conflict = Some(error),
            outcome => return Ok(outcome?),
        }
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

const ROUNDS: usize = 5;
/// How long half a login waits for another one to end.
const TURN: Duration = Duration::from_secs(5);
/// How many seconds ahead the clock of another process may be.
const AHEAD: u64 = 60;
