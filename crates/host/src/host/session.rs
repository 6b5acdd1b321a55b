//! The client and the token source of a server, made when first asked for.

use std::sync::Arc;

use doorkey_discovery::{AuthorizationServerMetadata, ConfiguredServer, Scopes, legacy_base};
use doorkey_http::HttpClient;
use doorkey_oauth::{AuthorizationConfig, ClientChoice, Flow, TokenSource};
use doorkey_store::{GrantKey, Store};

use super::{Host, Sessions, flow};
use crate::config::{IdentityProviderSettings, ServerConfig};
use crate::credentials::{Owner, credentials};
use crate::error::Error;
use crate::facts;
use crate::network::{self, NetworkInForce};
use crate::target::Target;

/// What everything about one server goes through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// The server as configured.
    pub server: ServerConfig,
    /// The one client of all its requests, to whomever they go.
    pub http: HttpClient,
    /// The owner of its token.
    pub tokens: TokenSource,
}

impl Host {
    /// The client and token source of a server and account, made when first asked for. Servers that sign
    /// in and send alike, such as two names for one URL, share them; accounts never do.
    ///
    /// # Errors
    /// There is no such server, its settings cannot be used, or it has a bearer token in place of accounts.
    pub fn session<'a>(&self, target: impl Into<Target<'a>>) -> Result<Session, Error> {
        let target = target.into();
        let server = self.server(target)?;
        if let (Some(key), Some(account)) = (server.bearer_key(), target.account) {
            return Err(Error::BearerHasNoAccounts {
                server: server.name,
                account: account.to_owned(),
                key,
            });
        }
        self.session_of(&server)
    }

    pub(super) fn session_of(&self, server: &ServerConfig) -> Result<Session, Error> {
        if let Some(session) = known(&self.sessions(), server) {
            return Ok(session);
        }
        let made = self.make_session(server)?;
        let mut sessions = self.sessions();
        // Another task may have been faster, and a token has one owner.
        let session = known(&sessions, server).unwrap_or(made);
        let key = (server.name.clone(), server.account.clone());
        sessions.insert(key, session.clone());
        Ok(session)
    }

    /// The owner of the login that is stored for a server, which may have a bearer token in its
    /// configuration by now.
    pub(super) fn stored_login(&self, server: &ServerConfig) -> Result<TokenSource, Error> {
        if server.bearer_key().is_none() {
            return Ok(self.session_of(server)?.tokens);
        }
        self.login_in(server, self.store.clone())
    }

    /// The owner of the login that a store has for a server.
    pub(super) fn login_in(
        &self,
        server: &ServerConfig,
        store: Store,
    ) -> Result<TokenSource, Error> {
        let http = self.http_client(server)?;
        let config = self.authorization_config(server)?;
        Ok(TokenSource::builder(config, http, store).build())
    }

    fn make_session(&self, server: &ServerConfig) -> Result<Session, Error> {
        let bearer = network::bearer(&self.environment, server)?;
        let http = self.http_client(server)?;
        let tokens = match bearer {
            Some(bearer) => TokenSource::fixed(server.url.clone(), bearer),
            None => {
                let config = self.authorization_config(server)?;
                let mut source = TokenSource::builder(config, http.clone(), self.store.clone());
                if let Some(interaction) = &self.interaction {
                    source = source.interaction(Arc::clone(interaction));
                }
                source.build()
            }
        };
        Ok(Session {
            server: server.clone(),
            http,
            tokens,
        })
    }

    /// How a server is signed in to, secrets included.
    pub(crate) fn authorization_config(
        &self,
        server: &ServerConfig,
    ) -> Result<AuthorizationConfig, Error> {
        let mut config = authorization(server);
        config.flow = match flow::flow(&self.environment, server)? {
            Flow::AuthorizationCode if self.on_device => Flow::Device,
            flow => flow,
        };
        if let ClientChoice::Static {
            client_secret,
            signing_key,
            ..
        } = &mut config.client
        {
            let settings = &server.oauth.credentials;
            let found = credentials(&self.environment, server, Owner::Client, settings)?;
            (*client_secret, *signing_key) = (found.secret, found.signing_key);
        }
        Ok(config)
    }

    /// The network settings that hold for a server, and who said so.
    ///
    /// # Errors
    /// There is no such server.
    pub fn network_of(&self, name: &str) -> Result<NetworkInForce, Error> {
        Ok(self.network_in_force(self.config.server(name)?))
    }

    fn network_in_force(&self, server: &ServerConfig) -> NetworkInForce {
        NetworkInForce::of(&self.environment, self.config.network(), server)
    }

    pub(crate) fn http_client(&self, server: &ServerConfig) -> Result<HttpClient, Error> {
        let network = self.network_in_force(server);
        let (profile, source) = network::open(network, &self.environment)?;
        let client = match source {
            Some(source) => self.connections.reloading(&profile, source),
            None => self.connections.client(&profile),
        };
        client.map_err(|source| Error::Client {
            server: server.name.clone(),
            source,
        })
    }
}

/// The session of a server, or of one that signs in and sends as it does.
fn known(sessions: &Sessions, server: &ServerConfig) -> Option<Session> {
    let alike = sessions
        .values()
        .find(|session| session.server.signs_in_as(server))?;
    Some(Session {
        server: server.clone(),
        ..alike.clone()
    })
}

