//! The identity of a person as an identity provider vouches for it: kept, renewed, handed over.

use std::time::{Duration, SystemTime};

use doorkey_store::{Grant, LockGuard};
use secrecy::SecretString;

use super::super::unattended::assertion;
use super::id_token::{Answers, check};
use super::keep::{self, Kept};
use super::provider::{Provider, provider};
use super::{ID_TOKEN, REFRESH_TOKEN, SAML2};
use super::{Parts, at_provider, is_dead, issued, sign_on_needed};
use crate::access_token::same_secret;
use crate::answer::Answer;
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::exchange::{Exchanged, ask, exchange};
use crate::flow::{AssertionSource, EnterpriseManaged, Identity};
use crate::form::Form;
use crate::jwt::expiry;
use crate::key::SigningAlgorithm;

/// What stands for the person in an exchange (RFC 8693 §3), and where it is exchanged.
pub(super) struct Subject {
    pub(super) token: SecretString,
    pub(super) kind: &'static str,
    pub(super) provider: Provider,
    /// Held while a refresh token is in use: nobody rotates it meanwhile.
    lock: Option<LockGuard>,
}

/// The identity, renewed if need be and as far as no person is needed (EMA-04, EMA-13).
///
/// # Errors
/// [`Error::LoginRequired`] when the person has to sign on.
pub(super) async fn subject(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
) -> Result<Subject, Error> {
    let source = match &enterprise.identity {
        Identity::SignOn => None,
        Identity::Saml(source) => Some(source.as_ref()),
        Identity::IdToken(source) => {
            let token = assertion(parts, source.as_ref()).await?;
            let provider = provider(parts, enterprise, None).await?;
            return Ok(Subject::id_token(token, provider));
        }
    };
    let key = enterprise.grant_key(&parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    // One renews at a time, in whatever process: the refresh token may be good for one use.
    let lock = parts.store.lock_grant(&key, limit).await?;
    let kept = keep::load(parts, enterprise).await?;
    match source {
        None => renewed(parts, enterprise, kept, lock).await,
        Some(source) => traded(parts, enterprise, source, kept, lock).await,
    }
}

async fn renewed(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    kept: Kept,
    lock: LockGuard,
) -> Result<Subject, Error> {
    let Some(grant) = &kept.grant else {
        return Err(sign_on_needed(parts, enterprise));
    };
    let provider = provider(parts, enterprise, Some(grant)).await?;
    let now = parts.clock.now();
    if let Some(token) = grant.id_token.as_ref().filter(|token| is_fresh(token, now)) {
        return Ok(Subject::id_token(token.clone(), provider));
    }
    let Some(refresh_token) = grant.refresh_token.clone() else {
        return Err(sign_on_needed(parts, enterprise));
    };
    keep::begin(parts, enterprise, &kept, now).await?;
    let form = Form::refresh_token(&refresh_token).knowing(grant.id_token.as_ref());
    let endpoint = at_provider(parts, &provider.token_endpoint, &provider.client);
    let exchanged = match exchange(endpoint, form).await {
        Ok(exchanged) => exchanged,
        Err(error) => return Err(not_renewed(parts, enterprise, grant.clone(), error).await),
    };
    let renewed = updated(grant.clone(), &exchanged);
    // Whatever the identity token turns out to be, the refresh token that came along is the one that works.
    let Some(token) = &exchanged.tokens.id_token else {
        keep::save(parts, enterprise, &renewed).await;
        // A provider may leave it out; the refresh token stands for the person too.
        let token = renewed.refresh_token.unwrap_or(refresh_token);
        return Ok(Subject::refresh_token(token, provider, lock));
    };
    let answers = Answers::Renewal(grant.id_token.as_ref());
    match check(enterprise, token, answers, now) {
        Ok(_) => {
            keep::save(parts, enterprise, &renewed).await;
            Ok(Subject::id_token(token.clone(), provider))
        }
        Err(error) => {
            let mut grant = renewed;
            grant.id_token = None;
            grant.last_error = Some(error.to_string());
            keep::save(parts, enterprise, &grant).await;
            Err(error)
        }
    }
}

/// A refusal ends the refresh token only where it says so; all else may pass or be mended (REF-07, REF-08).
async fn not_renewed(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    mut grant: Grant,
    error: Error,
) -> Error {
    if !is_dead(&error) {
        return error;
    }
    grant.refresh_token = None;
    grant.refresh_started_at = None;
    grant.last_error = Some(error.to_string());
    keep::save(parts, enterprise, &grant).await;
    sign_on_needed(parts, enterprise)
}

/// The refresh token that a SAML assertion was or is traded for.
async fn traded(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    source: &dyn AssertionSource,
    kept: Kept,
    lock: LockGuard,
) -> Result<Subject, Error> {
    let known = kept.grant.filter(|grant| grant.refresh_token.is_some());
    let provider = provider(parts, enterprise, known.as_ref()).await?;
    if let Some(token) = known.and_then(|grant| grant.refresh_token) {
        return Ok(Subject::refresh_token(token, provider, lock));
    }
    let saml = assertion(parts, source).await?;
    let form = Form::token_exchange(&saml, SAML2, REFRESH_TOKEN);
    let endpoint = at_provider(parts, &provider.token_endpoint, &provider.client);
    let read = |answer: &Answer| issued(answer, REFRESH_TOKEN);
    let (token, _) = ask(endpoint, form, read).await?;
    let mut grant = record(enterprise, &provider);
    grant.refresh_token = Some(token.clone());
    grant.issued_at = unix_seconds(parts.clock.now());
    keep::save(parts, enterprise, &grant).await;
    Ok(Subject::refresh_token(token, provider, lock))
}

/// Draws the consequences of an exchange that failed: what the provider refuses for good is not
/// offered again. Only the identity itself is meant by that, not what it was to be used for.
pub(super) async fn refused(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    subject: Subject,
    error: Error,
) -> Error {
    let is_ours = !matches!(enterprise.identity, Identity::IdToken(_));
    if is_ours && is_dead(&error) {
        let Subject { token, lock, .. } = subject;
        drop(lock);
        if let Err(error) = forget(parts, enterprise, &token, &error).await {
            tracing::warn!(%error, "a refused identity could not be forgotten");
        }
    }
    error
}

async fn forget(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    token: &SecretString,
    error: &Error,
) -> Result<(), Error> {
    let key = enterprise.grant_key(&parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    let _lock = parts.store.lock_grant(&key, limit).await?;
    let Some(mut grant) = keep::load(parts, enterprise).await?.grant else {
        return Ok(());
    };
    let is =
        |kept: &Option<SecretString>| kept.as_ref().is_some_and(|kept| same_secret(kept, token));
    match (is(&grant.id_token), is(&grant.refresh_token)) {
        (true, _) => grant.id_token = None,
        (false, true) => grant.refresh_token = None,
        (false, false) => return Ok(()),
    }
    grant.last_error = Some(error.to_string());
    keep::save(parts, enterprise, &grant).await;
    Ok(())
}

/// A record without tokens.
pub(super) fn record(enterprise: &EnterpriseManaged, provider: &Provider) -> Grant {
    let client = &provider.client;
    let endpoint = provider.token_endpoint.as_str();
    let mut grant = Grant::new(enterprise.issuer.as_str(), client.id.as_str(), endpoint);
    grant.client_auth_method = client.method;
    grant
        .revocation_endpoint
        .clone_from(&provider.revocation_endpoint);
    let algorithm = client.algorithm.map(SigningAlgorithm::as_str);
    grant.assertion_algorithm = algorithm.map(str::to_owned);
    grant
}

/// The record with what an answer of the provider changes. Its access tokens are of no use here and
/// are not kept.
pub(super) fn updated(mut grant: Grant, exchanged: &Exchanged) -> Grant {
    let tokens = &exchanged.tokens;
    if tokens.refresh_token.is_some() {
        grant.refresh_token.clone_from(&tokens.refresh_token);
    }
    if tokens.id_token.is_some() {
        grant.id_token.clone_from(&tokens.id_token);
    }
    grant.expires_at = grant.id_token.as_ref().and_then(expiry).map(unix_seconds);
    grant.issued_at = unix_seconds(tokens.received_at);
    grant.client_auth_method = exchanged.method;
    grant.refresh_started_at = None;
    grant.last_error = None;
    grant
}

impl Subject {
    fn id_token(token: SecretString, provider: Provider) -> Self {
        Self {
            token,
            kind: ID_TOKEN,
            provider,
            lock: None,
        }
    }

    fn refresh_token(token: SecretString, provider: Provider, lock: LockGuard) -> Self {
        Self {
            token,
            kind: REFRESH_TOKEN,
            provider,
            lock: Some(lock),
        }
    }
}

/// Whether an identity token lives long enough to be exchanged.
fn is_fresh(token: &SecretString, now: SystemTime) -> bool {
    expiry(token).is_some_and(|end| now + MARGIN < end)
}

const MARGIN: Duration = Duration::from_secs(30);
