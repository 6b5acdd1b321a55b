//! Text of servers and of the configuration on its way to a terminal and into a pipe.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// Clears the screen, sets a title, makes a link, rings, and turns the direction of what follows; as one character and as
/// two.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]8;;https://evil.example/\u{1b}\\link\u{1b}]8;;\u{1b}\\\
                       \u{9b}2J\u{9d}0;title\u{9c}\u{202e}\u{2066}\u{7f}\u{8}\rend";

/// What the hostile server has to read and to fill in.
fn offered(method: &str, name: &str) -> Option<Value> {
    Some(match method {
        "resources/list" => json!({"resources": [
            {"uri": format!("file:///{HOSTILE}"), "name": name},
        ]}),
        "resources/templates/list" => json!({"resourceTemplates": [
            {"uriTemplate": format!("file:///{HOSTILE}"), "name": name, "description": HOSTILE},
        ]}),
        "resources/read" => json!({"contents": [
            {"uri": HOSTILE, "mimeType": HOSTILE, "text": format!("read {HOSTILE}")},
        ]}),
        "prompts/list" => json!({"prompts": [
            {"name": name, "description": HOSTILE, "arguments": [{"name": HOSTILE}]},
        ]}),
        "prompts/get" => json!({"messages": [
            {"role": "user", "content": {"type": "text", "text": format!("say {HOSTILE}")}},
        ]}),
        _ => return None,
    })
}

/// Says hostile things wherever the protocol lets it.
async fn hostile_server() -> MockServer {
    let server = MockServer::start().await;
    let respond = |request: &wiremock::Request| {
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let name = format!("name{HOSTILE}");
        let answered =
            |result: Value| json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        let answer = match (
            message["method"].as_str(),
            message["params"]["name"].as_str(),
        ) {
            (Some("initialize"), _) => answered(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
                "serverInfo": {"name": name, "version": HOSTILE},
                "instructions": HOSTILE,
            })),
            (Some("tools/list"), _) => answered(json!({"tools": [
                {"name": name, "description": format!("says {HOSTILE}"), "inputSchema": {"type": "object", "title": HOSTILE}},
            ]})),
            (Some(method), _) if offered(method, &name).is_some() => {
                answered(offered(method, &name).unwrap())
            }
            (Some("tools/call"), Some("text")) => {
                let program = format!("if x:\n\tfor  y:\n\t    z\n{HOSTILE}\n");
                answered(json!({"content": text(&program)}))
            }
            (Some("tools/call"), Some("fail")) => {
                answered(json!({"content": text(HOSTILE), "isError": true}))
            }
            (Some("tools/call"), Some("others")) => answered(json!({"content": [
                {"type": "image", "mimeType": HOSTILE, "data": "AA=="},
                {"type": "resource_link", "uri": format!("https://a.example/{HOSTILE}"), "name": name},
                {"type": "resource", "resource": {"uri": HOSTILE, "blob": "AA=="}},
                {"type": "resource", "resource": {"uri": HOSTILE, "text": HOSTILE}},
            ]})),
            (Some("tools/call"), Some("structure")) => {
                answered(json!({"content": [], "structuredContent": {(HOSTILE): HOSTILE}}))
            }
            (Some(method), _) if method.starts_with("notifications/") => {
                return ResponseTemplate::new(202);
            }
            _ => json!({
                "jsonrpc": "2.0", "id": message["id"],
                "error": {"code": -32000, "message": format!("broken {HOSTILE}"), "data": HOSTILE},
            }),
        };
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(method("POST"))
        .respond_with(respond)
        .mount(&server)
        .await;
    server
}

fn scene_at(server: &MockServer) -> Scene {
    let url = server.uri();
    Scene::new(&format!("[mcp_servers.one]\nurl = \"{url}/mcp\"\n"))
}

/// Nothing that a terminal obeys, but for the colours that the program itself has for its first word.
#[track_caller]
fn is_harmless(text: &str) {
    let mut rest = text.to_owned();
    for own in [
        "\u{1b}[1m",
        "\u{1b}[31m",
        "\u{1b}[32m",
        "\u{1b}[33m",
        "\u{1b}[0m",
    ] {
        rest = rest.replace(own, "");
    }
    let found = rest.chars().find(|c| {
        let is_bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        is_bidi || c.is_control() && !matches!(c, '\n' | '\t')
    });
    assert!(found.is_none(), "{found:?} in {text:?}");
    assert!(
        !text.contains("title") || text.contains("\\u001b]0;title"),
        "{text:?}"
    );
}

