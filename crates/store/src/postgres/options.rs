//! What a host says about the database, and what of it is refused.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::cause::Cause;
use crate::SealingKey;

/// How to reach the database, and how it is used. `Debug` shows no secret.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) connection: SecretString,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) allows_plaintext: bool,
    pub(super) schema: String,
    pub(super) lease: Duration,
    pub(super) connections: usize,
    pub(super) limit: Duration,
    pub(super) migrates: bool,
    pub(super) sealing: Option<SealingKey>,
}

impl PostgresOptions {
    /// The database of that connection string, in either of libpq's forms: `host=db.example dbname=logins user=app password=…` or
    /// `postgresql://app:…@db.example/logins`. Host and user must be named: nothing is taken from the environment.
    #[must_use]
    pub fn new(connection: SecretString) -> Self {
        Self {
            connection,
            tls: None,
            allows_plaintext: false,
            schema: "doorkey".to_owned(),
            lease: Duration::from_secs(15),
            connections: 4,
            limit: Duration::from_secs(10),
            migrates: true,
            sealing: None,
        }
    }

    /// Speaks TLS with these settings, whose roots judge the server's certificate. A server without TLS is then refused, whatever the
    /// connection string says. Over a Unix socket there is no TLS.
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Allows a server on another machine to be reached without TLS: over a network that protects what it carries by itself.
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.allows_plaintext = true;
        self
    }

    /// The schema that the tables are in; `doorkey` by default. Stores in different schemas know nothing of each other.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// How long a lock outlives a holder that died, at least 300 ms; 15 s by default. It is renewed at a third of that.
    #[must_use]
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// How many connections are kept at most, at least one; 4 by default.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// How long one operation may take with all its attempts, at least 300 ms; 10 s by default. Waiting for a lock has its own limit.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves the schema as it is: who operates the database applies [`migrations`](super::PostgresBackend::migrations). One that is missing or
    /// older than needed is then an error.
    #[must_use]
    pub fn without_migration(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Seals every record with that key before it leaves the process, keys of records included. All hosts of a store use the same
    /// key, from the first one on.
    #[must_use]
    pub fn sealed_with(mut self, key: SealingKey) -> Self {
        self.sealing = Some(key);
        self
    }

    /// What the connections are made with, if all of it can be.
    pub(super) fn checked(&self) -> Result<Checked, Cause> {
        if !(1..=1000).contains(&self.connections) {
            return Err(Cause::Options("use between 1 and 1000 connections"));
        }
        if self.lease < SHORTEST || self.lease > LONGEST {
            return Err(Cause::Options("use a lease between 300 ms and one hour"));
        }
        if self.limit < SHORTEST || self.limit > LONGEST {
            return Err(Cause::Options("use a limit between 300 ms and one hour"));
        }
        // What the parser says quotes the string, so it is not repeated.
        let mut config: Config = self.connection.expose_secret().parse().map_err(|_| {
            Cause::Options("the connection string cannot be read; see libpq's documentation")
        })?;
        if config.get_user().is_none() {
            return Err(Cause::Options("name the user in the connection string"));
        }
        let location = location(&config)?;
        self.set_tls(&mut config)?;
        let attempt = self.limit / ATTEMPTS;
        if config.get_application_name().is_none() {
            config.application_name("doorkey");
        }
        config
            .connect_timeout(attempt)
            .tcp_user_timeout(self.limit)
            .keepalives_idle(self.limit);
        Ok(Checked {
            config,
            location,
            attempt,
        })
    }

    fn set_tls(&self, config: &mut Config) -> Result<(), Cause> {
        let sockets = config
            .get_hosts()
            .iter()
            .filter(|host| is_socket(host))
            .count();
        if sockets == config.get_hosts().len() {
            config.ssl_mode(SslMode::Disable);
            return Ok(());
        }
        if self.tls.is_some() {
            if sockets > 0 {
                let instead = "over a Unix socket there is no TLS; name servers of one kind";
                return Err(Cause::Options(instead));
            }
            config.ssl_mode(SslMode::Require);
            return Ok(());
        }
        if config.get_ssl_mode() == SslMode::Require {
            let instead =
                "the connection string demands TLS; give its settings (the roots to trust)";
            return Err(Cause::Options(instead));
        }
        if !self.allows_plaintext && !is_local(config) {
            let instead =
                "the server is on another machine; give the settings for TLS, or allow plain text";
            return Err(Cause::Options(instead));
        }
        config.ssl_mode(SslMode::Disable);
        Ok(())
    }
}

/// Options that hold together.
pub(super) struct Checked {
    pub(super) config: Config,
    /// Hosts, database and nothing secret.
    pub(super) location: String,
    /// How long one attempt of several may take.
    pub(super) attempt: Duration,
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("tls", &self.tls.is_some())
            .field("allows_plaintext", &self.allows_plaintext)
            .field("schema", &self.schema)
            .field("lease", &self.lease)
            .field("connections", &self.connections)
            .field("limit", &self.limit)
            .field("migrates", &self.migrates)
            .field("sealing", &self.sealing.is_some())
            .finish_non_exhaustive()
    }
}

