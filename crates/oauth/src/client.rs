//! The client: its identifier, its secret and how it authenticates (RFC 6749 §2.3, RFC 7591 §2).

use std::fmt;

use doorkey_discovery::{AuthorizationServerMetadata, Issuer};
use doorkey_store::{ClientAuthMethod, Grant, Registration};
use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::config::{AuthorizationConfig, ClientChoice};
use crate::error::Error;
use crate::jwt::client_assertion;
use crate::key::{SigningAlgorithm, SigningKey};
use crate::random::Random;
use crate::registration::kept::Kept;

/// The client as one authorization server knows it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<SecretString>,
    pub(crate) secret_expires_at: Option<u64>,
    pub(crate) method: ClientAuthMethod,
    /// The key of client assertions, and what they are signed with.
    pub(crate) key: Option<SigningKey>,
    pub(crate) algorithm: Option<SigningAlgorithm>,
    /// Whom client assertions are for (TOK-10).
    pub(crate) audience: String,
    /// Whether it proves itself in one way alone, whatever the server says (CC-04, WIF-05).
    pub(crate) sticks: bool,
    pub(crate) origin: ClientOrigin,
    /// The issuer whose clients were found to have to authenticate so, against what it says.
    pub(crate) learned_at: Option<String>,
}

/// What authenticates one request.
pub(crate) enum Credential {
    /// Whatever the client is known by.
    Method(ClientAuthMethod),
    /// A client assertion, good for this request alone.
    Assertion(SecretString),
}

impl Credential {
    /// What of it no answer may be shown to repeat, besides the client's own secret.
    pub(crate) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Method(_) => None,
            Self::Assertion(assertion) => Some(assertion),
        }
    }
}

impl From<ClientAuthMethod> for Credential {
    fn from(method: ClientAuthMethod) -> Self {
        Self::Method(method)
    }
}

/// Where the client's identifier came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientOrigin {
    /// From the configuration, or a metadata document.
    Configured,
    /// Registered in this very login.
    Registered(Kept),
    /// Registered by an earlier login.
    Reused(Kept),
    /// Read back from a grant.
    Granted,
}

impl Client {
    /// The client of a stored grant. A configured secret or method for the same client wins, so
    /// that a corrected secret takes effect without a new login.
    pub(crate) fn of_grant(grant: &Grant, config: &AuthorizationConfig) -> Self {
        let mut client = Self {
            id: grant.client_id.clone(),
            secret: grant.client_secret.clone(),
            secret_expires_at: grant.client_secret_expires_at,
            method: grant.client_auth_method,
            key: None,
            algorithm: None,
            audience: audience(config, grant.assertion_audience.as_ref(), &grant.issuer),
            sticks: config.flow.is_unattended(),
            origin: ClientOrigin::Granted,
            learned_at: None,
        };
        if let ClientChoice::Static {
            client_id,
            client_secret,
            signing_key,
            auth_method,
            ..
        } = &config.client
            && *client_id == client.id
        {
            if client_secret.is_some() {
                client.secret.clone_from(client_secret);
            }
            client.method = auth_method.unwrap_or(client.method);
            client.algorithm = signing_key
                .as_ref()
                .and_then(|key| remembered(key, grant.assertion_algorithm.as_deref()));
            client.key.clone_from(signing_key);
        }
        client
    }

    /// What authenticates the next request by `method`.
    pub(crate) fn credential(
        &self,
        method: ClientAuthMethod,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Credential, Error> {
        match method {
            ClientAuthMethod::PrivateKeyJwt => {
                client_assertion(self, clock, random).map(Credential::Assertion)
            }
            method => Ok(Credential::Method(method)),
        }
    }

    /// Nobody in particular: a workload that its JWT alone stands for (WIF-04).
    pub(crate) fn anonymous() -> Self {
        Self::public(String::new())
    }

    /// A client that is known by its name alone.
    pub(crate) fn public(id: String) -> Self {
        Self {
            id,
            secret: None,
            secret_expires_at: None,
            method: ClientAuthMethod::None,
            key: None,
            algorithm: None,
            audience: String::new(),
            sticks: false,
            origin: ClientOrigin::Configured,
            learned_at: None,
        }
    }

    /// A client registered dynamically.
    pub(crate) fn of_registration(registration: &Registration, origin: ClientOrigin) -> Self {
        Self {
            secret: registration.client_secret.clone(),
            secret_expires_at: registration.client_secret_expires_at,
            method: registration.token_endpoint_auth_method,
            origin,
            ..Self::public(registration.client_id.clone())
        }
    }

    /// A public client whose identifier is the URL of its metadata document.
    pub(crate) fn of_document(url: &Url) -> Self {
        Self::public(url.as_str().to_owned())
    }

    /// Whether it registered itself and may be replaced by another registration.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.kept().is_some()
    }

