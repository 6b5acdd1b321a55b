//! The configuration as people write it, and as they mistype it.

mod flows;
mod network;
mod page;

use std::fs;
use std::path::Path;
use std::time::Duration;

use doorkey_oauth::ResourceChoice;
use doorkey_rmcp::Protocol;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(&Home::at("/home/ada/doorkey"), text)
}

fn server(text: &str) -> ServerConfig {
    let config = parse(text).expect("a configuration");
    config.servers()[0].clone()
}

/// The fields of a [`ConfigError::Value`].
fn wrong(text: &str) -> (usize, String, String, String) {
    match parse(text) {
        Err(ConfigError::Value(wrong)) => (wrong.line, wrong.key, wrong.expected, wrong.found),
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn a_full_server_is_read() {
    let server = server(
        r#"
        [mcp_servers.linear]
        url = "https://mcp.linear.example/mcp"
        scopes = ["read", "write"]
        oauth_resource = "https://mcp.linear.example/"
        http_headers = { X-Team = "search" }
        env_http_headers = { X-Key = "LINEAR_KEY" }
        enabled = false
        startup_timeout_sec = 5
        tool_timeout_sec = 2.5
        protocol = "2025-11-25"
        account = "work"
        resource_match = "exact"
        trusted_issuer = "https://login.linear.example"

        [mcp_servers.linear.oauth]
        client_id = "abc"
        client_secret_env = "LINEAR_SECRET"
        callback_port = 3118
        callback_url = "http://localhost/cb"

        [mcp_servers.linear.network]
        ca_certificates = ["ca.pem"]
        "#,
    );
    assert_eq!(server.url.as_str(), "https://mcp.linear.example/mcp");
    assert_eq!(server.scopes, ["read", "write"]);
    assert_eq!(
        server.resource,
        ResourceChoice::Value("https://mcp.linear.example/".to_owned())
    );
    let team = server.http_headers.get(&"x-team".parse().expect("a name"));
    let search = HeaderSource::Value(http::HeaderValue::from_static("search"));
    assert_eq!(team, Some(&search));
    assert_eq!(server.env_http_headers[0].1, "LINEAR_KEY");
    assert!(!server.enabled);
    assert_eq!(server.startup_timeout, Duration::from_secs(5));
    assert_eq!(server.tool_timeout, Duration::from_millis(2500));
    assert_eq!(server.protocol, Protocol::V2025_11_25);
    assert_eq!(server.account, "work");
    assert_eq!(server.oauth.client_id.as_deref(), Some("abc"));
    assert_eq!(server.oauth.callback_port, Some(3118.into()));
    assert_eq!(
        server.network.ca_certificates,
        [Path::new("/home/ada/doorkey/ca.pem")]
    );
}

#[test]
fn a_server_needs_no_more_than_a_url() {
    let server = server("[mcp_servers.a]\nurl = \"https://mcp.example\"\n");
    assert_eq!(server.resource, ResourceChoice::Auto);
    assert_eq!(server.protocol, Protocol::Auto);
    assert_eq!(server.account, "default");
    assert!(server.enabled && server.oauth.offline_access);
}

#[test]
fn scopes_may_be_one_text() {
    let server =
        server("[mcp_servers.a]\nurl = \"https://mcp.example\"\nscopes = \"read, write admin\"\n");
    assert_eq!(server.scopes, ["read", "write", "admin"]);
}

#[test]
fn a_wrong_value_is_told_with_line_key_and_what_was_expected() {
    let head = "[mcp_servers.a]\nurl = \"https://mcp.example\"\n";
    for (added, line, key, expected, found) in WRONG {
        let got = wrong(&format!("{head}{added}\n"));
        let full_key = format!("mcp_servers.a.{key}");
        assert_eq!(
            (got.0, got.1.as_str()),
            (*line, full_key.as_str()),
            "{added}"
        );
        assert!(got.2.contains(expected), "{added}: expected {}", got.2);
        assert!(got.3.contains(found), "{added}: found {}", got.3);
    }
}

#[test]
fn a_missing_or_unfit_url_is_told() {
    let (line, key, expected, found) = wrong("\n[mcp_servers.a]\nenabled = true\n");
    assert_eq!((line, key.as_str()), (3, "mcp_servers.a.url"));
    assert!(
        expected.contains("URL of a remote MCP server") && found == "nothing",
        "{found}"
    );
    for url in [
        "http://mcp.example/mcp",
        "https://user:pass@mcp.example/mcp",
        "mcp.example",
        "file:///etc/passwd",
    ] {
        let (_, key, _, found) = wrong(&format!("[mcp_servers.a]\nurl = \"{url}\"\n"));
        assert_eq!(key, "mcp_servers.a.url");
        assert!(!found.contains("pass@"), "{found}");
    }
}

#[test]
fn a_secret_of_the_wrong_shape_is_not_repeated() {
    for text in [
        "[mcp_servers.a]\nurl = \"https://m.example\"\n[mcp_servers.a.oauth]\nclient_secret = \"s3cret",
        "[mcp_servers.a]\nurl = \"https://m.example\"\n[mcp_servers.a.oauth]\nclient_secret = [\"s3cret\"]\n",
        "[mcp_servers.a]\nurl = \"https://m.example\"\n[mcp_servers.a.oauth]\nclient_secret = \"s3cret\"\n",
        "[mcp_servers.a]\nurl = \"https://m.example\"\nhttp_headers = { X-Key = [\"s3cret\"] }\n",
        "[network]\nproxy = \"s3cret://ada:s3cret@proxy\"\n",
    ] {
        let error = parse(text).expect_err(text);
        let shown = format!("{error} {error:?} {:?}", error.example());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let config = parse(
        "[mcp_servers.a]\nurl = \"https://m.example\"\nhttp_headers = { X-Key = \"s3cret\" }\n\
         [mcp_servers.a.oauth]\nclient_id = \"i\"\nclient_secret = \"s3cret\"\n\
         [network.origin_headers.\"https://gw.example\"]\nX-Gate = \"s3cret\"\n",
    )
    .expect("a configuration");
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
}

#[test]
fn a_file_that_is_not_toml_is_told_with_its_position() {
    match parse("[mcp_servers.a]\nurl = \n") {
        Err(ConfigError::Syntax { line: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_keys_are_reported_and_harmless() {
    let config = parse(
        "approval_policy = \"never\"\n[mcp_servers.a]\nurl = \"https://m.example\"\n\
         tool_timeout_secs = 3\ncwd = \"/\"\n[mcp_servers.a.oauth]\nclient-id = \"x\"\n",
    )
    .expect("a configuration");
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings.iter().any(|text| text
            .contains(":4: unknown key mcp_servers.a.tool_timeout_secs")
            && text.contains("`tool_timeout_sec`")),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|text| text.contains("`client_id`")),
        "{warnings:?}"
    );
}

#[test]
fn a_key_that_a_terminal_would_obey_is_shown_without_its_escapes() {
    let text = "[mcp_servers.a]\nurl = \"https://m.example\"\n\"\\u001b[31mred\" = 1\n";
    let config = parse(text).expect("a configuration");
    let [warning] = config.warnings() else {
        panic!("{:?}", config.warnings());
    };
    assert_eq!(warning.key, "mcp_servers.a.red");
}

#[test]
fn local_programs_are_left_alone() {
    let config = parse(
        "[mcp_servers.files]\ncommand = \"files\"\nargs = [\"x\"]\n\
         [mcp_servers.a]\nurl = \"https://m.example\"\n",
    )
    .expect("a configuration");
    assert_eq!(config.not_remote(), ["files"]);
    assert_eq!(config.servers().len(), 1);
    assert!(config.warnings().is_empty());
    assert!(matches!(
        config.server("files"),
        Err(ConfigError::NotRemote { .. })
    ));
    match config.server("b") {
        Err(ConfigError::UnknownServer { known, .. }) => assert_eq!(known, ["a"]),
        other => panic!("{other:?}"),
    }
}

/// A home in a folder of its own with this text in `config.toml`.
fn home_with(text: &str) -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(folder.path());
    fs::write(home.config_file(), text).expect("a file");
    (folder, home)
}

fn text_of(home: &Home) -> String {
    fs::read_to_string(home.config_file()).expect("the file")
}

#[test]
fn an_added_server_stands_at_the_end_and_the_rest_stays_byte_for_byte() {
    let before = "# mine\napproval = \"x\" # keep\n\n[mcp_servers.b]  # first\nurl = \"https://b.example\" # here\n\n\
                  # about z\n[other]\nx   =  1\n";
    let (_folder, home) = home_with(before);
    let mut new = NewServer::new("a", "https://a.example/mcp");
    new.scopes = vec!["read".to_owned()];
    new.http_headers = vec![("X-Team".to_owned(), "search".to_owned())];
    new.client_id = Some("abc".to_owned());
    new.resource = Some("omit".to_owned());
    let config = Config::add_server(&home, &new).expect("added");
    let after = text_of(&home);
    assert!(after.starts_with(before), "{after}");
    let names: Vec<_> = config
        .servers()
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
    let added = config.server("a").expect("a");
    assert_eq!(added.resource, ResourceChoice::Omit);
    assert_eq!(added.oauth.client_id.as_deref(), Some("abc"));
}

#[test]
fn the_first_server_makes_the_file_and_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(folder.path().join("new/home"));
    Config::add_server(&home, &NewServer::new("a", "https://a.example")).expect("added");
    assert_eq!(
        text_of(&home),
        "[mcp_servers.a]\nurl = \"https://a.example\"\n"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(home.config_file()), 0o600);
        assert_eq!(mode(home.config_folder()), 0o700);
    }
}

#[test]
fn a_refused_addition_leaves_the_file_as_it_was() {
    let before = "[mcp_servers.a]\nurl = \"https://a.example\"\n";
    let (_folder, home) = home_with(before);
    for new in [
        NewServer::new("a", "https://other.example"),
        NewServer::new("b", "http://b.example"),
        NewServer::new("b", "nonsense"),
        NewServer::new("", "https://b.example"),
        NewServer::new("a.b", "https://b.example"),
        NewServer::new("x".repeat(65), "https://b.example"),
    ] {
        Config::add_server(&home, &new).expect_err(&new.name);
        assert_eq!(text_of(&home), before);
    }
}

#[test]
fn removal_takes_the_server_with_its_tables_and_nothing_else() {
    let before = "# top of the file\n\n# about a\n[mcp_servers.a]\nurl = \"https://a.example\"\n\
                  [mcp_servers.a.oauth]\nclient_id = \"x\"\n\n# about b\n[mcp_servers.b]\n\
                  url = \"https://b.example\" # b's\n# the end\n";
    let (_folder, home) = home_with(before);
    Config::remove_server(&home, "a").expect("removed");
    let after = text_of(&home);
    assert_eq!(
        after.trim_start_matches('\n'),
        "# top of the file\n\n# about b\n[mcp_servers.b]\nurl = \"https://b.example\" # b's\n# the end\n"
    );
    assert!(matches!(
        Config::remove_server(&home, "a"),
        Err(ConfigError::UnknownServer { .. })
    ));
    Config::remove_server(&home, "b").expect("removed");
    assert!(text_of(&home).contains("# the end"), "{}", text_of(&home));
}

#[test]
fn inline_servers_can_be_added_to_and_removed_from() {
    let (_folder, home) =
        home_with("mcp_servers = { a = { url = \"https://a.example\" } }\n# end\n");
    let config =
        Config::add_server(&home, &NewServer::new("b", "https://b.example")).expect("added");
    assert_eq!(config.servers().len(), 2);
    let config = Config::remove_server(&home, "a").expect("removed");
    assert_eq!(config.servers()[0].name, "b");
    assert!(text_of(&home).ends_with("# end\n"));
}

#[cfg(unix)]
#[test]
fn a_linked_configuration_stays_a_link_and_keeps_its_permissions() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().join("dotfiles.toml");
    fs::write(&real, "# mine\n").expect("a file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).expect("a mode");
    let home = Home::at(folder.path().join("home"));
    fs::create_dir(home.config_folder()).expect("a folder");
    symlink(&real, home.config_file()).expect("a link");
    Config::add_server(&home, &NewServer::new("a", "https://a.example")).expect("added");
    assert!(
        fs::symlink_metadata(home.config_file())
            .expect("there")
            .is_symlink()
    );
    let text = fs::read_to_string(&real).expect("the file");
    assert!(
        text.starts_with("# mine\n") && text.contains("[mcp_servers.a]"),
        "{text}"
    );
    let mode = fs::metadata(&real).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
}

#[test]
fn additions_at_the_same_time_lose_nothing() {
    let (_folder, home) = home_with("");
    std::thread::scope(|scope| {
        for index in 0..6 {
            let home = &home;
            scope.spawn(move || {
                let new = NewServer::new(format!("s{index}"), "https://a.example");
                Config::add_server(home, &new).expect("added");
            });
        }
    });
    assert_eq!(
        Config::load(&home)
            .expect("a configuration")
            .servers()
            .len(),
        6
    );
}

/// Lines added behind a server's `url`; the line, the key, and parts of what is expected and found.
const WRONG: &[(&str, usize, &str, &str, &str)] = &[
    (
        "url2 = 1\nprotocol = \"2024-01-01\"",
        4,
        "protocol",
        "\"auto\" or",
        "2024-01-01",
    ),
    (
        "enabled = \"yes\"",
        3,
        "enabled",
        "true or false",
        "a string",
    ),
    (
        "startup_timeout_sec = 0",
        3,
        "startup_timeout_sec",
        "seconds",
        "0",
    ),
    (
        "startup_timeout_sec = -1",
        3,
        "startup_timeout_sec",
        "seconds",
        "-1",
    ),
    (
        "tool_timeout_sec = \"5\"",
        3,
        "tool_timeout_sec",
        "seconds",
        "\"5\"",
    ),
    (
        "tool_timeout_sec = nan",
        3,
        "tool_timeout_sec",
        "seconds",
        "nan",
    ),
    ("scopes = [1]", 3, "scopes", "list of scopes", "integer"),
    ("scopes = [\"a b\"]", 3, "scopes", "list of scopes", "a b"),
    (
        "oauth_resource = \"mcp\"",
        3,
        "oauth_resource",
        "absolute URI",
        "mcp",
    ),
    (
        "oauth_resource = \"https://a/#b\"",
        3,
        "oauth_resource",
        "fragment",
        "#b",
    ),
    (
        "trusted_issuer = \"http://as.example\"",
        3,
        "trusted_issuer",
        "issuer",
        "https",
    ),
    (
        "http_headers = [\"a\"]",
        3,
        "http_headers",
        "table of header",
        "array",
    ),
    (
        "http_headers = { \"a b\" = \"c\" }",
        3,
        "http_headers",
        "header",
        "a b",
    ),
    (
        "bearer_token_env_var = \"\"",
        3,
        "bearer_token_env_var",
        "name",
        "empty",
    ),
    (
        "http_headers = { Authorization = \"Bearer x\" }\nbearer_token_env_var = \"T\"",
        4,
        "bearer_token_env_var",
        "one source",
        "another",
    ),
    (
        "[mcp_servers.a.oauth]\nclient_secret = \"s3cret\"",
        4,
        "oauth.client_secret",
        "client_id",
        "alone",
    ),
    (
        "[mcp_servers.a.oauth]\nclient_id = \"i\"\nclient_secret = 7",
        5,
        "oauth.client_secret",
        "secret",
        "integer",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_port = 70000",
        4,
        "oauth.callback_port",
        "65535",
        "70000",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_port = \"3127-3118\"",
        4,
        "oauth.callback_port",
        "range",
        "3127-3118",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_host = \"0.0.0.0\"",
        4,
        "oauth.callback_host",
        "localhost",
        "0.0.0.0",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_url = \"http://localhost/cb\"\ncallback_host = \"::1\"",
        5,
        "oauth.callback_host",
        "callback_url",
        "::1",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_url = \"https://dev.example/cb\"\ncallback_port = \"1-2\"",
        5,
        "oauth.callback_port",
        "one port",
        "1-2",
    ),
    (
        "[mcp_servers.a.oauth]\ncallback_url = \"http://as.example/cb\"",
        4,
        "oauth.callback_url",
        "loopback",
        "https",
    ),
    (
        "[mcp_servers.a.oauth]\nclient_metadata_url = \"https://a.example\"",
        4,
        "oauth.client_metadata_url",
        "path",
        "without a path",
    ),
    (
        "[mcp_servers.a.network]\nclient_certificate = \"c.pem\"",
        4,
        "network.client_certificate",
        "client_key",
        "alone",
    ),
    (
        "[mcp_servers.a.network]\nproxy = \"socks5://p\"",
        4,
        "network.proxy",
        "proxy",
        "something else",
    ),
    (
        "[mcp_servers.a.network]\nhttps_proxy = \"ftp://p\"",
        4,
        "network.https_proxy",
        "none",
        "something else",
    ),
    (
        "[mcp_servers.a.network]\nsystem_roots = \"no\"",
        4,
        "network.system_roots",
        "true or false",
        "string",
    ),
    (
        "http_headers = { X-A = 5 }",
        3,
        "http_headers",
        "env",
        "an integer for x-a",
    ),
    (
        "http_headers = { X-A = {} }",
        3,
        "http_headers",
        "{ env = ",
        "an inline table for x-a",
    ),
    (
        "http_headers = { X-A = { variable = \"A\" } }",
        3,
        "http_headers.X-A.env",
        "one of env, file and command",
        "nothing",
    ),
    (
        "[mcp_servers.a.network]\nallow_networks = [\"10.20.0.0/99\"]",
        4,
        "network.allow_networks",
        "networks",
        "10.20.0.0/99",
    ),
    (
        "http_headers = { X-A = { env = \"A\", file = \"a\" } }",
        3,
        "http_headers.X-A.file",
        "one of env, file and command",
        "a second one",
    ),
    (
        "http_headers = { X-A = { env = \"A\", refresh_sec = 5 } }",
        3,
        "http_headers.X-A.refresh_sec",
        "command beside it",
        "alone",
    ),
    (
        "http_headers = { X-A = { command = [] } }",
        3,
        "http_headers.X-A.command",
        "a program",
        "an empty list",
    ),
    (
        "http_headers = { Authorization = { command = [\"x\"] } }",
        3,
        "http_headers",
        "Authorization as a text",
        "a program, which belongs to the origin",
    ),
    (
        "[mcp_servers.a.network]\ndefault_headers = { Authorization = { env = \"A\" } }",
        4,
        "network.default_headers",
        "every server",
        "authorization",
    ),
    (
        "[mcp_servers.a.oauth.endpoints]\ntoken_endpoint = \"https://as.example/t\"",
        4,
        "oauth.endpoints.authorization_endpoint",
        "a URL",
        "nothing",
    ),
    (
        "[mcp_servers.a.oauth.endpoints]\nauthorization_endpoint = \"https://as.example/a\"",
        4,
        "oauth.endpoints.token_endpoint",
        "a URL",
        "nothing",
    ),
    (
        "[mcp_servers.a.oauth]\nflow = \"device\"\n[mcp_servers.a.oauth.endpoints]\n\
         token_endpoint = \"https://as.example/t\"",
        6,
        "oauth.endpoints.device_authorization_endpoint",
        "a URL",
        "nothing",
    ),
    (
        "[mcp_servers.a.oauth.endpoints]\nauthorization_endpoint = \"https://as.example/a\"\n\
         token_endpoint = \"https://as.example/t\"",
        3,
        "oauth.endpoints",
        "issuer beside it",
        "alone",
    ),
    (
        "[mcp_servers.a.network]\ndefault_headers = { Cookie = \"x\" }",
        4,
        "network.default_headers",
        "every server",
        "cookie",
    ),
    (
        "[mcp_servers.a.network.origin_headers]\n\"gw.example\" = { X-A = \"b\" }",
        4,
        "network.origin_headers.gw.example",
        "origin",
        "gw.example",
    ),
];