fn location(config: &Config) -> Result<String, Cause> {
    let ports = config.get_ports();
    // One port for each host, or one for all.
    let port = |index: usize| ports.get(index).or(ports.first()).copied();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| shown(host, port(index)))
        .collect();
    if hosts.is_empty() {
        return Err(Cause::Options("name the host in the connection string"));
    }
    // Without a name the database has that of the user, who is not shown.
    let database = config.get_dbname().unwrap_or("the user's own database");
    Ok(format!("{}/{database}", hosts.join(",")))
}

fn shown(host: &Host, port: Option<u16>) -> String {
    match (host, port) {
        (Host::Tcp(name), None | Some(USUAL_PORT)) => name.clone(),
        (Host::Tcp(name), Some(port)) => format!("{name}:{port}"),
        #[cfg(unix)]
        (Host::Unix(folder), _) => folder.display().to_string(),
    }
}

fn is_socket(host: &Host) -> bool {
    match host {
        Host::Tcp(_) => false,
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Whether every address that is connected to is one of this machine.
fn is_local(config: &Config) -> bool {
    let names = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name
            .parse()
            .map_or(name == "localhost", |address: IpAddr| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    names && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// How many attempts fit into the limit of an operation if each takes as long as it may.
const ATTEMPTS: u32 = 3;
const USUAL_PORT: u16 = 5432;
const SHORTEST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn options(connection: &str) -> PostgresOptions {
        PostgresOptions::new(SecretString::from(connection))
    }

    fn refused(options: &PostgresOptions) -> String {
        match options.checked() {
            Ok(checked) => panic!("{} is taken", checked.location),
            Err(cause) => cause.to_string(),
        }
    }

    fn tls() -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Arc::new(config)
    }

    #[test]
    fn a_server_on_another_machine_needs_tls_unless_plain_text_is_allowed() {
        let remote = [
            "host=db.example user=app dbname=d",
            "host=192.0.2.1 user=app dbname=d",
            "postgresql://app@db.example/d",
            "host=localhost,db.example user=app dbname=d",
            "host=localhost hostaddr=192.0.2.1 user=app dbname=d",
            "host=localhost.example user=app dbname=d",
        ];
        for connection in remote {
            assert!(
                refused(&options(connection)).contains("another machine"),
                "{connection}"
            );
            let allowed = options(connection).allow_plaintext().checked().unwrap();
            assert_eq!(allowed.config.get_ssl_mode(), SslMode::Disable);
        }
        let local = [
            "host=localhost user=app dbname=d",
            "host=127.0.0.1 user=app dbname=d",
            "host=::1 user=app dbname=d",
            "host=/run/postgresql user=app dbname=d",
        ];
        for connection in local {
            let checked = options(connection).checked().unwrap();
            assert_eq!(checked.config.get_ssl_mode(), SslMode::Disable);
        }
    }

    #[test]
    fn with_tls_settings_a_connection_without_tls_is_never_made() {
        for mode in ["", "sslmode=disable", "sslmode=prefer", "sslmode=require"] {
            let connection = format!("host=db.example user=app dbname=d {mode}");
            let checked = options(&connection).tls(tls()).checked().unwrap();
            assert_eq!(checked.config.get_ssl_mode(), SslMode::Require, "{mode}");
        }
        let demanded = options("host=localhost user=app dbname=d sslmode=require");
        assert!(refused(&demanded).contains("demands TLS"));
        let mixed = options("host=localhost,/run/postgresql user=app dbname=d").tls(tls());
        assert!(refused(&mixed).contains("no TLS"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_the_connection_string() {
        let sentinel = "s3ntinel";
        let cases = [
            (
                options(&format!("host=localhost user=a password=x {sentinel}=1")),
                "cannot be read",
            ),
            (options(&format!("password={sentinel}")), "name the user"),
            (
                options(&format!("user=a password={sentinel}")),
                "name the host",
            ),
            (
                options("host=localhost user=a").connections(0),
                "connections",
            ),
            (
                options("host=localhost user=a").lease(Duration::ZERO),
                "lease",
            ),
            (
                options("host=localhost user=a").limit(Duration::MAX),
                "limit",
            ),
        ];
        for (options, expected) in cases {
            let said = refused(&options);
            assert!(said.contains(expected), "{said}");
            assert!(!format!("{said} {options:?}").contains(sentinel), "{said}");
        }
    }

    #[test]
    fn the_location_names_host_and_database_and_nobody() {
        let cases = [
            (
                "host=localhost user=ada password=s3ntinel dbname=logins",
                "localhost/logins",
            ),
            (
                "postgresql://ada:s3ntinel@127.0.0.1:6543/logins",
                "127.0.0.1:6543/logins",
            ),
            (
                "host=a.example,b.example port=5432,6543 user=ada dbname=logins",
                "a.example,b.example:6543/logins",
            ),
            (
                "host=/run/postgresql user=ada",
                "/run/postgresql/the user's own database",
            ),
        ];
        for (connection, expected) in cases {
            let options = options(connection).allow_plaintext();
            assert_eq!(options.checked().unwrap().location, expected);
        }
    }
}
