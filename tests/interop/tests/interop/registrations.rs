//! Managing a registration (RFC 7592): extended for another callback port, and deleted.

use std::net::TcpListener;

use serde_json::json;

use crate::checks::assert_tools_work;
use crate::program::Person;
use crate::servers::{Request, Servers};

#[test]
fn a_login_from_another_port_extends_the_client_and_a_logout_deletes_it() {
    let servers = Servers::start();
    let person = Person::new(&servers);
    let ports = free_ports();
    for port in ports {
        person.configure(&servers, &format!("callback_port = {port}"));
        person.run(&["login", "work"]).succeeded();
    }
    assert_eq!(
        servers.requests_to("/reg").len(),
        1,
        "no client is left behind"
    );
    let update = managed(&servers, "PUT").remove(0);
    assert_eq!(update.answer.status, 200, "{}", update.answer.members);
    let uris = update.answer.members["redirect_uris"]
        .as_array()
        .expect("URIs");
    for port in ports {
        let known = uris.iter().any(|uri| {
            uri.as_str()
                .is_some_and(|uri| uri.contains(&port.to_string()))
        });
        assert!(known, "{port} in {uris:?}");
    }
    assert_eq!(servers.events("registration_update.success"), 1);
    assert_tools_work(&person);

    // Both ports serve from now on, without a word to the server about it.
    servers.forget_requests();
    for port in ports {
        person.configure(&servers, &format!("callback_port = {port}"));
        person.run(&["login", "work"]).succeeded();
    }
    assert_eq!(managed(&servers, "PUT").len(), 0);
    assert_eq!(servers.requests_to("/reg").len(), 0);

    let forgotten = person
        .run(&["logout", "work", "--forget-client"])
        .succeeded();
    let deletion = managed(&servers, "DELETE").remove(0);
    assert_eq!(deletion.answer.status, 204, "{forgotten}");
    assert_ne!(
        deletion.credential, update.credential,
        "the token that manages it is another one since the update"
    );
    assert_eq!(servers.events("registration_delete.success"), 1);
    assert!(
        forgotten.stderr.contains("client registration: removed"),
        "{forgotten}"
    );

    person.run(&["login", "work"]).succeeded();
    let registered = servers.requests_to("/reg");
    assert_eq!(registered.len(), 1, "the next login registers anew");
    assert_ne!(
        json!(registered[0].answer.members["client_id"]),
        update.answer.members["client_id"]
    );
}

/// The requests to the client's own address (RFC 7592 §2).
fn managed(servers: &Servers, method: &str) -> Vec<Request> {
    let requests = servers.requests().into_iter();
    requests
        .filter(|request| request.method == method && request.path().starts_with("/reg/"))
        .collect()
}

/// Two ports that nobody listens on.
fn free_ports() -> [u16; 2] {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let listeners = [listen(), listen()];
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
