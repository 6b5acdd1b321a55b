//! Endpoints and headers, and how they are mistyped.

use super::*;

#[test]
fn an_endpoint_is_https_or_loopback_without_credentials_and_fragment() {
    for (endpoint, found) in [
        ("http://as.example/t", "http"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("https://ada:s3cret@as.example/t", ""),
        ("https://as.example/t#x", "fragment"),
        ("as.example/t", "no URL"),
    ] {
        for key in [
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "revocation_endpoint",
            "device_authorization_endpoint",
            "pushed_authorization_request_endpoint",
        ] {
            let told = wrong(&format!(
                "[mcp_servers.a]\nurl = \"https://mcp.example\"\n[mcp_servers.a.oauth]\n\
                 issuer = \"https://as.example\"\n[mcp_servers.a.oauth.endpoints]\n{key} = \"{endpoint}\"\n"
            ));
            let full_key = format!("mcp_servers.a.oauth.endpoints.{key}");
            assert_eq!((told.0, told.1), (6, full_key), "{endpoint}");
            assert!(
                told.3.contains(found) && !told.3.contains("s3cret"),
                "{}",
                told.3
            );
        }
    }
}

#[test]
fn what_is_misspelt_in_a_header_is_told_wherever_headers_are() {
    let config = parse(
        "[network]\ndefault_headers = { X-Route = { env = \"R\", refresh = 3 } }\n\
         [network.origin_headers.\"https://gw.example\"]\nX-Key = { file = \"key\", ttl = 3 }\n\
         [mcp_servers.a]\nurl = \"https://m.example\"\n\
         http_headers = { X-Key = { command = [\"k\"], refresh = 3 } }\n",
    )
    .expect("a configuration");
    let told: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, key) in [
        (2, "network.default_headers.X-Route.refresh"),
        (4, "network.origin_headers.https://gw.example.X-Key.ttl"),
        (7, "mcp_servers.a.http_headers.X-Key.refresh"),
    ] {
        let text = format!(":{line}: unknown key {key}");
        assert!(told.iter().any(|told| told.contains(&text)), "{told:?}");
    }
}

#[test]
fn an_authorization_from_a_program_or_a_file_is_told_where_it_belongs_in_words_that_can_be_pasted()
{
    let server = "[mcp_servers.a]\nurl = \"https://mcp.example:8443/mcp\"\n";
    for from in ["command = [\"x\"]", "file = \"x\""] {
        let text = format!("{server}http_headers = {{ Authorization = {{ {from} }} }}\n");
        let Err(ConfigError::Value(refused)) = parse(&text) else {
            panic!("{from}");
        };
        let config = parse(&format!("{server}{}\n", refused.example)).expect(&refused.example);
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        let (origin, headers) = &config.servers()[0].network.origin_headers[0];
        assert_eq!(origin.to_string(), "https://mcp.example:8443");
        let source = headers.get(&http::header::AUTHORIZATION);
        let kind = from.split(' ').next().expect("a word");
        let told = source.expect("a header").to_string();
        assert!(told.starts_with(kind), "{told}");
    }
}

#[test]
fn what_looks_like_a_secret_and_goes_to_everyone_is_told_with_where_it_belongs() {
    let config = parse(
        "[network]\ndefault_headers = { X-Route = { env = \"R\" }, X-Api-Key = \"k\" }\n\
         [mcp_servers.a]\nurl = \"https://m.example\"\n\
         http_headers = { X-Token = { env = \"T\" } }\n\
         [mcp_servers.a.network.default_headers]\n\
         X-Site = { file = \"site\" }\n\
         X-Gateway-Token = { env = \"T\" }\nX-API-KEY = { file = \"key\" }\n\
         x-authenticated = { command = [\"print\"] }\n",
    )
    .expect("a configuration");
    let told: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, (line, key)) in told.iter().zip([
        (8, "X-Gateway-Token"),
        (9, "X-API-KEY"),
        (10, "x-authenticated"),
    ]) {
        let place =
            format!(":{line}: mcp_servers.a.network.default_headers.{key} is seen by every");
        assert!(told.contains(&place), "{told}");
        assert!(told.contains("it belongs in http_headers"), "{told}");
    }
}

#[test]
fn a_program_brings_network_settings_of_its_own() {
    let text = "[network]\nuser_agent = \"x\"\n[mcp_servers.a]\nurl = \"https://m.example\"\n";
    let mut settings = NetworkSettings {
        system_roots: Some(false),
        proxy: Some(ProxySetting::Direct),
        ..NetworkSettings::default()
    };
    let header = HeaderSource::Command(HeaderCommand::new("print", Vec::new()));
    settings
        .default_headers
        .insert("x-route".parse().expect("a name"), header);
    let config = parse(text).expect("a configuration").with_network(settings);
    assert_eq!(config.network().user_agent, None);
    let host = crate::Host::new(
        crate::Environment::default(),
        Home::at("unused"),
        config,
        doorkey_store::Store::memory(),
    );
    let network = host.network_of("a").expect("a server");
    assert_eq!(network.proxies.https.set_by.to_string(), "[network]");
    assert_eq!(network.headers[0].scope, crate::HeaderScope::Everyone);
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(folder.path());
    fs::write(home.config_file(), vec![b'#'; 5 * 1024 * 1024]).expect("a file");
    for refused in [
        Config::load(&home).map(drop),
        Config::add_server(&home, &NewServer::new("a", "https://a.example")).map(drop),
    ] {
        let error = refused.expect_err("it is too large");
        let cause = std::error::Error::source(&error)
            .expect("a cause")
            .to_string();
        assert_eq!(cause, "larger than 4 MiB");
    }
}
