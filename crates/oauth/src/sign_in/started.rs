//! An authorization request that one process makes and another one finishes (OAuth 2.1 §4.1).

use doorkey_discovery::{Issuer, ResourceMatchKind, Scopes, Source};
use doorkey_http::{Leg, SentSecrets};
use doorkey_store::PendingAuthorization;
use secrecy::SecretString;
use url::Url;

use super::ahead::warm_resource;
use super::{Failed, Parts, Settled, SignedIn, Wish, client, redirect, settle_in_time};
use crate::authorize::AuthorizationRecord;
use crate::callback::RECORD_LIFETIME;
use crate::client::Client;
use crate::clock::{from_unix_seconds, unix_seconds};
use crate::dpop::{Binding, DpopKey};
use crate::error::{Error, LoginReason};
use crate::exchange::{TokenEndpoint, exchange};
use crate::random::high_port;
use crate::registration::{check_redirect_uri, is_loopback_uri};
use crate::source::class;

/// A request that waits for its answer; nothing of it is saved yet.
pub(crate) struct Started {
    pub(crate) pending: PendingAuthorization,
    pub(crate) url: Url,
    pub(crate) found: (ResourceMatchKind, Source),
}

/// Everything up to the page. Without `redirect_uri` the answer goes to a loopback address: one that
/// is registered, else one with a port that nobody can guess. A port that a loopback `redirect_uri` leaves open is found
/// likewise.
pub(crate) async fn start(
    parts: Parts<'_>,
    wish: &Wish,
    redirect_uri: Option<String>,
) -> Result<Started, Failed> {
    let settled = settle_in_time(parts, wish).await?;
    let redirect_uri = way_back(parts, wish, &settled, redirect_uri).await?;
    check_redirect_uri(&redirect_uri)?;
    let endpoint = &settled.found.server.authorization_endpoint;
    let page = settled.needed(endpoint.as_ref(), redirect::AUTHORIZATION_ENDPOINT)?;
    redirect::judge_authorization_page(parts, &settled.found.server.listed, page).await?;
    let may_push = redirect::may_push(parts, wish, &settled)?;
    let client = client::obtain(parts, wish, &settled, Some(&redirect_uri)).await?;
    let asked = match redirect::asking(parts, &settled, &client, may_push) {
        Ok(asking) => asking.request(&redirect_uri).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok((record, url)) => Ok(Started {
            pending: pending(parts, &settled, &client, record),
            url,
            found: (settled.found.match_kind, settled.found.source),
        }),
        Err(error) => Err(settled.failed(client, error)),
    }
}

async fn way_back(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    given: Option<String>,
) -> Result<String, Error> {
    let rule = settled.quirks(parts).redirect();
    let pattern = match (given, rule) {
        (Some(given), _) => match open_port(&given) {
            Some(pattern) => Some(pattern),
            None => return Ok(given),
        },
        (None, Some(rule)) if rule.port.is_some() => return Ok(rule.uri(0)),
        (None, Some(rule)) => Url::parse(&rule.uri(1)).ok(),
        (None, None) => None,
    };
    let registered = client::redirect_hint(parts, wish, settled).await?;
    let known = registered.into_iter().find(|uri| {
        is_loopback_uri(uri)
            && pattern.as_ref().is_none_or(|pattern| {
                Url::parse(uri)
                    .is_ok_and(|uri| (uri.host(), uri.path()) == (pattern.host(), pattern.path()))
            })
    });
    match known {
        // A registered URI without a port stands for every port (RFC 8252 §7.3).
        Some(uri) if Url::parse(&uri).is_ok_and(|uri| uri.port().is_some()) => Ok(uri),
        _ => {
            let port = high_port(parts.random)?;
            Ok(match pattern {
                Some(mut pattern) => {
                    // Cannot fail: it is http and has a host.
                    let _unchanged = pattern.set_port(Some(port));
                    pattern.to_string()
                }
                None => format!("http://127.0.0.1:{port}/callback"),
            })
        }
    }
}

/// A loopback address that names no port, not even the one that http has.
fn open_port(given: &str) -> Option<Url> {
    let url = Url::parse(given).ok().filter(|url| url.port().is_none())?;
    let names_port = given.contains(":80/") || given.ends_with(":80");
    (is_loopback_uri(given) && !names_port).then_some(url)
}

