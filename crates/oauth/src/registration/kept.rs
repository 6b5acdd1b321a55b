//! Where registrations are kept: as many for one issuer as logins there need redirect URIs, each
//! found again by its client (REG-04, REV-07).
//!
//! The first is the one that all accounts share. A further one, for a login whose redirect URI or
//! scopes the others do not serve, is kept under its `client_id`.

use std::cmp::Reverse;

use doorkey_store::{
    Error, Generation, GrantKey, Registration, RegistrationKey, RegistrationKind, Store, Stored,
};

/// A registration's record as it was read or saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) key: RegistrationKey,
    pub(crate) generation: Generation,
}

/// The registrations at an issuer: that of `preferred` first, then the shared one.
pub(crate) async fn at_issuer(
    store: &Store,
    issuer: &str,
    preferred: Option<&str>,
) -> Result<Vec<(Kept, Registration)>, Error> {
    let listing = store.registrations().await?;
    let mut all: Vec<_> = listing
        .entries
        .into_iter()
        .filter(|(key, _)| key.issuer == issuer)
        .map(
            |(
                key,
                Stored {
                    value, generation, ..
                },
            )| (Kept { key, generation }, value),
        )
        .collect();
    all.sort_by_key(|(kept, registration)| {
        Reverse((
            preferred == Some(registration.client_id.as_str()),
            kept.key.account.is_none(),
        ))
    });
    Ok(all)
}

/// The dynamic registration of that client.
pub(crate) async fn of_client(
    store: &Store,
    issuer: &str,
    client_id: &str,
) -> Result<Option<(Kept, Registration)>, Error> {
    let all = at_issuer(store, issuer, Some(client_id)).await?;
    Ok(all.into_iter().next().filter(|(_, registration)| {
        registration.client_id == client_id && registration.kind == RegistrationKind::Dynamic
    }))
}

/// Whether a grant other than `own` was given to that client.
pub(crate) async fn serves_others(
    store: &Store,
    own: &GrantKey,
    issuer: &str,
    client_id: &str,
) -> Result<bool, Error> {
    let grants = store.grants().await?;
    Ok(grants.entries.iter().any(|(key, grant)| {
        key != own && grant.value.issuer == issuer && grant.value.client_id == client_id
    }))
}

/// The key for one more registration at an issuer that has these.
pub(crate) fn free_key(
    all: &[(Kept, Registration)],
    issuer: &str,
    client_id: &str,
) -> RegistrationKey {
    let shared = RegistrationKey::shared(issuer);
    if all.iter().all(|(kept, _)| kept.key != shared) {
        return shared;
    }
    RegistrationKey::new(issuer, Some(client_id.to_owned()))
}
