//! Logout: revoke, remove every local copy whatever the network said, report each step (REV-*).

use std::sync::Arc;

use doorkey_store::{Grant, Registration, RegistrationKey, Stored};
use secrecy::SecretString;
use tokio::sync::oneshot;
use url::Url;

use super::identity::sign_off;
use super::inner::Inner;
use super::newest::{Newest, newest};
use super::{class, started};
use crate::client::Client;
use crate::error::Error;
use crate::events::tell;
use crate::registration::kept::{of_client, serves_others};
use crate::registration::manage::delete;
use crate::report::{LogoutOptions, LogoutReport, StepOutcome};
use crate::revoke::revoke;
use crate::shared::lock;

/// See [`TokenSource::logout`](crate::TokenSource::logout).
pub(super) async fn logout(
    inner: &Arc<Inner>,
    options: LogoutOptions,
) -> Result<LogoutReport, Error> {
    let (sender, report) = oneshot::channel();
    let owned = Arc::clone(inner);
    inner.tasks.spawn(async move {
        // A caller that went away gets no report; the logout is done all the same.
        let report = run(&owned, options).await;
        tell::logout_finished(&owned.config, &report);
        drop(sender.send(report));
    })?;
    report.await.map_err(|_| Error::TaskLost)
}

async fn run(inner: &Inner, options: LogoutOptions) -> LogoutReport {
    let limit = inner.config.refresh_lock_limit;
    // Who holds the lock for too long does not keep a person signed in.
    let guard = inner.store.lock_grant(&inner.key, limit).await;
    let stored = inner.store.grant(&inner.key).await;
    let grant = newest_of(inner, stored.as_ref().ok().and_then(Option::as_ref));
    let (revoked_refresh, revoked_access) = match &grant {
        Some(grant) => {
            class::pin(inner, grant);
            revoke_both(inner, grant).await
        }
        None => (StepOutcome::NothingToDo, StepOutcome::NothingToDo),
    };
    let removed_local = match stored {
        Ok(stored) => remove(inner, stored).await,
        Err(error) => StepOutcome::Failed(error.into()),
    };
    let removed_local = match started::forget(inner).await {
        Err(error) if !matches!(removed_local, StepOutcome::Failed(_)) => {
            StepOutcome::Failed(error)
        }
        _ => removed_local,
    };
    // Last, so that nobody brings back what was read before the removal.
    inner.forget();
    lock(&inner.backoff).reset();
    drop(guard);
    let registration = match &grant {
        _ if !options.forget_client => StepOutcome::NotRequested,
        Some(grant) => {
            class::pin(inner, grant);
            forget_client(inner, grant).await
        }
        None => StepOutcome::NothingToDo,
    };
    if inner.current().is_none() {
        class::forget(inner);
    }
    LogoutReport {
        revoked_refresh,
        revoked_access,
        removed_local,
        registration,
        identity: sign_off(inner).await,
    }
}

/// The grant to revoke. What only memory has left is revoked too.
fn newest_of(inner: &Inner, stored: Option<&Stored<Grant>>) -> Option<Grant> {
    let memory = inner.current();
    match newest(memory.as_ref(), Ok(stored.cloned())) {
        Ok(Newest::Memory(held)) => Some(held.grant.clone()),
        Ok(Newest::Other(held)) => Some(held.grant),
        Ok(Newest::None) | Err(_) => memory.map(|held| held.grant.clone()),
    }
}

/// The refresh token first: most servers end its access tokens with it (REV-01).
async fn revoke_both(inner: &Inner, grant: &Grant) -> (StepOutcome, StepOutcome) {
    let client = Client::of_grant(grant, &inner.config);
    let refresh = revoke_one(
        inner,
        grant,
        &client,
        (grant.refresh_token.as_ref(), "refresh_token"),
    );
    let refresh = refresh.await;
    let access = revoke_one(
        inner,
        grant,
        &client,
        (grant.access_token.as_ref(), "access_token"),
    );
    (refresh, access.await)
}

