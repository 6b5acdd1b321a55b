//! The flow of a server, from what its configuration says.

use std::sync::Arc;

use doorkey_oauth::{EnterpriseManaged, Flow, Identity};

use crate::assertion;
use crate::config::{FlowSettings, IdentityProviderSettings, IdentitySettings, ServerConfig};
use crate::credentials::{Owner, credentials};
use crate::environment::Environment;
use crate::error::Error;

/// How tokens for a server are obtained.
///
/// # Errors
/// A variable or file that the configuration names cannot be used, or a key is none.
pub(super) fn flow(environment: &Environment, server: &ServerConfig) -> Result<Flow, Error> {
    Ok(match &server.oauth.flow {
        FlowSettings::AuthorizationCode => Flow::AuthorizationCode,
        FlowSettings::Device => Flow::Device,
        FlowSettings::ClientCredentials => Flow::ClientCredentials,
        FlowSettings::WorkloadIdentity(workload) => {
            let table = "oauth.workload";
            let source = assertion::source(environment, server, &workload.assertion, table)?;
            Flow::WorkloadIdentity(source)
        }
        FlowSettings::EnterpriseManaged(provider) => {
            let enterprise = enterprise(environment, server, provider)?;
            Flow::EnterpriseManaged(Arc::new(enterprise))
        }
    })
}

fn enterprise(
    environment: &Environment,
    server: &ServerConfig,
    provider: &IdentityProviderSettings,
) -> Result<EnterpriseManaged, Error> {
    let settings = &provider.credentials;
    let found = credentials(environment, server, Owner::IdentityClient, settings)?;
    let mut enterprise =
        EnterpriseManaged::new(provider.issuer.clone(), provider.client_id.as_str());
    enterprise.client.client_secret = found.secret;
    enterprise.client.signing_key = found.signing_key;
    enterprise.client.auth_method = settings.auth_method;
    enterprise
        .token_endpoint
        .clone_from(&provider.token_endpoint);
    enterprise.scopes = provider.scopes.iter().cloned().collect();
    let source = |settings, table: &str| {
        let table = format!("oauth.identity_provider.{table}");
        assertion::source(environment, server, settings, &table)
    };
    enterprise.identity = match &provider.identity {
        IdentitySettings::SignOn => Identity::SignOn,
        IdentitySettings::IdToken(from) => Identity::IdToken(source(from, "id_token")?),
        IdentitySettings::SamlAssertion(from) => Identity::Saml(source(from, "saml_assertion")?),
    };
    Ok(enterprise)
}
