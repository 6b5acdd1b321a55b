//! What a failure looks like: for people on standard error, for scripts on standard output.

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn scene_at(url: &str) -> Scene {
    Scene::new(&format!("[mcp_servers.one]\nurl = \"{url}/mcp\"\n"))
}

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(method("POST")).respond_with(response);
    mock.mount(&server).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn with_json_a_failure_is_one_document_on_standard_output_beside_the_words() {
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "7");
    let server = answering(busy.set_body_string("two\nlines")).await;
    let scene = scene_at(&server.uri());
    let ran = scene.run_async(&["tools", "one", "--json"]).await;
    let ran = ran.expect(
        6,
        &["error[mcp-server-unavailable]: cannot connect to \"one\""],
    );
    let document: Value = serde_json::from_str(&ran.out).expect("one document");
    let url = format!("{}/mcp", server.uri());
    let expected = json!({ "error": {
        "code": "mcp-server-unavailable",
        "message": "cannot connect to \"one\"",
        "causes": [
            format!("resource request POST {url}: 503 Service Unavailable"),
            "two lines",
        ],
        "also_tried": [],
        "leg": "resource",
        "url": url,
        "status": 503,
        "quirk": null,
        "next": { "text": "try again in 7 s", "command": null },
        "exit_code": 6,
        "help": "docs/errors.md#mcp-server-unavailable",
    }});
    assert_eq!(document, expected);
}

#[test]
fn with_json_a_failure_of_the_settings_says_what_to_type_as_data() {
    let ran = Scene::new("").run(&["get", "nobody", "--json"]);
    let ran = ran.expect(9, &["error[server-unknown]: ", "next: doorkey list, or "]);
    let document: Value = serde_json::from_str(&ran.out).expect("one document");
    assert_eq!(document["error"]["code"], "server-unknown");
    assert_eq!(document["error"]["next"]["command"], "doorkey list");
    assert_eq!(document["error"]["url"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_all_servers_says_of_each_failure_what_it_is_and_what_to_do() {
    let server = answering(ResponseTemplate::new(401)).await;
    let scene = scene_at(&server.uri());
    let ran = scene.run_async(&["list", "--check", "--json"]).await;
    let rows: Value = serde_json::from_str(&ran.expect(0, &[]).out).expect("JSON");
    let failure = &rows[0]["check"]["error"];
    assert_eq!(failure["code"], "login-required", "{rows}");
    assert_eq!(failure["next"]["command"], "doorkey login one", "{rows}");
}

#[test]
fn a_command_that_is_typed_as_printed_is_taken_whatever_the_name_of_the_server() {
    let ran = Scene::new("").run(&["get", "it's; rm -rf *"]);
    let told = "next: doorkey list, or doorkey add 'it'\\''s; rm -rf *' --url URL";
    ran.expect(9, &[told]);
}

#[test]
fn wrong_arguments_are_one_document_as_well_for_whoever_would_get_data() {
    let scene = Scene::new("");
    for given in [
        &["list", "--nosuch", "--json"][..],
        &["tools", "one", "--json", "--nosuch"],
        &["call", "one", "echo", "--args", "[1]", "--json"],
        // Into a pipe it writes JSON by itself.
        &["get", "one", "--nosuch"],
    ] {
        let ran = scene
            .run(given)
            .expect(2, &["error[usage]: ", "\nnext: doorkey "]);
        let document: Value = serde_json::from_str(&ran.out).expect("one document");
        let error = &document["error"];
        assert_eq!(error["code"], "usage", "{given:?}");
        assert_eq!(error["exit_code"], 2, "{given:?}");
        let message = error["message"].as_str().expect("a message");
        assert!(
            message.len() > 10 && !message.contains("Usage") && !message.contains("For more"),
            "{given:?}: {message}"
        );
    }
    for given in [&["tools", "--nosuch"][..], &["get", "--nosuch", "--table"]] {
        let next = format!("\nnext: doorkey {} --help\n", given[0]);
        let ran = scene
            .run(given)
            .expect(2, &["error[usage]: ", "Usage:", &next]);
        assert!(!ran.err.contains("For more information"), "{}", ran.err);
        assert_eq!(ran.out, "", "{given:?}");
    }
}

#[test]
fn a_mistyped_server_is_answered_with_the_one_that_is_meant_and_not_with_the_configuration() {
    let scene = Scene::new("[mcp_servers.zap]\nurl = \"https://zap.example/mcp\"\n");
    let ran = scene.run(&["tools", "zapp"]).expect(
        9,
        &[
            "error[server-unknown]: no server named \"zapp\"",
            "did you mean \"zap\"?",
            "next: doorkey get zap\n",
        ],
    );
    assert!(!ran.err.contains("cannot be used"), "{}", ran.err);
    scene
        .run(&["tools", "other"])
        .expect(9, &["next: doorkey list, or doorkey add other --url URL\n"]);
}

#[test]
fn a_server_with_an_odd_name_is_written_as_a_shell_and_as_toml_take_it() {
    let scene = Scene::new(
        "[mcp_servers.\"a b\"]\nurl = \"https://a.example/mcp\"\nbearer_token_env_var = \"A\"\n\
         [mcp_servers.-v]\nurl = \"https://v.example/mcp\"\nenabled = false\n",
    )
    .with("A", "t0ken");
    scene.run(&["login", "a b"]).expect(
        9,
        &[
            "next: doorkey tools 'a b'; ",
            "out of [mcp_servers.\"a b\"]",
        ],
    );
    scene
        .run(&["login", "--", "-v"])
        .expect(9, &["next: doorkey enable -- -v\n"]);
    scene.run(&["enable", "--", "-v"]).expect(0, &["enabled"]);
}

#[test]
fn a_code_is_explained_without_a_configuration_that_is_sound() {
    let scene = Scene::new("this is no TOML");
    scene.run(&["explain", "login-required", "--table"]).expect(
        0,
        &[
            "login-required\n\n",
            "exit code: 3\nnext: doorkey login NAME",
        ],
    );
    let data = scene
        .run(&["explain", "login-required"])
        .expect(0, &[])
        .json();
    assert_eq!(data["exit_code"], 3);
    assert_eq!(data["next"]["text"], "doorkey login NAME");
    let all = scene.run(&["explain", "--list"]).expect(0, &[]).json();
    let codes: Vec<_> = all.as_array().expect("all").iter().collect();
    assert!(codes.len() > 100, "{}", codes.len());
    scene
        .run(&["explain", "login-requird", "--table"])
        .expect(2, &["did you mean login-required?"]);
    scene.run(&["explain"]).expect(2, &["CODE"]);
}

#[test]
fn what_the_doctor_finds_is_explained_without_its_page() {
    let scene = Scene::new("this is no TOML");
    let told = ["tls-expired, found by doorkey doctor", "do: ", "see: SEC-"];
    scene
        .run(&["explain", "tls-expired", "--table"])
        .expect(0, &told);
    let data = scene.run(&["explain", "tls-expired"]).expect(0, &[]).json();
    assert_eq!(data["fault"]["step"], "tls", "{data}");
    assert!(data["code"].is_null(), "{data}");
    // A name that both have.
    let told = ["exit code: 3", "token-rejected, found by doorkey doctor"];
    scene
        .run(&["explain", "token-rejected", "--table"])
        .expect(0, &told);
    let all = scene.run(&["explain", "--faults"]).expect(0, &[]).json();
    assert!(all.as_array().expect("all").len() >= 75, "{all}");
}
