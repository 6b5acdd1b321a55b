//! What holds for every login and refresh.

use std::time::Duration;

use serde_json::{Value, json};

use crate::BRIEF;
use crate::program::{Person, Run};
use crate::servers::{Request, Servers};

/// One authorization request, pushed, and one code exchange are bound to the resource.
pub(crate) fn assert_pushed_login_is_bound(servers: &Servers) {
    let pushed = servers.requests_to("/request");
    assert_eq!(pushed.len(), 1, "one pushed request");
    assert!(pushed[0].succeeded(), "{}", pushed[0].answer.members);
    assert_eq!(
        pushed[0].values("resource"),
        [servers.mcp()],
        "once, as published"
    );
    let pages = servers.authorization_pages();
    assert_eq!(pages.len(), 1, "one page");
    let mut names: Vec<_> = pages[0]
        .parameters()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["client_id", "request_uri"],
        "a reference is all the browser carries"
    );
    let reference = pushed[0].answer.members["request_uri"].as_str();
    assert_eq!(
        pages[0].values("request_uri"),
        [reference.expect("a reference")]
    );
    assert_exchange_is_bound(servers);
}

/// The same of an authorization request that the browser carries.
pub(crate) fn assert_plain_login_is_bound(servers: &Servers) {
    assert_eq!(
        servers.requests_to("/request").len(),
        0,
        "nothing is pushed"
    );
    let pages = servers.authorization_pages();
    assert_eq!(pages.len(), 1, "one page");
    assert_eq!(
        pages[0].values("resource"),
        [servers.mcp()],
        "once, as published"
    );
    assert_exchange_is_bound(servers);
}

fn assert_exchange_is_bound(servers: &Servers) {
    let exchanges = granted(servers.token_requests("authorization_code"));
    assert_eq!(exchanges.len(), 1, "one code exchange");
    assert_eq!(exchanges[0].values("resource"), [servers.mcp()], "the same");
}

pub(crate) fn assert_every_refresh_is_bound(servers: &Servers) {
    for refresh in servers.refreshes() {
        assert_eq!(
            refresh.values("resource"),
            [servers.mcp()],
            "`resource` on refresh"
        );
    }
}

/// What the program asked before it had a token to show.
pub(crate) fn before_the_proof(servers: &Servers) -> Vec<String> {
    let by_program = servers.requests().into_iter();
    by_program
        .filter(|request| request.by_program && request.scheme.is_empty())
        .map(|request| format!("{} {}", request.method, request.path()))
        .collect()
}

/// Whether the MCP server was told that the client uses an extension.
pub(crate) fn is_declared(servers: &Servers, extension: &str) -> bool {
    let name = json!(extension).to_string();
    let mut messages = servers.requests_to("/mcp").into_iter();
    messages.any(|message| message.by_program && message.body.contains(&name))
}

/// The token requests that were answered with a token.
pub(crate) fn granted(requests: Vec<Request>) -> Vec<Request> {
    requests.into_iter().filter(Request::succeeded).collect()
}

pub(crate) fn assert_tools_work(person: &Person) {
    let listed = person.run(&["tools", "work", "--json"]).succeeded();
    assert_eq!(tool_names(&listed), ["add", "refuse"], "{listed}");
}

pub(crate) fn assert_call_works(person: &Person) {
    let arguments = [
        "call",
        "work",
        "add",
        "--args",
        r#"{"a":2,"b":3}"#,
        "--json",
    ];
    let sum = person.run(&arguments).succeeded();
    assert_eq!(sum.json()["content"][0]["text"], json!("5"));
}

pub(crate) fn tool_names(run: &Run) -> Vec<String> {
    let listed = run.json();
    let tools = match &listed {
        Value::Array(tools) => tools,
        other => other["tools"].as_array().expect("an array of tools"),
    };
    let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
    tools.iter().map(name).collect()
}

pub(crate) fn wait_for_expiry() {
    std::thread::sleep(Duration::from_secs(BRIEF + 1));
}