async fn revoke_one(
    inner: &Inner,
    grant: &Grant,
    client: &Client,
    (token, hint): (Option<&SecretString>, &str),
) -> StepOutcome {
    let Some(token) = token else {
        return StepOutcome::NothingToDo;
    };
    let Some(endpoint) = &grant.revocation_endpoint else {
        return StepOutcome::Unsupported;
    };
    let outcome = async {
        let endpoint = Url::parse(endpoint)
            .map_err(|cause| Error::invalid_url("stored revocation endpoint", cause))?;
        revoke(inner.parts().tools(), &endpoint, client, (token, hint)).await
    };
    outcome_of(outcome.await)
}

/// Removes the record, whoever changed it meanwhile: each attempt names the version it saw.
async fn remove(inner: &Inner, mut stored: Option<Stored<Grant>>) -> StepOutcome {
    let Some(first) = &stored else {
        return discard_set_aside(inner, StepOutcome::NothingToDo).await;
    };
    let mut generation = first.generation;
    let mut conflict = None;
    for _ in 0..ROUNDS {
        match inner.store.remove_grant(&inner.key, generation).await {
            Ok(()) => return discard_set_aside(inner, StepOutcome::Done).await,
            Err(error) if error.is_conflict() => conflict = Some(error),
            Err(error) => return StepOutcome::Failed(error.into()),
        }
        stored = match inner.store.grant(&inner.key).await {
            Ok(stored) => stored,
            Err(error) => return StepOutcome::Failed(error.into()),
        };
        match &stored {
            Some(stored) => generation = stored.generation,
            // Somebody else removed it, but not what was set aside.
            None => return discard_set_aside(inner, StepOutcome::Done).await,
        }
    }
    StepOutcome::Failed(conflict.map_or(Error::TaskLost, Error::from))
}

/// Copies that were set aside as unusable may still hold a token.
async fn discard_set_aside(inner: &Inner, done: StepOutcome) -> StepOutcome {
    match inner.store.discard_set_aside_grants(&inner.key).await {
        Ok(_) => done,
        Err(error) => StepOutcome::Failed(error.into()),
    }
}

/// Deletes the dynamic registration of the grant, if no other grant uses it (REV-06, REV-07).
///
/// A login that begins meanwhile waits for the lock, and then finds no registration to use.
async fn forget_client(inner: &Inner, grant: &Grant) -> StepOutcome {
    if !grant.dynamic_registration {
        return StepOutcome::NothingToDo;
    }
    let limit = inner.config.refresh_lock_limit;
    let shared = RegistrationKey::shared(grant.issuer.as_str());
    let removed = async {
        let lock = inner.store.lock_registration(&shared, limit).await?;
        remove_client(inner, grant).await.map(|found| (lock, found))
    };
    match removed.await {
        // Still under the lock, so that nobody registers while the server is asked to forget.
        Ok((_lock, Found::Removed(registration))) => {
            match delete(&inner.http, &registration, inner.clock.now()).await {
                Ok(true) => StepOutcome::Done,
                Ok(false) => StepOutcome::Unsupported,
                Err(error) => StepOutcome::LocalOnly(error),
            }
        }
        Ok((_, Found::InUse)) => StepOutcome::InUse,
        Ok((_, Found::None)) => StepOutcome::NothingToDo,
        Err(error) => StepOutcome::Failed(error.into()),
    }
}

/// What became of the local copy of a registration.
enum Found {
    Removed(Box<Registration>),
    InUse,
    None,
}

async fn remove_client(inner: &Inner, grant: &Grant) -> Result<Found, doorkey_store::Error> {
    let (store, issuer, client_id) = (&inner.store, &grant.issuer, &grant.client_id);
    if serves_others(store, &inner.key, issuer, client_id).await? {
        return Ok(Found::InUse);
    }
    let Some((kept, registration)) = of_client(store, issuer, client_id).await? else {
        return Ok(Found::None);
    };
    store
        .remove_registration(&kept.key, kept.generation)
        .await?;
    Ok(Found::Removed(Box::new(registration)))
}

fn outcome_of(result: Result<(), Error>) -> StepOutcome {
    match result {
        Ok(()) => StepOutcome::Done,
        Err(error) => StepOutcome::Failed(error),
    }
}

const ROUNDS: usize = 3;
