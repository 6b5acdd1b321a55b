//! Refresh: lock, re-read, refresh, save durably, publish (RFC 6749 §6; law 5).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use doorkey_discovery::Issuer;
use doorkey_http::Leg;
use doorkey_store::{Generation, Grant, LockGuard, Stored};
use secrecy::SecretString;
use tokio::runtime::Handle;
use tracing::Instrument as _;
use url::Url;

use super::held::{Held, Origin, Replaced};
use super::inner::Inner;
use super::newest::{Newest, newest};
use super::recovery;
use super::refusal::{self, After, Attempt};
use super::{class, notice, on_record, pace};
use crate::access_token::{AccessToken, same_secret};
use crate::client::Client;
use crate::clock::{unix_seconds, unix_seconds_up};
use crate::dpop::Binding;
use crate::error::{Error, LoginReason};
use crate::events::tell;
use crate::exchange::{Exchanged, TokenEndpoint, exchange};
use crate::flow::DpopChoice;
use crate::form::Form;
use crate::learned;
use crate::person::Person;
use crate::quirk::InForce;
use crate::sign_in::check_flaw;
use crate::sign_in::unattended::{self, Asked};

/// The token to send now; see [`TokenSource::token`](crate::TokenSource::token).
pub(super) async fn token(inner: &Arc<Inner>) -> Result<Option<AccessToken>, Error> {
    notice::look(inner).await;
    match inner.fresh() {
        Some(token) => Ok(Some(token)),
        // Whoever has a fresh token does not carry what a refresh takes.
        None => Box::pin(not_fresh(inner)).await,
    }
}

async fn not_fresh(inner: &Arc<Inner>) -> Result<Option<AccessToken>, Error> {
    let Some(mut held) = inner.current_or_stored().await? else {
        return Ok(None);
    };
    if recovery::rejection(inner, &held).is_some() {
        // Perhaps somebody signed in again since.
        held = inner.take_over(Some(&held)).await?.unwrap_or(held);
        if let Some(error) = recovery::rejection(inner, &held) {
            return Err(error);
        }
    }
    let now = inner.clock.now();
    if let Some(token) = held.fresh_token(now) {
        return Ok(Some(token.clone()));
    }
    let idle = !inner.is_renewable(&held) || pace::hindrance(inner, &held.grant).is_some();
    if let Some(token) = held.valid_token(now).filter(|_| idle) {
        return Ok(Some(token.clone()));
    }
    let refreshed = match held.valid_token(now) {
        // Early refresh is a courtesy: who holds a valid token does not wait for long.
        Some(_) if Handle::try_current().is_ok() => {
            tokio::time::timeout(PATIENCE, refresh(inner, &held)).await
        }
        _ => Ok(refresh(inner, &held).await),
    };
    match (refreshed, held.valid_token(inner.clock.now())) {
        (Ok(Ok(refreshed)), _) => Ok(refreshed.token().cloned()),
        // While the token is valid, a refresh that fails is nobody's problem.
        (_, Some(token)) => Ok(Some(token.clone())),
        (Ok(Err(error)), None) => Err(error),
        (Err(_), None) => Ok(refresh(inner, &held).await?.token().cloned()),
    }
}

/// Replaces the token of `stale`, in a task of its own that all callers share (REF-09).
pub(super) async fn refresh(inner: &Arc<Inner>, stale: &Arc<Held>) -> Result<Arc<Held>, Error> {
    let settled = || {
        let now = inner.clock.now();
        inner.current().filter(|held| replaces(held, stale, now))
    };
    let start = |_| {
        let (inner, stale) = (Arc::clone(inner), Arc::clone(stale));
        let span = tell::refresh_span(&inner.config);
        async move { run(&inner, &stale).await }.instrument(span)
    };
    inner.refreshes.join(&inner.tasks, settled, start).await
}

async fn run(inner: &Inner, stale: &Held) -> Result<Arc<Held>, Error> {
    let limit = inner.config.refresh_lock_limit;
    let mut taken: Option<LockGuard> = None;
    let mut last = None;
    for _ in 0..ROUNDS {
        let lock = match taken.take().filter(LockGuard::is_held) {
            Some(lock) => lock,
            None => {
                let waiting = inner.store.lock_grant(&inner.key, limit);
                match tell::lock_waited(&inner.config, "grant", waiting).await {
                    Ok(lock) => lock,
                    Err(error) => return without_lock(inner, stale, error).await,
                }
            }
        };
        let lock = taken.insert(lock);
        let held = reread(inner).await?;
        if replaces(&held, stale, inner.clock.now()) {
            tell::refresh_adopted(&inner.config);
            end_backoff(inner);
            return Ok(held);
        }
        match once(inner, &held, lock).await? {
            After::Settled(held) => return Ok(held),
            After::Changed(error) => last = error,
        }
    }
    Err(last.unwrap_or(Error::TaskLost))
}

