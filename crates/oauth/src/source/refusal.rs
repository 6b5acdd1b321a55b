//! What a refresh that failed means for the grant (architecture "A refresh refused"; REF-07, REF-08, REF-15).

use std::sync::Arc;

use doorkey_store::Grant;
use http::StatusCode;
use secrecy::SecretString;

use super::held::{Held, Replaced};
use super::inner::Inner;
use super::refresh::is_spent;
use super::{on_record, pace};
use crate::clock::unix_seconds;
use crate::error::{Error, LoginReason, NextStep};
use crate::events::tell;
use crate::exchange::Exchanged;
use crate::protocol_error::ProtocolError;
use crate::registration::kept::{Kept, of_client};
use crate::shared::Shared;
use crate::shared::lock;

/// The refresh that failed.
pub(super) struct Attempt {
    pub(super) held: Arc<Held>,
    pub(super) refresh_token: SecretString,
}

/// Where a step of the refresh left the grant.
pub(super) enum After {
    Settled(Arc<Held>),
    /// Somebody else changed it: look at it again.
    Changed(Option<Error>),
}

/// What the failure says.
enum Refusal {
    /// `invalid_grant`: this refresh token is dead.
    Token(ProtocolError),
    /// The client may not refresh so, or scope or resource are wrong: only a new login helps.
    Request(ProtocolError),
    /// `invalid_client`.
    Client(ProtocolError),
    /// Nothing about the grant.
    Passing,
}

fn classify(error: &Error) -> Refusal {
    let Error::TokenEndpoint { error, .. } = error else {
        return Refusal::Passing;
    };
    match error.code.as_str() {
        "invalid_grant" => Refusal::Token(error.clone()),
        "unauthorized_client" | "invalid_scope" | "invalid_target" => {
            Refusal::Request(error.clone())
        }
        "invalid_client" => Refusal::Client(error.clone()),
        _ => Refusal::Passing,
    }
}

/// Draws the consequences, none of which touches the access token.
///
/// # Errors
/// [`Error::LoginRequired`], or `error` itself when trying again later may help.
pub(super) async fn settle(inner: &Inner, attempt: Attempt, error: Error) -> Result<After, Error> {
    match classify(&error) {
        Refusal::Passing => Err(passing(inner, &attempt, error).await),
        Refusal::Token(refusal) => match is_replaced(inner, &attempt).await {
            // Somebody who does not heed the lock may have rotated it: then the new one is what counts.
            Ok(true) => Ok(After::Changed(Some(error))),
            Ok(false) => Err(dead(inner, &attempt, refusal, error).await),
            // Whether that is the end only the store can say: it is asked again after a while.
            Err(trouble) => Err(inner.wait_after(trouble)),
        },
        Refusal::Request(refusal) => {
            let reason = LoginReason::RefreshRefused(refusal);
            note(inner, &attempt.held, |grant| {
                on_record::record(grant, &reason);
            })
            .await;
            Err(refuse(inner, reason, error))
        }
        Refusal::Client(refusal) if attempt.held.grant.dynamic_registration => {
            let reason = LoginReason::RegistrationGone(refusal);
            drop_registration(inner, &attempt.held.grant).await;
            note(inner, &attempt.held, |grant| {
                on_record::record(grant, &reason);
            })
            .await;
            Err(refuse(inner, reason, error))
        }
        // A configured client can be corrected, so the record keeps no trace of this.
        Refusal::Client(refusal) => {
            note(inner, &attempt.held, |_| {}).await;
            Err(refuse(inner, LoginReason::ClientRefused(refusal), error))
        }
    }
}

/// The refresh token is dead, and no other one is there.
async fn dead(inner: &Inner, attempt: &Attempt, refusal: ProtocolError, error: Error) -> Error {
    let reason = if attempt.held.grant.refresh_started_at.is_some() {
        LoginReason::RefreshInterrupted(refusal)
    } else {
        LoginReason::RefreshRefused(refusal)
    };
    note(inner, &attempt.held, |grant| {
        grant.refresh_token = None;
        on_record::record(grant, &reason);
    })
    .await;
    refuse(inner, reason, error)
}

fn refuse(inner: &Inner, reason: LoginReason, error: Error) -> Error {
    if let Some(held) = inner.current() {
        held.refuse(reason.clone());
    }
    tell::refresh_rejected(&inner.config, &reason);
    inner.login_required(reason, Some(error))
}

