//! The page about the configuration, held against what is read.

use super::*;
use crate::config::section::Section;

/// The page; absent where this crate is built on its own.
fn page() -> Option<String> {
    fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/configuration.md"
    ))
    .ok()
}

/// The keys in the first column of the table under a heading.
fn documented(page: &str, heading: &str) -> Vec<String> {
    let (_, rest) = page
        .split_once(&format!("\n## {heading}"))
        .unwrap_or_else(|| panic!("no heading {heading}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let mut keys: Vec<_> = cells
        .flat_map(str::split_whitespace)
        .map(|key| key.trim_matches('`').to_owned())
        .collect();
    keys.sort_unstable();
    keys
}

/// The keys that `read` asks for in a table with these lines.
fn asked(lines: &str, read: impl Fn(&Section<'_>, &Home)) -> Vec<String> {
    let document = Document::parse(lines).expect(lines);
    let source = Source {
        path: Path::new("config.toml"),
        text: lines,
    };
    let section = Section::new(source, "it".to_owned(), document.as_table());
    read(&section, &Home::at("/nonexistent"));
    let mut keys: Vec<_> = section
        .known_keys()
        .into_iter()
        .map(str::to_owned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[test]
fn every_key_that_is_read_is_on_the_page_and_no_other() {
    let Some(page) = page() else {
        return;
    };
    for (heading, keys) in asked_of_server().into_iter().chain(asked_of_all()) {
        assert_eq!(documented(&page, heading), keys, "{heading}");
    }
}

/// The tables of one server.
fn asked_of_server() -> [(&'static str, Vec<String>); 5] {
    let workload = asked("env = \"T\"", |section, home| {
        drop(AssertionSettings::read(section, home).expect("a source"));
        drop(read_issuer(section, "issuer"));
    });
    let endpoints = asked("token_endpoint = \"https://as.example\"", |section, _| {
        let flow = FlowSettings::ClientCredentials;
        drop(EndpointSettings::read(section, &flow).expect("endpoints"));
    });
    let provider = asked(
        "issuer = \"https://sso.example\"\nclient_id = \"desk\"",
        |section, home| {
            let settings = IdentityProviderSettings::read(section, home);
            drop(settings.expect("a provider"));
        },
    );
    let server = asked("url = \"https://m.example\"", |section, home| {
        drop(ServerConfig::read("a".to_owned(), section, home).expect("a server"));
    });
    let oauth = asked("client_id = \"i\"", |section, home| {
        drop(OAuthSettings::read(section, home).expect("settings"));
    });
    [
        ("`[mcp_servers.NAME]`", server),
        ("`[mcp_servers.NAME.oauth]`", oauth),
        ("`[mcp_servers.NAME.oauth.endpoints]`", endpoints),
        ("`[mcp_servers.NAME.oauth.workload]`", workload),
        ("`[mcp_servers.NAME.oauth.identity_provider]`", provider),
    ]
}

/// The tables for all servers.
fn asked_of_all() -> [(&'static str, Vec<String>); 3] {
    let store = asked("", |section, home| {
        drop(StoreSettings::read(section, home).expect("settings"));
    });
    let postgres = asked("url_env = \"U\"", |section, home| {
        drop(PostgresSettings::read(section, home).expect("settings"));
    });
    let network = asked("", |section, home| {
        drop(NetworkSettings::read(section, home).expect("settings"));
    });
    [
        ("`[store]`", store),
        ("`[store.postgres]`", postgres),
        ("`[network]`", network),
    ]
}

#[test]
fn the_examples_of_the_page_are_read_without_a_warning() {
    let Some(page) = page() else {
        return;
    };
    let head = "[mcp_servers.work]\nurl = \"https://mcp.example.com/mcp\"\n";
    let mut read = 0;
    for example in page.split("```toml\n").skip(1) {
        let example = example.split("```").next().unwrap_or_default();
        let mut text = match example.contains("url = \"https://mcp") {
            true => example.to_owned(),
            false => format!("{head}{example}"),
        };
        if !example.contains("oauth]") && example.contains("oauth.workload]") {
            text.push_str("[mcp_servers.work.oauth]\nflow = \"workload_identity\"\n");
        }
        let config = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        read += 1;
    }
    assert!(read >= 6, "{read} examples");
}
