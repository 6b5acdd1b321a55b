//! The program as a person runs it: arguments, configuration, exit codes.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

struct Scene {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Scene {
    fn new(config: &str) -> Self {
        let scene = Self {
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        };
        if !config.is_empty() {
            fs::write(scene.config(), config).unwrap();
        }
        scene
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn config_text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_doorkey"))
            .args(arguments)
            .env_clear()
            .env("DOORKEY_HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran::of(&output)
    }

    /// Runs beside an async test's servers, and is there for the next command.
    async fn run_kept(self, arguments: &'static [&'static str]) -> (Self, Ran) {
        let run = move || {
            let ran = self.run(arguments);
            (self, ran)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Runs beside an async test's servers.
    async fn run_async(self, arguments: &'static [&'static str]) -> Ran {
        tokio::task::spawn_blocking(move || self.run(arguments))
            .await
            .unwrap()
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    #[track_caller]
    fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        for text in said {
            let there = self.out.contains(text) || self.err.contains(text);
            assert!(
                there,
                "{text:?} is not in\nout: {}\nerr: {}",
                self.out, self.err
            );
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

const ONE: &str = "# mine\n[mcp_servers.one]\nurl = \"https://one.example/mcp\" # here\n";

#[test]
fn usage_errors_are_told_on_standard_error_with_exit_code_2() {
    for arguments in [
        &["nonsense"][..],
        &["add", "one"],
        &["add", "one", "--url", "example.com"],
        &["add", "one", "--url", "http://mcp.example.com/mcp"],
        &[
            "add",
            "one",
            "--url",
            "https://me:secret@mcp.example.com/mcp",
        ],
        &["tools"],
        &["call", "one"],
        &["call", "one", "echo", "--args", "[1]"],
        &["call", "one", "echo", "--args", "{"],
        &[
            "add",
            "one",
            "--url",
            "https://a.example",
            "--header",
            "X-A",
        ],
        &[
            "add",
            "one",
            "--url",
            "https://a.example",
            "--header",
            "X A=b",
        ],
    ] {
        let ran = Scene::new(ONE).run(arguments).expect(2, &["error:"]);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
    }
    let help = Scene::new("")
        .run(&["--help"])
        .expect(0, &["login", "Exit codes"]);
    assert!(help.err.is_empty());
}

#[test]
fn credentials_on_the_command_line_are_refused_with_the_way_to_give_them() {
    for header in [
        "Authorization=Bearer s3cret",
        "cookie=s3cret",
        "Proxy-Authorization=s3cret",
    ] {
        let scene = Scene::new("");
        scene
            .run(&[
                "add",
                "one",
                "--url",
                "https://a.example",
                "--header",
                header,
            ])
            .expect(2, &["--bearer-token-env-var", "env_http_headers"]);
        assert!(!scene.config().exists());
    }
}

#[test]
fn arguments_that_no_configuration_takes_are_usage_errors() {
    let add = ["add", "one", "--url", "https://a.example"];
    for (arguments, told) in [
        (
            &["--resource", "not a uri"][..],
            "auto, omit or an absolute URI",
        ),
        (
            &["--resource", "https://a.example/#f"],
            "without a fragment",
        ),
        (&["--scopes", "a,b c"], "a scope is visible ASCII"),
        (&["--scopes", "a,,b"], "a scope is visible ASCII"),
        (&["--client-id", ""], "--client-id"),
        (&["--bearer-token-env-var", ""], "--bearer-token-env-var"),
        (&["--header", "Host=a.example"], "belongs to the connection"),
    ] {
        let scene = Scene::new("");
        let ran = scene
            .run(&[&add[..], arguments].concat())
            .expect(2, &[told]);
        assert!(!ran.err.contains("config.toml"), "{}", ran.err);
        assert!(!scene.config().exists());
    }
    for name in ["", "a b", "a.b", "é"] {
        let arguments = ["add", name, "--url", "https://a.example"];
        let told = "1 to 64 letters, digits, `-` and `_`";
        Scene::new("").run(&arguments).expect(2, &[told]);
    }
}

#[test]
fn headers_of_the_connection_are_refused_where_they_stand() {
    for (text, line, key) in [
        (
            "http_headers = { Host = \"b.example\" }",
            3,
            "one.http_headers",
        ),
        (
            "env_http_headers = { TE = \"V\" }",
            3,
            "one.env_http_headers",
        ),
        (
            "[network.default_headers]\nContent-Length = \"1\"",
            3,
            "network.default_headers",
        ),
    ] {
        let scene = Scene::new(&format!(
            "[mcp_servers.one]\nurl = \"https://a.example\"\n{text}\n"
        ));
        scene.run(&["list"]).expect(
            9,
            &[
                &format!("config.toml:{line}: "),
                key,
                "belongs to the connection",
                "next: write ",
            ],
        );
    }
}

#[test]
fn two_ports_for_one_way_back_are_refused() {
    let scene = |callback: &str| {
        Scene::new(&format!(
            "[mcp_servers.one]\nurl = \"https://a.example\"\n[mcp_servers.one.oauth]\n{callback}"
        ))
    };
    scene("callback_url = \"http://localhost:3118/cb\"\ncallback_port = 3119\n")
        .run(&["list"])
        .expect(
            9,
            &[
                "config.toml:5: ",
                "callback_port",
                "callback_url, 3118",
                "3119",
            ],
        );
    for fine in [
        "callback_url = \"http://localhost:3118/cb\"\ncallback_port = 3118\n",
        "callback_url = \"http://localhost/cb\"\ncallback_port = 3118\n",
        "callback_url = \"https://dev.example:8443/cb\"\ncallback_port = 3118\n",
    ] {
        scene(fine).run(&["list"]).expect(0, &[]);
    }
}

#[test]
fn every_failure_of_the_configuration_says_what_to_do() {
    for (rest, variable, command, next) in [
        (
            "bearer_token_env_var = \"TOKEN\"",
            None,
            "tools",
            "next: set the environment variable TOKEN, or correct bearer_token_env_var in [mcp_servers.one]",
        ),
        (
            "env_http_headers = { X-Key = \"KEY\" }",
            None,
            "tools",
            "next: set the environment variable KEY, or correct env_http_headers.x-key",
        ),
        (
            "oauth = { client_id = \"a\", client_secret_env = \"SECRET\" }",
            None,
            "login",
            "next: set the environment variable SECRET, or correct oauth.client_secret_env",
        ),
        (
            "env_http_headers = { Authorization = \"KEY\" }",
            Some(("KEY", "Basic x")),
            "tools",
            "next: let env_http_headers.authorization of [mcp_servers.one] begin with `Bearer `",
        ),
        (
            "bearer_token_env_var = \"TOKEN\"",
            Some(("TOKEN", "t")),
            "login",
            "next: doorkey tools one; to sign in instead take bearer_token_env_var out of",
        ),
    ] {
        expect_next(rest, variable, command, next);
    }
}

#[test]
fn every_failure_of_a_network_setting_or_the_file_says_what_to_do() {
    let bundle = TempDir::new().unwrap();
    let empty = bundle.path().join("ca.pem");
    fs::write(&empty, "nothing").unwrap();
    let empty = empty.display().to_string();
    let missing = ("SSL_CERT_FILE", "/nonexistent/ca.pem");
    for (rest, variable, command, next) in [
        (
            "",
            Some(missing),
            "tools",
            "next: put a readable file at /nonexistent/ca.pem, or unset SSL_CERT_FILE",
        ),
        (
            "",
            Some(("DOORKEY_CA_CERTIFICATE", &empty)),
            "tools",
            "next: name a file with PEM certificates",
        ),
        (
            "network = { ca_certificates = [\"none.pem\"] }",
            None,
            "tools",
            "or correct ca_certificates in the configuration",
        ),
        (
            "",
            Some(("HTTPS_PROXY", "ftp://proxy")),
            "tools",
            "next: set HTTPS_PROXY to something like http://proxy.example:3128",
        ),
        ("x = ", None, "list", "next: correct line 3 of "),
        ("enabled = false", None, "tools", "next: set enabled = true"),
    ] {
        expect_next(rest, variable, command, next);
    }
}

/// Runs a command with a server of these settings and one variable; it fails with that next step.
fn expect_next(rest: &str, variable: Option<(&'static str, &str)>, command: &str, next: &str) {
    let text = format!("[mcp_servers.one]\nurl = \"https://a.example\"\n{rest}\n");
    let mut scene = Scene::new(&text);
    if let Some((name, value)) = variable {
        scene = scene.with(name, value);
    }
    let arguments = [command, "one"];
    let arguments = &arguments[..if command == "list" { 1 } else { 2 }];
    scene.run(arguments).expect(9, &[next]);
}

#[test]
fn a_server_is_added_shown_and_removed_and_comments_stay() {
    let scene = Scene::new(ONE);
    let ran = scene.run(&[
        "add",
        "two",
        "--url",
        "https://two.example/mcp",
        "--scopes",
        "read,write",
        "--header",
        "X-Team=search",
        "--resource",
        "omit",
        "--client-id",
        "abc",
    ]);
    let ran = ran.expect(0, &["next: doorkey login two"]);
    assert!(ran.out.is_empty(), "messages are no data: {}", ran.out);
    assert!(
        scene.config_text().starts_with(ONE),
        "{}",
        scene.config_text()
    );

    let two = scene.run(&["get", "two", "--json"]).expect(0, &[]).json();
    assert_eq!(two["url"], "https://two.example/mcp");
    assert_eq!(two["scopes"], json!(["read", "write"]));
    assert_eq!(two["oauth_resource"], "omit");
    assert_eq!(two["client_id"], "abc");
    assert_eq!(two["http_headers"], json!(["x-team"]));
    scene
        .run(&["get", "two"])
        .expect(0, &["https://two.example/mcp", "unknown"]);

    scene
        .run(&["add", "two", "--url", "https://x.example"])
        .expect(9, &["doorkey remove two"]);
    scene.run(&["remove", "two"]).expect(0, &["removed two"]);
    assert_eq!(scene.config_text().trim_end(), ONE.trim_end());
    scene
        .run(&["remove", "two"])
        .expect(9, &["no server named \"two\"", "one"]);
}

#[test]
fn list_json_has_the_promised_fields_and_makes_no_request() {
    // Nothing listens there, and nothing is asked.
    let scene = Scene::new(
        "[mcp_servers.one]\nurl = \"http://127.0.0.1:9/mcp\"\n\
         [mcp_servers.two]\nurl = \"https://two.example\"\nbearer_token_env_var = \"TWO\"\nenabled = false\n\
         [mcp_servers.local]\ncommand = \"x\"\n",
    );
    let list = scene.run(&["list", "--json"]).expect(0, &[]).json();
    let servers = list.as_array().unwrap();
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0]["name"], "one");
    assert_eq!(servers[0]["url"], "http://127.0.0.1:9/mcp");
    assert_eq!(servers[0]["enabled"], true);
    assert_eq!(servers[1]["enabled"], false);
    let auth = servers[0]["auth"].as_object().unwrap();
    for field in [
        "status",
        "expires_at",
        "scopes",
        "issuer",
        "resource",
        "account",
        "store",
    ] {
        assert!(auth.contains_key(field), "{field}");
    }
    assert_eq!(auth["status"], "unknown");
    assert_eq!(auth["account"], "default");
    assert_eq!(auth["store"]["kind"], "file");
    assert_eq!(auth["store"]["encrypted"], false);
    assert_eq!(servers[1]["auth"]["status"], "bearer_env");
    scene
        .run(&["list"])
        .expect(0, &["one", "disabled", "not remote, left alone: local"]);
    let empty = Scene::new("")
        .run(&["list", "--json"])
        .expect(0, &[])
        .json();
    assert_eq!(empty, json!([]));
}

#[test]
fn a_bad_configuration_is_told_with_file_line_key_and_what_to_type() {
    let scene = Scene::new("[mcp_servers.one]\nurl = \"https://a.example\"\nprotocol = \"2024\"\n");
    let file = scene.config().display().to_string();
    for command in [
        &["list"][..],
        &["tools", "one"],
        &["login", "one"],
        &["remove", "one"],
    ] {
        scene.run(command).expect(
            9,
            &[
                &format!("{file}:3"),
                "mcp_servers.one.protocol",
                "\"auto\"",
                "next: write protocol = ",
            ],
        );
    }
    Scene::new("[mcp_servers.one\n")
        .run(&["list"])
        .expect(9, &["config.toml:1", "not valid TOML"]);
    Scene::new("[mcp_servers.one]\nurl = \"https://a.example\"\ntool_timeout_secs = 3\n")
        .run(&["list"])
        .expect(
            0,
            &[
                "warning:",
                "config.toml:3",
                "did you mean `tool_timeout_sec`",
            ],
        );
}

#[test]
fn servers_that_cannot_be_used_are_told() {
    let scene = Scene::new(
        "[mcp_servers.off]\nurl = \"https://a.example\"\nenabled = false\n\
         [mcp_servers.local]\ncommand = \"x\"\n\
         [mcp_servers.token]\nurl = \"https://a.example\"\nbearer_token_env_var = \"UNSET_TOKEN\"\n",
    );
    scene
        .run(&["tools", "none"])
        .expect(9, &["no server named \"none\"", "doorkey add none"]);
    scene
        .run(&["tools", "off"])
        .expect(9, &["disabled", "enabled = true"]);
    scene.run(&["login", "off"]).expect(9, &["disabled"]);
    scene.run(&["login", "local"]).expect(9, &["local program"]);
    scene
        .run(&["tools", "token"])
        .expect(9, &["UNSET_TOKEN", "bearer_token_env_var"]);
    let scene = scene.with("UNSET_TOKEN", "t0ken");
    scene
        .run(&["login", "token"])
        .expect(9, &["bearer token", "no login"]);
}

#[test]
fn a_missing_certificate_bundle_names_variable_and_file() {
    let scene = Scene::new(ONE).with("SSL_CERT_FILE", "/nonexistent/ca.pem");
    scene
        .run(&["tools", "one"])
        .expect(9, &["SSL_CERT_FILE", "/nonexistent/ca.pem"]);
    let empty = Scene::new(ONE);
    let bundle = empty.folder.path().join("ca.pem");
    fs::write(&bundle, "nothing").unwrap();
    let empty = empty.with("DOORKEY_CA_CERTIFICATE", &bundle.display().to_string());
    empty
        .run(&["login", "one"])
        .expect(9, &["DOORKEY_CA_CERTIFICATE", "ca.pem"]);
}

#[test]
fn logout_without_a_login_is_no_failure_and_works_without_the_bundle() {
    Scene::new(ONE)
        .run(&["logout", "one"])
        .expect(0, &["no login"]);
    let broken = Scene::new(ONE).with("SSL_CERT_FILE", "/nonexistent/ca.pem");
    broken
        .run(&["logout", "one"])
        .expect(0, &["no login", "nothing was revoked"]);
    broken.run(&["remove", "one"]).expect(0, &["removed one"]);
}

#[cfg(target_os = "linux")]
#[test]
fn without_doorkey_home_configuration_and_logins_lie_apart() {
    let user = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_doorkey"))
        .args(["add", "one", "--url", "https://one.example"])
        .env_clear()
        .env("HOME", user.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran::of(&output).expect(0, &["added one"]);
    assert!(user.path().join(".config/doorkey/config.toml").is_file());
    assert!(user.path().join(".local/state/doorkey").is_dir());
}

/// A scene whose server `one` is the mock.
fn scene_at(server: &MockServer) -> Scene {
    Scene::new(&format!(
        "[mcp_servers.one]\nurl = \"{}/mcp\"\n",
        server.uri()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_login_ends_a_command_with_3_and_the_login_to_type() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401).insert_header("WWW-Authenticate", "Bearer"))
        .mount(&server)
        .await;
    let ran = scene_at(&server).run_async(&["tools", "one"]).await;
    let ran = ran.expect(3, &["error:", "next: doorkey login one"]);
    assert!(ran.out.is_empty(), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_bearer_token_is_replaced_where_it_stands() {
    for (key, value) in [
        ("bearer_token_env_var", "\"TOKEN\""),
        ("http_headers", "{ Authorization = \"Bearer x\" }"),
        ("env_http_headers", "{ Authorization = \"HEADER\" }"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(401))
            .mount(&server)
            .await;
        let url = server.uri();
        let scene = Scene::new(&format!(
            "[mcp_servers.one]\nurl = \"{url}/mcp\"\n{key} = {value}\n"
        ));
        let scene = scene.with("TOKEN", "x").with("HEADER", "Bearer x");
        let ran = scene.run_async(&["tools", "one"]).await;
        let next = format!("next: put a valid token where {key} of [mcp_servers.one] says");
        ran.expect(3, &[&next]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn network_and_server_failures_are_temporary() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(6, &["error:", "503"]);
    let refused = Scene::new("[mcp_servers.one]\nurl = \"http://127.0.0.1:9/mcp\"\n");
    let ran = refused
        .run_async(&["tools", "one"])
        .await
        .expect(6, &["next: try again"]);
    assert!(ran.err.contains("127.0.0.1:9"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_server_is_not_taken_for_one_that_wants_a_login() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let ran = scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(5, &["403"]);
    assert!(!ran.err.contains("doorkey login"), "{}", ran.err);
}

/// A server on the 2025-11-25 wire, without a login, with hostile names and no resources.
async fn open_server() -> MockServer {
    let server = MockServer::start().await;
    mount_open(&server).await;
    server
}

async fn mount_open(server: &MockServer) {
    let respond = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}, "resources": {}},
                "serverInfo": {"name": "mock", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": [
                {"name": "echo\u{1b}[31m", "description": "says\u{7} it\nagain", "inputSchema": {"type": "object"}},
            ]}),
            Some("tools/call") if message["params"]["name"] == "fail" => {
                json!({"content": [{"type": "text", "text": "no\u{1b}]0;title\u{7}luck"}], "isError": true})
            }
            Some("tools/call") => json!({
                "content": [{"type": "text", "text": message["params"]["arguments"].to_string()}],
            }),
            Some(method) if method.starts_with("notifications/") => {
                return ResponseTemplate::new(202);
            }
            _ => {
                return ResponseTemplate::new(200).set_body_json(json!({
                    "jsonrpc": "2.0", "id": message["id"],
                    "error": {"code": -32601, "message": "Method not found"},
                }));
            }
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(respond)
        .mount(server)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn method_not_found_is_shown_as_that() {
    let server = open_server().await;
    let ran = scene_at(&server).run_async(&["resources", "one"]).await;
    let ran = ran.expect(7, &["Method not found", "-32601"]);
    assert!(!ran.err.contains("login"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_data_and_text_of_servers_is_cleaned() {
    let server = open_server().await;
    let ran = scene_at(&server)
        .run_async(&["tools", "one"])
        .await
        .expect(0, &["echo", "says it"]);
    assert!(!ran.out.contains(['\u{1b}', '\u{7}']), "{:?}", ran.out);
    assert_eq!(ran.out.lines().count(), 1);
    let ran = scene_at(&server)
        .run_async(&["tools", "one", "--json"])
        .await
        .expect(0, &[]);
    assert_eq!(ran.json()[0]["inputSchema"]["type"], "object");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_shows_its_result_and_an_error_of_the_tool_is_8() {
    let server = open_server().await;
    let ran = scene_at(&server)
        .run_async(&["call", "one", "echo", "--args", "{\"a\": 1}"])
        .await;
    assert_eq!(ran.expect(0, &[]).out, "{\"a\":1}\n");
    let ran = scene_at(&server)
        .run_async(&["call", "one", "fail"])
        .await
        .expect(8, &["luck"]);
    assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
    let ran = scene_at(&server)
        .run_async(&["call", "one", "fail", "--json"])
        .await
        .expect(8, &[]);
    assert_eq!(ran.json()["isError"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_login_is_said_to_need_none_and_remembered_so() {
    let server = open_server().await;
    let scene = scene_at(&server);
    let folder = scene.folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        scene.run(&["login", "one"]).expect(0, &["needs no login"]);
        let list = scene.run(&["list", "--json"]).expect(0, &[]).json();
        assert_eq!(list[0]["auth"]["status"], "not_required");
        let list = scene
            .run(&["list", "--json", "--check"])
            .expect(0, &[])
            .json();
        assert_eq!(list[0]["check"]["ok"], true);
        assert_eq!(list[0]["check"]["protocol"], "2025-11-25");
        scene.run(&["remove", "one"]).expect(0, &[]);
    })
    .await
    .unwrap();
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_has_the_code_and_the_causes_of_each_failure() {
    let server = open_server().await;
    let locked = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&locked)
        .await;
    let scene = Scene::new(&format!(
        "[mcp_servers.open]\nurl = \"{}/mcp\"\n\
         [mcp_servers.locked]\nurl = \"{}/mcp\"\n\
         [mcp_servers.away]\nurl = \"http://127.0.0.1:9/mcp\"\n\
         [mcp_servers.unset]\nurl = \"http://127.0.0.1:9/mcp\"\nbearer_token_env_var = \"UNSET\"\n\
         [mcp_servers.off]\nurl = \"http://127.0.0.1:9/mcp\"\nenabled = false\n",
        server.uri(),
        locked.uri()
    ));
    let ran = scene.run_async(&["list", "--json", "--check"]).await;
    let rows = ran.expect(0, &[]).json();
    for (index, code) in [0, 3, 6, 9].into_iter().enumerate() {
        let check = &rows[index]["check"];
        assert_eq!(check["code"], code, "{check}");
        assert_eq!(check["ok"], code == 0, "{check}");
        let lines = check["error"].as_array().map_or(0, Vec::len);
        assert_eq!(lines > 1, code != 0, "{check}");
    }
    assert!(rows[4]["check"].is_null(), "what is off is not tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_proxy_is_named() {
    let scene = Scene::new("[mcp_servers.one]\nurl = \"http://127.0.0.1:9/mcp\"\n")
        .with("HTTP_PROXY", "http://me:s3cret@127.0.0.1:1");
    let ran = scene.run_async(&["tools", "one"]).await;
    let ran = ran.expect(
        6,
        &["through the proxy http://127.0.0.1:1: could not connect"],
    );
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gave_up_its_wire_is_forgotten_and_asked_anew() {
    let server = MockServer::start().await;
    let stateless = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut result = match message["method"].as_str() {
            Some("server/discover") => json!({
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "mock", "version": "1"},
            }),
            _ => json!({"tools": [{"name": "first", "inputSchema": {"type": "object"}}]}),
        };
        result["resultType"] = json!("complete");
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(stateless)
        .mount(&server)
        .await;
    let scene = scene_at(&server);
    let (scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["first"]);

    server.reset().await;
    let refuse = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        ResponseTemplate::new(400).set_body_json(json!({
            "jsonrpc": "2.0", "id": message["id"],
            "error": {"code": -32022, "message": "Unsupported protocol version"},
        }))
    };
    Mock::given(method("POST"))
        .and(header("mcp-protocol-version", "2026-07-28"))
        .respond_with(refuse)
        .with_priority(1)
        .mount(&server)
        .await;
    mount_open(&server).await;
    let (scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["echo"]);
    let asked = server.received_requests().await.unwrap_or_default().len();
    let (_scene, ran) = scene.run_kept(&["tools", "one"]).await;
    ran.expect(0, &["echo"]);
    let again = server.received_requests().await.unwrap_or_default().len() - asked;
    assert!(
        again < asked,
        "the new wire is remembered: {asked}, then {again} requests"
    );
}
