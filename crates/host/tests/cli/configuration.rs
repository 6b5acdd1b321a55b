//! The configuration: what it says, and how commands change it.

use super::*;

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
        .run(&["get", "two", "--table"])
        .expect(0, &["https://two.example/mcp", "not tried yet"]);

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
        .run(&["list", "--table"])
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
        .run(&["list", "--table"])
        .expect(9, &["config.toml:1", "not valid TOML"]);
    Scene::new("[mcp_servers.one]\nurl = \"https://a.example\"\ntool_timeout_secs = 3\n")
        .run(&["list", "--table"])
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
        .expect(9, &["disabled", "doorkey enable off"]);
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