    /// Whether it registered itself in this very login.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.origin, ClientOrigin::Registered(_))
    }

    /// The record of its registration, if it registered itself.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        match &self.origin {
            ClientOrigin::Registered(kept) | ClientOrigin::Reused(kept) => Some(kept),
            ClientOrigin::Configured | ClientOrigin::Granted => None,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The configured client, if there is one and it belongs to this authorization server (REG-05).
///
/// `bound_to` is the issuer that an earlier login with the same client went to.
pub(crate) fn configured(
    config: &AuthorizationConfig,
    server: &AuthorizationServerMetadata,
    bound_to: Option<&Issuer>,
) -> Result<Option<Client>, Error> {
    let ClientChoice::Static {
        client_id,
        client_secret,
        signing_key,
        issuer,
        auth_method,
    } = &config.client
    else {
        return Ok(None);
    };
    if let Some(configured) = issuer.as_ref().or(bound_to)
        && *configured != server.listed
    {
        return Err(Error::StaticClientIssuer {
            client_id: client_id.clone(),
            configured: configured.clone(),
            discovered: server.listed.clone(),
        });
    }
    let listed = server.token_endpoint_auth_methods_supported.as_deref();
    let method = auth_method.unwrap_or_else(|| match signing_key {
        // The better of two that are there (CC-03).
        Some(_) if client_secret.is_none() || lists(listed, PRIVATE_KEY_JWT) => {
            ClientAuthMethod::PrivateKeyJwt
        }
        _ => confidential_method(client_secret.is_some(), listed),
    });
    Ok(Some(Client {
        secret: client_secret.clone(),
        method,
        key: signing_key.clone(),
        algorithm: match method {
            ClientAuthMethod::PrivateKeyJwt => Some(algorithm(signing_key.as_ref(), server)?),
            _ => None,
        },
        audience: audience(config, None, server.issuer.as_str()),
        sticks: config.flow.is_unattended(),
        ..Client::public(client_id.clone())
    }))
}

/// What a key signs client assertions for this server with (TOK-11).
pub(crate) fn algorithm(
    key: Option<&SigningKey>,
    server: &AuthorizationServerMetadata,
) -> Result<SigningAlgorithm, Error> {
    let key = key.ok_or_else(|| Error::Configuration {
        setting: "signing_key",
        why: format!("{PRIVATE_KEY_JWT} needs a private key"),
    })?;
    let listed = server
        .token_endpoint_auth_signing_alg_values_supported
        .as_deref();
    key.algorithm(listed).ok_or_else(|| {
        let member = "token_endpoint_auth_signing_alg_values_supported";
        let why = "lists nothing that the configured key can sign with";
        Error::unsupported(&server.listed, member, why)
    })
}

/// The algorithm that the server was found to take, if the key still is one that signs with it.
pub(crate) fn remembered(key: &SigningKey, name: Option<&str>) -> Option<SigningAlgorithm> {
    let listed = name.map(|name| [name.to_owned()]);
    let listed = listed.as_ref().map(<[String; 1]>::as_slice);
    key.algorithm(listed).or_else(|| key.algorithm(None))
}

/// Whom assertions are for: the issuer as one string, unless the user knows better (TOK-10).
pub(crate) fn audience(
    config: &AuthorizationConfig,
    known: Option<&String>,
    issuer: &str,
) -> String {
    let choice = config.assertion_audience.as_ref().or(known);
    choice.map_or_else(|| issuer.to_owned(), Clone::clone)
}

fn lists(listed: Option<&[String]>, name: &str) -> bool {
    listed.is_some_and(|methods| methods.iter().any(|method| method == name))
}

/// The method for credentials that came without one: listed by the server and possible with what
/// we hold, else the default of RFC 8414 §2 (TOK-05).
pub(crate) fn confidential_method(has_secret: bool, listed: Option<&[String]>) -> ClientAuthMethod {
    if !has_secret {
        ClientAuthMethod::None
    } else if !lists(listed, "client_secret_basic") && lists(listed, "client_secret_post") {
        ClientAuthMethod::Post
    } else {
        ClientAuthMethod::Basic
    }
}

/// A client identifier metadata document's URL: https, a path, no fragment, no userinfo (REG-08).
pub(crate) fn check_metadata_url(url: &Url) -> Result<(), Error> {
    let why = if url.scheme() != "https" {
        "it has to be an https URL"
    } else if url.path() == "/" {
        "it needs a path"
    } else if url.fragment().is_some() {
        "it may have no fragment"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it may hold no user name or password"
    } else {
        return Ok(());
    };
    Err(Error::Configuration {
        setting: "metadata_url",
        why: why.to_owned(),
    })
}

const PRIVATE_KEY_JWT: &str = "private_key_jwt";

#[cfg(test)]
mod tests;
