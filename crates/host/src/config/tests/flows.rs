//! `[mcp_servers.<name>.oauth]`: flows, their tables and their keys.

use doorkey_discovery::Issuer;
use doorkey_oauth::{ClientAuthMethod, DpopChoice};

use super::*;

/// The settings of a server with these lines below `[mcp_servers.a.oauth]`.
fn oauth(lines: &str) -> OAuthSettings {
    let config = parse(&text(lines)).unwrap_or_else(|error| panic!("{lines}\n{error}"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    config.servers()[0].oauth.clone()
}

fn text(lines: &str) -> String {
    format!("[mcp_servers.a]\nurl = \"https://m.example\"\n[mcp_servers.a.oauth]\n{lines}\n")
}

#[test]
fn without_a_word_a_person_signs_in_in_a_browser() {
    let settings = oauth("");
    assert_eq!(settings.flow, FlowSettings::AuthorizationCode);
    assert_eq!(settings.dpop, DpopChoice::Auto);
    assert!(!settings.accept_discovered_issuer);
    assert_eq!(settings, oauth("flow = \"authorization_code\""));
    assert_eq!(settings, OAuthSettings::default());
}

#[test]
fn a_device_needs_no_more_than_the_word() {
    let oauth = oauth("flow = \"device\"\ndpop = \"require\"");
    assert_eq!(oauth.flow, FlowSettings::Device);
    assert_eq!(oauth.dpop, DpopChoice::Require);
    assert!(!oauth.flow.is_unattended());
}

#[test]
fn client_credentials_are_a_secret_or_a_key_and_an_issuer_cc_07() {
    let by_secret = oauth(
        "flow = \"client_credentials\"\nclient_id = \"i\"\nclient_secret_env = \"S\"\n\
         issuer = \"https://as.example\"",
    );
    assert_eq!(by_secret.flow, FlowSettings::ClientCredentials);
    let secret = by_secret.credentials.secret.as_ref();
    assert_eq!(secret, Some(&SecretSource::Variable("S".to_owned())));
    assert_eq!(
        by_secret.bound_issuer().map(Issuer::as_str),
        Some("https://as.example")
    );

    let by_key = oauth(
        "flow = \"client_credentials\"\nclient_id = \"i\"\nprivate_key_file = \"key.pem\"\n\
         private_key_id = \"2026\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\n\
         assertion_audience = \"https://as.example/token\"\naccept_discovered_issuer = true",
    );
    let key = by_key.credentials.private_key;
    let file = Path::new("/home/ada/doorkey/key.pem").to_owned();
    assert_eq!(key, Some(SecretSource::File(file)));
    assert_eq!(by_key.credentials.private_key_id.as_deref(), Some("2026"));
    let method = by_key.credentials.auth_method;
    assert_eq!(method, Some(ClientAuthMethod::PrivateKeyJwt));
    assert!(by_key.accept_discovered_issuer);
    let audience = by_key.assertion_audience.as_deref();
    assert_eq!(audience, Some("https://as.example/token"));
}

#[test]
fn the_jwt_of_a_workload_comes_from_one_of_four_places_wif_06() {
    let place = |lines: &str| {
        let oauth = oauth(&format!(
            "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\n{lines}"
        ));
        match oauth.flow {
            FlowSettings::WorkloadIdentity(workload) => workload.assertion,
            other => panic!("{other:?}"),
        }
    };
    let file = place("file = \"~/token\"\njson_member = \"jwt\"");
    let path = Path::new("/home/ada/doorkey/~/token").to_owned();
    assert_eq!(file.place, AssertionPlace::File(path));
    assert_eq!(file.json_member.as_deref(), Some("jwt"));
    let variable = place("env = \"JWT\"");
    assert_eq!(variable.place, AssertionPlace::Variable("JWT".to_owned()));
    let url = place(
        "url = \"http://169.254.169.254/t?audience=x\"\n\
         headers = { Metadata-Flavor = \"Google\" }\nenv_headers = { X-Key = \"KEY\" }",
    );
    match url.place {
        AssertionPlace::Url {
            url,
            headers,
            env_headers,
        } => {
            assert_eq!(url.as_str(), "http://169.254.169.254/t?audience=x");
            assert!(headers["metadata-flavor"].is_sensitive());
            assert_eq!(env_headers[0].1, "KEY");
        }
        other => panic!("{other:?}"),
    }
    for (line, program, arguments) in [
        (
            "command = [\"gcloud\", \"print\"]",
            "gcloud",
            &["print"][..],
        ),
        (
            "command = [\"./bin/jwt\"]",
            "/home/ada/doorkey/./bin/jwt",
            &[],
        ),
        (
            "command = [\"/usr/bin/jwt\", \"a b\"]",
            "/usr/bin/jwt",
            &["a b"],
        ),
    ] {
        let expected = AssertionPlace::Command {
            program: program.into(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        };
        assert_eq!(place(line).place, expected);
    }
}

#[test]
fn a_workload_is_bound_to_the_issuer_of_either_table_wif_08() {
    for lines in [
        "issuer = \"https://as.example\"\n[mcp_servers.a.oauth.workload]\nenv = \"T\"",
        "[mcp_servers.a.oauth.workload]\nenv = \"T\"\nissuer = \"https://as.example\"",
    ] {
        let oauth = oauth(&format!("flow = \"workload_identity\"\n{lines}"));
        let issuer = oauth.bound_issuer().map(Issuer::as_str);
        assert_eq!(issuer, Some("https://as.example"), "{lines}");
    }
}

#[test]
fn an_identity_provider_is_described_by_an_administrator_ema_11() {
    let provider = |lines: &str| {
        let oauth = oauth(&format!(
            "flow = \"enterprise_managed\"\nclient_id = \"i\"\n\
             [mcp_servers.a.oauth.identity_provider]\nissuer = \"https://sso.example\"\n\
             client_id = \"desk\"\n{lines}"
        ));
        match oauth.flow {
            FlowSettings::EnterpriseManaged(provider) => *provider,
            other => panic!("{other:?}"),
        }
    };
    let sign_on = provider(
        "token_endpoint = \"https://sso.example/token\"\nclient_secret_env = \"SSO\"\n\
         token_endpoint_auth_method = \"client_secret_post\"\nscopes = [\"email\"]",
    );
    assert_eq!(sign_on.issuer.as_str(), "https://sso.example");
    assert_eq!(sign_on.client_id, "desk");
    let endpoint = sign_on.token_endpoint.as_ref().map(url::Url::as_str);
    assert_eq!(endpoint, Some("https://sso.example/token"));
    let method = sign_on.credentials.auth_method;
    assert_eq!(method, Some(ClientAuthMethod::Post));
    assert_eq!(sign_on.scopes, ["email"]);
    assert_eq!(sign_on.identity, IdentitySettings::SignOn);

    let table = "[mcp_servers.a.oauth.identity_provider";
    match provider(&format!("{table}.id_token]\nenv = \"ID\"")).identity {
        IdentitySettings::IdToken(from) => {
            assert_eq!(from.place, AssertionPlace::Variable("ID".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    match provider(&format!("{table}.saml_assertion]\nfile = \"/saml\"")).identity {
        IdentitySettings::SamlAssertion(from) => {
            assert_eq!(from.place, AssertionPlace::File("/saml".into()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_fit_together_is_told_at_the_key() {
    for (lines, line, key, expected, found) in WRONG {
        let (at, full, wanted, there) = wrong(&text(lines));
        let expected_key = format!("mcp_servers.a.oauth.{key}");
        assert_eq!((at, full), (*line, expected_key), "{lines}");
        assert!(wanted.contains(expected), "{lines}: expected {wanted}");
        assert!(there.contains(found), "{lines}: found {there}");
    }
}

#[test]
fn keys_that_a_flow_takes_no_notice_of_are_told_and_harmless() {
    let workload = "[mcp_servers.a.oauth.workload]\nenv = \"T\"";
    for (lines, key, because) in [
        (
            "flow = \"device\"\ncallback_port = 1",
            "callback_port",
            "device",
        ),
        (
            "flow = \"device\"\nauthorize_params = { a = \"b\" }",
            "authorize_params",
            "device",
        ),
        (
            &format!("flow = \"workload_identity\"\noffline_access = false\n{workload}"),
            "offline_access",
            "workload_identity",
        ),
        (
            &format!(
                "flow = \"workload_identity\"\ncallback_url = \"http://localhost/\"\n{workload}"
            ),
            "callback_url",
            "workload_identity",
        ),
        (
            "accept_discovered_issuer = true",
            "accept_discovered_issuer",
            "authorization_code",
        ),
        (
            "assertion_audience = \"x\"",
            "assertion_audience",
            "private_key",
        ),
        (
            &format!("flow = \"workload_identity\"\n{workload}\nfiles = \"x\""),
            "workload.files",
            "did you mean `file`",
        ),
    ] {
        let config = parse(&text(lines)).expect(lines);
        let told: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let full = format!("mcp_servers.a.oauth.{key}");
        assert!(
            told[0].contains(&full) && told[0].contains(because),
            "{told:?}"
        );
    }
}

#[test]
fn a_sign_on_in_a_browser_may_choose_its_way_back() {
    let lines = "flow = \"enterprise_managed\"\nclient_id = \"i\"\ncallback_port = 3118\n\
                 [mcp_servers.a.oauth.identity_provider]\nissuer = \"https://sso.example\"\n\
                 client_id = \"desk\"";
    assert_eq!(oauth(lines).callback_port, Some(3118.into()));
}

#[test]
fn no_private_key_and_no_header_of_a_source_is_repeated_wif_07() {
    let key = "-----BEGIN PRIVATE KEY-----\\ns3cret\\n-----END PRIVATE KEY-----";
    let source = "[mcp_servers.a.oauth.workload]\nurl = \"http://127.0.0.1:9/\"\n";
    for lines in [
        format!("client_id = \"i\"\nprivate_key = \"{key}\""),
        format!("flow = \"workload_identity\"\n{source}headers = {{ X-Key = \"s3cret\" }}"),
        format!("private_key = \"{key}\""),
        format!("client_id = \"i\"\nprivate_key = [\"{key}\"]"),
        format!("flow = \"workload_identity\"\n{source}headers = {{ X-Key = [\"s3cret\"] }}"),
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\nurl = \"http://a:s3cret@b/\""
            .to_owned(),
    ] {
        let shown = match parse(&text(&lines)) {
            Ok(config) => format!("{config:?}"),
            Err(error) => format!("{error} {error:?} {:?}", error.example()),
        };
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn a_metadata_url_has_no_dot_segments_as_it_is_written_reg_08() {
    for (url, accepted) in [
        ("https://a.example/client.json", true),
        ("https://a.example:8443/a/b.json?x=../y", true),
        ("https://a.example/.well-known/...", true),
        ("https://a.example/a/../client.json", false),
        ("https://a.example/./client.json", false),
        ("https://a.example/a/..", false),
        ("https://a.example/a/%2E%2e/b", false),
        ("https://a.example/a\\\\..\\\\b", false),
        ("https://a.example/", false),
        ("https://a.example/a#b", false),
        ("https://u:p@a.example/a", false),
        ("http://127.0.0.1/a", false),
    ] {
        let outcome = parse(&text(&format!("client_metadata_url = \"{url}\"")));
        assert_eq!(outcome.is_ok(), accepted, "{url}: {outcome:?}");
    }
}

/// Lines below `[mcp_servers.a.oauth]`; the line, the key, and parts of what is expected and found.
const WRONG: &[(&str, usize, &str, &str, &str)] = &[
    ("flow = \"browser\"", 4, "flow", "\"device\" or", "browser"),
    (
        "flow = \"client_credentials\"",
        4,
        "flow",
        "client_id beside",
        "alone",
    ),
    (
        "client_id = \"i\"\nflow = \"client_credentials\"",
        5,
        "flow",
        "client_secret or private_key",
        "alone",
    ),
    (
        "flow = \"workload_identity\"",
        4,
        "flow",
        "the table workload",
        "alone",
    ),
    (
        "flow = \"enterprise_managed\"",
        4,
        "flow",
        "identity_provider",
        "alone",
    ),
    (
        "flow = \"enterprise_managed\"\n[mcp_servers.a.oauth.identity_provider]\n\
         issuer = \"https://sso.example\"\nclient_id = \"desk\"",
        4,
        "flow",
        "client_id or client_metadata_url",
        "alone",
    ),
    (
        "[mcp_servers.a.oauth.workload]\nenv = \"T\"",
        4,
        "workload",
        "flow = \"workload_identity\"",
        "authorization_code",
    ),
    (
        "flow = \"device\"\n[mcp_servers.a.oauth.identity_provider]\nissuer = \"x\"",
        5,
        "identity_provider",
        "flow = \"enterprise_managed\"",
        "device",
    ),
    (
        "flow = \"workload_identity\"\nclient_id = \"i\"\nclient_secret = \"s\"\n\
         workload = { env = \"T\" }",
        6,
        "client_secret",
        "no credentials",
        "some",
    ),
    (
        "flow = \"workload_identity\"\nissuer = \"https://a.example\"\n\
         workload = { env = \"T\", issuer = \"https://b.example\" }",
        6,
        "workload.issuer",
        "one issuer",
        "second",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\njson_member = \"x\"",
        6,
        "workload.file",
        "one of file, env, url and command",
        "nothing",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\nenv = \"T\"\nfile = \"t\"",
        6,
        "workload.env",
        "one of file",
        "second",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\ncommand = []",
        6,
        "workload.command",
        "a program and its arguments",
        "empty list",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\ncommand = \"a | b\"",
        6,
        "workload.command",
        "a list of a program",
        "a string",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\nurl = \"ftp://a.example\"",
        6,
        "workload.url",
        "https or http",
        "ftp",
    ),
    (
        "flow = \"workload_identity\"\n[mcp_servers.a.oauth.workload]\nenv = \"T\"\n\
         headers = { A = \"b\" }",
        7,
        "workload.headers",
        "url beside it",
        "alone",
    ),
    (
        "flow = \"enterprise_managed\"\nclient_id = \"i\"\n\
         identity_provider = { client_id = \"desk\" }",
        6,
        "identity_provider.issuer",
        "the issuer of an identity provider",
        "nothing",
    ),
    (
        "flow = \"enterprise_managed\"\nclient_id = \"i\"\n\
         identity_provider = { issuer = \"https://sso.example\" }",
        6,
        "identity_provider.client_id",
        "a client id",
        "nothing",
    ),
    (
        "flow = \"enterprise_managed\"\nclient_id = \"i\"\n\
         identity_provider = { issuer = \"http://sso.example\", client_id = \"desk\" }",
        6,
        "identity_provider.issuer",
        "issuer",
        "https",
    ),
    (
        "flow = \"enterprise_managed\"\nclient_id = \"i\"\n[mcp_servers.a.oauth.identity_provider]\n\
         issuer = \"https://sso.example\"\nclient_id = \"desk\"\nid_token = { env = \"A\" }\n\
         saml_assertion = { env = \"B\" }",
        10,
        "identity_provider.saml_assertion",
        "one of id_token and saml_assertion",
        "second",
    ),
    (
        "client_id = \"i\"\nprivate_key_env = \"K\"\nprivate_key_file = \"k\"",
        6,
        "private_key_file",
        "one of private_key, private_key_env and private_key_file",
        "second",
    ),
    (
        "private_key_file = \"k\"",
        4,
        "private_key_file",
        "client_id",
        "alone",
    ),
    (
        "client_id = \"i\"\nprivate_key_id = \"k\"",
        5,
        "private_key_id",
        "a private key beside",
        "alone",
    ),
    (
        "client_id = \"i\"\ntoken_endpoint_auth_method = \"private_key_jwt\"",
        5,
        "token_endpoint_auth_method",
        "a private key beside",
        "alone",
    ),
    ("dpop = \"on\"", 4, "dpop", "\"auto\" or \"prefer\"", "on"),
    (
        "accept_discovered_issuer = \"yes\"",
        4,
        "accept_discovered_issuer",
        "true or false",
        "a string",
    ),
];
