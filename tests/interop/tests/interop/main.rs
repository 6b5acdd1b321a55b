//! The program, as a person uses it, against a certified authorization server and an MCP server built with another SDK.
//!
//! `cargo xtask interop` installs the servers' packages, builds the program, and runs this.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at the first surprise and says which"
)]

mod program;
mod servers;

use std::time::Duration;

use program::{Person, Run};
use serde_json::{Value, json};
use servers::Servers;

/// Long enough that what follows a token's issue is over before the token is.
const UNHURRIED: u64 = 60;
/// Short enough to wait for.
const BRIEF: u64 = 3;

#[test]
fn a_person_signs_in_works_and_comes_back_the_next_day_without_a_browser() {
    let mut servers = Servers::start();
    let person = Person::new(&servers);
    servers.set_token_lifetime(UNHURRIED);

    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    let tools = person.run(&["tools", "work", "--json"]);
    assert_eq!(
        tools.code, 3,
        "a server that wants a login says so: {tools}"
    );
    assert!(
        tools.stderr.contains("doorkey login work"),
        "and how: {tools}"
    );

    // The token of this login is the one that expires below.
    servers.set_token_lifetime(BRIEF);
    servers.forget_requests();
    person.run(&["login", "work"]).succeeded();
    assert_login_is_bound_to_the_resource(&servers);
    assert_eq!(person.browser_visits("/auth?"), 1, "one authorization page");

    for day in 1..=2 {
        wait_for_expiry();
        servers.forget_requests();
        let listed = person.run(&["tools", "work", "--json"]).succeeded();
        assert_eq!(
            tool_names(&listed),
            ["add", "refuse"],
            "day {day}: {listed}"
        );
        assert_eq!(servers.refreshes().len(), 1, "day {day}: one refresh");
        assert_every_refresh_is_bound(&servers);
    }
    assert_eq!(
        person.browser_visits("/auth?"),
        1,
        "no browser after the first day"
    );

    servers.set_token_lifetime(UNHURRIED);
    wait_for_expiry();
    assert_calls_work(&person);
    assert_a_second_login_registers_nothing(&person, &mut servers);
    assert_resources_are_not_found_rather_than_forbidden(&person);
    assert_logout_revokes(&person, &mut servers);
}

#[test]
fn eight_processes_at_expiry_refresh_once_and_all_succeed() {
    let mut servers = Servers::start();
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    servers.set_token_lifetime(BRIEF);
    person.run(&["login", "work"]).succeeded();

    wait_for_expiry();
    servers.set_token_lifetime(UNHURRIED);
    servers.forget_requests();
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| person.run(&["tools", "work", "--json"])))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("a thread that ran"))
            .collect()
    });
    for run in runs {
        assert_eq!(tool_names(&run.succeeded()), ["add", "refuse"]);
    }
    assert_eq!(
        servers.refreshes().len(),
        1,
        "one refresh for eight processes"
    );
    assert_every_refresh_is_bound(&servers);
    assert_eq!(person.browser_visits("/auth?"), 1, "no browser");
}

#[test]
fn the_same_login_serves_both_wires() {
    let servers = Servers::start();
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    person.run(&["login", "work"]).succeeded();
    for wire in ["2025-11-25", "2026-07-28"] {
        person.set_protocol("work", wire);
        let run = person.run(&["tools", "work", "--json"]).succeeded();
        assert_eq!(tool_names(&run), ["add", "refuse"], "{wire}");
    }
}

fn assert_login_is_bound_to_the_resource(servers: &Servers) {
    let pages = servers.authorization_pages();
    assert_eq!(pages.len(), 1, "one authorization request");
    assert_eq!(
        values(&pages[0], "resource"),
        [servers.mcp()],
        "`resource` once, as published"
    );
    let exchanges = servers.token_requests("authorization_code");
    assert_eq!(exchanges.len(), 1, "one code exchange");
    assert_eq!(
        values(&exchanges[0], "resource"),
        [servers.mcp()],
        "the same `resource`"
    );
    assert_eq!(servers.requests_to("/reg").len(), 1, "one registration");
    let before_proof: Vec<String> = servers
        .requests()
        .iter()
        .filter(|request| !request.by_browser && !request.has_bearer)
        .map(|request| format!("{} {}", request.method, request.path()))
        .collect();
    assert_eq!(
        before_proof.len(),
        5,
        "five requests before the proof: {before_proof:?}"
    );
}

fn assert_every_refresh_is_bound(servers: &Servers) {
    for refresh in servers.refreshes() {
        assert_eq!(
            values(&refresh, "resource"),
            [servers.mcp()],
            "`resource` on refresh"
        );
    }
}

fn assert_calls_work(person: &Person) {
    let sum = person.run(&[
        "call",
        "work",
        "add",
        "--args",
        r#"{"a":2,"b":3}"#,
        "--json",
    ]);
    assert_eq!(sum.succeeded().json()["content"][0]["text"], json!("5"));
    let refused = person.run(&["call", "work", "refuse"]);
    assert_eq!(
        refused.code, 8,
        "a tool's own error has its own exit code: {refused}"
    );
}

fn assert_a_second_login_registers_nothing(person: &Person, servers: &mut Servers) {
    servers.forget_requests();
    person.run(&["login", "work"]).succeeded();
    assert_eq!(
        servers.requests_to("/reg").len(),
        0,
        "the registration is reused"
    );
}

fn assert_resources_are_not_found_rather_than_forbidden(person: &Person) {
    let resources = person.run(&["resources", "work"]);
    assert_eq!(resources.code, 7, "{resources}");
    assert!(resources.stderr.contains("Method not found"), "{resources}");
    assert!(
        !resources.stderr.contains("doorkey login"),
        "never taken for a login: {resources}"
    );
}

fn assert_logout_revokes(person: &Person, servers: &mut Servers) {
    servers.forget_requests();
    person.run(&["logout", "work"]).succeeded();
    assert_eq!(
        servers.requests_to("/token/revocation").len(),
        2,
        "refresh and access token"
    );
    assert_eq!(
        person.run(&["tools", "work"]).code,
        3,
        "after a logout, a login is needed"
    );
    let listed = person.run(&["list", "--json"]).succeeded().json();
    assert_eq!(
        listed[0]["auth"]["status"],
        json!("login_required"),
        "{listed}"
    );
}

fn tool_names(run: &Run) -> Vec<String> {
    let listed = run.json();
    let tools = match &listed {
        Value::Array(tools) => tools,
        other => other["tools"].as_array().expect("an array of tools"),
    };
    let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
    tools.iter().map(name).collect()
}

fn values(form: &servers::Request, name: &str) -> Vec<String> {
    form.parameters()
        .into_iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .collect()
}

fn wait_for_expiry() {
    std::thread::sleep(Duration::from_secs(BRIEF + 1));
}
