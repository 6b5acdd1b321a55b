//! The secrets and keys of clients, read from wherever the configuration says they are.

use std::io;

use doorkey_oauth::SigningKey;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use crate::config::{ClientCredentials, SecretSource, ServerConfig};
use crate::environment::Environment;
use crate::error::Error;
use crate::network::{NetworkError, read, required_variable};

/// Where in the configuration of a server a client is described.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    /// The client of the authorization server: `oauth`.
    Client,
    /// The client of the identity provider: `oauth.identity_provider`.
    IdentityClient,
}

/// What a client shows for itself, in hand.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) secret: Option<SecretString>,
    pub(crate) signing_key: Option<SigningKey>,
}

impl Owner {
    fn table(self) -> &'static str {
        match self {
            Self::Client => "oauth",
            Self::IdentityClient => "oauth.identity_provider",
        }
    }

    /// The private key as the authorization library calls it.
    fn key_setting(self) -> &'static str {
        match self {
            Self::Client => "signing_key",
            Self::IdentityClient => "identity_provider.signing_key",
        }
    }
}

/// Reads the secret and the key of a client.
pub(crate) fn credentials(
    environment: &Environment,
    server: &ServerConfig,
    owner: Owner,
    settings: &ClientCredentials,
) -> Result<Credentials, Error> {
    let table = owner.table();
    let find = |source: &Option<SecretSource>, name: &str| {
        let key = format!("{table}.{name}");
        let secret = source
            .as_ref()
            .map(|source| find(environment, server, source, &key));
        secret.transpose()
    };
    let signing_key = match find(&settings.private_key, "private_key")? {
        Some(text) => Some(signing_key(&text, settings, server, owner)?),
        None => None,
    };
    Ok(Credentials {
        secret: find(&settings.secret, "client_secret")?,
        signing_key,
    })
}

fn signing_key(
    text: &SecretString,
    settings: &ClientCredentials,
    server: &ServerConfig,
    owner: Owner,
) -> Result<SigningKey, Error> {
    let key = SigningKey::parse(text).map_err(|source| Error::Authorization {
        what: "read the private key of",
        server: server.name.clone(),
        source: Box::new(doorkey_oauth::Error::InvalidKey {
            setting: owner.key_setting(),
            source,
        }),
    })?;
    Ok(match &settings.private_key_id {
        Some(id) => key.with_id(id),
        None => key,
    })
}

/// A secret, from where it is; `key` is the one without `_env` or `_file`.
fn find(
    environment: &Environment,
    server: &ServerConfig,
    source: &SecretSource,
    key: &str,
) -> Result<SecretString, NetworkError> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::Variable(variable) => {
            let key = format!("{key}_env");
            let text = required_variable(environment, server, &key, variable)?;
            Ok(SecretString::from(text))
        }
        SecretSource::File(path) => {
            let setting = format!("{key}_file");
            let bytes = SecretSlice::from(read(&setting, path)?);
            let text = std::str::from_utf8(bytes.expose_secret());
            let text = text.map_err(|source| NetworkError::Read {
                setting,
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, source),
            })?;
            Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
        }
    }
}

#[cfg(test)]
mod tests;
