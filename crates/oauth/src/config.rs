//! What a host says about one MCP server before anything is discovered.

use std::fmt;
use std::time::Duration;

use doorkey_discovery::{DiscoveryOptions, Issuer, Scopes};
use doorkey_http::RedactedUrl;
use doorkey_store::{ClientAuthMethod, Grant, GrantKey};
use secrecy::SecretString;
use url::Url;

use crate::access_token::TokenType;
use crate::error::{Error, LoginReason};
use crate::flow::{DpopChoice, Flow};
use crate::key::SigningKey;
use crate::quirk::{InForce, Quirks, discover_with};
use crate::resource;

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
    /// How often a token may be refreshed within a minute, counted over all processes; zero: any number.
    /// Default 60, which a token that lives one second just needs.
    pub refreshes_per_minute: u32,
    /// How many logins may begin within a minute, counted over all processes; zero: any number.
    /// Default 10.
    pub logins_per_minute: u32,
    /// How often a source looks whether another process changed the grant: at most once in this time,
    /// and only when somebody asks for a token. Default 1 s.
    pub notice_interval: Duration,
    /// Whom to sign in: an e-mail address or whatever else the authorization server knows people by
    /// (`login_hint`, OpenID Connect Core §3.1.2.1). A hint: the person may choose otherwise.
    pub login_hint: Option<String>,
    /// Parameters added to the authorization URL, such as `audience`. Names this crate sets itself
    /// are refused, but for `prompt`: an empty value leaves `prompt` out.
    pub extra_authorize_params: Vec<(String, String)>,
    /// Repeat the requested scopes when refreshing, for a server that needs it. Default false:
    /// left out, which means "the same" (RFC 6749 §6).
    pub scopes_on_refresh: bool,
    /// How a token is obtained. Default: by a person in a browser.
    pub flow: Flow,
    /// Whether tokens are bound to a key (RFC 9449). Default: where the resource asks for it.
    pub dpop: DpopChoice,
    /// For the flows without a person: whether credentials that name no issuer may go to the first
    /// one that the MCP server names, and then stay with it. Default false, because an MCP server
    /// could name its own (CC-07, WIF-08).
    pub accept_discovered_issuer: bool,
    /// What client assertions name as their audience in place of the issuer, for an old server that
    /// wants its token endpoint there (CON-03). Default: the issuer.
    pub assertion_audience: Option<String>,
    /// What is known of servers that behave oddly. Every other setting here wins over it. Default: nothing.
    pub quirks: Quirks,
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
            refreshes_per_minute: 60,
            logins_per_minute: 10,
            notice_interval: Duration::from_secs(1),
            login_hint: None,
            extra_authorize_params: Vec::new(),
            scopes_on_refresh: false,
            flow: Flow::default(),
            dpop: DpopChoice::default(),
            accept_discovered_issuer: false,
            assertion_audience: None,
            quirks: Quirks::default(),
        }
    }

    /// The key its grant is stored under: the server URL and the account.
    #[must_use]
    pub fn grant_key(&self) -> GrantKey {
        GrantKey::new(self.server.as_str(), &self.account)
    }

    /// Checks whether a stored grant is what this configuration asks for: its resource, client and
    /// issuer (ST-02). Whether its tokens still work is another question.
    ///
    /// # Errors
    /// Why a person has to sign in before this configuration can be used.
    pub fn check(&self, grant: &Grant) -> Result<(), LoginReason> {
        // Another flow has other credentials, which were not meant for whoever gave this grant.
        if !self.flow.renews(grant.flow.as_deref()) {
            return Err(LoginReason::FlowChanged);
        }
        let is_bound = TokenType::parse(&grant.token_type) == Some(TokenType::Dpop);
        match self.dpop {
            DpopChoice::Require if !is_bound => return Err(LoginReason::BindingChanged),
            DpopChoice::Off if is_bound => return Err(LoginReason::BindingChanged),
            _ => {}
        }
        let is_left_out = self.resource == ResourceChoice::Auto
            && grant.resource.is_none()
            && self.quirks_of(&grant.issuer).may_omit_resource();
        if !is_left_out && !resource::is_wanted(&self.resource, grant.resource.as_deref()) {
            return Err(LoginReason::ResourceChanged);
        }
        let allowed = self.discovery.allowed.as_ref();
        if allowed.is_some_and(|all| all.iter().all(|issuer| issuer.as_str() != grant.issuer)) {
            return Err(LoginReason::IssuerChanged);
        }
        let ClientChoice::Static {
            client_id, issuer, ..
        } = &self.client
        else {
            return Ok(());
        };
        if *client_id != grant.client_id {
            return Err(LoginReason::ClientChanged);
        }
        match issuer {
            Some(issuer) if issuer.as_str() != grant.issuer => Err(LoginReason::IssuerChanged),
            _ => Ok(()),
        }
    }

    /// The quirks that hold where tokens come from `issuer`.
    pub(crate) fn quirks_of<'a>(&'a self, issuer: &'a str) -> InForce<'a> {
        InForce::new(self, issuer)
    }

    /// How discovery goes, with what quirks know of it.
    #[must_use]
    pub fn discovery_options(&self) -> DiscoveryOptions {
        let mut options = self.discovery.clone();
        discover_with(self, &mut options);
        options
    }

    /// Checks what can be known to be wrong before any request.
    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        if let ResourceChoice::Value(value) = &self.resource {
            resource::check_value(value)?;
        }
        if let ClientChoice::Auto {
            metadata_url: Some(url),
        } = &self.client
        {
            crate::client::check_metadata_url(url)?;
        }
        self.check_credentials()?;
        self.check_extra_params()
    }

    /// A client that signs in by itself has something to prove itself with (CC-02, CC-03).
    fn check_credentials(&self) -> Result<(), Error> {
        let has_credentials = match &self.client {
            ClientChoice::Static {
                client_secret,
                signing_key,
                ..
            } => client_secret.is_some() || signing_key.is_some(),
            ClientChoice::Auto { .. } => false,
        };
        if matches!(self.flow, Flow::ClientCredentials) && !has_credentials {
            return Err(Error::Configuration {
                setting: "client",
                why: "client credentials are a client id with a secret or a key".to_owned(),
            });
        }
        Ok(())
    }

    fn check_extra_params(&self) -> Result<(), Error> {
        let wrong = |why| {
            Err(Error::Configuration {
                setting: "extra_authorize_params",
                why,
            })
        };
        for (index, (name, _)) in self.extra_authorize_params.iter().enumerate() {
            if name == LOGIN_HINT && self.login_hint.is_some() {
                return wrong(format!("`{name}` is set by `login_hint` as well"));
            }
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
            .field("refreshes_per_minute", &self.refreshes_per_minute)
            .field("logins_per_minute", &self.logins_per_minute)
            .field("notice_interval", &self.notice_interval)
            .field("login_hint", &self.login_hint.as_ref().map(|_| "…"))
            .field("extra_authorize_params", &extra.collect::<Vec<_>>())
            .field("scopes_on_refresh", &self.scopes_on_refresh)
            .field("flow", &self.flow)
            .field("dpop", &self.dpop)
            .field("accept_discovered_issuer", &self.accept_discovered_issuer)
            .field("assertion_audience", &self.assertion_audience)
            .field(
                "quirks",
                &self
                    .quirks
                    .iter()
                    .map(|quirk| &quirk.id)
                    .collect::<Vec<_>>(),
            )
            .finish()
    }
}

