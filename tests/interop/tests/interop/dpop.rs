//! Tokens bound to a key (RFC 9449): both servers want proofs, with nonces of their own.

use serde_json::{Value, json};

use crate::checks::{
    assert_call_works, assert_every_refresh_is_bound, assert_pushed_login_is_bound,
    assert_tools_work, granted, is_declared, wait_for_expiry,
};
use crate::program::Person;
use crate::servers::{Request, Servers, jwt};
use crate::{BRIEF, UNHURRIED};

/// Signed in to servers that want DPoP, which the configuration says nothing about.
fn signed_in(lifetime: u64) -> (Servers, Person) {
    let mut servers = Servers::with(&json!({ "dpop": true }));
    let person = Person::new(&servers);
    servers.set_token_lifetime(lifetime);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    person.run(&["login", "work"]).succeeded();
    (servers, person)
}

#[test]
fn a_challenge_for_dpop_alone_gives_tokens_bound_to_a_key_that_are_refreshed_with_it() {
    let (mut servers, person) = signed_in(BRIEF);
    let first = &servers.requests_to("/mcp")[0];
    assert!(
        first.answer.challenge.starts_with("DPoP "),
        "{}",
        first.answer.challenge
    );
    assert_pushed_login_is_bound(&servers);
    let thumbprint = servers.requests_to("/request")[0].values("dpop_jkt");
    assert_eq!(thumbprint.len(), 1, "the code is bound as well");
    let exchanges = servers.token_requests("authorization_code");
    assert_proven_with_a_nonce(&servers, &exchanges);
    assert_every_call_is_proven(&servers);

    wait_for_expiry();
    servers.set_token_lifetime(UNHURRIED);
    servers.forget_requests();
    assert_tools_work(&person);
    let refreshes = servers.refreshes();
    assert_proven_with_a_nonce(&servers, &refreshes);
    assert_every_refresh_is_bound(&servers);
    let renewed = granted(refreshes).remove(0).answer.members;
    assert_eq!(
        thumbprint_of(&renewed),
        json!(thumbprint[0]),
        "the same key"
    );
    assert_call_works(&person);
    assert_eq!(granted(servers.refreshes()).len(), 1, "one refresh in all");
    let extension = "io.modelcontextprotocol/auth/dpop";
    assert!(
        is_declared(&servers, extension),
        "the client says what it uses"
    );
    assert_every_call_is_proven(&servers);
    assert_eq!(person.browser_visits("/auth?"), 1, "one login in all");
}

#[test]
fn what_was_stolen_of_a_bound_login_is_of_no_use() {
    let (servers, person) = signed_in(UNHURRIED);
    let call = last_call(&servers, &person);
    for (scheme, proof) in [
        ("Bearer", false),
        ("Bearer", true),
        ("DPoP", false),
        ("DPoP", true),
    ] {
        let refused = replayed(&servers, &call, scheme, proof);
        assert_eq!(refused["status"], 401, "{scheme}, {proof}: {refused}");
        let challenge = refused["challenge"].as_str().expect("a challenge");
        assert!(
            challenge.starts_with("DPoP error=\"invalid_token\""),
            "{challenge}"
        );
    }
    assert_tools_work(&person);

    // What is stolen of a bearer login is of use: the same request gets past the gate.
    let servers = Servers::start();
    let person = Person::new(&servers);
    person
        .run(&["add", "work", "--url", servers.mcp()])
        .succeeded();
    person.run(&["login", "work"]).succeeded();
    let call = last_call(&servers, &person);
    let accepted = replayed(&servers, &call, "Bearer", false);
    assert_eq!(accepted["status"], 200, "{accepted}");
}

/// The program calls a tool; its request.
fn last_call(servers: &Servers, person: &Person) -> Request {
    assert_call_works(person);
    let calls = servers.requests_to("/mcp").into_iter();
    let mut calls = calls.filter(|call| call.succeeded() && call.body.contains("tools/call"));
    calls.next_back().expect("a call")
}

/// What the MCP server says to somebody else with the token of a request.
fn replayed(servers: &Servers, call: &Request, scheme: &str, proof: bool) -> Value {
    let mut headers = call.headers.clone();
    headers["authorization"] = json!(format!("{scheme} {}", call.credential));
    servers.thief(&json!({
        "url": servers.mcp(),
        "headers": headers,
        "body": call.body,
        "token": call.credential,
        "proof": proof,
    }))
}

