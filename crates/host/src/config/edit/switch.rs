//! Switching a server on and off in `config.toml`.

use toml_edit::{Item, Value};

use super::edit;
use crate::Home;
use crate::config::{Config, ConfigError};

impl Config {
    /// Writes whether a server is used (`enabled`), and returns the configuration that results. What is written
    /// that way already stays as it is.
    ///
    /// # Errors
    /// There is no such server, or the file cannot be read, locked or written.
    pub fn switch_server(home: &Home, name: &str, enabled: bool) -> Result<Self, ConfigError> {
        edit(home, |document| {
            // Says of a name that cannot be switched why: unknown, or a local program.
            if Config::load(home)?.server(name)?.enabled == enabled {
                return Ok(());
            }
            let server = document
                .get_mut("mcp_servers")
                .and_then(Item::as_table_like_mut)
                .and_then(|servers| servers.get_mut(name))
                .and_then(Item::as_table_like_mut);
            let Some(server) = server else { return Ok(()) };
            match server.get_mut("enabled").and_then(Item::as_value_mut) {
                Some(written) => {
                    let mut value = Value::from(enabled);
                    // The comment behind it stays.
                    *value.decor_mut() = written.decor().clone();
                    *written = value;
                }
                None => {
                    server.insert("enabled", toml_edit::value(enabled));
                }
            }
            Ok(())
        })
    }
}
