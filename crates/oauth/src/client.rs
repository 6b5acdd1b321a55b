//! The client: its identifier, its secret and how it authenticates (RFC 6749 §2.3, RFC 7591 §2).

use std::fmt;

use doorkey_discovery::{AuthorizationServerMetadata, Issuer};
use doorkey_store::{ClientAuthMethod, Grant, Registration};
use secrecy::SecretString;
use url::Url;

use crate::config::{AuthorizationConfig, ClientChoice};
use crate::error::Error;
use crate::registration::kept::Kept;

/// The client as one authorization server knows it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<SecretString>,
    pub(crate) secret_expires_at: Option<u64>,
    pub(crate) method: ClientAuthMethod,
    pub(crate) origin: ClientOrigin,
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
            origin: ClientOrigin::Granted,
        };
        if let ClientChoice::Static {
            client_id,
            client_secret,
            auth_method,
            ..
        } = &config.client
            && *client_id == client.id
        {
            if client_secret.is_some() {
                client.secret.clone_from(client_secret);
            }
            client.method = auth_method.unwrap_or(client.method);
        }
        client
    }

    /// A client registered dynamically.
    pub(crate) fn of_registration(registration: &Registration, origin: ClientOrigin) -> Self {
        Self {
            id: registration.client_id.clone(),
            secret: registration.client_secret.clone(),
            secret_expires_at: registration.client_secret_expires_at,
            method: registration.token_endpoint_auth_method,
            origin,
        }
    }

    /// A public client whose identifier is the URL of its metadata document.
    pub(crate) fn of_document(url: &Url) -> Self {
        Self {
            id: url.as_str().to_owned(),
            secret: None,
            secret_expires_at: None,
            method: ClientAuthMethod::None,
            origin: ClientOrigin::Configured,
        }
    }

    /// Whether it registered itself and may be replaced by another registration.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.kept().is_some()
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
    choice: &ClientChoice,
    server: &AuthorizationServerMetadata,
    bound_to: Option<&Issuer>,
) -> Result<Option<Client>, Error> {
    let ClientChoice::Static {
        client_id,
        client_secret,
        issuer,
        auth_method,
    } = choice
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
    let method = auth_method.unwrap_or_else(|| {
        confidential_method(
            client_secret.is_some(),
            server.token_endpoint_auth_methods_supported.as_deref(),
        )
    });
    Ok(Some(Client {
        id: client_id.clone(),
        secret: client_secret.clone(),
        secret_expires_at: None,
        method,
        origin: ClientOrigin::Configured,
    }))
}

/// The method for credentials that came without one: listed by the server and possible with what
/// we hold, else the default of RFC 8414 §2 (TOK-05).
pub(crate) fn confidential_method(has_secret: bool, listed: Option<&[String]>) -> ClientAuthMethod {
    let lists = |name: &str| listed.is_some_and(|methods| methods.iter().any(|m| m == name));
    if !has_secret {
        ClientAuthMethod::None
    } else if !lists("client_secret_basic") && lists("client_secret_post") {
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
