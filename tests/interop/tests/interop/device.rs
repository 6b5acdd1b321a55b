//! Device authorization (RFC 8628): the person types a code on the provider's own pages, elsewhere.

use serde_json::json;

use crate::checks::{assert_every_refresh_is_bound, assert_tools_work, granted, wait_for_expiry};
use crate::program::Person;
use crate::servers::{Request, Servers};
use crate::{BRIEF, UNHURRIED};

fn signing_in_by_device() -> (Servers, Person) {
    let mut servers = Servers::with(&json!({ "device": true }));
    let person = Person::new(&servers);
    person.configure(&servers, "flow = \"device\"");
    servers.set_token_lifetime(BRIEF);
    (servers, person)
}

#[test]
fn a_person_types_the_code_elsewhere_and_the_login_is_refreshed_like_any_other() {
    let (mut servers, person) = signing_in_by_device();
    let mut login = person.start(&["login", "work", "--no-browser"]);
    let (page, code) = login.until(page_and_code);
    let started = &servers.requests_to("/device/auth")[0];
    assert_eq!(started.answer.members["user_code"], code);
    assert_eq!(started.answer.members["verification_uri"], page);
    assert_eq!(started.values("resource"), [servers.mcp()]);

    // Not at once: the program is told to be patient.
    login.until(|_| polls(&servers).first().map(|_| ()));
    let typed = person.browse(&[&page, &code]);
    let said = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success(), "{said}");
    let login = login.finish().succeeded();
    let polls = polls(&servers);
    assert_eq!(polls[0].answer.members["error"], "authorization_pending");
    let exchanges = granted(polls);
    assert_eq!(exchanges.len(), 1, "{login}");
    assert_eq!(exchanges[0].values("resource"), [servers.mcp()]);
    assert_eq!(servers.requests_to("/reg").len(), 1);

    wait_for_expiry();
    servers.set_token_lifetime(UNHURRIED);
    servers.forget_requests();
    assert_tools_work(&person);
    assert_eq!(servers.refreshes().len(), 1, "one refresh");
    assert_every_refresh_is_bound(&servers);
    assert_eq!(servers.requests_to("/device/auth").len(), 0);
}

#[test]
fn a_browser_on_this_machine_opens_the_page_with_the_code_filled_in() {
    let servers = Servers::with(&json!({ "device": true }));
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    let login = person.run(&["login", "work", "--device"]).succeeded();
    let (_, code) = page_and_code(&login.stderr).expect("the code is shown all the same");
    assert_eq!(person.browser_visits(&format!("user_code={code}")), 1);
    assert_eq!(granted(polls(&servers)).len(), 1);
    assert_tools_work(&person);
}

#[test]
fn a_person_who_says_no_elsewhere_ends_the_login() {
    let (servers, person) = signing_in_by_device();
    let mut login = person.start(&["login", "work", "--no-browser"]);
    let (page, code) = login.until(page_and_code);
    let typed = person.browse(&[&page, &code, "abort"]);
    let said = String::from_utf8_lossy(&typed.stderr);
    assert!(typed.status.success(), "{said}");
    let ended = login.finish();
    assert_ne!(ended.code, 0, "{ended}");
    assert!(ended.stderr.contains("access_denied"), "{ended}");
    let polls = polls(&servers);
    let last = polls.last().expect("a poll");
    assert_eq!(last.answer.members["error"], "access_denied");
    assert_eq!(person.run(&["tools", "work"]).code, 3, "nobody signed in");
}

/// The polls that were answered.
fn polls(servers: &Servers) -> Vec<Request> {
    servers.token_requests("urn:ietf:params:oauth:grant-type:device_code")
}

/// What the program shows: each stands on a line of its own.
fn page_and_code(said: &str) -> Option<(String, String)> {
    let shown = |after: &str| {
        let (_, rest) = said.split_once(after)?;
        let (line, _) = rest.trim_start().split_once('\n')?;
        Some(line.to_owned())
    };
    Some((shown("open\n")?, shown("type the code\n")?))
}
