//! What is wrong with arguments and settings, and what to type instead.

use super::*;

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
        let ran = Scene::new(ONE)
            .run(arguments)
            .expect(2, &["error[usage]:", "\nnext: doorkey "]);
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
        scene.run(&["list", "--table"]).expect(
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
        .run(&["list", "--table"])
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
        scene(fine).run(&["list", "--table"]).expect(0, &[]);
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
            "next: set the environment variable KEY, or correct mcp_servers.one.env_http_headers.x-key in the configuration",
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
        ("enabled = false", None, "tools", "next: doorkey enable "),
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