fn pending(
    parts: Parts<'_>,
    settled: &Settled,
    client: &Client,
    record: AuthorizationRecord,
) -> PendingAuthorization {
    let mut draft = settled.draft(client, Some(record.redirect_uri), &parts.config.flow);
    // The other half may never look the server up.
    draft.resource_class = class::known(parts.http.resource_class());
    let started = unix_seconds(record.created_at);
    let mut pending = PendingAuthorization::new(
        draft,
        record.state,
        record.verifier,
        record.issuer.as_str(),
        (started, started + RECORD_LIFETIME.as_secs()),
    );
    pending.request_uri = record.request_uri;
    pending.trusted_issuer = record
        .trusted_issuer
        .map(|issuer| issuer.as_str().to_owned());
    pending.iss_advertised = record.iss_advertised;
    pending.binding_required = settled.binding == Binding::Required;
    pending.registered = client.is_new();
    pending
}

/// The request as its answer is judged by.
pub(crate) fn record(pending: &PendingAuthorization) -> AuthorizationRecord {
    let grant = &pending.grant;
    let sent = SentSecrets::default().and(&pending.state);
    let sent = pending.request_uri.iter().fold(sent, SentSecrets::and);
    AuthorizationRecord {
        issuer: Issuer::new(pending.published_issuer.as_str()),
        trusted_issuer: pending.trusted_issuer.as_deref().map(Issuer::new),
        iss_advertised: pending.iss_advertised,
        // Not kept: a code without its state is for the process that waits for it.
        pkce_advertised: false,
        verifier: pending.verifier.clone(),
        state: pending.state.clone(),
        redirect_uri: grant.redirect_uri.clone().unwrap_or_default(),
        client_id: grant.client_id.clone(),
        resource: grant.resource.clone(),
        scopes: requested(pending),
        created_at: from_unix_seconds(pending.started_at).unwrap_or(std::time::UNIX_EPOCH),
        request_uri: pending.request_uri.clone(),
        sent,
    }
}

/// The scopes that were asked for.
pub(crate) fn requested(pending: &PendingAuthorization) -> Scopes {
    pending.grant.requested_scopes.iter().cloned().collect()
}

/// Exchanges the code of the answer, exactly as the process that made the request would.
pub(crate) async fn finish(
    parts: Parts<'_>,
    pending: PendingAuthorization,
    code: &SecretString,
) -> Result<SignedIn, Error> {
    let url = Url::parse(&pending.grant.token_endpoint)
        .map_err(|cause| Error::invalid_url("stored token endpoint", cause))?;
    let key = pending.grant.dpop_key.as_ref().map(DpopKey::of_stored);
    let key = key.transpose();
    let key = key.map_err(|_| parts.login_required(LoginReason::DpopKeyLost))?;
    let client = Client::of_grant(&pending.grant, parts.config);
    let quirks = parts.config.quirks_of(&pending.grant.issuer);
    let shape = quirks.shape();
    let endpoint = TokenEndpoint {
        tools: parts.tools(),
        leg: Leg::Token,
        url: &url,
        client: &client,
        key: key.as_ref(),
        shape: Some(&shape).filter(|shape| shape.is_odd()),
    };
    let added = quirks.token_parameters(pending.grant.resource.as_deref());
    let form = redirect::form(&record(&pending), code).extended(added);
    warm_resource(parts.http, parts.config);
    let exchanged = exchange(endpoint, form).await?;
    quirks.note_shape(&shape, &exchanged);
    super::check_flaw(&exchanged, &Issuer::new(pending.grant.issuer.as_str()))?;
    let binding = match &key {
        Some(_) if pending.binding_required => Binding::Required,
        Some(_) => Binding::Preferred,
        None => Binding::Off,
    };
    if !exchanged.is_bound_as(binding) {
        return Err(Error::TokenNotBound { url: (&url).into() });
    }
    Ok(SignedIn {
        published: Issuer::new(pending.published_issuer),
        draft: pending.grant,
        kept: None,
        registered: pending.registered,
        exchanged,
        found: None,
    })
}