/// Whether somebody else has done the refresh of `stale` already.
fn replaces(held: &Held, stale: &Held, now: SystemTime) -> bool {
    held.token() != stale.token() && held.fresh_token(now).is_some()
}

/// Who had the lock for so long may have finished meanwhile: then its result is taken.
async fn without_lock(
    inner: &Inner,
    stale: &Held,
    error: doorkey_store::Error,
) -> Result<Arc<Held>, Error> {
    let known = inner.current();
    match inner.take_over(known.as_ref()).await? {
        Some(held) if replaces(&held, stale, inner.clock.now()) => {
            tell::refresh_adopted(&inner.config);
            Ok(held)
        }
        _ => Err(error.into()),
    }
}

/// The newest version of the grant there is, which becomes the current one.
pub(super) async fn reread(inner: &Inner) -> Result<Arc<Held>, Error> {
    let epoch = inner.epoch();
    let memory = inner.current();
    let held = match newest(memory.as_ref(), inner.stored_or_newer().await)? {
        Newest::Memory(held) => (inner.epoch() == epoch).then_some(held),
        Newest::Other(held) => inner.publish_read(*held, epoch),
        Newest::None => {
            inner.forget();
            None
        }
    };
    held.ok_or_else(|| inner.login_required(LoginReason::NoGrant, None))
}

/// One refresh of exactly this version of the grant, under its lock.
async fn once(inner: &Inner, held: &Arc<Held>, lock: &LockGuard) -> Result<After, Error> {
    if !inner.is_renewable(held) {
        return Err(inner.login_required(held.why_login(), None));
    }
    if let Some(error) = pace::hindrance(inner, &held.grant) {
        tell::refresh_delayed(&inner.config, &error);
        return Err(error);
    }
    let url = Url::parse(&held.grant.token_endpoint)
        .map_err(|cause| Error::invalid_url("stored token endpoint", cause))?;
    if inner.config.flow.is_unattended() {
        return renew(inner, held, &url).await;
    }
    let Some(refresh_token) = held.refresh_token().cloned() else {
        return Err(inner.login_required(held.why_login(), None));
    };
    let held = match begin(inner, held).await? {
        Begun::Held(held) => held,
        Begun::Conflict(error) => return Ok(After::Changed(Some(error))),
    };
    // A lease can run out while its holder was stopped: somebody else may be using the token by now. The generation was
    // compared when the intent was saved; another look would be no newer than that. Who is stopped from here on remains.
    if !lock.is_held() {
        let id = inner.key.record_id();
        let lost = doorkey_store::Error::LockLost { id };
        return Ok(After::Changed(Some(lost.into())));
    }
    sending(inner, &held);
    let since = Instant::now();
    let client = Client::of_grant(&held.grant, &inner.config);
    let quirks = inner.config.quirks_of(&held.grant.issuer);
    let form = form(inner, &held, &refresh_token, &quirks);
    let shape = quirks.shape();
    let endpoint = TokenEndpoint {
        tools: inner.parts().tools(),
        leg: Leg::Token,
        url: &url,
        client: &client,
        key: held.key(),
        shape: Some(&shape).filter(|shape| shape.is_odd()),
    };
    let attempt = Attempt {
        held: Arc::clone(&held),
        refresh_token: refresh_token.clone(),
    };
    let exchanged = match exchange(endpoint, form).await {
        Ok(exchanged) => exchanged,
        Err(error) => return refusal::settle(inner, attempt, error).await,
    };
    if let Some(error) = unfit(inner, &held, &url, &exchanged) {
        return Err(refusal::unbound(inner, attempt, &exchanged, error).await);
    }
    quirks.note_shape(&shape, &exchanged);
    let after = complete(inner, &held, Some(&refresh_token), &exchanged, since).await;
    let (store, issuer) = (&inner.store, &held.grant.issuer);
    // After the save: nothing comes between an answer and that.
    learned::remember(store, issuer, client.method, exchanged.method).await;
    after
}

/// Why what a refresh brought cannot be used.
fn unfit(inner: &Inner, held: &Held, url: &Url, exchanged: &Exchanged) -> Option<Error> {
    if !is_bound(inner, held, exchanged) {
        return Some(not_bound(url));
    }
    let issuer = Issuer::new(held.grant.issuer.as_str());
    check_flaw(exchanged, &issuer).err()
}

