//! What a host says about one MCP server before anything is discovered.

use std::fmt;
use std::time::Duration;

use doorkey_discovery::{DiscoveryOptions, Issuer, Scopes};
use doorkey_http::RedactedUrl;
use doorkey_store::{ClientAuthMethod, GrantKey};
use secrecy::SecretString;
use url::Url;

use crate::error::Error;

/// How one account signs in to one MCP server.
#[derive(Clone)]
#[non_exhaustive]
pub struct AuthorizationConfig {
    /// The MCP server's URL as the user wrote it. A fragment is ignored.
    pub server: Url,
    /// Which of the user's accounts at this server; `"default"` unless said.
    pub account: String,
    /// The `resource` to ask for (RFC 8707 §2).
    pub resource: ResourceChoice,
    /// Scopes asked for besides those the server wants (AZ-10).
    pub scopes: Scopes,
    /// Which client this is.
    pub client: ClientChoice,
    /// The name a person sees on the authorization server's page when the client registers itself.
    pub client_name: String,
    /// Whether to ask for refresh tokens. Default true.
    pub offline_access: bool,
    /// How discovery treats deviating documents.
    pub discovery: DiscoveryOptions,
    /// How long to wait for another process that is refreshing the same grant. Default 45 s.
    pub refresh_lock_limit: Duration,
    /// How long a person may take in the browser. Default 5 minutes; never more than 10 (RSP-11).
    pub interaction_limit: Duration,
    /// Parameters added to the authorization URL, such as `audience`. Names this crate sets itself
    /// are refused, but for `prompt`: an empty value leaves `prompt` out.
    pub extra_authorize_params: Vec<(String, String)>,
    /// Repeat the requested scopes when refreshing, for a server that needs it. Default false:
    /// left out, which means "the same" (RFC 6749 §6).
    pub scopes_on_refresh: bool,
}

impl AuthorizationConfig {
    /// A configuration with every default for the MCP server at `server`.
    #[must_use]
    pub fn new(mut server: Url) -> Self {
        server.set_fragment(None);
        Self {
            server,
            account: String::from("default"),
            resource: ResourceChoice::Auto,
            scopes: Scopes::default(),
            client: ClientChoice::default(),
            client_name: String::from("doorkey"),
            offline_access: true,
            discovery: DiscoveryOptions::default(),
            refresh_lock_limit: Duration::from_secs(45),
            interaction_limit: Duration::from_secs(5 * 60),
            extra_authorize_params: Vec::new(),
            scopes_on_refresh: false,
        }
    }

    /// The key its grant is stored under: the server URL and the account.
    #[must_use]
    pub fn grant_key(&self) -> GrantKey {
        GrantKey::new(self.server.as_str(), &self.account)
    }

    /// Checks what can be known to be wrong before any request.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let ResourceChoice::Value(value) = &self.resource {
            crate::resource::check_value(value)?;
        }
        if let ClientChoice::Auto {
            metadata_url: Some(url),
        } = &self.client
        {
            crate::client::check_metadata_url(url)?;
        }
        self.check_extra_params()
    }

    fn check_extra_params(&self) -> Result<(), Error> {
        let wrong = |why| {
            Err(Error::Configuration {
                setting: "extra_authorize_params",
                why,
            })
        };
        for (index, (name, _)) in self.extra_authorize_params.iter().enumerate() {
            if name != "prompt" && RESERVED_PARAMETERS.contains(&name.as_str()) {
                return wrong(format!(
                    "`{name}` has a setting of its own or is set by the protocol"
                ));
            }
            let earlier = &self.extra_authorize_params[..index];
            if earlier.iter().any(|(known, _)| known == name) {
                return wrong(format!("`{name}` occurs twice"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AuthorizationConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = self.extra_authorize_params.iter().map(|(name, _)| name);
        f.debug_struct("AuthorizationConfig")
            .field("server", &RedactedUrl::from(&self.server))
            .field("account", &self.account)
            .field("resource", &self.resource)
            .field("scopes", &self.scopes)
            .field("client", &self.client)
            .field("client_name", &self.client_name)
            .field("offline_access", &self.offline_access)
            .field("discovery", &self.discovery)
            .field("refresh_lock_limit", &self.refresh_lock_limit)
            .field("interaction_limit", &self.interaction_limit)
            .field("extra_authorize_params", &extra.collect::<Vec<_>>())
            .field("scopes_on_refresh", &self.scopes_on_refresh)
            .finish()
    }
}

/// The authorization request's parameters that are ours alone (OAuth 2.1 §4.1.1, RFC 8707 §2).
pub(crate) const RESERVED_PARAMETERS: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "prompt",
];

/// The `resource` parameter: one choice for every leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceChoice {
    /// What discovery found, byte for byte.
    #[default]
    Auto,
    /// This value in place of the discovered one: an absolute URI without a fragment.
    Value(String),
    /// No `resource` on any leg, for an authorization server that refuses it.
    Omit,
}

/// How the client gets its `client_id` (REG-02).
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientChoice {
    /// A client ID metadata document when a URL is given and the server supports it, else dynamic
    /// registration (RFC 7591).
    Auto {
        /// Where this client's metadata document is published.
        metadata_url: Option<Url>,
    },
    /// A client registered beforehand.
    Static {
        /// The identifier the authorization server gave.
        client_id: String,
        /// Its secret, if it is a confidential client.
        client_secret: Option<SecretString>,
        /// The authorization server it belongs to; login at any other is refused (REG-05).
        issuer: Option<Issuer>,
        /// How it authenticates; chosen from the server's metadata when absent (TOK-05).
        auth_method: Option<ClientAuthMethod>,
    },
}

impl Default for ClientChoice {
    fn default() -> Self {
        Self::Auto { metadata_url: None }
    }
}

impl fmt::Debug for ClientChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto { metadata_url } => f
                .debug_struct("Auto")
                .field("metadata_url", &metadata_url.as_ref().map(Url::as_str))
                .finish(),
            Self::Static {
                client_id,
                client_secret,
                issuer,
                auth_method,
            } => f
                .debug_struct("Static")
                .field("client_id", client_id)
                .field("client_secret", &client_secret.as_ref().map(|_| "…"))
                .field("issuer", issuer)
                .field("auth_method", auth_method)
                .finish(),
        }
    }
}
