//! The flow of a server, from what its configuration says.

use std::sync::Arc;

use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, BoxFuture, EnterpriseManaged, Flow, Identity,
};
use secrecy::SecretString;

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

/// The same without where anything comes from: enough to judge a stored grant by.
pub(super) fn kind(settings: &FlowSettings) -> Flow {
    match settings {
        FlowSettings::AuthorizationCode => Flow::AuthorizationCode,
        FlowSettings::Device => Flow::Device,
        FlowSettings::ClientCredentials => Flow::ClientCredentials,
        FlowSettings::WorkloadIdentity(_) => Flow::WorkloadIdentity(Arc::new(Unread)),
        FlowSettings::EnterpriseManaged(settings) => {
            Flow::EnterpriseManaged(Arc::new(provider(settings)))
        }
    }
}

/// The identity provider and the client it knows.
pub(super) fn provider(settings: &IdentityProviderSettings) -> EnterpriseManaged {
    EnterpriseManaged::new(settings.issuer.clone(), settings.client_id.as_str())
}

/// A source that nobody asks.
#[derive(Debug)]
struct Unread;

impl AssertionSource for Unread {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async { Err(AssertionError::new("no source is read to judge a grant")) })
    }
}

fn enterprise(
    environment: &Environment,
    server: &ServerConfig,
    provider: &IdentityProviderSettings,
) -> Result<EnterpriseManaged, Error> {
    let settings = &provider.credentials;
    let found = credentials(environment, server, Owner::IdentityClient, settings)?;
    let mut enterprise = self::provider(provider);
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
