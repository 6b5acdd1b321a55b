//! The identity provider: its endpoints, and this program as its client (EMA-05, EMA-11).

use doorkey_discovery::{AuthorizationServerMetadata, Discovery, DiscoveryOptions};
use doorkey_store::{ClientAuthMethod, Grant};
use url::Url;

use super::Parts;
use crate::client::{Client, remembered};
use crate::error::Error;
use crate::flow::EnterpriseManaged;

/// The identity provider as far as tokens are concerned.
pub(crate) struct Provider {
    pub(crate) token_endpoint: Url,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) client: Client,
}

/// What configuration and record say; where neither says it, the provider's own metadata.
pub(super) async fn provider(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    kept: Option<&Grant>,
) -> Result<Provider, Error> {
    if let Some(kept) = kept {
        return of_record(enterprise, kept);
    }
    match &enterprise.token_endpoint {
        Some(url) => Ok(Provider {
            token_endpoint: url.clone(),
            revocation_endpoint: None,
            client: client(enterprise, None),
        }),
        None => of_metadata(enterprise, &metadata(parts, enterprise).await?),
    }
}

/// The provider as a record of a sign-on has it.
pub(crate) fn of_record(enterprise: &EnterpriseManaged, kept: &Grant) -> Result<Provider, Error> {
    let token_endpoint = match &enterprise.token_endpoint {
        Some(url) => url.clone(),
        None => Url::parse(&kept.token_endpoint)
            .map_err(|cause| Error::invalid_url("stored token endpoint", cause))?,
    };
    Ok(Provider {
        token_endpoint,
        revocation_endpoint: kept.revocation_endpoint.clone(),
        client: client(enterprise, kept.assertion_algorithm.as_deref()),
    })
}

/// The provider as its metadata describes it.
pub(super) fn of_metadata(
    enterprise: &EnterpriseManaged,
    metadata: &AuthorizationServerMetadata,
) -> Result<Provider, Error> {
    let configured = enterprise.token_endpoint.as_ref();
    let token_endpoint = configured.or(metadata.token_endpoint.as_ref());
    let token_endpoint = token_endpoint
        .ok_or_else(|| Error::unsupported(&enterprise.issuer, "token_endpoint", "is missing"))?;
    let mut client = client(enterprise, None);
    if client.method == ClientAuthMethod::PrivateKeyJwt {
        client.algorithm = Some(crate::client::algorithm(client.key.as_ref(), metadata)?);
    }
    let revocation = metadata.revocation_endpoint.as_ref();
    Ok(Provider {
        token_endpoint: token_endpoint.clone(),
        revocation_endpoint: revocation.map(|url| url.as_str().to_owned()),
        client,
    })
}

pub(super) async fn metadata(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
) -> Result<AuthorizationServerMetadata, Error> {
    let discovery = Discovery::new(parts.http.clone(), DiscoveryOptions::default());
    let limit = super::super::DISCOVERY_LIMIT;
    match tokio::time::timeout(limit, discovery.authorization_server(&enterprise.issuer)).await {
        Ok(found) => Ok(found?),
        Err(_) => Err(Error::DiscoveryTimedOut { limit }),
    }
}

/// This program as the identity provider knows it.
fn client(enterprise: &EnterpriseManaged, algorithm: Option<&str>) -> Client {
    let known = &enterprise.client;
    let method = match (&known.signing_key, &known.client_secret) {
        (Some(_), _) => ClientAuthMethod::PrivateKeyJwt,
        (None, Some(_)) => ClientAuthMethod::Basic,
        (None, None) => ClientAuthMethod::None,
    };
    let key = known.signing_key.as_ref();
    Client {
        secret: known.client_secret.clone(),
        method: known.auth_method.unwrap_or(method),
        algorithm: key.and_then(|key| remembered(key, algorithm)),
        key: known.signing_key.clone(),
        audience: enterprise.issuer.as_str().to_owned(),
        ..Client::public(known.client_id.clone())
    }
}
