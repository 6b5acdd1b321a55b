//! What a logout does about the sign-on at an identity provider that several grants may live on.

use doorkey_store::{Grant, GrantKey};
use serde_json::Value;
use url::Url;

use super::inner::Inner;
use crate::error::Error;
use crate::flow::{EnterpriseManaged, Flow};
use crate::report::StepOutcome;
use crate::revoke::revoke;
use crate::shared::lock;
use crate::sign_in::enterprise::provider_of_record;

/// Notes in a grant whose identity it was obtained with.
pub(super) fn note_provider(grant: &mut Grant, enterprise: &EnterpriseManaged) {
    let issuer = Value::String(enterprise.issuer.as_str().to_owned());
    grant.extra.insert(PROVIDER.to_owned(), issuer);
}

/// Ends the sign-on, unless another grant of the account lives on it.
pub(super) async fn sign_off(inner: &Inner) -> StepOutcome {
    let Flow::EnterpriseManaged(enterprise) = &inner.config.flow else {
        return StepOutcome::NothingToDo;
    };
    match end(inner, enterprise).await {
        Ok(outcome) => outcome,
        Err(error) => StepOutcome::Failed(error),
    }
}

async fn end(inner: &Inner, enterprise: &EnterpriseManaged) -> Result<StepOutcome, Error> {
    let key = enterprise.grant_key(&inner.config.account);
    let limit = inner.config.refresh_lock_limit;
    let _lock = inner.store.lock_grant(&key, limit).await?;
    let Some(stored) = inner.store.grant(&key).await? else {
        return Ok(StepOutcome::NothingToDo);
    };
    if is_used(inner, &key, enterprise).await? {
        return Ok(StepOutcome::InUse);
    }
    let revoked = revoke_sign_on(inner, enterprise, &stored.value).await;
    inner.store.remove_grant(&key, stored.generation).await?;
    *lock(&inner.unsaved_identity) = None;
    Ok(match revoked {
        Ok(true) => StepOutcome::Done,
        Ok(false) => StepOutcome::Unsupported,
        Err(error) => StepOutcome::LocalOnly(error),
    })
}

async fn is_used(
    inner: &Inner,
    identity: &GrantKey,
    enterprise: &EnterpriseManaged,
) -> Result<bool, Error> {
    let grants = inner.store.grants().await?;
    Ok(grants.entries.iter().any(|(key, grant)| {
        let provider = grant.value.extra.get(PROVIDER).and_then(Value::as_str);
        key != identity
            && *key != inner.key
            && key.account == identity.account
            && provider == Some(enterprise.issuer.as_str())
    }))
}

async fn revoke_sign_on(
    inner: &Inner,
    enterprise: &EnterpriseManaged,
    grant: &Grant,
) -> Result<bool, Error> {
    let Some(token) = &grant.refresh_token else {
        return Ok(true);
    };
    let provider = provider_of_record(enterprise, grant)?;
    let Some(endpoint) = &provider.revocation_endpoint else {
        return Ok(false);
    };
    let endpoint = Url::parse(endpoint)
        .map_err(|cause| Error::invalid_url("stored revocation endpoint", cause))?;
    let tools = inner.parts().tools();
    revoke(tools, &endpoint, &provider.client, (token, "refresh_token")).await?;
    Ok(true)
}

/// The member of a stored grant with the issuer of the identity provider.
const PROVIDER: &str = "doorkey_identity_provider";
