//! `config.toml`: which servers there are and how to reach them.

mod assertion;
mod credentials;
mod edit;
mod endpoints;
mod error;
mod flow;
mod header;
mod identity_provider;
mod network;
mod oauth;
mod secret;
mod section;
mod server;
mod store;
mod variables;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::Document;

use crate::quirks::QuirkRules;
use crate::{Home, bounded};
pub(crate) use section::{Section, Source, is_similar};

pub use assertion::{AssertionPlace, AssertionSettings};
pub use credentials::ClientCredentials;
pub use edit::NewServer;
pub use endpoints::EndpointSettings;
pub use error::{ConfigError, ConfigWarning, KeyProblem, WrongValue};
pub use flow::{FlowSettings, WorkloadSettings};
pub use header::{HeaderCommand, HeaderSettings, HeaderSource};
pub use identity_provider::{IdentityProviderSettings, IdentitySettings};
pub use network::{NetworkSettings, ProxySetting};
pub use oauth::OAuthSettings;
pub(crate) use oauth::{check_metadata_url, read_issuer};
pub use secret::SecretSource;
pub use server::ServerConfig;
pub use store::{KeySettings, PostgresSettings, StoreSettings, UrlSource};

/// A configuration as read from `config.toml`.
///
/// The file may be shared with other tools: keys they own are among [`Config::warnings`] and
/// otherwise left alone, and servers that are local programs (`command = …`) are named by
/// [`Config::not_remote`]. Edits ([`Config::add_server`], [`Config::remove_server`]) keep comments
/// and order.
#[derive(Clone, Debug)]
pub struct Config {
    path: PathBuf,
    network: NetworkSettings,
    store: StoreSettings,
    servers: Vec<ServerConfig>,
    not_remote: Vec<String>,
    warnings: Vec<ConfigWarning>,
    secret_variables: BTreeSet<String>,
    quirks: QuirkRules,
}

impl Config {
    /// Reads the configuration of a home, and `quirks.toml` beside it. A file that is not there is an empty one.
    ///
    /// # Errors
    /// The file cannot be read, is larger than 4 MiB, is not TOML, or holds a value that does not fit its key; the error
    /// names file, line and key.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        let text = read_text(home.config_file())?;
        Self::read(home, &text, QuirkRules::load(home)?)
    }

    /// Reads a configuration from text, as [`Config::load`] does from the file; of quirks it knows those that come with
    /// the program.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn parse(home: &Home, text: &str) -> Result<Self, ConfigError> {
        Self::read(home, text, QuirkRules::builtin())
    }

    fn read(home: &Home, text: &str, quirks: QuirkRules) -> Result<Self, ConfigError> {
        let path = home.config_file();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source { path, text };
        let document = Document::parse(text).map_err(|error| syntax_error(source, &error))?;
        let root = Section::new(source, String::new(), document.as_table());
        let mut config = Self {
            path: path.to_owned(),
            network: NetworkSettings::default(),
            store: StoreSettings::default(),
            servers: Vec::new(),
            not_remote: Vec::new(),
            warnings: quirks.warnings.clone(),
            quirks,
            secret_variables: variables::secret_variables(document.as_table()),
        };
        if let Some(section) = root.section("network")? {
            config.network = NetworkSettings::read(&section, home)?;
            config.warnings.extend(section.warnings());
        }
        if let Some(section) = root.section("store")? {
            config.store = StoreSettings::read(&section, home)?;
            config.warnings.extend(section.warnings());
        }
        if let Some(section) = root.section("mcp_servers")? {
            for (name, server) in section.named_sections()? {
                config.read_server(name, &server, home)?;
            }
        }
        Ok(config)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same with other network settings for every server, in place of what the file says: for a
    /// program that has settings of its own.
    #[must_use]
    pub fn with_network(mut self, network: NetworkSettings) -> Self {
        self.network = network;
        self
    }

    /// The network settings that hold for every server.
    #[must_use]
    pub fn network(&self) -> &NetworkSettings {
        &self.network
    }

    /// Where logins are kept.
    #[must_use]
    pub fn store(&self) -> &StoreSettings {
        &self.store
    }

    /// The remote servers in the order of the file, disabled ones included.
    #[must_use]
    pub fn servers(&self) -> &[ServerConfig] {
        &self.servers
    }

    /// The server of that name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownServer`], or [`ConfigError::NotRemote`] for an entry that starts a
    /// local program.
    pub fn server(&self, name: &str) -> Result<&ServerConfig, ConfigError> {
        if let Some(server) = self.servers.iter().find(|server| server.name == name) {
            return Ok(server);
        }
        let path = self.path.clone();
        let name = name.to_owned();
        if self.not_remote.contains(&name) {
            return Err(ConfigError::NotRemote { path, name });
        }
        let known = self
            .servers
            .iter()
            .map(|server| server.name.clone())
            .collect();
        Err(ConfigError::UnknownServer { path, name, known })
    }

    /// The entries that start a local program; they get their credentials from their environment.
    #[must_use]
    pub fn not_remote(&self) -> &[String] {
        &self.not_remote
    }

    /// Keys that do nothing: this program does not know them, or another setting rules them out.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// The variables of the environment that the file names as the place of a secret, but for those that
    /// programs need to run. Programs that are started are handed none of them, whatever they are
    /// started for.
    #[must_use]
    pub fn secret_variables(&self) -> &BTreeSet<String> {
        &self.secret_variables
    }

    fn read_server(
        &mut self,
        name: String,
        section: &Section<'_>,
        home: &Home,
    ) -> Result<(), ConfigError> {
        if section.has("command") && !section.has("url") {
            self.not_remote.push(name);
            return Ok(());
        }
        self.check_quirks(section)?;
        let (mut server, warnings) = ServerConfig::read(name, section, home)?;
        server.quirks.used = self.quirks.used(&server.quirks);
        self.servers.push(server);
        self.warnings.extend(warnings);
        Ok(())
    }
}

impl Config {
    /// The quirks that are known, and what files say of their use.
    pub(crate) fn quirk_rules(&self) -> &QuirkRules {
        &self.quirks
    }

    /// A name that is none is a slip, or of another version of this program.
    fn check_quirks(&self, section: &Section<'_>) -> Result<(), ConfigError> {
        for (key, id) in server::quirk_names(section)? {
            if !self.quirks.ids().any(|known| known == id) {
                section.note_without_effect(key, &format!("there is no quirk {id:?}"));
            }
        }
        Ok(())
    }
}

/// The text of the file; none if it is not there.
fn read_text(path: &Path) -> Result<String, ConfigError> {
    match bounded::read_text(path, FILE_BYTES) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(ConfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

pub(crate) fn syntax_error(source: Source<'_>, error: &toml_edit::TomlError) -> ConfigError {
    let (line, column) = source.position(error.span().map_or(0, |span| span.start));
    ConfigError::Syntax {
        path: source.path.to_owned(),
        line,
        column,
        message: error.message().trim().replace('\n', ", "),
    }
}

/// More than anybody writes.
const FILE_BYTES: u64 = 4 * bounded::MIB;

#[cfg(test)]
mod tests;
