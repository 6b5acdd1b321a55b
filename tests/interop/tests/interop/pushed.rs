//! Pushed authorization requests (RFC 9126): required by the server, or not offered at all.

use serde_json::json;

use crate::checks::{
    assert_plain_login_is_bound, assert_pushed_login_is_bound, assert_tools_work, before_the_proof,
};
use crate::program::Person;
use crate::servers::Servers;

#[test]
fn a_server_that_requires_pushed_requests_is_signed_in_to() {
    let servers = Servers::with(&json!({ "pushed": "required" }));
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    person.run(&["login", "work"]).succeeded();
    assert_pushed_login_is_bound(&servers);
    assert_tools_work(&person);
    assert_the_plain_request_is_refused(&person, &servers);
}

/// The same request, carried by the browser: the requirement is real.
fn assert_the_plain_request_is_refused(person: &Person, servers: &Servers) {
    let request = &servers.requests_to("/request")[0];
    let page = format!("{}/auth?{}", servers.issuer(), request.body);
    servers.forget_requests();
    let refused = person.browse(&[&page]);
    assert!(!refused.status.success(), "there is no page to sign in at");
    assert_eq!(servers.authorization_pages().len(), 1);
    let visited = person.last_visit();
    assert!(visited.contains("error=invalid_request"), "{visited}");
    assert!(
        visited.contains("Pushed+Authorization+Request"),
        "{visited}"
    );
}

#[test]
fn a_server_without_pushed_requests_gets_the_plain_ones() {
    let servers = Servers::with(&json!({ "pushed": "off" }));
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    person.run(&["login", "work"]).succeeded();
    assert_plain_login_is_bound(&servers);
    let asked = before_the_proof(&servers);
    assert_eq!(asked.len(), 5, "five requests before the proof: {asked:?}");
    assert_tools_work(&person);
}