/// Keeps everything and waits a while. An answer of the server shows that no token was lost; silence does
/// not, nor does a 500, 502 or 504, which may come from in between or after the token was spent: then the
/// record keeps saying that a refresh was begun.
async fn passing(inner: &Inner, attempt: &Attempt, error: Error) -> Error {
    let now = inner.clock.now();
    let unsent = matches!(&error, Error::Http(cause) if cause.is_connect());
    let told = unsent
        || matches!(&error, Error::TokenEndpoint { status, .. }
            if !status.is_server_error() || *status == StatusCode::SERVICE_UNAVAILABLE);
    // Trying again would not help against a clock that is wrong (DP-17).
    let is_clock = error.next_step() == Some(NextStep::CheckClock);
    let error = if error.is_transient() || !is_answer(&error) || is_clock {
        error
    } else {
        Error::RefreshFailed(Shared::new(error))
    };
    match told {
        true => tell::refresh_failed(&inner.config, &error),
        false => tell::refresh_unknown(&inner.config, &error),
    }
    lock(&inner.backoff).failed(error.clone(), now, inner.random.as_ref());
    let not_before = pace::not_before(&error, now);
    let before = attempt.held.grant.refresh_started_at;
    if told {
        note(inner, &attempt.held, |grant| {
            grant.refresh_started_at = before;
            grant.refresh_not_before = not_before;
        })
        .await;
    } else if not_before.is_some() {
        // Every process is to obey; whether the request was answered by whom it was for is unknown.
        note(inner, &attempt.held, |grant| {
            grant.refresh_started_at = Some(unix_seconds(now));
            grant.refresh_not_before = not_before;
        })
        .await;
    } else {
        let mut grant = attempt.held.grant.clone();
        grant.refresh_started_at = Some(unix_seconds(now));
        inner.publish(attempt.held.revised(grant, attempt.held.generation));
    }
    error
}

/// Waits after a renewal that failed and spent nothing, with every process where the server asked for
/// that.
pub(super) async fn postpone(inner: &Inner, held: &Held, error: Error) -> Error {
    tell::refresh_failed(&inner.config, &error);
    if let Some(not_before) = pace::not_before(&error, inner.clock.now()) {
        note(inner, held, |grant| {
            pace::note(inner, grant);
            grant.refresh_not_before = Some(not_before);
        })
        .await;
    }
    inner.wait_after(error)
}

/// A refresh that brought a token which is not bound to our key (DP-16). It is not used; what
/// replaced the refresh token is kept, because the old one may be spent.
pub(super) async fn unbound(
    inner: &Inner,
    attempt: Attempt,
    exchanged: &Exchanged,
    error: Error,
) -> Error {
    tell::refresh_failed(&inner.config, &error);
    note(inner, &attempt.held, |grant| {
        if exchanged.tokens.refresh_token.is_some() {
            grant
                .refresh_token
                .clone_from(&exchanged.tokens.refresh_token);
        }
        grant.last_error = Some(error.to_string());
    })
    .await;
    inner.wait_after(error)
}

/// Whether the server, or somebody on the way to it, answered; the next answer may be another one.
/// What keeps a request from being answered at all, such as a certificate, has its own next step.
fn is_answer(error: &Error) -> bool {
    match error {
        Error::TokenEndpoint { .. } | Error::UnreadableResponse { .. } => true,
        Error::Http(cause) => matches!(
            **cause,
            doorkey_http::Error::BodyTooLarge { .. }
                | doorkey_http::Error::HeadersTooLarge { .. }
                | doorkey_http::Error::RedirectRefused { .. }
        ),
        _ => false,
    }
}

/// Whether the store has another refresh token by now.
///
/// # Errors
/// [`Error::Store`]: nobody knows.
async fn is_replaced(inner: &Inner, attempt: &Attempt) -> Result<bool, Error> {
    let stored = inner.store.known_grant(&inner.key).await?;
    Ok(stored.is_some_and(|stored| {
        Some(stored.generation) != attempt.held.generation
            && stored.value.refresh_token.is_some()
            && !is_spent(&stored.value, &attempt.refresh_token)
    }))
}

/// Changes the record of `held` if it still is the stored one, and the current grant with it.
///
/// Nothing here is worth failing for: who lost a race has nothing to note.
async fn note(inner: &Inner, held: &Held, change: impl FnOnce(&mut Grant)) {
    let mut grant = held.grant.clone();
    grant.refresh_started_at = None;
    change(&mut grant);
    match inner
        .store
        .save_grant(&inner.key, &grant, held.generation)
        .await
    {
        Ok(generation) => {
            let mut noted = held.revised(grant, Some(generation));
            noted.saved = true;
            inner.publish(noted);
            if !held.saved {
                inner.note_store(None);
            }
        }
        Err(error) => {
            tracing::warn!(%error, "the outcome of a refresh could not be noted");
            let mut noted = held.revised(grant, held.generation);
            // A new refresh token is in memory only then, and is to get into the store yet.
            if held.saved && noted.has_another_refresh_token(&held.grant) {
                noted.saved = false;
                noted.replaced = Replaced::of(&held.grant);
                inner.note_store(Some(error.into()));
            }
            inner.publish(noted);
        }
    }
}

/// Drops the registration the grant was made with, unless it has been replaced already (REG-23).
pub(super) async fn drop_registration(inner: &Inner, grant: &Grant) {
    let outcome = match of_client(&inner.store, &grant.issuer, &grant.client_id).await {
        Ok(Some((Kept { key, generation }, _))) => {
            inner.store.remove_registration(&key, generation).await
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome
        && !error.is_conflict()
    {
        tracing::warn!(%error, "a registration that is gone could not be dropped");
    }
}
