//! A configuration, its store and its servers, opened together.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorkey_discovery::Scopes;
use doorkey_http::{HttpClient, Timeouts};
use doorkey_oauth::{
    AuthorizationConfig, ClientChoice, Interaction, LogoutOptions, LogoutReport, TokenSource,
};
use doorkey_rmcp::rmcp::ClientHandler;
use doorkey_rmcp::rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectOptions};
use doorkey_store::{GrantKey, Store};

use crate::config::{Config, ServerConfig};
use crate::connection::Connection;
use crate::environment::Environment;
use crate::error::Error;
use crate::facts;
use crate::home::Home;
use crate::network;

/// An opened installation: its configuration, its store, and the sessions made from them.
///
/// Every server has one [`TokenSource`] per `Host`; connections borrow from it. Before a program
/// ends it calls [`Host::drain`].
pub struct Host {
    environment: Environment,
    home: Home,
    config: Config,
    store: Store,
    standalone_stream: bool,
    interaction: Option<Arc<dyn Interaction>>,
    sessions: Mutex<HashMap<String, Session>>,
}

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

/// What became of a logout.
#[derive(Debug)]
#[non_exhaustive]
pub enum Logout {
    /// Each step with its outcome.
    Complete(Box<LogoutReport>),
    /// The network settings cannot be used, so that nothing could be revoked; the local copy is gone.
    LocalOnly {
        /// Whether there was a login.
        removed: bool,
        /// Why nothing was revoked.
        cause: Error,
    },
}

impl Host {
    /// Opens the home that the environment points at, with its logins in files there.
    ///
    /// # Errors
    /// There is no home, or its configuration or store cannot be used.
    pub fn open(environment: Environment) -> Result<Self, Error> {
        let home = Home::from_environment(&environment)?;
        let config = Config::load(&home)?;
        let store = Store::file(home.state_folder())?;
        Ok(Self::new(environment, home, config, store))
    }

    /// A host of these parts: for programs with a configuration or store of their own.
    #[must_use]
    pub fn new(environment: Environment, home: Home, config: Config, store: Store) -> Self {
        Self {
            environment,
            home,
            config,
            store,
            standalone_stream: true,
            interaction: None,
            sessions: Mutex::default(),
        }
    }

    /// The same with or without the stream on which a server sends what answers no request. A
    /// program that asks one thing and ends has no use for it.
    #[must_use]
    pub fn with_standalone_stream(mut self, open: bool) -> Self {
        self.standalone_stream = open;
        self
    }

    /// The same for a program that lives with its person, such as an editor: where a login is
    /// needed, or a scope is missing in mid-session, the request waits while the person is asked
    /// through `interaction`. Without this nothing here reaches a person but [`Host::login`].
    ///
    /// To be set before the first session is made; `startup_timeout_sec` and `tool_timeout_sec`
    /// include the time that the person takes.
    #[must_use]
    pub fn with_interaction(mut self, interaction: Arc<dyn Interaction>) -> Self {
        self.interaction = Some(interaction);
        self
    }

    /// The surroundings as they were read.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where configuration and logins are.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The configuration as it was read.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The store of logins.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The client and token source of a server, made when first asked for.
    ///
    /// # Errors
    /// There is no such server, or its settings cannot be used.
    pub fn session(&self, name: &str) -> Result<Session, Error> {
        let server = self.config.server(name)?;
        if let Some(session) = self.sessions().get(name) {
            return Ok(session.clone());
        }
        let session = self.make_session(server)?;
        Ok(self
            .sessions()
            .entry(name.to_owned())
            .or_insert(session)
            .clone())
    }

    /// Connects to a server with a token already there, refreshed if need be. It asks nobody, unless
    /// [`Host::with_interaction`] says whom: where a person is needed, the error says so by
    /// [`Error::needs_login`].
    ///
    /// # Errors
    /// There is no such server, it is disabled, its settings cannot be used, nobody has signed in,
    /// or the server cannot be reached or does not speak MCP.
    pub async fn connect(&self, name: &str) -> Result<Connection<ClientConfig>, Error> {
        let implementation = Implementation::new("doorkey", env!("CARGO_PKG_VERSION"));
        self.connect_with(
            name,
            ClientConfig::new(ClientCapabilities::default(), implementation),
        )
        .await
    }

    /// Connects with a client handler of the caller's own.
    ///
    /// # Errors
    /// As for [`Host::connect`].
    pub async fn connect_with<H: ClientHandler>(
        &self,
        name: &str,
        handler: H,
    ) -> Result<Connection<H>, Error> {
        let session = self.session(name)?;
        if !session.server.enabled {
            return Err(Error::Disabled {
                server: name.to_owned(),
            });
        }
        let server = &session.server;
        let remembered = facts::remembered(&self.store, server).await?;
        let client = AuthorizedClient::new(
            session.http.clone(),
            session.tokens.clone(),
            self.client_options(&session),
        );
        let events = client.events();
        let mut options = ConnectOptions::default();
        options.protocol = server.protocol;
        options.remembered = remembered;
        options.startup_limit = server.startup_timeout;
        let connected = doorkey_rmcp::connect(client, &server.url, options, handler)
            .await
            .map_err(|source| Error::Connect {
                server: name.to_owned(),
                source: source.into(),
            });
        if connected.as_ref().is_err_and(Error::needs_login) {
            facts::remember_need(&self.store, server, true).await;
        }
        let connected = connected?;
        facts::remember(
            &self.store,
            server,
            connected.wire,
            connected.discover.as_ref(),
        )
        .await;
        Ok(Connection::new(session, connected, events))
    }

