//! The end of every login: saved before it is reported (TOK-21), whichever process began it.

use doorkey_discovery::{Issuer, Scopes};
use doorkey_store::{Generation, Grant};
use secrecy::ExposeSecret as _;

use super::held::{Held, Origin, Replaced};
use super::identity::note_provider;
use super::inner::Inner;
use super::login::change_registration;
use super::{class, started};
use crate::access_token::{TokenType, same_secret};
use crate::clock::{from_unix_seconds, unix_seconds, unix_seconds_up};
use crate::error::Error;
use crate::events::tell;
use crate::exchange::Exchanged;
use crate::flow::Flow;
use crate::learned;
use crate::person::Person;
use crate::random::unguessable;
use crate::report::LoginReport;
use crate::shared::lock;
use crate::sign_in::SignedIn;

/// Saves the grant and publishes it. When the store fails, the tokens stay usable in this process
/// and the failure is reported.
pub(super) async fn finish(inner: &Inner, signed: SignedIn) -> Result<LoginReport, Error> {
    let grant = grant_of(inner, &signed);
    let tokens = &signed.exchanged.tokens;
    let limit = inner.config.refresh_lock_limit;
    // Held until the grant is published. A login wins over whoever holds the lock for too long;
    // compare-and-swap still guards it.
    let lock_held = inner.store.lock_grant(&inner.key, limit).await.ok();
    let mut replaced = Replaced::Unknown;
    let saved = save(inner, &grant, &mut replaced).await;
    let generation = saved.as_ref().ok().copied();
    let report = report(&grant, &signed);
    let mut held =
        Held::new(grant, generation, Origin::SignedIn).at(tokens.received_at, tokens.expires_at());
    held.saved = saved.is_ok();
    held.replaced = replaced;
    inner.publish_login(held);
    lock(&inner.backoff).reset();
    drop(lock_held);
    // Nothing else is written between an answer and its save.
    remember_method(inner, &signed).await;
    // Who signed in needs no other login that was begun.
    started::discard(inner).await;
    tell::login_finished(&inner.config, &report, saved.is_ok());
    match saved {
        Ok(_) => {
            inner.note_store(None);
            Ok(report)
        }
        Err(error) => {
            inner.note_store(Some(error.clone()));
            Err(error)
        }
    }
}

/// Saves the grant over whatever is stored, and tells in `replaced` what that was.
async fn save(inner: &Inner, grant: &Grant, replaced: &mut Replaced) -> Result<Generation, Error> {
    let mut conflict = None;
    for _ in 0..ROUNDS {
        let stored = inner.store.grant(&inner.key).await?;
        let expected = stored.as_ref().map(|stored| stored.generation);
        *replaced = stored.map_or(Replaced::Nothing, |stored| Replaced::of(&stored.value));
        match inner.store.save_grant(&inner.key, grant, expected).await {
            Ok(generation) => return Ok(generation),
            Err(error) if error.is_conflict() => conflict = Some(error),
            // A save can be made and its answer lost: a later logout would be undone by who did not know.
            Err(error) => {
                return match inner.store.grant(&inner.key).await {
                    Ok(Some(stored)) if is_of(grant, &stored.value) => Ok(stored.generation),
                    _ => Err(error.into()),
                };
            }
        }
    }
    Err(conflict.map_or(Error::TaskLost, Error::from))
}

/// Whether that is the very grant that was to be saved.
fn is_of(grant: &Grant, stored: &Grant) -> bool {
    match (&grant.access_token, &stored.access_token) {
        (Some(ours), Some(theirs)) => same_secret(ours, theirs),
        _ => false,
    }
}

/// Keeps the authentication method that worked, where another had been agreed on.
async fn remember_method(inner: &Inner, signed: &SignedIn) {
    let (draft, method) = (&signed.draft, signed.exchanged.method);
    learned::remember(
        &inner.store,
        &draft.issuer,
        draft.client_auth_method,
        method,
    )
    .await;
    if let Some(kept) = &signed.kept
        && method != draft.client_auth_method
    {
        change_registration(inner, kept, |registration| {
            registration.token_endpoint_auth_method = method;
            true
        })
        .await;
    }
}

/// The draft with the tokens.
fn grant_of(inner: &Inner, signed: &SignedIn) -> Grant {
    let Exchanged { tokens, method } = &signed.exchanged;
    let mut grant = signed.draft.clone();
    grant.client_auth_method = *method;
    grant.access_token = Some(tokens.access_token.clone());
    grant.refresh_token.clone_from(&tokens.refresh_token);
    tokens.token_type.scheme().clone_into(&mut grant.token_type);
    grant.expires_at = tokens.expires_at().map(unix_seconds_up);
    grant.issued_at = unix_seconds(tokens.received_at);
    grant.granted_scopes = tokens
        .scope
        .as_ref()
        .map(|scopes| scopes.iter().map(str::to_owned).collect());
    class::note(inner, &mut grant);
    // Without randomness it has no name, and is told from others by its generation.
    let name = unguessable(inner.random.as_ref()).ok();
    grant.login_id = name.map(|name| name.expose_secret().chars().take(LOGIN_ID).collect());
    if let Some(person) = &person(signed) {
        grant.account_label.clone_from(&person.label);
        grant.subject.clone_from(&person.subject);
    }
    if let Flow::EnterpriseManaged(enterprise) = &inner.config.flow {
        note_provider(&mut grant, enterprise);
    }
    grant
}

/// Who signed in, where the answer came with an identity token. The token itself is passed over and kept
/// nowhere (TOK-22).
fn person(signed: &SignedIn) -> Option<Person> {
    let token = signed.exchanged.tokens.id_token.as_ref()?;
    let draft = &signed.draft;
    let issuers = [signed.published.as_str(), draft.issuer.as_str()];
    Person::of(token, &issuers, &draft.client_id)
}

fn report(grant: &Grant, signed: &SignedIn) -> LoginReport {
    LoginReport {
        registered: signed.registered,
        match_kind: signed.found.map(|(kind, _)| kind),
        source: signed.found.map(|(_, source)| source),
        expires_at: signed.exchanged.tokens.expires_at(),
        adopted: false,
        ..adopted(grant)
    }
}

/// What is to be said of a login that another process completed.
pub(super) fn adopted(grant: &Grant) -> LoginReport {
    let scopes = grant.granted_scopes.as_ref();
    let scopes = scopes.unwrap_or(&grant.requested_scopes);
    LoginReport {
        issuer: Issuer::new(grant.issuer.as_str()),
        resource: grant.resource.clone(),
        scopes: scopes.iter().cloned().collect::<Scopes>(),
        expires_at: grant.expires_at.and_then(from_unix_seconds),
        refreshable: grant.refresh_token.is_some(),
        token_type: TokenType::parse(&grant.token_type).unwrap_or(TokenType::Bearer),
        registered: false,
        match_kind: None,
        source: None,
        adopted: true,
        account_label: grant.account_label.clone(),
        subject: grant.subject.clone(),
    }
}

const ROUNDS: usize = 3;
/// Characters of the name of a login: 128 bits are enough to tell logins apart.
const LOGIN_ID: usize = 22;
