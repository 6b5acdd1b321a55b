//! A configuration, its store and its servers, opened together.

mod flow;
mod logout;
#[cfg(test)]
mod moved;
mod session;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorkey_http::{Connections, Timeouts};
use doorkey_oauth::{Interaction, LoginReason};
use doorkey_rmcp::rmcp::ClientHandler;
use doorkey_rmcp::rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectOptions, Discovery};
use doorkey_store::Store;
use tokio::task::JoinSet;

use crate::config::{Config, ServerConfig};
use crate::connection::Connection;
use crate::environment::Environment;
use crate::error::Error;
use crate::facts;
use crate::home::Home;
use crate::stores::{StoreChoice, StoreKind, StoreReason, Stores};
use crate::target::{Target, is_account_name};

pub use logout::{Logout, LogoutOutcome, RemovedCopy};
pub use session::Session;
pub(crate) use session::{authorization, grant_key, identity_key};

/// An opened installation: its configuration, its store, and the sessions made from them.
///
/// Every login has one [`TokenSource`](doorkey_oauth::TokenSource) per `Host`, shared by servers that
/// differ in name only; connections borrow from it. Before a program ends it calls [`Host::drain`].
pub struct Host {
    environment: Environment,
    home: Home,
    config: Config,
    store: Store,
    choice: StoreChoice,
    standalone_stream: bool,
    interaction: Option<Arc<dyn Interaction>>,
    on_device: bool,
    login_hint: Option<String>,
    answer_limit: Option<Duration>,
    connections: Connections,
    sessions: Mutex<Sessions>,
    /// The connections that end by themselves, where nobody waits for them; see [`Host::with_late_closing`].
    closing: Option<Mutex<JoinSet<()>>>,
}

impl Host {
    /// Opens the home that the environment points at, with its logins where `[store]` of the configuration
    /// says.
    ///
    /// Nothing is asked for yet: a keyring, a passphrase or a database shows with the first use whether it
    /// can be used. Where `auto` has not chosen a store, this one is in plain files until
    /// [`Host::settle_store`] chooses.
    ///
    /// # Errors
    /// There is no home, or its configuration or store cannot be used.
    pub fn open(environment: Environment) -> Result<Self, Error> {
        let home = Home::from_environment(&environment)?;
        let config = Config::load(&home)?;
        let environment = environment.withholding(config.secret_variables().iter().cloned());
        let stores = Stores {
            environment: &environment,
            home: &home,
            settings: config.store(),
            network: config.network(),
        };
        let choice = stores.chosen()?;
        let store = stores.open(choice.kind)?;
        let mut host = Self::new(environment, home, config, store);
        host.choice = choice;
        Ok(host)
    }

    /// Lets `auto` choose the store if it has not chosen yet, and remembers the choice: encrypted files where a
    /// key can be kept, else plain files. A program calls it once, before it signs in or connects, and not
    /// when it only looks.
    ///
    /// The keyring is asked whether it can be used, for a few seconds at most; nobody is prompted.
    ///
    /// # Errors
    /// The choice cannot be written, or what was chosen cannot be opened.
    pub async fn settle_store(&mut self) -> Result<&StoreChoice, Error> {
        if self.choice.reason == StoreReason::Undecided {
            let stores = self.stores();
            let choice = stores.settled().await?;
            let store = stores.open(choice.kind)?;
            (self.choice, self.store) = (choice, store);
        }
        Ok(&self.choice)
    }

    /// Which store the logins are in, and why.
    #[must_use]
    pub fn store_choice(&self) -> &StoreChoice {
        &self.choice
    }