    /// Connects, does what `task` says, and closes the connection, whatever came of it.
    ///
    /// Where the server turns out to have changed since it was last seen, it is forgotten and the
    /// task done once more; nothing of it was done the first time.
    ///
    /// # Errors
    /// As for [`Host::connect`], and what `task` fails with.
    pub async fn with_connection<T>(
        &self,
        name: &str,
        task: impl AsyncFn(&Connection<ClientConfig>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.attempt(name, &task).await {
            Err(error) if error.is_outdated() => {
                tracing::debug!(%error, "the server is not what it was");
                self.forget(name).await?;
                self.attempt(name, &task).await
            }
            outcome => outcome,
        }
    }

    async fn attempt<T>(
        &self,
        name: &str,
        task: &impl AsyncFn(&Connection<ClientConfig>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let connection = self.connect(name).await?;
        let outcome = task(&connection).await;
        connection.close(CLOSE_LIMIT).await;
        outcome
    }

    /// Signs out: revokes what the authorization server can revoke and removes every local copy,
    /// whatever the network says.
    ///
    /// # Errors
    /// There is no such server, it uses a configured bearer token, or the store fails.
    pub async fn logout(&self, name: &str, options: LogoutOptions) -> Result<Logout, Error> {
        let server = self.config.server(name)?.clone();
        let session = match self.session(name) {
            Ok(session) => session,
            Err(cause @ (Error::Network(_) | Error::Client { .. })) => {
                let removed = self.remove_local(&server).await?;
                return Ok(Logout::LocalOnly { removed, cause });
            }
            Err(error) => return Err(error),
        };
        if session.tokens.config().is_none() {
            return Err(Error::BearerConfigured {
                server: name.to_owned(),
            });
        }
        let report =
            session
                .tokens
                .logout(options)
                .await
                .map_err(|source| Error::Authorization {
                    what: "sign out of",
                    server: name.to_owned(),
                    source: source.into(),
                })?;
        Ok(Logout::Complete(Box::new(report)))
    }

    /// Waits, at most `limit` in all, until no refresh or login is running any more.
    ///
    /// Returns whether all came to their end. A refresh that is cut off is not lost: the next
    /// process finds its intent in the store.
    pub async fn drain(&self, limit: Duration) -> bool {
        let sources: Vec<_> = self
            .sessions()
            .values()
            .map(|session| session.tokens.clone())
            .collect();
        let drained = sources.iter().map(|tokens| tokens.drain(limit));
        futures_util::future::join_all(drained)
            .await
            .iter()
            .all(Result::is_ok)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tool may keep silent until it is done: `tool_timeout_sec` is the limit of its answer.
    fn client_options(&self, session: &Session) -> ClientOptions {
        let general = session.http.profile().timeouts;
        let limit = session.server.tool_timeout;
        ClientOptions::default()
            .with_standalone_stream(self.standalone_stream)
            .with_timeouts(Timeouts::new(
                general.connect,
                general.read.max(limit),
                limit,
            ))
    }

    /// Forgets what a warm start remembers of a server.
    ///
    /// # Errors
    /// There is no such server, or the store fails.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        facts::forget(&self.store, self.config.server(name)?).await
    }

    fn make_session(&self, server: &ServerConfig) -> Result<Session, Error> {
        let headers = network::resource_headers(&self.environment, server)?;
        let global = self.config.network();
        let profile = network::profile(&self.environment, global, server, headers.headers)?;
        let http = HttpClient::new(&profile).map_err(|source| Error::Client {
            server: server.name.clone(),
            source,
        })?;
        let tokens = match headers.bearer {
            Some(bearer) => TokenSource::fixed(server.url.clone(), bearer),
            None => {
                let config = self.authorization(server)?;
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

    fn authorization(&self, server: &ServerConfig) -> Result<AuthorizationConfig, Error> {
        let mut config = AuthorizationConfig::new(server.url.clone());
        config.account.clone_from(&server.account);
        config.resource = server.resource.clone();
        config.scopes = server.scopes.iter().cloned().collect::<Scopes>();
        config.offline_access = server.oauth.offline_access;
        config.discovery.resource_match = server.resource_match;
        config
            .discovery
            .trusted_issuer
            .clone_from(&server.trusted_issuer);
        config.discovery.legacy = server.legacy;
        config
            .extra_authorize_params
            .clone_from(&server.oauth.authorize_params);
        config.client = match &server.oauth.client_id {
            None => ClientChoice::Auto {
                metadata_url: server.oauth.client_metadata_url.clone(),
            },
            Some(client_id) => ClientChoice::Static {
                client_id: client_id.clone(),
                client_secret: network::client_secret(&self.environment, server)?,
                issuer: server.oauth.issuer.clone(),
                auth_method: server.oauth.token_endpoint_auth_method,
            },
        };
        Ok(config)
    }

    async fn remove_local(&self, server: &ServerConfig) -> Result<bool, Error> {
        let key = grant_key(server);
        let removed = match self.store.grant(&key).await? {
            Some(stored) => {
                self.store.remove_grant(&key, stored.generation).await?;
                true
            }
            None => false,
        };
        self.store.discard_set_aside_grants(&key).await?;
        Ok(removed)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("home", &self.home)
            .field("config", &self.config)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Where the grant of a server is kept; the same key that the token source uses.
pub(crate) fn grant_key(server: &ServerConfig) -> GrantKey {
    GrantKey::new(facts::server_key(server), server.account.clone())
}

/// How long an MCP session and a refresh have to come to their end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
