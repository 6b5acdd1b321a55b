//! The environment and the tables, and the profile that comes of them.

mod in_force;

use std::fs;

use doorkey_http::{HttpProfile, Origin, Roots};
use secrecy::ExposeSecret as _;

use super::*;
use crate::{Config, Home};

fn config(text: &str) -> Config {
    let text = format!("[mcp_servers.a]\nurl = \"https://mcp.example/mcp\"\n{text}");
    Config::parse(&Home::at("/nonexistent/home"), &text).expect("a configuration")
}

fn profile_of(environment: &Environment, text: &str) -> Result<HttpProfile, NetworkError> {
    let config = config(text);
    let server = &config.servers()[0];
    let network = NetworkInForce::of(environment, config.network(), server);
    let values = network.known_values(environment)?;
    network.profile(&values)
}

/// The message with all its causes.
fn told(error: &NetworkError) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn without_settings_the_system_is_trusted_and_no_proxy_used() {
    let profile = profile_of(&Environment::default(), "").expect("a profile");
    assert!(matches!(profile.roots, Roots::System));
    assert!(profile.proxy.https.is_none() && profile.proxy.http.is_none());
    assert_eq!(
        profile.resource.expect("a resource").as_str(),
        "https://mcp.example/mcp"
    );
}

#[test]
fn a_missing_or_empty_bundle_is_told_with_variable_and_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "no certificate here\n").expect("a file");
    let missing = folder.path().join("missing.pem");
    let empty_folder = folder.path().join("certs");
    fs::create_dir(&empty_folder).expect("a folder");
    fs::write(empty_folder.join("README"), "nothing").expect("a file");
    for (variable, path) in [
        ("SSL_CERT_FILE", &empty),
        ("SSL_CERT_FILE", &missing),
        ("DOORKEY_CA_CERTIFICATE", &empty),
        ("DOORKEY_CA_CERTIFICATE", &missing),
        ("SSL_CERT_DIR", &missing),
        ("SSL_CERT_DIR", &empty_folder),
    ] {
        let environment = Environment::new([(variable, path.as_os_str())]);
        let error = profile_of(&environment, "").expect_err(variable);
        let text = told(&error);
        let path = path.display().to_string();
        assert!(text.contains(variable) && text.contains(&path), "{text}");
    }
    let text = "[network]\nca_certificates = [\"none.pem\"]\n";
    let told = told(&profile_of(&Environment::default(), text).expect_err(text));
    assert!(
        told.contains("ca_certificates") && told.contains("none.pem"),
        "{told}"
    );
}

#[test]
fn proxies_come_from_the_environment_unless_the_configuration_names_one() {
    let environment = Environment::new([
        ("HTTPS_PROXY", "http://upper.example:1"),
        ("https_proxy", "http://lower.example:2"),
        ("http_proxy", "http://plain.example:3"),
    ]);
    let profile = profile_of(&environment, "").expect("a profile");
    let shown = format!("{:?}", profile.proxy);
    assert!(
        shown.contains("upper.example") && shown.contains("plain.example"),
        "{shown}"
    );
    let text = "[network]\nproxy = \"http://configured.example:4\"\n";
    let shown = format!(
        "{:?}",
        profile_of(&environment, text).expect("a profile").proxy
    );
    assert!(
        shown.contains("configured.example") && !shown.contains("upper.example"),
        "{shown}"
    );
}

#[test]
fn a_proxy_variable_that_a_web_server_may_have_made_of_a_header_is_not_believed() {
    let plain = Environment::new([("HTTP_PROXY", "http://evil.example:1")]);
    assert!(
        profile_of(&plain, "")
            .expect("a profile")
            .proxy
            .http
            .is_some()
    );
    let gateway = plain.with_variable("REQUEST_METHOD", "GET");
    assert!(
        profile_of(&gateway, "")
            .expect("a profile")
            .proxy
            .http
            .is_none()
    );
}

#[test]
fn a_proxy_variable_that_names_none_is_told() {
    let environment = Environment::new([("HTTPS_PROXY", "socks5://ada:s3cret@proxy")]);
    let text = told(&profile_of(&environment, "").expect_err("no proxy"));
    assert!(
        text.contains("HTTPS_PROXY") && !text.contains("s3cret"),
        "{text}"
    );
}

