//! Notes on the stored grant that change no token, and the last save before a program exits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorkey_store::{Grant, Proof};

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
    let Some(about) = inner.current_or_stored().await? else {
        return Err(inner.login_required(LoginReason::NoGrant, None));
    };
    let detail = detail.map(|text| doorkey_http::clean_text(&text, DETAIL_LIMIT));
    update(inner, &about, |grant| {
        grant.proof = proof;
        grant.last_error.clone_from(&detail);
    })
    .await
}

/// Changes the record of the token of `about`, whoever changed it before. Another token's record,
/// which somebody else may have signed in for, is left alone (law 6).
pub(super) async fn update(
    inner: &Inner,
    about: &Held,
    change: impl Fn(&mut Grant),
) -> Result<(), Error> {
    let limit = inner.config.refresh_lock_limit;
    let _lock = inner.store.lock_grant(&inner.key, limit).await?;
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let held = refresh::reread(inner).await?;
        if !held.is_token_of(&about.grant) {
            return Ok(());
        }
        match save(inner, &held, &change).await {
            Err(error) if error.is_conflict() => conflict = Some(error),
            outcome => return Ok(outcome?),
        }
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

/// Saves the current version of the grant with a change, and its token too if only memory has it.
async fn save(
    inner: &Inner,
    held: &Held,
    change: impl Fn(&mut Grant),
) -> Result<(), doorkey_store::Error> {
    let mut grant = held.grant.clone();
    change(&mut grant);
    let generation = inner
        .store
        .save_grant(&inner.key, &grant, held.generation)
        .await?;
    let mut saved = held.revised(grant, Some(generation));
    saved.saved = true;
    inner.publish(saved);
    if !held.saved {
        inner.note_store(None);
    }
    Ok(())
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
    if let Err(error) = save_memory(inner).await {
        inner.note_store(Some(error));
    }
}

/// Tries again to save what a failing store left in memory only, in a task of its own; one at a time.
pub(super) fn again(inner: &Arc<Inner>) {
    let Ok(alone) = Arc::clone(&inner.saving).try_lock_owned() else {
        return;
    };
    let own = Arc::clone(inner);
    let spawned = inner.tasks.spawn(async move {
        let _alone = alone;
        // The failure itself was told already and stays on record until a save succeeds.
        if let Err(error) = save_memory(&own).await {
            tracing::debug!(%error, "what memory has could not be saved yet");
        }
    });
    if let Err(error) = spawned {
        tracing::debug!(%error, "what memory has cannot be saved here");
    }
}

async fn save_memory(inner: &Inner) -> Result<(), Error> {
    let limit = inner.config.refresh_lock_limit;
    let _lock = inner.store.lock_grant(&inner.key, limit).await?;
    // Somebody else may have saved a newer grant, which then is the current one.
    let held = refresh::reread(inner).await?;
    if held.saved {
        inner.note_store(None);
        return Ok(());
    }
    Ok(save(inner, &held, |_| {}).await?)
}

const ROUNDS: usize = 3;
const DETAIL_LIMIT: usize = 500;
const LAST_SAVE: Duration = Duration::from_millis(100);
