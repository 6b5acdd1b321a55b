//! `config.toml`, read and edited.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use doorkey::{Config, ConfigError, Home, NewServer, ServerConfig};
use tempfile::TempDir;

use crate::shown::{SECRET, assert_hidden, assert_printable, assert_without};

/// A configuration is read the same each time, shows no secret, and is the same again when a server was added and removed.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    FOLDER.with(|folder| {
        let home = Home::at(folder.path());
        match Config::parse(&home, &text) {
            Ok(config) => read(&home, &text, &config),
            Err(error) => refused(&error, &text),
        }
    });
}

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

fn read(home: &Home, text: &str, config: &Config) {
    let names: BTreeSet<_> = config.servers().iter().map(|server| &server.name).collect();
    assert_eq!(names.len(), config.servers().len());
    for server in config.servers() {
        assert!(matches!(server.url.scheme(), "https" | "http"));
        assert!(config.server(&server.name).is_ok());
        let names: Vec<_> = server.http_headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
    for warning in config.warnings() {
        assert_printable(&warning.to_string());
        assert!(warning.line >= 1 && warning.line <= lines(text));
    }
    if is_secret_alone(text) {
        assert_hidden(config, &[SECRET]);
    }
    edited(home, text, config);
}

/// Adds a server and removes it again.
fn edited(home: &Home, text: &str, config: &Config) {
    fs::write(home.config_file(), text).expect("a folder of ours");
    let new = NewServer::new("added-here", "https://new.example/mcp");
    let is_taken = config.not_remote().contains(&new.name) || config.server(&new.name).is_ok();
    let added = match Config::add_server(home, &new) {
        Ok(added) => added,
        Err(ConfigError::ServerExists { .. }) if is_taken => return,
        Err(error) => panic!("{error}: {text:?}"),
    };
    assert!(!is_taken);
    let servers = sorted(added.servers());
    let (ours, others): (Vec<_>, Vec<_>) = servers
        .into_iter()
        .partition(|server| server.name == new.name);
    assert_eq!(ours.len(), 1);
    assert_eq!(others, sorted(config.servers()), "{text:?}");
    assert_eq!(added.network(), config.network());
    assert_eq!(added.store(), config.store());
    let removed = Config::remove_server(home, &new.name).expect("it is there");
    assert_eq!(sorted(removed.servers()), sorted(config.servers()));
    assert_eq!(removed.network(), config.network());
    assert_eq!(removed.store(), config.store());
    assert_eq!(removed.not_remote(), config.not_remote());
}

fn sorted(servers: &[ServerConfig]) -> Vec<&ServerConfig> {
    let mut servers: Vec<_> = servers.iter().collect();
    servers.sort_by_key(|server| &server.name);
    servers
}

fn refused(error: &ConfigError, text: &str) {
    // As long as the line that it is about may be: it is the user's own.
    assert_printable(&error.to_string());
    match error {
        ConfigError::Syntax { line, column, .. } => {
            assert!(*line >= 1 && *line <= lines(text), "{error}: {text:?}");
            assert!(*column >= 1);
            assert_without(&error.to_string(), &[SECRET]);
        }
        ConfigError::Value(wrong) => {
            assert!(wrong.line >= 1 && wrong.line <= lines(text), "{error}");
            if is_secret_alone(text) {
                assert_without(&error.to_string(), &[SECRET]);
            }
        }
        error => panic!("{error} of a text"),
    }
}

fn lines(text: &str) -> usize {
    text.matches('\n').count() + 1
}

/// Whether the marked secret stands only where a secret does, one to a line.
fn is_secret_alone(text: &str) -> bool {
    let is_secret = |line: &str| {
        let key = line.trim_start().trim_start_matches('"');
        let value = line.split_once('=').map_or("", |(_, value)| value.trim());
        SECRET_KEYS.iter().any(|known| {
            key.strip_prefix(known)
                .is_some_and(|rest| rest.trim_start_matches('"').trim_start().starts_with('='))
        }) && [format!("\"{SECRET}\""), format!("'{SECRET}'")].contains(&value.to_owned())
    };
    let mut marked = text.lines().filter(|line| line.contains(SECRET));
    !text.contains("\"\"\"") && !text.contains("'''") && marked.all(is_secret)
}

/// Keys whose value is nobody's business.
const SECRET_KEYS: [&str; 4] = ["Authorization", "X-Api-Key", "client_secret", "proxy"];
