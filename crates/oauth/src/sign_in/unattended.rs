//! Grants that need no person: the client's own credentials (RFC 6749 §4.4), a workload's JWT and an
//! enterprise's grant (RFC 7523 §2.1).

use doorkey_discovery::Scopes;
use doorkey_http::Leg;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::enterprise;
use super::{Failed, Gone, Obtained, Parts, Settled, Wish, client};
use crate::access_token::same_secret;
use crate::client::Client;
use crate::dpop::DpopKey;
use crate::error::Error;
use crate::exchange::{Exchanged, TokenEndpoint, exchange};
use crate::flow::{AssertionError, AssertionSource, Flow};
use crate::form::Form;
use crate::jwt::has_expired;
use crate::shared::lock;

/// What a token is asked for with, at login and whenever it is due.
pub(crate) struct Asked<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: &'a Url,
    /// The authorization server as assertions name it.
    pub(crate) audience: &'a str,
    pub(crate) resource: Option<&'a str>,
    pub(crate) scopes: &'a Scopes,
    pub(crate) key: Option<&'a DpopKey>,
    /// The token that is to be replaced: the server knows it too.
    pub(crate) known: Option<&'a SecretString>,
}

pub(super) async fn run(
    parts: Parts<'_>,
    wish: &Wish,
    settled: &Settled,
    mut gone: Gone<'_>,
) -> Result<Obtained, Failed> {
    let client = client::bound(parts, wish, settled)?;
    let obtained = async {
        if let Flow::EnterpriseManaged(enterprise) = &parts.config.flow {
            enterprise::signed_on(parts, enterprise, wish.interaction.as_ref(), gone.as_mut())
                .await?;
        }
        let asked = Asked {
            client: &client,
            url: &settled.token_endpoint,
            audience: settled.found.server.issuer.as_str(),
            resource: settled.resource.as_deref(),
            scopes: &settled.scopes,
            key: settled.key.as_ref(),
            known: None,
        };
        tokens(parts, asked).await
    };
    match obtained.await {
        Ok(exchanged) => Ok(Obtained {
            client,
            redirect_uri: None,
            exchanged,
        }),
        Err(error) => Err(settled.failed(client, error)),
    }
}

/// One token request. A refresh token in answer is ignored: whoever can ask again needs none (CC-08,
/// WIF-09).
///
/// # Errors
/// What the authorization server, the identity provider or the source of a JWT had against it.
pub(crate) async fn tokens(parts: Parts<'_>, asked: Asked<'_>) -> Result<Exchanged, Error> {
    let endpoint = TokenEndpoint {
        tools: parts.tools(),
        leg: Leg::Token,
        url: asked.url,
        client: asked.client,
        key: asked.key,
        shape: None,
    };
    let mut exchanged = match &parts.config.flow {
        Flow::WorkloadIdentity(source) => {
            let jwt = workload(parts, source.as_ref()).await?;
            let form = bound(Form::jwt_bearer(&jwt), &asked);
            let answer = exchange(endpoint, form).await;
            answer.map_err(|error| remember(parts, jwt, error))?
        }
        Flow::EnterpriseManaged(enterprise) => {
            let id_jag = enterprise::grant(parts, enterprise, &asked).await?;
            exchange(endpoint, bound(Form::jwt_bearer(&id_jag), &asked)).await?
        }
        // The other flows never come here.
        Flow::ClientCredentials | Flow::AuthorizationCode | Flow::Device => {
            exchange(endpoint, bound(Form::client_credentials(), &asked)).await?
        }
    };
    exchanged.tokens.refresh_token = None;
    Ok(exchanged)
}

fn bound(form: Form, asked: &Asked<'_>) -> Form {
    form.scopes(asked.scopes)
        .resource(asked.resource)
        .knowing(asked.known)
}

/// The workload's JWT as it is now (WIF-06), unless it is known to be of no use.
async fn workload(parts: Parts<'_>, source: &dyn AssertionSource) -> Result<SecretString, Error> {
    let jwt = assertion(parts, source).await?;
    match lock(parts.refused_assertion).as_deref() {
        Some((refused, error)) if same_secret(refused, &jwt) => Err(error.clone()),
        _ => Ok(jwt),
    }
}

/// What a source delivers now, as long as it has not clearly expired.
pub(super) async fn assertion(
    parts: Parts<'_>,
    source: &dyn AssertionSource,
) -> Result<SecretString, Error> {
    let delivered = tokio::time::timeout(SOURCE_LIMIT, source.assertion(parts.http)).await;
    let jwt =
        delivered.unwrap_or_else(|elapsed| Err(AssertionError::new(elapsed).transient(true)))?;
    let jwt = SecretString::from(jwt.expose_secret().trim());
    if has_expired(&jwt, parts.clock.now()) {
        return Err(Error::AssertionExpired);
    }
    Ok(jwt)
}

/// Remembers a JWT that was refused for what it is: the same one would be refused again (WIF-05).
fn remember(parts: Parts<'_>, jwt: SecretString, error: Error) -> Error {
    if matches!(error, Error::TokenEndpoint { .. }) && !error.is_transient() {
        *lock(parts.refused_assertion) = Some(Box::new((jwt, error.clone())));
    }
    error
}

/// How long a source may take.
const SOURCE_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
