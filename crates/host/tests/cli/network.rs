//! What `get` shows of the network in force, and what a header costs that cannot be had.

use doorkey_testkit::{CertificateAuthority, Leg, McpServer, Recorder};

use super::*;

/// Every kind of setting, and a secret wherever one can be.
const ALL: &str = r#"
[network]
ca_certificates = ["company-ca.pem", "missing.pem"]
client_certificate = "me.pem"
client_key = "me-key.pem"
https_proxy = "http://ada:s3cret@proxy.corp.example:3128"
http_proxy = "none"
total_timeout_sec = 45
default_headers = { X-Route = { env = "SITE" } }
allow_origins = ["https://files.corp.example"]
allow_networks = ["10.20.0.0/16"]

[network.origin_headers."https://gateway.corp.example"]
X-Gateway-Token = { command = ["corp-login", "--secret", "s3cret"], refresh_sec = 600 }
X-Gateway-User = { file = "gateway-user" }

[mcp_servers.one]
url = "https://mcp.example.com/mcp"
http_headers = { X-Team = "s3cret" }
env_http_headers = { X-Key = "KEY" }

[mcp_servers.one.oauth]
client_id = "doorkey-desktop"
issuer = "https://login.corp.example"

[mcp_servers.one.oauth.endpoints]
authorization_endpoint = "https://login.corp.example/authorize"
token_endpoint = "https://tokens.corp.example/token"

[mcp_servers.one.network]
ca_certificates = ["own-ca.pem"]
connect_timeout_sec = 2.5
http2 = false
"#;

const PAGE: &str = "\
network
  system_roots           trusted (default)
  ca_certificates        HOME/company-ca.pem, 2 certificates ([network])
                         HOME/missing.pem cannot be used: No such file or directory (os error 2) ([network])
                         HOME/own-ca.pem, 1 certificate ([mcp_servers.one.network])
  client_certificate     HOME/me.pem with the key HOME/me-key.pem ([network])
  https_proxy            http://proxy.corp.example:3128/, with credentials that are not shown ([network])
  http_proxy             none ([network])
  no_proxy               localhost, .corp (variable NO_PROXY)
  connect_timeout_sec    2.5 ([mcp_servers.one.network])
  read_timeout_sec       60 (default)
  total_timeout_sec      45 ([network])
  user_agent             doorkey/VERSION (default)
  http2                  false ([mcp_servers.one.network])
  allow_origins          https://files.corp.example ([network])
                         https://login.corp.example ([mcp_servers.one.oauth])
                         https://tokens.corp.example ([mcp_servers.one.oauth.endpoints])
  allow_networks         10.20.0.0/16 ([network])
headers
  x-gateway-token        to https://gateway.corp.example, from command corp-login every 600 s ([network])
  x-gateway-user         to https://gateway.corp.example, from file HOME/gateway-user ([network])
  x-key                  to https://mcp.example.com, from variable KEY ([mcp_servers.one])
  x-team                 to https://mcp.example.com, as written ([mcp_servers.one])
  x-route                to everyone, from variable SITE ([network])
";

fn full_scene() -> Scene {
    let scene = Scene::new(ALL)
        .with("NO_PROXY", "localhost, .corp")
        .with("HTTPS_PROXY", "http://other:s3cret@unused")
        .with("KEY", "s3cret")
        .with("SITE", "s3cret");
    let authority = CertificateAuthority::new().unwrap();
    let me = authority.issue_client("me").unwrap();
    for (name, text) in [
        (
            "company-ca.pem",
            format!(
                "{0}{1}",
                authority.pem(),
                CertificateAuthority::new().unwrap().pem()
            ),
        ),
        ("own-ca.pem", authority.pem()),
        ("me.pem", me.certificate_pem().to_owned()),
        ("me-key.pem", me.key_pem().to_owned()),
        ("gateway-user", "s3cret".to_owned()),
    ] {
        fs::write(scene.folder.path().join(name), text).unwrap();
    }
    scene
}

