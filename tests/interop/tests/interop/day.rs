//! A person's days: signing in, working, coming back when the token has expired, signing out.

use serde_json::json;

use crate::checks::{
    assert_call_works, assert_every_refresh_is_bound, assert_pushed_login_is_bound,
    assert_tools_work, before_the_proof, tool_names, wait_for_expiry,
};
use crate::program::{Person, Run};
use crate::servers::Servers;
use crate::{BRIEF, UNHURRIED};

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
    assert_pushed_login_is_bound(&servers);
    assert_eq!(servers.requests_to("/reg").len(), 1, "one registration");
    let asked = before_the_proof(&servers);
    assert_eq!(asked.len(), 6, "five, and the pushed request: {asked:?}");
    assert_eq!(person.browser_visits("/auth?"), 1, "one authorization page");

    for day in 1..=2 {
        wait_for_expiry();
        servers.forget_requests();
        assert_tools_work(&person);
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
    assert_a_second_login_registers_nothing(&person, &servers);
    assert_resources_are_not_found_rather_than_forbidden(&person);
    assert_logout_revokes(&person, &servers);
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

fn assert_calls_work(person: &Person) {
    assert_call_works(person);
    let refused = person.run(&["call", "work", "refuse"]);
    assert_eq!(
        refused.code, 8,
        "a tool's own error has its own exit code: {refused}"
    );
}

fn assert_a_second_login_registers_nothing(person: &Person, servers: &Servers) {
    servers.forget_requests();
    person.run(&["login", "work"]).succeeded();
    assert_eq!(
        servers.requests_to("/reg").len(),
        0,
        "the registration is reused"
    );
}

fn assert_resources_are_not_found_rather_than_forbidden(person: &Person) {
    let listed = person.run(&["resources", "work"]).succeeded();
    assert!(listed.stderr.contains("lists no resources"), "{listed}");
    let read = person.run(&["resources", "read", "work", "docs://intro"]);
    assert_eq!(read.code, 7, "{read}");
    assert!(read.stderr.contains("Method not found"), "{read}");
    for run in [listed, read] {
        assert!(
            !run.stderr.contains("doorkey login"),
            "never taken for a login: {run}"
        );
    }
}

fn assert_logout_revokes(person: &Person, servers: &Servers) {
    servers.forget_requests();
    person.run(&["logout", "work"]).succeeded();
    assert_eq!(
        servers.requests_to("/token/revocation").len(),
        2,
        "refresh and access token"
    );
    assert_eq!(servers.events("refresh_token.destroyed"), 1);
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
