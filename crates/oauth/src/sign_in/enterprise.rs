//! Enterprise-managed authorization: a sign-on at the enterprise's identity provider becomes a grant
//! for an MCP server's authorization server (RFC 8693 §2; draft-ietf-oauth-identity-assertion-authz-grant
//! §4; MCP enterprise-managed authorization).

mod identity;
mod sign_on;

use std::borrow::Cow;

use doorkey_discovery::{AuthorizationServerMetadata, Discovery, DiscoveryOptions};
use doorkey_http::Leg;
use doorkey_store::ClientAuthMethod;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::unattended::Asked;
use super::{Gone, Parts};
use crate::answer::Answer;
use crate::client::Client;
use crate::error::{Error, LoginReason};
use crate::exchange::{TokenEndpoint, ask};
use crate::flow::{EnterpriseManaged, Identity};
use crate::form::Form;
use crate::interaction::Interaction;
use crate::token_response::take_text;

pub(crate) use identity::key as identity_key;

/// Makes sure that there is an identity, through a person if need be.
pub(super) async fn signed_on(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    interaction: &dyn Interaction,
    gone: Gone<'_>,
) -> Result<(), Error> {
    if !matches!(enterprise.identity, Identity::SignOn) {
        return Ok(());
    }
    let reason = match identity::subject(parts, enterprise).await {
        Err(Error::LoginRequired { reason, .. }) => reason,
        outcome => return outcome.map(drop),
    };
    match sign_on::sign_on(parts, enterprise, interaction, gone).await {
        Err(Error::Interaction(cause)) if cause.is_denied() => Err(parts.login_required(reason)),
        outcome => outcome,
    }
}

/// An identity assertion for one authorization server and resource (EMA-01 to EMA-06). It is the
/// server's to see, and nobody else's.
pub(super) async fn grant(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
    asked: &Asked<'_>,
) -> Result<SecretString, Error> {
    let subject = identity::subject(parts, enterprise).await?;
    let url = token_endpoint(parts, enterprise).await?;
    let client = identity_client(enterprise);
    let endpoint = at_provider(parts, &url, &client);
    let form = Form::token_exchange(&subject.token, subject.kind, ID_JAG)
        .audience(asked.audience)
        .resource(asked.resource)
        .scopes(asked.scopes);
    let read = |answer: &Answer| issued(answer, ID_JAG);
    match ask(endpoint, form, read).await {
        Ok((id_jag, _)) => Ok(id_jag),
        Err(error) => Err(identity::refused(parts, enterprise, &subject, error).await),
    }
}

/// The token of an exchange, if it is of the type that was asked for (RFC 8693 §2.2.1).
fn issued(answer: &Answer, wanted: &str) -> Result<SecretString, Error> {
    let mut object = answer.success()?;
    let member = |name: &str| object.get(name).and_then(Value::as_str);
    if member("issued_token_type") != Some(wanted) {
        return Err(answer.unreadable("its `issued_token_type` is not the one that was asked for"));
    }
    // What is no access token has no way to be used (EMA-06).
    if !member("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("N_A")) {
        return Err(answer.unreadable("its `token_type` is not N_A"));
    }
    take_text(&mut object, "access_token")
        .map(SecretString::from)
        .ok_or_else(|| answer.unreadable("there is no `access_token` in it"))
}

/// Where tokens are exchanged: as configured, else as the identity provider says (EMA-11).
async fn token_endpoint<'a>(
    parts: Parts<'_>,
    enterprise: &'a EnterpriseManaged,
) -> Result<Cow<'a, Url>, Error> {
    if let Some(url) = &enterprise.token_endpoint {
        return Ok(Cow::Borrowed(url));
    }
    let provider = metadata(parts, enterprise).await?;
    provider
        .token_endpoint
        .map(Cow::Owned)
        .ok_or_else(|| Error::UnsupportedServer {
            issuer: enterprise.issuer.clone(),
            member: "token_endpoint",
            why: "is missing",
        })
}

async fn metadata(
    parts: Parts<'_>,
    enterprise: &EnterpriseManaged,
) -> Result<AuthorizationServerMetadata, Error> {
    let discovery = Discovery::new(parts.http.clone(), DiscoveryOptions::default());
    Ok(discovery.authorization_server(&enterprise.issuer).await?)
}

/// This program as the identity provider knows it (EMA-05).
pub(crate) fn identity_client(enterprise: &EnterpriseManaged) -> Client {
    let known = &enterprise.client;
    let method = match (&known.signing_key, &known.client_secret) {
        (Some(_), _) => ClientAuthMethod::PrivateKeyJwt,
        (None, Some(_)) => ClientAuthMethod::Basic,
        (None, None) => ClientAuthMethod::None,
    };
    Client {
        secret: known.client_secret.clone(),
        method: known.auth_method.unwrap_or(method),
        algorithm: known
            .signing_key
            .as_ref()
            .and_then(|key| key.algorithm(None)),
        key: known.signing_key.clone(),
        audience: enterprise.issuer.as_str().to_owned(),
        ..Client::public(known.client_id.clone())
    }
}

/// An endpoint of the identity provider. Its tokens are bound to nothing of ours.
fn at_provider<'a>(parts: Parts<'a>, url: &'a Url, client: &'a Client) -> TokenEndpoint<'a> {
    TokenEndpoint {
        tools: parts.tools(),
        leg: Leg::IdentityProvider,
        url,
        client,
        key: None,
    }
}

fn sign_on_needed(parts: Parts<'_>, enterprise: &EnterpriseManaged) -> Error {
    parts.login_required(LoginReason::SignOn(enterprise.issuer.clone()))
}

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