#[test]
fn a_logout_revokes_bound_tokens() {
    let (servers, person) = signed_in(UNHURRIED);
    let exchange = granted(servers.token_requests("authorization_code")).remove(0);
    let client_id = exchange.values("client_id").remove(0);
    let refresh_token = exchange.answer.members["refresh_token"].clone();
    let stolen = || {
        servers.thief(&json!({
            "url": format!("{}/token", servers.issuer()),
            "headers": { "content-type": "application/x-www-form-urlencoded" },
            "body": form(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.as_str().expect("a refresh token")),
                ("client_id", &client_id),
                ("resource", servers.mcp()),
            ]),
            "proof": true,
        }))
    };
    let before = stolen();
    assert_eq!(before["status"], 400, "{before}");
    let bound = "grant.error: failed jkt verification";
    assert_eq!(servers.events(bound), 1, "it is there, and bound");

    servers.forget_requests();
    let logout = person.run(&["logout", "work"]).succeeded();
    let revoked = servers.requests_to("/token/revocation");
    let tokens: Vec<_> = revoked.iter().flat_map(|one| one.values("token")).collect();
    assert_eq!(tokens.len(), 2, "{logout}");
    assert_eq!(json!(tokens[0]), refresh_token, "the refresh token first");
    assert_eq!(json!(tokens[1]), exchange.answer.members["access_token"]);
    assert!(revoked[0].succeeded(), "{}", revoked[0].answer.members);
    // It keeps no list of the JWTs that it signs.
    assert_eq!(revoked[1].answer.members["error"], "unsupported_token_type");
    assert_eq!(servers.events("refresh_token.destroyed"), 1);
    assert_eq!(servers.events("grant.revoked"), 1);

    let after = stolen();
    assert_eq!(after["status"], 400, "{after}");
    assert_eq!(servers.events("grant.error: refresh token not found"), 1);
    assert_eq!(person.run(&["tools", "work"]).code, 3, "a login is needed");
}

/// Of these token requests the first was told a nonce, and the second had it and was granted a bound token.
fn assert_proven_with_a_nonce(servers: &Servers, requests: &[Request]) {
    assert_eq!(requests.len(), 2, "one refused for its nonce, one granted");
    let [first, second] = requests else { return };
    assert_eq!(first.answer.members["error"], "use_dpop_nonce");
    assert_eq!(first.proof["nonce"], Value::Null);
    assert!(second.proof["nonce"].is_string(), "{}", second.proof);
    assert_ne!(first.proof["jti"], second.proof["jti"]);
    assert_eq!(second.proof["htu"], format!("{}/token", servers.issuer()));
    assert_eq!(second.proof["htm"], "POST");
    assert!(second.proof["ath"].is_null(), "there is no token yet");
    assert_eq!(second.answer.members["token_type"], "DPoP");
}

/// Every request with a token has it under the scheme of DPoP, with a proof of its own; only the first of a process lacks the nonce.
fn assert_every_call_is_proven(servers: &Servers) {
    let calls = servers.requests_to("/mcp").into_iter();
    let calls: Vec<_> = calls.filter(|call| !call.scheme.is_empty()).collect();
    assert!(!calls.is_empty(), "there were calls");
    let mut ids = Vec::new();
    for call in &calls {
        assert_eq!(call.scheme, "DPoP");
        assert_eq!(call.proof["htu"], servers.mcp());
        assert_eq!(call.proof["htm"], call.method);
        assert!(call.proof["ath"].is_string(), "{}", call.proof);
        ids.push(call.proof["jti"].to_string());
        let asked = call.answer.challenge.contains("use_dpop_nonce");
        assert_eq!(
            asked,
            call.proof["nonce"].is_null(),
            "{}",
            call.answer.challenge
        );
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "no proof was used twice");
}

/// The thumbprint in the access token of a token response.
fn thumbprint_of(response: &Value) -> Value {
    let token = response["access_token"].as_str().expect("a token");
    let (_, claims) = jwt(token);
    claims["cnf"]["jkt"].clone()
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}