/// The request that a refresh is.
fn form(inner: &Inner, held: &Held, token: &SecretString, quirks: &InForce<'_>) -> Form {
    let resource = held.grant.resource.as_deref();
    let form = Form::refresh_token(token)
        .resource(resource)
        .knowing(held.grant.access_token.as_ref());
    let form = if inner.config.scopes_on_refresh {
        form.scopes(&held.repeatable())
    } else if quirks.repeats_scopes() {
        form.scopes(&held.requested())
    } else {
        form
    };
    form.extended(quirks.token_parameters(resource))
}

/// Asks for a token again, as a flow without a person does: there is nothing that could be spent
/// (CC-08, WIF-09, EMA-13).
async fn renew(inner: &Inner, held: &Arc<Held>, url: &Url) -> Result<After, Error> {
    sending(inner, held);
    let since = Instant::now();
    let asked = Asked {
        client: &Client::of_grant(&held.grant, &inner.config),
        url,
        audience: held.audience(),
        resource: held.grant.resource.as_deref(),
        scopes: &held.requested(),
        key: held.key(),
        known: held.grant.access_token.as_ref(),
    };
    let exchanged = match unattended::tokens(inner.parts(), asked).await {
        Ok(exchanged) if !is_bound(inner, held, &exchanged) => Err(not_bound(url)),
        outcome => outcome,
    };
    match exchanged {
        Ok(exchanged) => complete(inner, held, None, &exchanged, since).await,
        Err(error) => Err(refusal::postpone(inner, held, error).await),
    }
}

/// Notes that a refresh is sent.
fn sending(inner: &Inner, held: &Held) {
    let interrupted = held.grant.refresh_started_at.is_some();
    tell::refresh_attempted(&inner.config, &held.grant.issuer, interrupted);
    pace::note_sent(inner);
}

/// Whether a new token is bound to the key as the one before it was (DP-16).
fn is_bound(inner: &Inner, held: &Held, exchanged: &Exchanged) -> bool {
    let is_required = held.is_bound() && inner.config.dpop != DpopChoice::Prefer;
    let binding = match held.key() {
        Some(_) if is_required => Binding::Required,
        Some(_) => Binding::Preferred,
        None => Binding::Off,
    };
    exchanged.is_bound_as(binding)
}

pub(crate) fn not_bound(url: &Url) -> Error {
    Error::TokenNotBound { url: url.into() }
}

enum Begun {
    Held(Arc<Held>),
    Conflict(Error),
}

/// Saves that a refresh is about to be sent, so that a crash leaves "outcome unknown".
///
/// A store that cannot be written would lose the rotated token: nothing is sent then, unless the
/// refresh token is in memory only and nothing that is stored can get worse.
async fn begin(inner: &Inner, held: &Arc<Held>) -> Result<Begun, Error> {
    let mut grant = held.grant.clone();
    grant.refresh_started_at = Some(unix_seconds(inner.clock.now()));
    grant.refresh_not_before = None;
    pace::note(inner, &mut grant);
    match inner
        .store
        .save_grant(&inner.key, &grant, held.generation)
        .await
    {
        Ok(generation) => {
            // In memory the mark of an earlier, interrupted refresh is what counts.
            grant.refresh_started_at = held.grant.refresh_started_at;
            let mut begun = held.revised(grant, Some(generation));
            begun.saved = true;
            inner.note_store(None);
            Ok(Begun::Held(inner.publish(begun)))
        }
        Err(error) if error.is_conflict() => Ok(Begun::Conflict(error.into())),
        Err(error) if held.saved || held.valid_token(inner.clock.now()).is_some() => {
            Err(error.into())
        }
        Err(error) => {
            inner.note_store(Some(error.into()));
            Ok(Begun::Held(Arc::clone(held)))
        }
    }
}

/// Keeps the new tokens of a refresh that began at `since`, and tells what became of it.
async fn complete(
    inner: &Inner,
    held: &Held,
    spent: Option<&SecretString>,
    exchanged: &Exchanged,
    since: Instant,
) -> Result<After, Error> {
    let after = keep(inner, held, spent, exchanged).await?;
    match &after {
        After::Settled(now) => {
            tell::refresh_succeeded(&inner.config, &now.grant.issuer, since, now.saved);
        }
        After::Changed(_) => tell::refresh_adopted(&inner.config),
    }
    Ok(after)
}