#[cfg(unix)]
#[test]
fn get_shows_every_network_setting_in_force_and_who_said_so_and_no_secret() {
    let scene = full_scene();
    let ran = scene.run(&["get", "one", "--table"]).expect(0, &[]);
    let home = scene.folder.path().display().to_string();
    let shown = ran.out.replace(&home, "HOME");
    let page = PAGE.replace("VERSION", env!("CARGO_PKG_VERSION"));
    let network = shown.find("network\n").map(|start| &shown[start..]);
    assert_eq!(network, Some(page.as_str()), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
    for endpoint in [
        "endpoints              authorization_endpoint https://login.corp.example/authorize\n",
        "token_endpoint https://tokens.corp.example/token\n",
    ] {
        assert!(shown.contains(endpoint), "{shown}");
    }
}

#[test]
fn get_has_the_same_in_json_for_programs() {
    let scene = full_scene();
    let ran = scene.run(&["get", "one", "--json"]).expect(0, &[]);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
    let network = &ran.json()["network"];
    let table = "[mcp_servers.one.network]";
    let path = |name: &str| scene.folder.path().join(name).display().to_string();
    for (key, expected) in [
        (
            "system_roots",
            json!({ "value": "trusted", "set_by": "default" }),
        ),
        ("http2", json!({ "value": false, "set_by": table })),
        (
            "connect_timeout_sec",
            json!({ "value": 2.5, "set_by": table }),
        ),
        (
            "total_timeout_sec",
            json!({ "value": 45.0, "set_by": "[network]" }),
        ),
        (
            "https_proxy",
            json!({
                "value": "http://proxy.corp.example:3128/", "credentials": true, "set_by": "[network]",
            }),
        ),
        (
            "http_proxy",
            json!({ "value": null, "set_by": "[network]" }),
        ),
        (
            "no_proxy",
            json!({ "value": ["localhost", ".corp"], "set_by": "variable NO_PROXY" }),
        ),
        (
            "client_certificate",
            json!({
                "path": path("me.pem"), "key": path("me-key.pem"), "certificates": 1,
                "set_by": "[network]",
            }),
        ),
    ] {
        assert_eq!(network[key], expected, "{key}");
    }
    assert_eq!(network["ca_certificates"][0]["certificates"], 2);
    assert!(network["ca_certificates"][1]["error"].is_string());
    let expected = json!({
        "name": "x-gateway-token", "scope": "origin", "to": "https://gateway.corp.example",
        "command": "corp-login", "refresh_sec": 600.0, "set_by": "[network]",
    });
    assert_eq!(network["headers"][0], expected);
}

#[test]
fn what_cannot_be_used_is_shown_and_does_not_keep_get_from_showing_the_rest() {
    let scene = Scene::new("[mcp_servers.one]\nurl = \"https://one.example/mcp\"\n")
        .with("HTTPS_PROXY", "socks5://ada:s3cret@proxy");
    let ran = scene.run(&["get", "one", "--table"]).expect(
        0,
        &["https_proxy            cannot be used: a proxy URL begins with http:// or https://"],
    );
    assert!(ran.out.contains("(variable HTTPS_PROXY)"), "{}", ran.out);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
}

#[cfg(unix)]
#[test]
fn get_says_of_a_header_that_its_value_cannot_be_had_and_shows_the_trusted_issuer() {
    let scene = Scene::new(
        "[mcp_servers.one]\nurl = \"https://one.example/mcp\"\n\
         trusted_issuer = \"https://login.example/tenant\"\n\
         http_headers = { X-Key = { env = \"KEY\" }, X-Lines = { env = \"LINES\" }, \
         X-File = { file = \"none\" }, X-There = { env = \"SITE\" } }\n",
    )
    .with("LINES", "s3cret\nmore")
    .with("SITE", "s3cret");
    let lines = [
        "trusted_issuer         https://login.example/tenant\n",
        "from variable KEY (not set) ([mcp_servers.one])\n",
        "from variable LINES, cannot be used: the environment variable LINES holds characters \
         that a header cannot carry ([mcp_servers.one])\n",
        "none, cannot be used: No such file or directory (os error 2) ([mcp_servers.one])\n",
        "from variable SITE ([mcp_servers.one])\n",
    ];
    let ran = scene.run(&["get", "one", "--table"]).expect(0, &lines);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);

    let ran = scene.run(&["get", "one", "--json"]).expect(0, &[]);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
    let shown = ran.json();
    assert_eq!(shown["trusted_issuer"], "https://login.example/tenant");
    let headers = shown["network"]["headers"].as_array().unwrap();
    let error = |name: &str| {
        let header = headers.iter().find(|header| header["name"] == name);
        header.unwrap()["error"].as_str()
    };
    assert!(error("x-key").unwrap().contains("KEY is not set"));
    assert!(error("x-file").is_some() && error("x-there").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_at_all_can_be_said_whatever_the_environment_says() {
    let authority = CertificateAuthority::new().unwrap();
    let mcp = McpServer::builder().tls(&authority).open().start();
    let mcp = mcp.await.unwrap();
    let url = mcp.url();
    for (proxy, code) in [("", 6), ("proxy = \"none\"\n", 0)] {
        let network = format!("[network]\nca_certificates = [\"ca.pem\"]\n{proxy}");
        let settings = format!("{network}[mcp_servers.one]\nurl = \"{url}\"\n");
        let scene = Scene::new(&settings).with("HTTPS_PROXY", "http://127.0.0.1:1");
        fs::write(scene.folder.path().join("ca.pem"), authority.pem()).unwrap();
        scene.run_async(&["tools", "one"]).await.expect(code, &[]);
    }
}

#[test]
fn a_configured_token_is_told_by_the_key_that_it_is_under() {
    let scene = Scene::new(
        "[mcp_servers.one]\nurl = \"https://one.example/mcp\"\n\
         http_headers = { Authorization = \"Bearer s3cret\" }\n",
    );
    let line = "Authorization          http_headers, in place of a login\n";
    let ran = scene.run(&["get", "one", "--table"]).expect(0, &[line]);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_its_header_is_not_sent_and_the_program_that_failed_is_named() {
    let recorder = Recorder::new();
    let mcp = McpServer::builder().open().recorder(&recorder).start();
    let mcp = mcp.await.unwrap();
    let settings = format!(
        "[mcp_servers.one]\nurl = \"{}\"\nhttp_headers = {{ X-Key = {{ command = [\"/bin/sh\", \
         \"-c\", \"echo not signed in >&2; exit 4\"] }} }}\n",
        mcp.url()
    );
    for command in [&["tools", "one"][..], &["login", "one"]] {
        let scene = Scene::new(&settings);
        let ran = tokio::task::spawn_blocking(move || scene.run(command))
            .await
            .unwrap();
        ran.expect(
            9,
            &[
                "mcp_servers.one.http_headers.x-key: no value for the header x-key",
                "/bin/sh ended with exit status: 4; run it by hand to see why",
                "next: run /bin/sh by hand until it prints the value, or correct \
                 mcp_servers.one.http_headers.x-key in the configuration",
            ],
        );
    }
    assert!(recorder.is_empty(), "{:?}", recorder.requests());

    let good = settings.replace("echo not signed in >&2; exit 4", "echo s3cret");
    let ran = Scene::new(&good).run_async(&["tools", "one"]).await;
    let ran = ran.expect(0, &["echo"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("s3cret"));
    let sent = recorder.of(Leg::Resource);
    assert!(!sent.is_empty());
    for request in sent {
        assert_eq!(request.header("x-key"), Some("s3cret"));
    }
}
