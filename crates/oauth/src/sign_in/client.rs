//! Which client signs in: configured, by metadata document, or registered dynamically (REG-02).

use doorkey_discovery::{DiscoveryOptions, Issuer, Scopes};
use doorkey_store::{Registration, RegistrationKey, Stored};

use super::{Parts, Settled, Wish};
use crate::client::{Client, ClientOrigin, configured};
use crate::config::ClientChoice;
use crate::error::Error;
use crate::registration::{RegistrationRequest, is_reusable, preferred_method, register};

/// The discovery options, with the issuers we already have something for put first (DISC-14).
pub(super) async fn preferring_known_issuers(
    parts: Parts<'_>,
    wish: &Wish,
) -> Result<DiscoveryOptions, Error> {
    let mut options = parts.config.discovery.clone();
    let mut known = Vec::new();
    if let ClientChoice::Static { issuer, .. } = &parts.config.client {
        known.extend(issuer.clone());
    }
    known.extend(wish.previous.as_ref().map(|grant| grant.issuer.clone()));
    let registrations = parts.store.registrations().await?;
    known.extend(
        registrations
            .entries
            .into_iter()
            .map(|(key, _)| Issuer::new(key.issuer)),
    );
    for issuer in known {
        if !options.prefer.contains(&issuer) {
            options.prefer.push(issuer);
        }
    }
    Ok(options)
}

/// The redirect URIs of an earlier registration that would save a new one.
pub(super) async fn redirect_hint(
    parts: Parts<'_>,
    settled: &Settled,
) -> Result<Vec<String>, Error> {
    if !may_register(parts, settled) {
        return Ok(Vec::new());
    }
    let stored = stored_registration(parts, settled).await?;
    Ok(stored
        .map(|stored| stored.value)
        .filter(|registration| {
            registration
                .redirect_uris
                .first()
                .is_some_and(|uri| is_usable(parts, settled, registration, uri))
        })
        .map(|registration| registration.redirect_uris)
        .unwrap_or_default())
}

/// The client for this login, registered anew when nothing else serves.
pub(super) async fn obtain(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    redirect_uri: &str,
) -> Result<Client, Error> {
    let server = &settled.found.server;
    let bound_to = wish.previous.as_ref().filter(|previous| {
        matches!(&parts.config.client, ClientChoice::Static { client_id, .. } if *client_id == previous.client_id)
    });
    let bound_to = bound_to.map(|previous| &previous.issuer);
    if let Some(client) = configured(&parts.config.client, server, bound_to)? {
        return Ok(client);
    }
    if let ClientChoice::Auto {
        metadata_url: Some(url),
    } = &parts.config.client
        && server.client_id_metadata_document_supported
    {
        return Ok(Client::of_document(url));
    }
    registered(parts, settled, redirect_uri).await
}

async fn registered(
    parts: Parts<'_>,
    settled: &Settled,
    redirect_uri: &str,
) -> Result<Client, Error> {
    let server = &settled.found.server;
    let key = RegistrationKey::shared(server.issuer.as_str());
    let _lock = parts
        .store
        .lock_registration(&key, parts.config.refresh_lock_limit)
        .await?;
    let stored = stored_registration(parts, settled).await?;
    if let Some(stored) = &stored
        && is_usable(parts, settled, &stored.value, redirect_uri)
    {
        let origin = ClientOrigin::Reused(stored.generation);
        return Ok(Client::of_registration(&stored.value, origin));
    }
    let Some(endpoint) = &server.registration_endpoint else {
        return Err(Error::NoClient {
            issuer: server.issuer.clone(),
        });
    };
    let request = RegistrationRequest {
        client_name: &parts.config.client_name,
        redirect_uri,
        method: preferred_method(server),
        scopes: registrable_scopes(settled),
    };
    let now = parts.clock.now();
    let registration = register(parts.http, server, endpoint, request, now).await?;
    let expected = stored.map(|stored| stored.generation);
    let generation = parts
        .store
        .save_registration(&key, &registration, expected)
        .await?;
    let origin = ClientOrigin::Registered(generation);
    Ok(Client::of_registration(&registration, origin))
}

/// What a step-up may come to ask for is registered at once, because some servers refuse any scope
/// that was not.
fn registrable_scopes(settled: &Settled) -> Scopes {
    settled
        .found
        .resource_metadata
        .as_ref()
        .and_then(|metadata| metadata.scopes_supported.as_ref())
        .map_or_else(
            || settled.scopes.clone(),
            |supported| settled.scopes.union(supported),
        )
}

fn is_usable(
    parts: Parts<'_>,
    settled: &Settled,
    registration: &Registration,
    redirect_uri: &str,
) -> bool {
    is_reusable(
        registration,
        redirect_uri,
        &settled.scopes,
        parts.clock.now(),
    )
}

fn may_register(parts: Parts<'_>, settled: &Settled) -> bool {
    match &parts.config.client {
        ClientChoice::Static { .. } => false,
        ClientChoice::Auto { metadata_url } => {
            metadata_url.is_none() || !settled.found.server.client_id_metadata_document_supported
        }
    }
}

async fn stored_registration(
    parts: Parts<'_>,
    settled: &Settled,
) -> Result<Option<Stored<Registration>>, Error> {
    let key = RegistrationKey::shared(settled.found.server.issuer.as_str());
    Ok(parts.store.registration(&key).await?)
}