#[test]
fn header_values_come_from_the_environment_and_are_sensitive() {
    let environment = Environment::new([("TEAM_KEY", "k3y")]);
    let text = "env_http_headers = { X-Key = \"TEAM_KEY\" }\nhttp_headers = { X-Team = \"t\" }\n";
    let profile = profile_of(&environment, text).expect("a profile");
    assert_eq!(profile.resource_headers["x-key"], "k3y");
    assert!(
        profile
            .resource_headers
            .values()
            .all(HeaderValue::is_sensitive)
    );
    let text = told(&profile_of(&Environment::default(), text).expect_err("not set"));
    assert!(
        text.contains("TEAM_KEY") && text.contains("env_http_headers.x-key"),
        "{text}"
    );
}

#[test]
fn a_static_authorization_header_becomes_the_bearer_token() {
    let environment = Environment::new([("TOKEN", " t0ken\n"), ("HEADER", "bearer t0ken")]);
    for text in [
        "bearer_token_env_var = \"TOKEN\"\n",
        "http_headers = { Authorization = \"Bearer t0ken\" }\n",
        "env_http_headers = { Authorization = \"HEADER\" }\n",
        "http_headers = { Authorization = { env = \"HEADER\" } }\n",
    ] {
        let config = config(text);
        let server = &config.servers()[0];
        let token = bearer(&environment, server).expect(text).expect("a token");
        assert_eq!(token.expose_secret(), "t0ken", "{text}");
        let headers = profile_of(&environment, text).expect(text).resource_headers;
        assert!(!headers.contains_key("authorization"), "{text}");
    }
}

#[test]
fn another_kind_of_authorization_header_is_refused_by_the_key_it_stands_under() {
    let environment = Environment::new([("HEADER", "Basic s3cret")]);
    for (text, key) in [
        (
            "http_headers = { Authorization = \"Basic s3cret\" }\n",
            "http_headers of",
        ),
        (
            "env_http_headers = { Authorization = \"HEADER\" }\n",
            "env_http_headers.authorization of",
        ),
    ] {
        let error = bearer(&environment, &config(text).servers()[0]).expect_err(text);
        let told = told(&error);
        assert!(told.starts_with(key) && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn what_the_configuration_names_is_the_users_word_and_only_for_its_leg_ema_11() {
    let oauth = "[mcp_servers.a.oauth]\nclient_id = \"i\"\n";
    let addresses = |lines: &str| {
        let text = format!("{oauth}{lines}");
        let profile = profile_of(&Environment::default(), &text).expect("a profile");
        let shown = |origins: Vec<Origin>| {
            let shown: Vec<_> = origins.iter().map(ToString::to_string).collect();
            shown.join(" ")
        };
        let addresses = profile.addresses;
        (shown(addresses.allow), shown(addresses.workload))
    };
    let provider = "flow = \"enterprise_managed\"\n[mcp_servers.a.oauth.identity_provider]\n\
                    issuer = \"https://sso.corp/tenant\"\nclient_id = \"desk\"\n";
    let none = String::new;
    assert_eq!(addresses("flow = \"device\""), (none(), none()));
    let sso = "https://sso.corp".to_owned();
    assert_eq!(addresses(provider), (sso, none()));
    let both = format!(
        "{provider}token_endpoint = \"https://tokens.corp:8443/t\"\n\
         id_token = {{ url = \"http://10.0.0.1/id\" }}"
    );
    assert_eq!(
        addresses(&both),
        (
            "https://sso.corp https://tokens.corp:8443".to_owned(),
            "http://10.0.0.1".to_owned()
        )
    );
    let workload = "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\n";
    for (source, places) in [
        (
            "url = \"http://169.254.169.254/a?b\"",
            "http://169.254.169.254",
        ),
        ("env = \"T\"", ""),
    ] {
        let found = addresses(&format!("{workload}{source}"));
        assert_eq!(found, (none(), places.to_owned()));
    }
}

#[test]
fn the_own_origin_is_allowed_by_allow_origins_alone_and_keeps_being_held_to_the_login_sec_05() {
    let own = "https://mcp.example";
    for (settings, allowed) in [
        (format!("trusted_issuer = \"{own}/\"\n"), &[][..]),
        (
            format!(
                "[mcp_servers.a.oauth]\nclient_id = \"a\"\nissuer = \"{own}/as\"\n\
                 [mcp_servers.a.oauth.endpoints]\n\
                 authorization_endpoint = \"{own}/authorize\"\n\
                 token_endpoint = \"https://tokens.corp/token\"\n"
            ),
            &["https://tokens.corp"],
        ),
        (
            format!("trusted_issuer = \"{own}\"\n[network]\nallow_origins = [\"{own}\"]\n"),
            &[own],
        ),
    ] {
        let profile = profile_of(&Environment::default(), &settings).expect("a profile");
        let found: Vec<_> = profile
            .addresses
            .allow
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, allowed, "{settings}");
    }
}
