//! Signs in to remote MCP servers and keeps the login: open a configuration, connect a named server,
//! get rmcp's running client.
//!
//! A [`Host`] is a configuration (`config.toml`), a store of logins and the servers in between. Every
//! request for a server, be it to the server itself, to its metadata or to its authorization server,
//! goes through one HTTP client made of what the user configured: certificates, proxy, headers, time
//! limits. Every token has one owner, a [`TokenSource`](doorkey_oauth::TokenSource), that refreshes
//! it for all connections and processes.
//!
//! Tokens come from a person in a browser or on another device, or, where the configuration says so
//! ([`FlowSettings`]), from the program's own credentials, a workload's JWT or an enterprise's identity
//! provider: then the first request signs in, and nobody is asked.
//!
//! Connecting opens no browser by itself. Where a person is needed the error says so
//! ([`Error::needs_login`]), and the program decides: [`Host::login`] with a [`LoopbackInteraction`],
//! or with an [`Interaction`](doorkey_oauth::Interaction) of its own. A program whose person is always
//! there gives the interaction to the host once ([`Host::with_interaction`]): then a login, or a scope
//! that is missing in mid-session, is asked for while the request waits.
//!
//! Nothing here reads the environment, prints or exits: the program makes one [`Environment`] in
//! `main` and passes it in.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use doorkey::{Browser, Environment, Folders, Host, LoopbackInteraction, Silent};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let environment = Environment::new(std::env::vars_os()).with_folders(Folders::platform());
//! let mut host = Host::open(environment)?;
//! host.settle_store().await?; // keyring, encrypted files or plain ones: chosen once
//!
//! let connection = match host.connect("example").await {
//!     Err(error) if error.needs_login() => {
//!         let person = Arc::new(LoopbackInteraction::new(Browser::Manual, Arc::new(Silent)));
//!         host.login("example", person, &Silent).await?;
//!         host.connect("example").await?
//!     }
//!     connected => connected?,
//! };
//! for tool in connection.list_tools().await? {
//!     println!("{}", tool.name);
//! }
//! connection.close(Duration::from_secs(5)).await;
//! host.drain(Duration::from_secs(30)).await;
//! # Ok(())
//! # }
//! ```
//!
//! Features: `cli` adds the program's parts and [`Browser::platform`](Browser); `demo` adds
//! `doorkey demo`. A program that embeds this library takes neither.

mod assertion;
mod bounded;
mod browser;
mod calendar;
mod child;
mod client_metadata;
mod code;
mod config;
mod connection;
mod credentials;
pub mod doctor;
mod environment;
mod error;
mod explain;
mod facts;
mod folder;
mod home;
mod host;
mod login;
mod loopback;
mod network;
mod program;
mod progress;
mod quirks;
mod remedy;
mod status;
mod stores;
mod surroundings;
mod target;

pub use assertion::SourceError;
pub use browser::{
    Browser, BrowserCommand, BrowserError, PageRefused, PlatformBrowser, check_page,
};
pub use client_metadata::{ClientMetadata, Jwks, UnfitUrl};
pub use code::{ErrorCode, UnknownErrorCode};
pub use config::{
    AssertionPlace, AssertionSettings, ClientCredentials, Config, ConfigError, ConfigWarning,
    EndpointSettings, FlowSettings, HeaderCommand, HeaderSettings, HeaderSource,
    IdentityProviderSettings, IdentitySettings, KeyProblem, KeySettings, NetworkSettings,
    NewServer, OAuthSettings, PostgresSettings, ProxySetting, SecretSource, ServerConfig,
    StoreSettings, UrlSource, WorkloadSettings, WrongValue,
};
pub use connection::{Connection, EndlessList};
pub use environment::{Environment, Folders, NotText, Terminal};
pub use error::Error;
pub use explain::{Explained, NextAction, causes};
pub use home::Home;
pub use host::{Host, Logout, LogoutOutcome, RemovedCopy, Session};
pub use login::LoginOutcome;
pub use loopback::{
    CallbackHost, CallbackPorts, CallbackSettings, LoopbackError, LoopbackInteraction,
    NoCallbackHost, NoPorts, PortHolder, Unattended,
};
pub use network::{
    AddressesInForce, Bundle, CertificateFiles, HeaderInForce, HeaderProblem, HeaderScope,
    NetworkError, NetworkInForce, ProxiesInForce, ProxyChoice, RootsInForce, SetBy, Setting,
    SystemRoots,
};
pub use program::ProgramError;
pub use progress::{LoginStep, PasteProblem, Progress, Silent};
pub use quirks::{QuirkInForce, QuirkState, builtin_quirks, quirks_by_choice};
pub use status::{AuthStatus, LoginState, ServerStatus, StoreStatus};
pub use stores::{
    LoginsAnywhere, Moved, OtherStore, StoreChoice, StoreKind, StoreOpenError, StoreReason,
};
pub use surroundings::{Advice, Inside, Ssh, Surroundings};
pub use target::{Target, is_account_name};

pub use doorkey_oauth as oauth;
pub use doorkey_rmcp::{Event, EventStream, Exchange, Protocol, Wire, rmcp};
pub use doorkey_store as store;
