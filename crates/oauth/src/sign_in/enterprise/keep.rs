//! Where a sign-on is kept: in the store, for all servers that trust the provider, and in memory while
//! the store fails (REF-04).

use std::time::SystemTime;

use doorkey_store::{Generation, Grant, GrantKey};

use super::Parts;
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::flow::EnterpriseManaged;
use crate::shared::lock;

/// What is locked while a person signs on, so that one page opens and not one for each server.
pub(super) fn sign_on_key(enterprise: &EnterpriseManaged, account: &str) -> GrantKey {
    let GrantKey {
        server, account, ..
    } = enterprise.grant_key(account);
    GrantKey::new(server, format!("{account} (sign-on)"))
}

/// A sign-on as it is kept now, and which version of the record that is.
pub(super) struct Kept {
    pub(super) grant: Option<Grant>,
    pub(super) generation: Option<Generation>,
}

/// The newest version there is. Only who holds the lock of the sign-on looks.
pub(super) async fn load(parts: Parts<'_>, enterprise: &EnterpriseManaged) -> Result<Kept, Error> {
    let key = enterprise.grant_key(&parts.config.account);
    let memory = lock(parts.unsaved_identity).as_deref().cloned();
    let stored = match (parts.store.grant(&key).await, &memory) {
        (Ok(stored), _) => stored,
        (Err(error), None) => return Err(error.into()),
        (Err(_), Some(_)) => None,
    };
    let generation = stored.as_ref().map(|stored| stored.generation);
    let stored = stored.map(|stored| stored.value);
    let is_ahead = |memory: &Grant| {
        stored
            .as_ref()
            .is_none_or(|stored| memory.issued_at >= stored.issued_at)
    };
    Ok(match memory.filter(is_ahead) {
        Some(memory) => {
            save(parts, enterprise, &memory).await;
            Kept {
                grant: Some(memory),
                generation: None,
            }
        }
        None => Kept {
            grant: stored,
            generation,
        },
    })
}

/// Notes that a refresh token is about to be used. A store that cannot be written would lose its
/// successor, so nothing is sent then.
pub(super) async fn begin(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    kept: &Kept,
    now: SystemTime,
) -> Result<(), Error> {
    let (Some(grant), Some(generation)) = (&kept.grant, kept.generation) else {
        // Memory alone has it: the store is known to fail, and waiting would not save it.
        return Ok(());
    };
    let mut begun = grant.clone();
    begun.refresh_started_at = Some(unix_seconds(now));
    let key = enterprise.grant_key(&parts.config.account);
    parts
        .store
        .save_grant(&key, &begun, Some(generation))
        .await?;
    Ok(())
}

/// Keeps what a sign-on or its renewal brought, whoever changed the record meanwhile: it is the newest
/// there is. Where the store fails, memory keeps it until the store works again.
pub(super) async fn save(parts: Parts<'_>, enterprise: &EnterpriseManaged, grant: &Grant) {
    match stored(parts, enterprise, grant).await {
        Ok(()) => *lock(parts.unsaved_identity) = None,
        Err(error) => {
            tracing::error!(%error, "a sign-on could not be saved; it is kept in memory");
            *lock(parts.unsaved_identity) = Some(Box::new(grant.clone()));
        }
    }
}

async fn stored(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    grant: &Grant,
) -> Result<(), doorkey_store::Error> {
    let key = enterprise.grant_key(&parts.config.account);
    let mut round = 0;
    loop {
        let expected = parts.store.grant(&key).await?;
        let expected = expected.map(|stored| stored.generation);
        match parts.store.save_grant(&key, grant, expected).await {
            Err(error) if error.is_conflict() && round < ROUNDS => round += 1,
            outcome => return outcome.map(drop),
        }
    }
}

const ROUNDS: usize = 3;
