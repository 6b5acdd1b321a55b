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
