//! Client credentials: a secret or a key signs in, and nobody is asked.

use crate::checks::{assert_call_works, assert_tools_work, is_declared, wait_for_expiry};
use crate::program::Person;
use crate::servers::{Request, Servers, jwt};
use crate::{BRIEF, UNHURRIED};

/// A client that was registered beforehand, and the file with what it shows for itself.
struct Machine {
    client: &'static str,
    key: &'static str,
    file: &'static str,
}

impl Machine {
    fn configure(&self, servers: &Servers, person: &Person) {
        let Self { client, key, file } = self;
        let (issuer, file) = (servers.issuer(), servers.file(file));
        let oauth = format!(
            "flow = \"client_credentials\"\nclient_id = {client:?}\nissuer = {issuer:?}\n{key} = {file:?}"
        );
        person.configure(servers, &oauth);
    }

    /// Its token requests.
    fn requests(&self, servers: &Servers) -> Vec<Request> {
        let asked = servers.token_requests("client_credentials").into_iter();
        asked
            .filter(|request| request.client_id() == self.client)
            .collect()
    }
}

#[test]
fn a_client_with_a_secret_signs_in_by_itself_and_renews_without_discovery() {
    let mut servers = Servers::with_machines();
    let machines = [Machine {
        client: "with-secret",
        key: "client_secret_file",
        file: "secret",
    }];
    for requests in work_by_themselves(&mut servers, &machines) {
        for request in requests {
            assert_eq!(request.scheme, "Basic");
            assert_eq!(request.values("client_secret"), [""; 0]);
            assert_eq!(request.values("client_assertion"), [""; 0]);
        }
    }
}

#[test]
fn a_client_with_a_key_signs_in_by_itself_and_renews_without_discovery() {
    let mut servers = Servers::with_machines();
    let with = |client, file| Machine {
        client,
        key: "private_key_file",
        file,
    };
    let machines = [
        with("with-ec", "ec.pem"),
        with("with-sec1", "sec1.pem"),
        Machine {
            key: METHOD_AND_KEY,
            ..with("with-rsa", "rsa.pem")
        },
        with("with-jwk", "ed25519.jwk"),
    ];
    let signed = [
        ("ES256", None),
        ("ES256", None),
        ("RS256", None),
        ("EdDSA", Some("interop-1")),
    ];
    let requests = work_by_themselves(&mut servers, &machines);
    for (requests, (algorithm, key_id)) in requests.into_iter().zip(signed) {
        let mut ids = Vec::new();
        for request in requests {
            assert_eq!(request.scheme, "", "{algorithm}");
            let assertions = request.values("client_assertion");
            assert_eq!(assertions.len(), 1, "{algorithm}");
            let (header, claims) = jwt(&assertions[0]);
            assert_eq!(header["alg"], algorithm);
            assert_eq!(header["kid"].as_str(), key_id, "{algorithm}");
            assert_eq!(claims["aud"], servers.issuer(), "one audience");
            ids.push(claims["jti"].to_string());
        }
        ids.dedup();
        assert_eq!(ids.len(), 2, "{algorithm}: another assertion each time");
    }
}

#[test]
fn a_client_with_the_wrong_key_or_secret_is_refused_by_the_server() {
    let servers = Servers::with_machines();
    for (client, key, file) in [
        ("with-ec", "private_key_file", "sec1.pem"),
        ("with-rsa", "private_key_file", "ec.pem"),
        ("with-secret", "client_secret_file", "ed25519.jwk"),
    ] {
        let person = Person::new(&servers);
        let machine = Machine { client, key, file };
        machine.configure(&servers, &person);
        let refused = person.run(&["tools", "work", "--json"]);
        assert_ne!(refused.code, 0, "{client}: {refused}");
        assert!(
            refused.stderr.contains("invalid_client"),
            "{client}: {refused}"
        );
        let asked = machine.requests(&servers);
        // Whom nobody watches does not guess at another way to send a secret (CC-04).
        assert_eq!(asked.len(), 1, "{client}: asked once");
        assert_eq!(asked[0].answer.members["error"], "invalid_client");
    }
}

/// Tools, expiry, a call: the two token requests of each.
fn work_by_themselves(servers: &mut Servers, machines: &[Machine]) -> Vec<Vec<Request>> {
    servers.set_token_lifetime(BRIEF);
    let first = machines.iter().map(|machine| {
        let person = Person::new(servers);
        machine.configure(servers, &person);
        assert_tools_work(&person);
        let requests = machine.requests(servers);
        assert_eq!(requests.len(), 1, "{}", machine.client);
        (person, requests)
    });
    let first: Vec<_> = first.collect();
    assert_eq!(servers.requests_to("/reg").len(), 0, "nobody registers");
    let extension = "io.modelcontextprotocol/oauth-client-credentials";
    assert!(
        is_declared(servers, extension),
        "the client says what it uses"
    );

    wait_for_expiry();
    servers.set_token_lifetime(UNHURRIED);
    servers.forget_requests();
    let all = first
        .into_iter()
        .zip(machines)
        .map(|((person, mut all), machine)| {
            assert_call_works(&person);
            all.extend(machine.requests(servers));
            assert_eq!(all.len(), 2, "{}: one renewal", machine.client);
            for request in &all {
                assert!(request.succeeded(), "{}", request.answer.members);
                assert_eq!(request.values("resource"), [servers.mcp()]);
            }
            assert_eq!(person.browser_visits(""), 0, "nobody is asked");
            all
        });
    let all = all.collect();
    for request in servers.requests().iter().filter(|one| one.by_program) {
        assert!(
            ["/mcp", "/token"].contains(&request.path()),
            "no discovery: {}",
            request.path()
        );
    }
    all
}

/// The method is the one that a key has by itself; this says so.
const METHOD_AND_KEY: &str = "token_endpoint_auth_method = \"private_key_jwt\"\nprivate_key_file";
