//! Which client signs in: configured, by metadata document, or registered dynamically (REG-02).

use doorkey_discovery::{DiscoveryOptions, Issuer, Scopes};
use doorkey_store::{Registration, RegistrationKey};

use super::{Parts, Settled, Wish};
use crate::client::{Client, ClientOrigin, configured};
use crate::config::{AuthorizationConfig, ClientChoice};
use crate::error::Error;
use crate::flow::Flow;
use crate::learned;
use crate::registration::kept::{Kept, at_issuer, free_key, serves_others};
use crate::registration::manage::{delete, extend, is_manageable};
use crate::registration::{
    RegistrationRequest, is_reusable, is_worn_out, preferred_method, register,
};

/// The discovery options, with the issuers we already have something for put first (DISC-14).
pub(super) async fn preferring_known_issuers(
    parts: Parts<'_>,
    wish: &Wish,
) -> Result<DiscoveryOptions, Error> {
    let mut options = parts.config.discovery_options();
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

/// The redirect URIs of earlier registrations that would save a new one.
pub(super) async fn redirect_hint(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
) -> Result<Vec<String>, Error> {
    if !may_register(parts, settled) {
        return Ok(Vec::new());
    }
    let all = registrations(parts, wish, settled).await?;
    Ok(all
        .iter()
        .flat_map(|(_, registration)| {
            let uris = registration.redirect_uris.iter();
            uris.filter(|uri| is_usable(parts, settled, registration, Some(uri)))
        })
        .take(HINTS)
        .cloned()
        .collect())
}

/// The client for this login, registered anew when nothing else serves. Without a redirect URI it is
/// for a device authorization.
pub(super) async fn obtain(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    redirect_uri: Option<&str>,
) -> Result<Client, Error> {
    let client = match known(parts, wish, settled)? {
        Some(client) => client,
        None => registered(parts, wish, settled, redirect_uri).await?,
    };
    let is_said = matches!(
        &parts.config.client,
        ClientChoice::Static {
            auth_method: Some(_),
            ..
        }
    );
    if is_said {
        return Ok(client);
    }
    let issuer = settled.found.server.listed.as_str();
    Ok(learned::apply(parts.store, issuer, client).await)
}

/// Forgets a client that this login registered in vain, here and where the server lets its clients be deleted, so that
/// the one that is registered in its place is the only one.
pub(super) async fn discard(parts: Parts<'_>, settled: &Settled, client: &Client) {
    let ClientOrigin::Registered(kept) = &client.origin else {
        return;
    };
    let issuer = settled.found.server.listed.as_str();
    let discarded = async {
        let shared = RegistrationKey::shared(issuer);
        let limit = parts.config.refresh_lock_limit;
        let _lock = parts.store.lock_registration(&shared, limit).await?;
        let Some(stored) = parts.store.registration(&kept.key).await? else {
            return Ok(false);
        };
        let generation = kept.generation;
        parts
            .store
            .remove_registration(&kept.key, generation)
            .await?;
        delete(parts.http, &stored.value, parts.clock.now()).await
    };
    let discarded: Result<bool, Error> = discarded.await;
    if let Err(error) = discarded {
        tracing::warn!(%error, "a client that was registered in vain could not be deleted");
    }
}

/// The client of a flow without a person: one that is known already, never one that registers
/// (CC-02, WIF-04, REG-24). Its credentials go where they are meant to go and nowhere else (CC-07,
/// WIF-08).
pub(super) fn bound(parts: Parts<'_>, wish: &Wish, settled: &Settled) -> Result<Client, Error> {
    let config = parts.config;
    let listed = &settled.found.server.listed;
    let named = match &config.client {
        ClientChoice::Static { issuer, .. } => issuer.as_ref(),
        ClientChoice::Auto { .. } => None,
    };
    let allowed = config.discovery.allowed.as_ref();
    let is_meant = match (named, allowed) {
        // Another issuer than the named one is refused below.
        (Some(_), _) => true,
        (None, Some(allowed)) => allowed.contains(listed),
        (None, None) => config.accept_discovered_issuer && !has_moved(config, wish, listed),
    };
    if !is_meant {
        return Err(Error::UnboundCredentials {
            discovered: listed.clone(),
        });
    }
    match known(parts, wish, settled)? {
        Some(client) => Ok(client),
        None if matches!(config.flow, Flow::WorkloadIdentity(_)) => Ok(Client::anonymous()),
        None => Err(Error::NoClient {
            issuer: listed.clone(),
            why: None,
        }),
    }
}

/// Whether the same flow went to another issuer before: the first one that its credentials were accepted
/// for is theirs until a logout.
fn has_moved(config: &AuthorizationConfig, wish: &Wish, listed: &Issuer) -> bool {
    wish.previous.as_ref().is_some_and(|previous| {
        previous.issuer != *listed && config.flow.renews(previous.flow.as_deref())
    })
}

/// Whether a client secret would go to an authorization server that nobody but the MCP server named,
/// before a person has seen that server's page (REG-04, REG-05).
pub(super) fn is_unmeant(parts: Parts<'_>, wish: &Wish, settled: &Settled) -> bool {
    let config = parts.config;
    let listed = &settled.found.server.listed;
    let ClientChoice::Static {
        client_id,
        client_secret: Some(_),
        issuer: None,
        ..
    } = &config.client
    else {
        return false;
    };
    let is_known = wish
        .previous
        .as_ref()
        .is_some_and(|previous| previous.client_id == *client_id && previous.issuer == *listed);
    !is_known && config.discovery.allowed.is_none() && !config.accept_discovered_issuer
}

/// The client that needs no registration.
fn known(parts: Parts<'_>, wish: &Wish, settled: &Settled) -> Result<Option<Client>, Error> {
    let server = &settled.found.server;
    let bound_to = wish.previous.as_ref().filter(|previous| {
        matches!(&parts.config.client, ClientChoice::Static { client_id, .. } if *client_id == previous.client_id)
    });
    let bound_to = bound_to.map(|previous| &previous.issuer);
    if let Some(client) = configured(parts.config, server, bound_to)? {
        return Ok(Some(client));
    }
    Ok(match &parts.config.client {
        ClientChoice::Auto {
            metadata_url: Some(url),
        } if takes_documents(parts, settled) => Some(Client::of_document(url)),
        _ => None,
    })
}

async fn registered(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    redirect_uri: Option<&str>,
) -> Result<Client, Error> {
    let server = &settled.found.server;
    // One registers at a time at an issuer, whatever key its record will have.
    let issuer = RegistrationKey::shared(server.listed.as_str());
    let _lock = parts
        .store
        .lock_registration(&issuer, parts.config.refresh_lock_limit)
        .await?;
    let all = registrations(parts, wish, settled).await?;
    let mut usable = all.iter();
    if let Some((kept, registration)) =
        usable.find(|(_, registration)| is_usable(parts, settled, registration, redirect_uri))
    {
        let origin = ClientOrigin::Reused(kept.clone());
        return Ok(Client::of_registration(registration, origin));
    }
    let request = RegistrationRequest {
        client_name: &parts.config.client_name,
        redirect_uri,
        method: preferred_method(server),
        scopes: registrable_scopes(settled),
    };
    if let Some(client) = extended(parts, settled, &all, &request).await {
        return Ok(client);
    }
    let why = settled.quirks(parts).needs_client();
    let Some(endpoint) = server
        .registration_endpoint
        .as_ref()
        .filter(|_| why.is_none())
    else {
        return Err(Error::NoClient {
            issuer: server.listed.clone(),
            why: why.map(str::to_owned),
        });
    };
    let now = parts.clock.now();
    let registration = register(parts.http, server, endpoint, request, now).await?;
    let kept = keep(parts, &all, &server.listed, &registration).await?;
    Ok(Client::of_registration(
        &registration,
        ClientOrigin::Registered(kept),
    ))
}

/// A registration that lacks nothing but this redirect URI, extended by it where the server lets its
/// clients do so: no client is left behind for each port. Whatever speaks against it, another
/// registration will do.
async fn extended(
    parts: Parts<'_>,
    settled: &Settled,
    all: &[(Kept, Registration)],
    request: &RegistrationRequest<'_>,
) -> Option<Client> {
    let scopes = &settled.scopes;
    let now = parts.clock.now();
    request.redirect_uri?;
    let (kept, registration) = all.iter().find(|(_, registration)| {
        let own = registration.redirect_uris.first().map(String::as_str);
        is_manageable(registration) && own.is_some() && is_reusable(registration, own, scopes, now)
    })?;
    let server = &settled.found.server;
    let updated = match extend(parts.http, server, registration, request, now).await {
        Ok(updated) => updated?,
        Err(error) => {
            tracing::info!(%error, "a registration could not be extended, another is made");
            return None;
        }
    };
    // The server may have kept the list as it was, and another process may have been faster.
    if !is_reusable(&updated, request.redirect_uri, scopes, now) {
        return None;
    }
    let saved = parts
        .store
        .save_registration(&kept.key, &updated, Some(kept.generation))
        .await;
    let key = kept.key.clone();
    let origin = ClientOrigin::Reused(Kept {
        key,
        generation: saved.ok()?,
    });
    Some(Client::of_registration(&updated, origin))
}

/// Saves a new registration: over a record of the same client, or over one that no login and no
/// other grant uses any more, else beside the others. So no client is forgotten that a grant has.
async fn keep(
    parts: Parts<'_>,
    all: &[(Kept, Registration)],
    issuer: &Issuer,
    registration: &Registration,
) -> Result<Kept, Error> {
    let issuer = issuer.as_str();
    let mut replaced = all
        .iter()
        .find(|(_, known)| known.client_id == registration.client_id);
    for known in all {
        if replaced.is_none() && is_worn_out(&known.1, parts.clock.now()) {
            let own = parts.config.grant_key();
            let used = serves_others(parts.store, &own, issuer, &known.1.client_id).await?;
            replaced = Some(known).filter(|_| !used);
        }
    }
    let key = match replaced {
        Some((kept, _)) => kept.key.clone(),
        None => free_key(all, issuer, &registration.client_id),
    };
    let expected = replaced.map(|(kept, _)| kept.generation);
    let generation = parts
        .store
        .save_registration(&key, registration, expected)
        .await?;
    Ok(Kept { key, generation })
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
    redirect_uri: Option<&str>,
) -> bool {
    is_reusable(
        registration,
        redirect_uri,
        &settled.scopes,
        parts.clock.now(),
    )
}

/// Whether a client metadata document is of use.
fn takes_documents(parts: Parts<'_>, settled: &Settled) -> bool {
    settled.found.server.client_id_metadata_document_supported
        && !settled.quirks(parts).refuses_documents()
}

fn may_register(parts: Parts<'_>, settled: &Settled) -> bool {
    match &parts.config.client {
        ClientChoice::Static { .. } => false,
        ClientChoice::Auto { metadata_url } => {
            metadata_url.is_none() || !takes_documents(parts, settled)
        }
    }
}

/// The registrations at the issuer, that of the grant which is there already first.
async fn registrations(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
) -> Result<Vec<(Kept, Registration)>, Error> {
    let issuer = settled.found.server.listed.as_str();
    let previous = wish
        .previous
        .as_ref()
        .map(|previous| previous.client_id.as_str());
    Ok(at_issuer(parts.store, issuer, previous).await?)
}

/// How many redirect URIs are worth trying before a new registration.
const HINTS: usize = 8;
