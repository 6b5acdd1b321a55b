//! A server as it is written into `config.toml`.

use toml_edit::{Array, InlineTable, Item, Table};

use super::{NewServer, secret_file};
use crate::Home;
use crate::config::SecretSource;

/// The table of a server.
pub(super) fn of(server: &NewServer, home: &Home) -> Table {
    let mut table = Table::new();
    table.insert("url", toml_edit::value(&server.url));
    if !server.enabled {
        table.insert("enabled", toml_edit::value(false));
    }
    if !server.scopes.is_empty() {
        let scopes: Array = server.scopes.iter().map(String::as_str).collect();
        table.insert("scopes", toml_edit::value(scopes));
    }
    if let Some(resource) = &server.resource {
        table.insert("oauth_resource", toml_edit::value(resource));
    }
    if let Some(variable) = &server.bearer_token_env_var {
        table.insert("bearer_token_env_var", toml_edit::value(variable));
    }
    for (key, headers) in [
        ("http_headers", &server.http_headers),
        ("env_http_headers", &server.env_http_headers),
    ] {
        if !headers.is_empty() {
            let headers = headers.iter();
            let headers: InlineTable = headers
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            table.insert(key, toml_edit::value(headers));
        }
    }
    for (key, limit) in [
        ("startup_timeout_sec", server.startup_timeout_sec),
        ("tool_timeout_sec", server.tool_timeout_sec),
    ] {
        if let Some(limit) = limit {
            table.insert(key, toml_edit::value(limit));
        }
    }
    let oauth = of_oauth(server, home);
    if !oauth.is_empty() {
        table.insert("oauth", Item::Table(oauth));
    }
    table
}

fn of_oauth(server: &NewServer, home: &Home) -> Table {
    let mut oauth = Table::new();
    if let Some(client_id) = &server.client_id {
        oauth.insert("client_id", toml_edit::value(client_id));
        let secret = match &server.client_secret {
            Some(SecretSource::Variable(name)) => Some(("client_secret_env", name.clone())),
            Some(SecretSource::File(path)) => {
                Some(("client_secret_file", path.display().to_string()))
            }
            Some(SecretSource::Value(_)) => {
                let path = secret_file::written(home, &server.name);
                Some(("client_secret_file", path.display().to_string()))
            }
            None => None,
        };
        if let Some((key, value)) = secret {
            oauth.insert(key, toml_edit::value(value));
        }
    }
    if let Some(host) = &server.callback_host {
        oauth.insert("callback_host", toml_edit::value(host));
    }
    if let Some(port) = server.callback_port {
        oauth.insert("callback_port", toml_edit::value(i64::from(port)));
    }
    oauth
}
