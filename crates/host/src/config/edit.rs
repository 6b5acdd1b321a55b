//! Edits of `config.toml` that keep comments, order and everything they do not touch.

mod secret_file;
mod switch;
mod table;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use http::HeaderName;
use toml_edit::{DocumentMut, Item, RawString, Table, TableLike};

use super::{Config, ConfigError, SecretSource};
use crate::{Home, folder};

/// A server to be added to the configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewServer {
    /// Its name: 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The MCP URL, as the person wrote it.
    pub url: String,
    /// `http_headers`.
    pub http_headers: Vec<(String, String)>,
    /// `env_http_headers`: names of headers with those of the variables that hold their values.
    pub env_http_headers: Vec<(String, String)>,
    /// `enabled`; written where it is false.
    pub enabled: bool,
    /// `startup_timeout_sec`.
    pub startup_timeout_sec: Option<f64>,
    /// `tool_timeout_sec`.
    pub tool_timeout_sec: Option<f64>,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// `oauth_resource`.
    pub resource: Option<String>,
    /// `bearer_token_env_var`.
    pub bearer_token_env_var: Option<String>,
    /// `oauth.client_id`.
    pub client_id: Option<String>,
    /// `oauth.client_secret_env` or `oauth.client_secret_file`. A value is written into a file of its own
    /// in the state folder, which its owner alone can read, and the configuration names that file: people
    /// publish configurations.
    pub client_secret: Option<SecretSource>,
    /// `oauth.callback_host`: `127.0.0.1` or `localhost`.
    pub callback_host: Option<String>,
    /// `oauth.callback_port`.
    pub callback_port: Option<u16>,
}

impl Default for NewServer {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            http_headers: Vec::new(),
            env_http_headers: Vec::new(),
            enabled: true,
            startup_timeout_sec: None,
            tool_timeout_sec: None,
            scopes: Vec::new(),
            resource: None,
            bearer_token_env_var: None,
            client_id: None,
            client_secret: None,
            callback_host: None,
            callback_port: None,
        }
    }
}

impl NewServer {
    /// A server of that name at that URL.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            ..Self::default()
        }
    }

    /// Whether `text` may be the name of a server.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && !text.starts_with('-')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }

    /// Whether `text` may be a scope (RFC 6749 section 3.3).
    #[must_use]
    pub fn is_scope(text: &str) -> bool {
        super::server::is_scope_token(text)
    }

    /// Whether `text` may stand in `oauth_resource` (RFC 8707 section 2).
    #[must_use]
    pub fn is_resource(text: &str) -> bool {
        super::server::resource_choice(text).is_some()
    }

    /// Whether a header of that name may stand in `http_headers`: those of the connection may not.
    #[must_use]
    pub fn is_header(name: &HeaderName) -> bool {
        !super::section::is_framing(name)
    }
}

impl Config {
    /// Adds a server at the end of the file, and returns the configuration that results.
    ///
    /// The edited text is read back before it is written, so that a value that would not be
    /// accepted later is refused now and the file stays as it was.
    ///
    /// # Errors
    /// The name is not one or is taken, a value is not acceptable, or the file cannot be read,
    /// locked or written.
    pub fn add_server(home: &Home, server: &NewServer) -> Result<Self, ConfigError> {
        let path = home.config_file();
        if !NewServer::is_name(&server.name) {
            return Err(ConfigError::ServerName {
                name: server.name.clone(),
            });
        }
        let mut wrote_secret = false;
        let outcome = edit(home, |document| {
            // The text was parsed as a configuration before: what is there is a table.
            let Some(servers) = servers_table(document) else {
                let source = io::Error::other("mcp_servers is not a table");
                return Err(ConfigError::Write {
                    path: path.to_owned(),
                    source,
                });
            };
            if servers.contains_key(&server.name) {
                let (path, name) = (path.to_owned(), server.name.clone());
                return Err(ConfigError::ServerExists { path, name });
            }
            servers.insert(&server.name, Item::Table(table::of(server, home)));
            move_to_end(document, &server.name);
            if let (Some(_), Some(SecretSource::Value(secret))) =
                (&server.client_id, &server.client_secret)
            {
                secret_file::write(home, &server.name, secret)?;
                wrote_secret = true;
            }
            Ok(())
        });
        if outcome.is_err() && wrote_secret {
            // The first failure is the one to be told.
            drop(secret_file::remove(home, &server.name));
        }
        outcome
    }

    /// Takes a server out of the file, and returns the configuration that results. Comments above
    /// the server's own table go with it unless a blank line sets them apart, and so does the file that
    /// [`Config::add_server`] wrote its client secret into.
    ///
    /// # Errors
    /// There is no such server, or the file cannot be read, locked or written.
    pub fn remove_server(home: &Home, name: &str) -> Result<Self, ConfigError> {
        let config = edit(home, |document| {
            let removed = document
                .get_mut("mcp_servers")
                .and_then(Item::as_table_like_mut)
                .and_then(|servers| servers.remove(name));
            match removed {
                Some(Item::Table(table)) => {
                    keep_unrelated_comment(document, &table);
                    Ok(())
                }
                Some(_) => Ok(()),
                None => Config::load(home)?.server(name).map(|_| ()),
            }
        })?;
        // Only a name that can be added has one.
        if NewServer::is_name(name) {
            secret_file::remove(home, name)?;
        }
        Ok(config)
    }
}