const COMMANDS: &[(&[&str], i32, &str)] = &[
    (&["tools", "one"], 0, "name"),
    (&["tools", "one", "--json"], 0, "says "),
    (&["resources", "one"], 0, "file:///"),
    (&["resources", "one", "--json"], 0, "file:///"),
    (&["resources", "one", "--templates"], 0, "file:///"),
    (&["resources", "read", "one", "file:///x"], 0, "read "),
    (
        &["resources", "read", "one", "file:///x", "--json"],
        0,
        "read ",
    ),
    (&["prompts", "one"], 0, "name"),
    (&["prompts", "one", "--json"], 0, "name"),
    (&["prompts", "get", "one", "x"], 0, "say "),
    (&["call", "one", "text"], 0, "end"),
    (&["call", "one", "text", "--json"], 0, "for  y"),
    (&["call", "one", "fail"], 8, "end"),
    (&["call", "one", "others"], 0, "https://a.example/"),
    (&["call", "one", "others", "--json"], 0, "image"),
    (&["call", "one", "structure"], 0, "end"),
    (&["call", "one", "broken"], 7, "broken"),
    (&["list", "--check"], 0, "one"),
    (&["list", "--check", "--json"], 0, "one"),
];

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_server_says_is_obeyed_by_a_terminal() {
    let server = hostile_server().await;
    let scene = scene_at(&server);
    let seen = move || {
        for (arguments, code, said) in COMMANDS {
            let ran = scene.run_on_terminal(arguments).expect(*code, &[said]);
            is_harmless(&ran.out);
            if arguments.contains(&"--json") {
                serde_json::from_str::<Value>(&ran.out).unwrap();
            }
        }
        // Lines and indentation are what the person asked for.
        let ran = scene.run_on_terminal(&["call", "one", "text"]);
        assert!(
            ran.out.starts_with("if x:\n\tfor  y:\n\t    z\n"),
            "{:?}",
            ran.out
        );
    };
    tokio::task::spawn_blocking(seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_pipe_goes_no_more_than_to_a_terminal_and_json_holds_what_the_server_sent() {
    let server = hostile_server().await;
    let scene = scene_at(&server);
    let seen = move || {
        let ran = scene.run(&["call", "one", "text"]).expect(0, &[]);
        assert_eq!(ran.out, "if x:\n\tfor  y:\n\t    z\nlink end\n\n");
        let ran = scene.run(&["call", "one", "text", "--json"]);
        assert_eq!(
            ran.json()["content"][0]["text"],
            format!("if x:\n\tfor  y:\n\t    z\n{HOSTILE}\n")
        );
        for (arguments, code, said) in COMMANDS {
            let ran = scene.run(arguments).expect(*code, &[said]);
            is_harmless(&ran.err);
            is_harmless(&ran.out);
        }
        let ran = scene.run(&["tools", "one", "--json"]);
        assert_eq!(ran.json()[0]["name"], format!("name{HOSTILE}"));
        let ran = scene.run(&["call", "one", "structure"]);
        assert_eq!(ran.json()[HOSTILE], HOSTILE);
    };
    tokio::task::spawn_blocking(seen).await.unwrap();
}

/// A configuration may come from somebody else.
#[cfg(target_os = "linux")]
#[test]
fn nothing_in_a_configuration_is_obeyed_by_a_terminal() {
    let text = "[mcp_servers.\"a\\u001b]0;title\\u0007b\"]\nurl = \"https://a.example/mcp\"\n";
    let scopes =
        "[mcp_servers.two]\nurl = \"https://a.example/\\u001b[2J\"\nscopes = [\"a\\u001b[2J\"]\n";
    let unknown =
        "[mcp_servers.two]\nurl = \"https://a.example/\"\n\"k\\u001b[2Jey\" = \"\\u009b2J\"\n";
    let broken =
        "[mcp_servers.two]\nurl = \"https://a.example/\"\nenabled = \"\u{9b}2J\u{202e}\"\n";
    for config in [text, scopes, unknown, broken] {
        let scene = Scene::new(config);
        for arguments in [
            &["list"][..],
            &["list", "--json"],
            &["get", "two"],
            &["remove", "x\u{1b}[2J"],
        ] {
            let ran = scene.run_on_terminal(arguments);
            is_harmless(&ran.out);
        }
    }
}