/// Saves the new tokens, then publishes them; when the store fails, memory keeps them (REF-04).
async fn keep(
    inner: &Inner,
    held: &Held,
    spent: Option<&SecretString>,
    exchanged: &Exchanged,
) -> Result<After, Error> {
    end_backoff(inner);
    let renewed = |grant: &Grant| {
        let mut grant = refreshed(grant, exchanged);
        class::note_renewed(inner, &mut grant);
        if spent.is_none() {
            // Nothing was written before it was sent.
            pace::note(inner, &mut grant);
        }
        grant
    };
    let mut grant = renewed(&held.grant);
    let mut expected = held.generation;
    let mut conflict = None;
    for _ in 0..ROUNDS {
        match inner.store.save_grant(&inner.key, &grant, expected).await {
            Ok(generation) => {
                inner.note_store(None);
                return Ok(publish(inner, grant, Some(generation), exchanged, None));
            }
            Err(error) if error.is_conflict() => conflict = Some(error),
            Err(error) => {
                inner.note_store(Some(error.into()));
                return Ok(publish(inner, grant, expected, exchanged, Some(held)));
            }
        }
        match winner(inner).await {
            Ok(Some(stored)) if is_same(held, &stored.value, spent) => {
                // Only notes about the same tokens changed: ours go on top of them.
                grant = renewed(&stored.value);
                expected = Some(stored.generation);
            }
            Ok(Some(stored)) => {
                inner.publish(Held::stored(stored));
                return Ok(After::Changed(None));
            }
            Ok(None) => {
                inner.forget();
                return Err(inner.login_required(LoginReason::NoGrant, None));
            }
            Err(error) => {
                inner.note_store(Some(error));
                return Ok(publish(inner, grant, expected, exchanged, Some(held)));
            }
        }
    }
    inner.note_store(conflict.map(Error::from));
    Ok(publish(inner, grant, expected, exchanged, Some(held)))
}

async fn winner(inner: &Inner) -> Result<Option<Stored<Grant>>, Error> {
    Ok(inner.store.grant(&inner.key).await?)
}

/// Makes new tokens the current ones. `unsaved`: the store did not take them in place of this version.
fn publish(
    inner: &Inner,
    grant: Grant,
    generation: Option<Generation>,
    exchanged: &Exchanged,
    unsaved: Option<&Held>,
) -> After {
    let tokens = &exchanged.tokens;
    let mut held =
        Held::new(grant, generation, Origin::Refreshed).at(tokens.received_at, tokens.expires_at());
    if let Some(before) = unsaved {
        held.saved = false;
        held.replaced = match before.saved {
            true => Replaced::of(&before.grant),
            false => before.replaced.clone(),
        };
    }
    After::Settled(inner.publish(held))
}

/// The grant with the tokens of the answer; what the answer leaves out stays (REF-04, REF-16).
fn refreshed(grant: &Grant, exchanged: &Exchanged) -> Grant {
    let tokens = &exchanged.tokens;
    let mut grant = grant.clone();
    grant.access_token = Some(tokens.access_token.clone());
    tokens.token_type.scheme().clone_into(&mut grant.token_type);
    grant.expires_at = tokens.expires_at().map(unix_seconds_up);
    grant.issued_at = unix_seconds(tokens.received_at);
    if tokens.refresh_token.is_some() {
        grant.refresh_token.clone_from(&tokens.refresh_token);
    }
    if let Some(scope) = &tokens.scope {
        grant.granted_scopes = Some(scope.iter().map(str::to_owned).collect());
    }
    // Who it is does not change by a refresh, but may be said only now (OpenID Connect Core §12.2).
    if grant.subject.is_none()
        && let Some(token) = &tokens.id_token
    {
        let published = grant.assertion_audience.as_deref();
        let issuers = [published.unwrap_or(&grant.issuer), &grant.issuer];
        if let Some(person) = Person::of(token, &issuers, &grant.client_id) {
            grant.account_label = grant.account_label.or(person.label);
            grant.subject = person.subject;
        }
    }
    grant.client_auth_method = exchanged.method;
    grant.proof = doorkey_store::Proof::Unproven;
    grant.refresh_started_at = None;
    grant.refresh_not_before = None;
    on_record::forget(&mut grant);
    grant
}

/// Whether the stored grant still holds the tokens that were just replaced.
fn is_same(held: &Held, stored: &Grant, spent: Option<&SecretString>) -> bool {
    match spent {
        Some(spent) => is_spent(stored, spent),
        None => held.is_token_of(stored),
    }
}

/// Whether the grant still holds the refresh token that was just used.
pub(super) fn is_spent(grant: &Grant, spent: &SecretString) -> bool {
    grant
        .refresh_token
        .as_ref()
        .is_some_and(|token| same_secret(token, spent))
}

fn end_backoff(inner: &Inner) {
    crate::shared::lock(&inner.backoff).reset();
}

/// How long a caller with a valid token waits for the next one; the refresh goes on without it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a grant that others change under us is looked at again.
const ROUNDS: usize = 3;
