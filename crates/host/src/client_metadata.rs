//! The metadata document of this client, to be published at the URL that is its client id
//! (draft-ietf-oauth-client-id-metadata-document sections 3 and 4.1).

use doorkey_http::check_endpoint;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::config::{FlowSettings, ServerConfig, check_metadata_url};
use crate::credentials::{Owner, credentials};
use crate::error::Error;
use crate::host::Host;
use crate::loopback::CallbackSettings;

/// A client metadata document. It holds public things alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// The URL that it is published at, as a plain string.
    pub client_id: String,
    /// What a person sees on the page of an authorization server.
    pub client_name: String,
    /// `native`: this program runs on the machine of its user.
    pub application_type: &'static str,
    /// Where browsers come back to.
    pub redirect_uris: Vec<String>,
    /// What tokens are asked for with.
    pub grant_types: Vec<&'static str>,
    /// What the authorization page answers.
    pub response_types: Vec<&'static str>,
    /// `none`, or `private_key_jwt` where a key is configured; never a shared secret.
    pub token_endpoint_auth_method: &'static str,
    /// The public halves of the configured keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Jwks>,
}

/// A JSON Web Key Set (RFC 7517 section 5).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Jwks {
    /// The keys, each as an object.
    pub keys: Vec<Value>,
}

/// The URL cannot be that of a client metadata document, or cannot be a redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnfitUrl(String);

impl ClientMetadata {
    /// Checks the URL of a document: https with a path, without fragment, user or `.` and `..`
    /// segments, as it is written (REG-08).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_url(written: &str) -> Result<Url, UnfitUrl> {
        check_metadata_url(written).map_err(UnfitUrl)
    }

    /// Checks a redirect URI: https, or http on loopback, without fragment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_redirect_uri(written: &str) -> Result<(), UnfitUrl> {
        let url = Url::parse(written).map_err(|error| UnfitUrl(format!("no URL: {error}")))?;
        check_endpoint(&url).map_err(|error| UnfitUrl(error.to_string()))?;
        match url.fragment() {
            Some(_) => Err(UnfitUrl("a URL with a fragment".to_owned())),
            None => Ok(()),
        }
    }
}

impl Host {
    /// The metadata document to publish at `url`, as the servers of the configuration use that client:
    /// those with it in `client_metadata_url`, or as their `client_id`, then with their keys. Where
    /// `redirect_uris` are given, they take the place of what the configuration makes of them.
    ///
    /// # Errors
    /// A key of such a server cannot be used.
    pub fn client_metadata(
        &self,
        url: &Url,
        redirect_uris: &[String],
    ) -> Result<ClientMetadata, Error> {
        let all = self.config().servers().iter();
        let servers: Vec<_> = all.filter(|server| uses(server, url)).collect();
        let keys = self.public_keys(&servers)?;
        Ok(ClientMetadata {
            client_id: url.as_str().to_owned(),
            client_name: "doorkey".to_owned(),
            application_type: "native",
            redirect_uris: match redirect_uris {
                [] => configured_redirects(&servers),
                given => given.to_vec(),
            },
            grant_types: grant_types(&servers),
            response_types: vec!["code"],
            token_endpoint_auth_method: match keys.is_empty() {
                true => "none",
                false => "private_key_jwt",
            },
            jwks: (!keys.is_empty()).then_some(Jwks { keys }),
        })
    }

    fn public_keys(&self, servers: &[&ServerConfig]) -> Result<Vec<Value>, Error> {
        let mut keys = Vec::new();
        for server in servers {
            let settings = &server.oauth.credentials;
            let found = credentials(self.environment(), server, Owner::Client, settings)?;
            let Some(key) = found.signing_key else {
                continue;
            };
            let public = key.public_key().map_err(|source| Error::Authorization {
                what: "publish the key of",
                server: server.name.clone(),
                source: Box::new(source.into()),
            })?;
            if !keys.contains(&public) {
                keys.push(public);
            }
        }
        Ok(keys)
    }
}

fn uses(server: &ServerConfig, url: &Url) -> bool {
    let oauth = &server.oauth;
    match &oauth.client_id {
        Some(client_id) => client_id == url.as_str(),
        None => oauth.client_metadata_url.as_ref() == Some(url),
    }
}

fn configured_redirects(servers: &[&ServerConfig]) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |uri: String| {
        if !all.contains(&uri) {
            all.push(uri);
        }
    };
    for server in servers {
        for uri in server.oauth.callback().redirect_uris() {
            add(uri);
        }
    }
    if all.is_empty() {
        all.extend(CallbackSettings::default().redirect_uris());
    }
    all
}

fn grant_types(servers: &[&ServerConfig]) -> Vec<&'static str> {
    let mut all = vec!["authorization_code", "refresh_token"];
    for server in servers {
        let grant = match server.oauth.flow {
            FlowSettings::AuthorizationCode => continue,
            FlowSettings::Device => "urn:ietf:params:oauth:grant-type:device_code",
            FlowSettings::ClientCredentials => "client_credentials",
            FlowSettings::WorkloadIdentity(_) | FlowSettings::EnterpriseManaged(_) => {
                "urn:ietf:params:oauth:grant-type:jwt-bearer"
            }
        };
        if !all.contains(&grant) {
            all.push(grant);
        }
    }
    all
}

#[cfg(test)]
mod tests;