/// How a server is signed in to, without what only a login needs: secrets, keys, and where a flow
/// gets its tokens from.
pub(crate) fn authorization(server: &ServerConfig) -> AuthorizationConfig {
    let mut config = AuthorizationConfig::new(server.url.clone());
    config.account.clone_from(&server.account);
    config.quirks = server.quirks.used.clone();
    config.resource = server.resource.clone();
    config.scopes = server.scopes.iter().cloned().collect::<Scopes>();
    config.discovery.resource_match = server.resource_match;
    config
        .discovery
        .trusted_issuer
        .clone_from(&server.trusted_issuer);
    config.discovery.legacy = server.legacy;
    config.discovery.authorization_server = authorization_server(server);
    let oauth = &server.oauth;
    config.offline_access = oauth.offline_access;
    config
        .extra_authorize_params
        .clone_from(&oauth.authorize_params);
    config.login_hint.clone_from(&oauth.login_hint);
    config.flow = flow::kind(&oauth.flow);
    config.dpop = oauth.dpop;
    config.accept_discovered_issuer = oauth.accept_discovered_issuer;
    config
        .assertion_audience
        .clone_from(&oauth.assertion_audience);
    config.client = match &oauth.client_id {
        None => ClientChoice::Auto {
            metadata_url: oauth.client_metadata_url.clone(),
        },
        Some(client_id) => ClientChoice::Static {
            client_id: client_id.clone(),
            client_secret: None,
            signing_key: None,
            issuer: oauth.bound_issuer().cloned(),
            auth_method: oauth.credentials.auth_method,
        },
    };
    if oauth.client_id.is_none() && oauth.flow.is_unattended() {
        // There is no client that the issuer could stand with (WIF-08).
        let issuer = oauth.bound_issuer();
        config.discovery.allowed = issuer.map(|issuer| vec![issuer.clone()]);
    }
    config
}

/// The authorization server of an MCP server that names none.
///
/// An issuer that a server of the 2025-03-26 revision has anyway is left to that revision's rules, which
/// know its endpoints where it publishes none.
fn authorization_server(server: &ServerConfig) -> Option<ConfiguredServer> {
    let issuer = server.oauth.bound_issuer()?;
    let Some(endpoints) = &server.oauth.endpoints else {
        let is_legacy = server.legacy && *issuer == legacy_base(&server.url);
        return (!is_legacy).then(|| ConfiguredServer::Issuer(issuer.clone()));
    };
    let mut metadata = AuthorizationServerMetadata::new(issuer.clone());
    metadata
        .authorization_endpoint
        .clone_from(&endpoints.authorization_endpoint);
    metadata.token_endpoint = Some(endpoints.token_endpoint.clone());
    metadata
        .registration_endpoint
        .clone_from(&endpoints.registration_endpoint);
    metadata
        .revocation_endpoint
        .clone_from(&endpoints.revocation_endpoint);
    metadata
        .device_authorization_endpoint
        .clone_from(&endpoints.device_authorization_endpoint);
    metadata
        .pushed_authorization_request_endpoint
        .clone_from(&endpoints.pushed_authorization_request_endpoint);
    // Nothing says so, and it is sent in any case: a server that does not know it ignores it.
    metadata.code_challenge_methods_supported = Some(vec!["S256".to_owned()]);
    Some(ConfiguredServer::Metadata(Box::new(metadata)))
}

/// Where the grant of a server is kept; the same key that the token source uses.
pub(crate) fn grant_key(server: &ServerConfig) -> GrantKey {
    GrantKey::new(facts::server_key(server), server.account.clone())
}

/// Where the sign-on of a person at an identity provider is kept; the same key that the token source
/// uses.
pub(crate) fn identity_key(server: &ServerConfig, provider: &IdentityProviderSettings) -> GrantKey {
    flow::provider(provider).grant_key(&server.account)
}

#[cfg(test)]
mod tests {
    use doorkey_store::Store;

    use crate::{Config, Environment, Home, Host};

    #[test]
    fn servers_that_sign_in_and_send_alike_share_the_owner_of_their_token() {
        let url = "url = \"https://mcp.example/mcp\"\n";
        for (one, two, owners) in [
            ("", "", 1),
            ("", "tool_timeout_sec = 5\nprotocol = \"2025-11-25\"\n", 1),
            ("scopes = [\"a\"]\n", "scopes = [\"a\"]\n", 1),
            ("", "scopes = [\"a\"]\n", 2),
            ("", "account = \"work\"\n", 2),
            ("", "http_headers = { X-Team = \"search\" }\n", 2),
            ("", "network = { proxy = \"http://proxy.example:1\" }\n", 2),
            (
                "oauth = { client_id = \"a\", client_secret = \"s\" }\n",
                "oauth = { client_id = \"a\", client_secret = \"t\" }\n",
                2,
            ),
        ] {
            let text = format!("[mcp_servers.one]\n{url}{one}[mcp_servers.two]\n{url}{two}");
            let home = Home::at("unused");
            let config = Config::parse(&home, &text).expect("a configuration");
            let host = Host::new(Environment::default(), home, config, Store::memory());
            for name in ["one", "two", "one"] {
                let session = host.session(name).expect("a session");
                assert_eq!(session.server.name, name);
            }
            assert_eq!(host.sessions().len(), owners, "{text}");
        }
    }
}
