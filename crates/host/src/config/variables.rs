//! Which variables of the environment a configuration calls secret.

use std::collections::BTreeSet;

use toml_edit::{Item, TableLike, Value};

/// Every name that stands in the file where the name of a variable with a secret is expected, in whatever table: the
/// values of keys such as `client_secret_env` and `bearer_token_env_var`, and those of tables such as
/// `env_http_headers`. A key that this program does not know yet counts by its name too: of two mistakes, the one is
/// that a program misses a variable, the other that a secret is handed on. What goes to everyone
/// (`default_headers`) is no secret, and what a program cannot do without is not taken from it.
pub(super) fn secret_variables(root: &dyn TableLike) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    in_table(root, &mut names);
    names
}

fn in_table(table: &dyn TableLike, names: &mut BTreeSet<String>) {
    for (key, item) in table.iter() {
        if let Some(name) = item.as_str() {
            if key == "env" || key.ends_with("_env") || key.ends_with("_env_var") {
                note(name, names);
            }
        } else if key == "default_headers" {
            // A route or a user's name, which every server may see.
        } else if let Some(inner) = item.as_table_like() {
            if key.starts_with("env_") {
                let texts = inner.iter().filter_map(|(_, item)| item.as_str());
                texts.for_each(|name| note(name, names));
            }
            in_table(inner, names);
        } else {
            in_array(item, names);
        }
    }
}

fn in_array(item: &Item, names: &mut BTreeSet<String>) {
    match item {
        Item::ArrayOfTables(tables) => {
            for table in tables {
                in_table(table, names);
            }
        }
        Item::Value(Value::Array(values)) => {
            let tables = values.iter().filter_map(Value::as_inline_table);
            tables.for_each(|table| in_table(table, names));
        }
        _ => {}
    }
}

/// What the operating system would not take as a name is none.
fn note(name: &str, names: &mut BTreeSet<String>) {
    if !name.is_empty() && !name.contains(['=', '\0']) && !is_needed(name) {
        names.insert(name.to_owned());
    }
}

/// Whether programs need a variable to run, to find the user's files or the desktop. Whoever names one
/// as the place of a header's value means what it says and not a secret.
fn is_needed(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_of = |start: &&str| name.starts_with(*start);
    NEEDED.contains(&name.as_str()) || NEEDED_FAMILIES.iter().any(is_of)
}

const NEEDED: &[&str] = &[
    "APPDATA",
    "COMPUTERNAME",
    "COMSPEC",
    "DISPLAY",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LOCALAPPDATA",
    "LOGNAME",
    "OS",
    "PATH",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PWD",
    "SHELL",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
    "WAYLAND_DISPLAY",
    "WINDIR",
    "XAUTHORITY",
];

const NEEDED_FAMILIES: &[&str] = &["DBUS_", "LC_", "XDG_"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_is_to_hold_a_secret_is_found_wherever_it_is_named() {
        let text = r#"
            [store]
            passphrase_env = "STORE_PASSPHRASE"
            postgres = { url_env = "DATABASE_URL" }
            [mcp_servers.one]
            url = "https://one.example/mcp"
            bearer_token_env_var = "BEARER"
            http_headers = { X-Team = "search" }
            env_http_headers = { X-Key = "HEADER_KEY" }
            [mcp_servers.one.oauth]
            client_id = "client"
            client_secret_env = "CLIENT_SECRET"
            private_key_env = "PRIVATE_KEY"
            workload = { env = "WORKLOAD_JWT" }
            [mcp_servers.two.oauth.workload]
            url = "http://169.254.169.254/token"
            env_headers = { Authorization = "METADATA_KEY" }
            [[later]]
            secrets = [{ key_env = "LATER" }, "x"]
            passphrase_env = ""
            url_env = "A=B"
        "#;
        let document: toml_edit::DocumentMut = text.parse().expect("TOML");
        let names: Vec<_> = secret_variables(document.as_table()).into_iter().collect();
        assert_eq!(
            names,
            [
                "BEARER",
                "CLIENT_SECRET",
                "DATABASE_URL",
                "HEADER_KEY",
                "LATER",
                "METADATA_KEY",
                "PRIVATE_KEY",
                "STORE_PASSPHRASE",
                "WORKLOAD_JWT",
            ]
        );
    }

    #[test]
    fn what_goes_to_everyone_and_what_programs_need_is_withheld_from_none() {
        let text = r#"
            [network]
            default_headers = { X-Route = { env = "SITE" }, X-User = { env = "USER" } }
            [network.origin_headers."https://gw.example"]
            X-User = { env = "USER" }
            X-Key = { env = "GATEWAY_KEY" }
            [mcp_servers.one]
            url = "https://one.example/mcp"
            env_http_headers = { A = "HOME", B = "Path", C = "LC_ALL", D = "XDG_RUNTIME_DIR", E = "DBUS_SESSION_BUS_ADDRESS" }
            [mcp_servers.one.network.default_headers]
            X-Site = { env = "OFFICE" }
        "#;
        let document: toml_edit::DocumentMut = text.parse().expect("TOML");
        let names: Vec<_> = secret_variables(document.as_table()).into_iter().collect();
        assert_eq!(names, ["GATEWAY_KEY"]);
    }
}