    pub(crate) fn stores(&self) -> Stores<'_> {
        Stores {
            environment: &self.environment,
            home: &self.home,
            settings: self.config.store(),
            network: self.config.network(),
        }
    }

    /// A host of these parts: for programs with a configuration or store of their own.
    #[must_use]
    pub fn new(environment: Environment, home: Home, config: Config, store: Store) -> Self {
        let kind = StoreKind::named(store.describe().kind);
        let choice = StoreChoice {
            kind: kind.unwrap_or(StoreKind::File),
            reason: StoreReason::Given,
        };
        let secrets = config.secret_variables().iter().cloned();
        Self {
            environment: environment.withholding(secrets),
            home,
            config,
            store,
            choice,
            standalone_stream: true,
            interaction: None,
            on_device: false,
            login_hint: None,
            answer_limit: None,
            connections: Connections::new(),
            sessions: Mutex::default(),
            closing: None,
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

    /// The same for a place without a browser: where the configuration says that a person signs in in
    /// a browser, they do so on another device (RFC 8628). To be set before the first session is made.
    #[must_use]
    pub fn with_device_logins(mut self, on_device: bool) -> Self {
        self.on_device = on_device;
        self
    }

    /// The same with a hint for the authorization server about who signs in (OpenID Connect Core section
    /// 3.1.2.1), in place of the configured one. To be set before the first session is made.
    #[must_use]
    pub fn with_login_hint(mut self, hint: Option<String>) -> Self {
        self.login_hint = hint;
        self
    }

    /// The same with a limit for the answer to each request of a connection, in place of the configured
    /// `tool_timeout_sec` of every server. To be set before the first session is made.
    #[must_use]
    pub fn with_answer_limit(mut self, limit: Option<Duration>) -> Self {
        self.answer_limit = limit;
        self
    }

    /// The same over connections that others share, such as a second host of this program. To be set before
    /// the first session is made; without it all servers of this host share its own.
    #[must_use]
    pub fn with_connections(mut self, connections: Connections) -> Self {
        self.connections = connections;
        self
    }

    /// The same for a program that tells an answer as soon as there is one: [`Host::with_connection`] and a login no
    /// longer wait until their connections have ended. Before the program ends, [`Host::closed`] does.
    #[must_use]
    pub fn with_late_closing(mut self) -> Self {
        self.closing = Some(Mutex::default());
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

    /// Connects to a server with a token already there, refreshed if need be, or with one that its flow
    /// obtains by itself. It asks nobody, unless [`Host::with_interaction`] says whom: where a person is needed, the error says so by
    /// [`Error::needs_login`].
    ///
    /// # Errors
    /// There is no such server, it is disabled, its settings cannot be used, nobody has signed in,
    /// or the server cannot be reached or does not speak MCP.
    pub async fn connect(
        &self,
        target: impl Into<Target<'_>>,
    ) -> Result<Connection<ClientConfig>, Error> {
        self.connect_with(target, this_client()).await
    }

    /// Connects with a client handler of the caller's own.
    ///
    /// # Errors
    /// As for [`Host::connect`].
    pub async fn connect_with<H: ClientHandler>(
        &self,
        target: impl Into<Target<'_>>,
        handler: H,
    ) -> Result<Connection<H>, Error> {
        let (connection, discover) = self.connected(target.into(), handler).await?;
        self.remember(&connection, discover.as_ref()).await;
        Ok(connection)
    }

    /// A connection, and what has to be remembered of it.
    async fn connected<H: ClientHandler>(
        &self,
        target: Target<'_>,
        handler: H,
    ) -> Result<(Connection<H>, Option<Discovery>), Error> {
        let session = self.session(target)?;
        let server = &session.server;
        let name = &server.name;
        if !server.enabled {
            return Err(Error::Disabled {
                server: name.clone(),
            });
        }
        let remembered = facts::remembered(&self.store, server).await?;
        let client = AuthorizedClient::new(
            session.http.clone(),
            session.tokens.clone(),
            self.client_options(&session),
        );
        let (events, faults) = (client.events(), client.events());
        let mut options = ConnectOptions::default();
        options.protocol = server.protocol;
        options.remembered = remembered;
        options.startup_limit = server.startup_timeout;
        let connected = doorkey_rmcp::connect(client, &server.url, options, handler)
            .await
            .map_err(|source| Error::Connect {
                server: name.clone(),
                source: source.into(),
            });
        if connected.as_ref().is_err_and(Error::needs_login) {
            facts::remember_need(&self.store, server, true).await;
        }
        let mut connected = connected?;
        let discover = connected.discover.take();
        let connection = Connection::new(session, connected, events, faults);
        Ok((connection, discover))
    }

    async fn remember<H: ClientHandler>(
        &self,
        connection: &Connection<H>,
        discover: Option<&Discovery>,
    ) {
        let (server, wire) = (connection.server(), connection.wire());
        facts::remember(&self.store, server, wire, discover).await;
    }

    /// Connects, does what `task` says, and closes the connection, whatever came of it; see
    /// [`Host::with_late_closing`] for a program that has more to do than to wait for that.
    ///
    /// Where the server turns out to have changed since it was last seen, it is forgotten and the
    /// task done once more; nothing of it was done the first time.
    ///
    /// # Errors
    /// As for [`Host::connect`], and what `task` fails with.
    pub async fn with_connection<T>(
        &self,
        target: impl Into<Target<'_>>,
        task: impl AsyncFn(&Connection<ClientConfig>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.over_connection(target.into(), Remembering::Before, task)
            .await
    }

    pub(crate) async fn over_connection<T>(
        &self,
        target: Target<'_>,
        remembering: Remembering,
        task: impl AsyncFn(&Connection<ClientConfig>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.attempt(target, remembering, &task).await {
            Err(error) if error.is_outdated() => {
                tracing::debug!(%error, "the server is not what it was");
                self.forget(target.server).await?;
                self.attempt(target, remembering, &task).await
            }
            outcome => outcome,
        }
    }

    async fn attempt<T>(
        &self,
        target: Target<'_>,
        remembering: Remembering,
        task: &impl AsyncFn(&Connection<ClientConfig>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (connection, discover) = self.connected(target, this_client()).await?;
        let remembered = self.remember(&connection, discover.as_ref());
        let outcome = match remembering {
            Remembering::Before => {
                remembered.await;
                task(&connection).await
            }
            Remembering::Meanwhile => tokio::join!(task(&connection), remembered).0,
        };
        self.close(connection).await;
        if let Err(error) = &outcome {
            self.learn(target.server, error).await?;
        }
        outcome
    }

    async fn close(&self, connection: Connection<ClientConfig>) {
        let closing = connection.close(CLOSE_LIMIT);
        let Some(late) = &self.closing else {
            return closing.await;
        };
        let mut late = late.lock().unwrap_or_else(PoisonError::into_inner);
        while late.try_join_next().is_some() {}
        late.spawn(closing);
    }

    /// Waits for connections that were left to end by themselves: an MCP session that stays open is the server's
    /// burden. Each has its limit.
    pub async fn closed(&self) {
        let Some(late) = &self.closing else { return };
        let mut late = std::mem::take(&mut *late.lock().unwrap_or_else(PoisonError::into_inner));
        while late.join_next().await.is_some() {}
    }

    /// Keeps the challenge that a request met: of a tool call, a login could not find it out by itself.
    async fn learn(&self, name: &str, error: &Error) -> Result<(), Error> {
        let Some(doorkey_oauth::Error::LoginRequired {
            reason: LoginReason::NoGrant,
            challenges,
            ..
        }) = error.authorization()
        else {
            return Ok(());
        };
        let server = self.config().server(name)?;
        facts::remember_late_challenge(self.store(), server, challenges).await;
        Ok(())
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

    /// The settings of a server with the account that is meant: everything about a login goes by them.
    ///
    /// # Errors
    /// There is no such server, or the account is no name of one.
    pub(crate) fn server(&self, target: Target<'_>) -> Result<ServerConfig, Error> {
        let mut server = self.config.server(target.server)?.clone();
        if let Some(account) = target.account
            && account != server.account
        {
            if !is_account_name(account) {
                return Err(Error::AccountName {
                    account: account.to_owned(),
                });
            }
            account.clone_into(&mut server.account);
            // The configured hint is about the person of the configured account.
            server.oauth.login_hint = None;
        }
        if self.login_hint.is_some() {
            server.oauth.login_hint.clone_from(&self.login_hint);
        }
        if let Some(limit) = self.answer_limit {
            server.tool_timeout = limit;
        }
        Ok(server)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
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
}

/// When what a connection showed of a server is written down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remembering {
    /// Before what the connection is for: that may be to forget it.
    Before,
    /// Beside it, which takes less time.
    Meanwhile,
}

/// By server and account.
type Sessions = HashMap<(String, String), Session>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("home", &self.home)
            .field("config", &self.config)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// As whom this program connects.
fn this_client() -> ClientConfig {
    let implementation = Implementation::new("doorkey", env!("CARGO_PKG_VERSION"));
    ClientConfig::new(ClientCapabilities::default(), implementation)
}

/// How long an MCP session and a refresh have to come to their end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