/// `mcp_servers`, made where it is not there.
fn servers_table(document: &mut DocumentMut) -> Option<&mut dyn TableLike> {
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    document
        .entry("mcp_servers")
        .or_insert_with(implicit)
        .as_table_like_mut()
}

/// Puts a table that was just added behind everything that is there, the last comment included.
fn move_to_end(document: &mut DocumentMut, name: &str) {
    let last = last_position(document.as_table());
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let added = document
        .get_mut("mcp_servers")
        .and_then(Item::as_table_mut)
        .and_then(|servers| servers.get_mut(name))
        .and_then(Item::as_table_mut);
    // In an inline table the new server is where it has to be.
    let Some(table) = added else { return };
    table.set_position(Some(last.map_or(0, |last| last + 1)));
    if !trailing.is_empty() {
        table.decor_mut().set_prefix(format!("{trailing}\n"));
        document.set_trailing("");
    }
}

/// The position of the last table that has a header.
fn last_position(table: &Table) -> Option<isize> {
    let nested = table.iter().filter_map(|(_, item)| match item {
        Item::Table(table) => last_position(table),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(last_position).max(),
        _ => None,
    });
    nested.chain(table.position()).max()
}

/// Reads, edits, checks and writes the file under a lock that other processes honour too.
fn edit(
    home: &Home,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), ConfigError>,
) -> Result<Config, ConfigError> {
    let path = home.config_file();
    let _lock = lock(home)?;
    let text = super::read_text(path)?;
    // Said with line and key, which the editor's own parser could not.
    Config::parse(home, &text)?;
    let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut document: DocumentMut = plain.parse().map_err(|error: toml_edit::TomlError| {
        super::syntax_error(super::Source { path, text: plain }, &error)
    })?;
    change(&mut document)?;
    let edited = document.to_string();
    let config = Config::parse(home, &edited)?;
    if edited == plain {
        return Ok(config);
    }
    write_atomically(path, edited.as_bytes()).map_err(|source| ConfigError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(config)
}

/// The lock lies in the state folder, so that nothing appears beside the configuration.
fn lock(home: &Home) -> Result<File, ConfigError> {
    let path = home.config_file();
    let failed = |source| ConfigError::Write {
        path: path.to_owned(),
        source,
    };
    folder::create_private(home.state_folder()).map_err(failed)?;
    let file = lock_options()
        .open(home.state_folder().join("config.lock"))
        .map_err(failed)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) if started.elapsed() >= LOCK_LIMIT => {
                let waited_seconds = LOCK_LIMIT.as_secs();
                return Err(ConfigError::Busy {
                    path: path.to_owned(),
                    waited_seconds,
                });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
}

/// Temporary file in the same folder, fsync, rename, fsync of the folder: a reader sees the old text
/// or the new, and a crash leaves one of them. A symbolic link is followed, so that a configuration
/// kept elsewhere stays there.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let folder = target
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    folder::create_private(&folder)?;
    // Made readable by its owner alone: the file may hold a client secret.
    let mut file = tempfile::Builder::new()
        .prefix(".config-")
        .tempfile_in(&folder)?;
    file.write_all(bytes)?;
    if let Ok(metadata) = fs::metadata(&target) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    folder::sync(&folder)
}

#[cfg(unix)]
fn lock_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn lock_options() -> OpenOptions {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    options
}

/// A comment above the removed table that a blank line sets apart speaks of more than that table:
/// it moves on to what follows.
fn keep_unrelated_comment(document: &mut DocumentMut, removed: &Table) {
    let prefix = removed
        .decor()
        .prefix()
        .and_then(RawString::as_str)
        .unwrap_or_default();
    let Some(end) = prefix.rfind("\n\n").map(|at| at + 1) else {
        return;
    };
    let kept = &prefix[..end];
    if kept.trim().is_empty() {
        return;
    }
    let position = removed.position().unwrap_or(isize::MAX);
    match next_table(document.as_table_mut(), position) {
        Some(next) => {
            let own = next
                .decor()
                .prefix()
                .and_then(RawString::as_str)
                .unwrap_or_default();
            let joined = format!("{kept}\n{}", own.trim_start_matches('\n'));
            next.decor_mut().set_prefix(joined);
        }
        None => {
            let own = document.trailing().as_str().unwrap_or_default();
            let joined = format!("{kept}{own}");
            document.set_trailing(joined);
        }
    }
}

/// The table with a header of its own that follows a position in the file.
fn next_table(root: &mut Table, position: isize) -> Option<&mut Table> {
    fn after(table: &mut Table, position: isize) -> Vec<(isize, &mut Table)> {
        let mut found = Vec::new();
        for (_, item) in table.iter_mut() {
            let Item::Table(table) = item else { continue };
            let own = table
                .position()
                .filter(|own| *own > position && !table.is_implicit());
            match own {
                // What is nested in it stands further down.
                Some(own) => found.push((own, table)),
                None => found.extend(after(table, position)),
            }
        }
        found
    }
    after(root, position)
        .into_iter()
        .min_by_key(|(own, _)| *own)
        .map(|(_, table)| table)
}

const LOCK_LIMIT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
