//! The identity of a person as an identity provider vouches for it: kept, renewed, handed over.

use std::time::{Duration, SystemTime};

use doorkey_store::{Generation, Grant, GrantKey, Stored};
use secrecy::SecretString;

use super::super::unattended::assertion;
use super::{ID_TOKEN, REFRESH_TOKEN, SAML2};
use super::{Parts, at_provider, identity_client, issued, sign_on_needed, token_endpoint};
use crate::access_token::same_secret;
use crate::answer::Answer;
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::exchange::{Exchanged, ask, exchange};
use crate::flow::{AssertionSource, EnterpriseManaged, Identity};
use crate::form::Form;
use crate::jwt::expiry;

/// What stands for the person in an exchange (RFC 8693 §3).
pub(super) struct Subject {
    pub(super) token: SecretString,
    pub(super) kind: &'static str,
}

/// Where a sign-on is kept: once for all servers that trust the provider, per account.
pub(crate) fn key(enterprise: &EnterpriseManaged, account: &str) -> GrantKey {
    GrantKey::new(enterprise.issuer.as_str(), account)
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
            return Ok(id_token(token));
        }
    };
    let key = key(enterprise, &parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    // One renews at a time, in whatever process: the refresh token may be good for one use.
    let _lock = parts.store.lock_grant(&key, limit).await?;
    let stored = parts.store.grant(&key).await?;
    let stored = stored.filter(|stored| stored.value.client_id == enterprise.client.client_id);
    match (source, stored) {
        (None, Some(stored)) => renewed(parts, enterprise, stored).await,
        (None, None) => Err(sign_on_needed(parts, enterprise)),
        (Some(source), stored) => traded(parts, enterprise, source, stored).await,
    }
}

async fn renewed(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    stored: Stored<Grant>,
) -> Result<Subject, Error> {
    let Stored {
        value, generation, ..
    } = stored;
    if let Some(token) = &value.id_token
        && is_fresh(token, parts.clock.now())
    {
        return Ok(id_token(token.clone()));
    }
    let Some(refresh_token) = value.refresh_token.clone() else {
        return Err(sign_on_needed(parts, enterprise));
    };
    let url = token_endpoint(parts, enterprise).await?;
    let client = identity_client(enterprise);
    let form = Form::refresh_token(&refresh_token).knowing(value.id_token.as_ref());
    let exchanged = match exchange(at_provider(parts, &url, &client), form).await {
        Ok(exchanged) => exchanged,
        Err(error) if is_final(&error) => {
            let mut spent = value;
            spent.refresh_token = None;
            spent.last_error = Some(error.to_string());
            save(parts, enterprise, &spent, Some(generation)).await?;
            return Err(sign_on_needed(parts, enterprise));
        }
        Err(error) => return Err(error),
    };
    let grant = updated(value, &exchanged);
    save(parts, enterprise, &grant, Some(generation)).await?;
    Ok(match (exchanged.tokens.id_token, grant.refresh_token) {
        // A provider may leave the identity token out; the refresh token stands for the person too.
        (None, Some(token)) => Subject {
            token,
            kind: REFRESH_TOKEN,
        },
        (Some(token), _) => id_token(token),
        (None, None) => return Err(sign_on_needed(parts, enterprise)),
    })
}

/// The refresh token that a SAML assertion was or is traded for.
async fn traded(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    source: &dyn AssertionSource,
    stored: Option<Stored<Grant>>,
) -> Result<Subject, Error> {
    let known = stored
        .as_ref()
        .and_then(|stored| stored.value.refresh_token.clone());
    let token = match known {
        Some(token) => token,
        None => {
            let url = token_endpoint(parts, enterprise).await?;
            let client = identity_client(enterprise);
            let saml = assertion(parts, source).await?;
            let form = Form::token_exchange(&saml, SAML2, REFRESH_TOKEN);
            let read = |answer: &Answer| issued(answer, REFRESH_TOKEN);
            let (token, _) = ask(at_provider(parts, &url, &client), form, read).await?;
            let id = enterprise.client.client_id.as_str();
            let mut grant = Grant::new(enterprise.issuer.as_str(), id, url.as_str());
            grant.refresh_token = Some(token.clone());
            grant.issued_at = unix_seconds(parts.clock.now());
            let generation = stored.map(|stored| stored.generation);
            save(parts, enterprise, &grant, generation).await?;
            token
        }
    };
    Ok(Subject {
        token,
        kind: REFRESH_TOKEN,
    })
}

/// Draws the consequences of an exchange that failed: what the provider refuses for good is not
/// offered again.
pub(super) async fn refused(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    subject: &Subject,
    error: Error,
) -> Error {
    let is_ours = !matches!(enterprise.identity, Identity::IdToken(_));
    // RFC 8693 §2.2.2 says the one, the draft's example and refresh tokens the other.
    let is_dead = matches!(&error, Error::TokenEndpoint { error, .. }
        if error.is("invalid_grant") || error.is("invalid_request") && subject.kind == ID_TOKEN);
    if !is_ours || !is_dead {
        return error;
    }
    let forgotten = forget(parts, enterprise, subject, &error).await;
    if let Err(error) = forgotten {
        tracing::warn!(%error, "a refused identity could not be forgotten");
    }
    error
}

async fn forget(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    subject: &Subject,
    error: &Error,
) -> Result<(), Error> {
    let key = key(enterprise, &parts.config.account);
    let limit = parts.config.refresh_lock_limit;
    let _lock = parts.store.lock_grant(&key, limit).await?;
    let Some(Stored {
        value: mut grant,
        generation,
        ..
    }) = parts.store.grant(&key).await?
    else {
        return Ok(());
    };
    let is = |token: &Option<SecretString>| {
        token
            .as_ref()
            .is_some_and(|token| same_secret(token, &subject.token))
    };
    match (is(&grant.id_token), is(&grant.refresh_token)) {
        (true, _) => grant.id_token = None,
        (false, true) => grant.refresh_token = None,
        (false, false) => return Ok(()),
    }
    grant.last_error = Some(error.to_string());
    save(parts, enterprise, &grant, Some(generation)).await
}

/// Keeps what a sign-on or its renewal brought. Only who holds the lock of the identity does so.
pub(super) async fn save(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    grant: &Grant,
    expected: Option<Generation>,
) -> Result<(), Error> {
    let key = key(enterprise, &parts.config.account);
    parts.store.save_grant(&key, grant, expected).await?;
    Ok(())
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
    grant.last_error = None;
    grant
}

fn id_token(token: SecretString) -> Subject {
    Subject {
        token,
        kind: ID_TOKEN,
    }
}

/// Whether an identity token lives long enough to be exchanged.
fn is_fresh(token: &SecretString, now: SystemTime) -> bool {
    expiry(token).is_none_or(|end| now + MARGIN < end)
}

/// Whether asking again with the same refresh token is of no use.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::TokenEndpoint { .. }) && !error.is_transient()
}

const MARGIN: Duration = Duration::from_secs(30);
