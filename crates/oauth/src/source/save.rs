//! Notes on the stored grant that change no token, and the last save before a program exits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorkey_store::{Grant, Proof, Stored};

use super::held::Held;
use super::inner::Inner;
use super::refresh;
use crate::error::{Error, LoginReason};
use crate::report::DrainTimeout;

/// See [`TokenSource::record_proof`](crate::TokenSource::record_proof).
pub(super) async fn record_proof(
    inner: &Inner,
    proof: Proof,
    detail: Option<String>,
) -> Result<(), Error> {
    let detail = detail.map(|text| doorkey_http::clean_text(&text, DETAIL_LIMIT));
    update(inner, |grant| {
        grant.proof = proof;
        grant.last_error.clone_from(&detail);
    })
    .await
}

/// Changes the stored grant, whoever changed it before.
pub(super) async fn update(inner: &Inner, change: impl Fn(&mut Grant)) -> Result<(), Error> {
    let limit = inner.config.refresh_lock_limit;
    let _lock = inner.store.lock_grant(&inner.key, limit).await?;
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let Some(stored) = inner.store.grant(&inner.key).await? else {
            return Err(inner.login_required(LoginReason::NoGrant, None));
        };
        let mut grant = stored.value;
        change(&mut grant);
        match inner
            .store
            .save_grant(&inner.key, &grant, Some(stored.generation))
            .await
        {
            Ok(generation) => {
                show(inner, Stored::new(grant, generation));
                return Ok(());
            }
            Err(error) if error.is_conflict() => conflict = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

/// Makes a version that was just saved the current one, unless memory holds an unsaved token.
fn show(inner: &Inner, stored: Stored<Grant>) {
    match inner.current() {
        Some(held) if !held.saved => {}
        Some(held) if held.is_token_of(&stored.value) => {
            inner.publish(held.revised(stored.value, Some(stored.generation)));
        }
        _ => {
            inner.publish(Held::stored(stored));
        }
    }
}

/// See [`TokenSource::drain`](crate::TokenSource::drain).
pub(super) async fn drain(inner: &Arc<Inner>, limit: Duration) -> Result<(), DrainTimeout> {
    let started = Instant::now();
    inner
        .tasks
        .idle(limit)
        .await
        .map_err(|tasks| DrainTimeout { tasks })?;
    let left = limit.saturating_sub(started.elapsed()).max(LAST_SAVE);
    tokio::time::timeout(left, flush(inner))
        .await
        .map_err(|_| DrainTimeout { tasks: 1 })
}

/// Tries once more to save what a failing store left in memory only.
async fn flush(inner: &Inner) {
    if inner.current().is_none_or(|held| held.saved) {
        return;
    }
    match save_memory(inner).await {
        Ok(()) => inner.note_store(None),
        Err(error) => inner.note_store(Some(error)),
    }
}

async fn save_memory(inner: &Inner) -> Result<(), Error> {
    let limit = inner.config.refresh_lock_limit;
    let _lock = inner.store.lock_grant(&inner.key, limit).await?;
    // Somebody else may have saved a newer grant, which then is the current one.
    let held = refresh::reread(inner).await?;
    if held.saved {
        return Ok(());
    }
    let generation = inner
        .store
        .save_grant(&inner.key, &held.grant, held.generation)
        .await?;
    let mut saved = held.revised(held.grant.clone(), Some(generation));
    saved.saved = true;
    inner.publish(saved);
    Ok(())
}

const ROUNDS: usize = 3;
const DETAIL_LIMIT: usize = 500;
const LAST_SAVE: Duration = Duration::from_millis(100);
