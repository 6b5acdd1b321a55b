//! The client credentials grant (RFC 6749 §4.4).

use serde_json::Value;

use super::{
    client::ClientAuthMethod,
    issue::{Issue, issue},
    options::ClientCredentials,
    server::Refusal,
    target,
    token::TokenRequest,
    vault::Grant,
};

pub(super) fn grant(request: &TokenRequest<'_>) -> Result<Value, Refusal> {
    let (core, client) = (request.core, &request.client);
    if client.method == ClientAuthMethod::None {
        let why = "a public client has no credentials to be granted anything for";
        return Err(Refusal::new("unauthorized_client", why));
    }
    let scopes = target::scopes(core, request.parameters)?;
    let resource = target::resource(core, request.parameters.all("resource"))?;
    // The client acts for itself.
    let (client_id, subject) = (client.id.clone(), client.id.clone());
    let grant = Grant {
        scopes: scopes.clone(),
        audience: target::audience(core, resource.as_deref()),
        ..core.new_grant(request.issuer(), client_id, subject)
    };
    let answer = issue(
        core,
        Issue {
            grant,
            scopes,
            refreshable: core.config.client_credentials == ClientCredentials::WithRefreshToken,
            resource_sent: resource.is_some(),
            nonce: None,
            thumbprint: request.thumbprint.clone(),
            spent: None,
        },
    )?;
    core.count(|c| c.client_credentials_grants += 1);
    Ok(answer)
}