/// Whom to sign in (OpenID Connect Core §3.1.2.1).
pub(crate) const LOGIN_HINT: &str = "login_hint";

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
        /// Its key, for `private_key_jwt` (RFC 7523 §2.2).
        signing_key: Option<SigningKey>,
        /// The authorization server it belongs to, as the resource names it; login at any other is
        /// refused, also at one that publishes this name as a trusted one (REG-05).
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
                signing_key,
                issuer,
                auth_method,
            } => f
                .debug_struct("Static")
                .field("client_id", client_id)
                .field("client_secret", &client_secret.as_ref().map(|_| "…"))
                .field("signing_key", signing_key)
                .field("issuer", issuer)
                .field("auth_method", auth_method)
                .finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_fits_while_resource_client_and_issuer_are_the_configured_st_02() {
        let mut grant = Grant::new("https://as.example", "client", "https://as.example/token");
        grant.resource = Some(String::from("https://mcp.example/mcp"));
        let of = |resource, client| {
            let server = Url::parse("https://mcp.example/mcp").unwrap();
            let mut config = AuthorizationConfig::new(server);
            config.resource = resource;
            config.client = client;
            config.check(&grant)
        };
        let client = |id: &str, issuer: Option<&str>| ClientChoice::Static {
            client_id: id.to_owned(),
            client_secret: None,
            signing_key: None,
            issuer: issuer.map(Issuer::new),
            auth_method: None,
        };
        let auto = || ResourceChoice::Auto;
        assert_eq!(of(auto(), ClientChoice::default()), Ok(()));
        assert_eq!(of(auto(), client("client", None)), Ok(()));
        let known = client("client", Some("https://as.example"));
        assert_eq!(of(auto(), known), Ok(()));
        assert_eq!(
            of(ResourceChoice::Omit, ClientChoice::default()),
            Err(LoginReason::ResourceChanged)
        );
        assert_eq!(
            of(auto(), client("other", None)),
            Err(LoginReason::ClientChanged)
        );
        let elsewhere = client("client", Some("https://other.example"));
        assert_eq!(of(auto(), elsewhere), Err(LoginReason::IssuerChanged));
    }

    #[test]
    fn a_grant_of_an_issuer_that_is_not_allowed_is_not_used_wif_08() {
        let grant = Grant::new("https://as.example", "client", "https://as.example/token");
        let mut config = AuthorizationConfig::new(Url::parse("https://mcp.example/mcp").unwrap());
        config.resource = ResourceChoice::Omit;
        for (allowed, fits) in [
            (None, Ok(())),
            (Some(vec!["https://as.example"]), Ok(())),
            (
                Some(vec!["https://other.example", "https://as.example"]),
                Ok(()),
            ),
            (
                Some(vec!["https://other.example"]),
                Err(LoginReason::IssuerChanged),
            ),
            (Some(Vec::new()), Err(LoginReason::IssuerChanged)),
        ] {
            config.discovery.allowed =
                allowed.map(|all| all.into_iter().map(Issuer::new).collect());
            assert_eq!(config.check(&grant), fits, "{:?}", config.discovery.allowed);
        }
    }
}
