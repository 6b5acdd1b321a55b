//! Enterprise-managed authorization: a sign-on at the enterprise's identity provider becomes a grant
//! for an MCP server's authorization server (RFC 8693 §2; draft-ietf-oauth-identity-assertion-authz-grant
//! §4; MCP enterprise-managed authorization).

mod id_token;
mod identity;
mod keep;
mod provider;
mod sign_on;

use doorkey_http::Leg;
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
use crate::member::secret;

pub(crate) use provider::of_record as provider_of_record;

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
    let form = Form::token_exchange(&subject.token, subject.kind, ID_JAG)
        .audience(asked.audience)
        .resource(asked.resource)
        .scopes(asked.scopes);
    let provider = &subject.provider;
    let endpoint = at_provider(parts, &provider.token_endpoint, &provider.client);
    let read = |answer: &Answer| issued(answer, ID_JAG);
    match ask(endpoint, form, read).await {
        Ok((id_jag, _)) => Ok(id_jag),
        Err(error) => Err(identity::refused(parts, enterprise, subject, error).await),
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
    secret(answer, &mut object, "access_token")?
        .ok_or_else(|| answer.unreadable("there is no `access_token` in it"))
}

/// An endpoint of the identity provider. Its tokens are bound to nothing of ours.
fn at_provider<'a>(parts: Parts<'a>, url: &'a Url, client: &'a Client) -> TokenEndpoint<'a> {
    TokenEndpoint {
        tools: parts.tools(),
        leg: Leg::IdentityProvider,
        url,
        client,
        key: None,
        shape: None,
    }
}

fn sign_on_needed(parts: Parts<'_>, enterprise: &EnterpriseManaged) -> Error {
    parts.login_required(LoginReason::SignOn(enterprise.issuer.clone()))
}

fn is_dead(error: &Error) -> bool {
    matches!(error, Error::TokenEndpoint { error, .. } if error.is("invalid_grant"))
}

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
