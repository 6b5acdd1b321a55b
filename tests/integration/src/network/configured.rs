//! The walk with everything configured, as a person does it, and what the servers saw of it.

use std::time::Duration;

use doorkey::{Environment, Home as Place, Host};
use doorkey_oauth::LogoutOptions;
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Document, Identity, Listen, McpServer, Proxy,
    RecordedRequest, Recorder, Wire,
};
use serde_json::json;

use super::{Leg, Matrix, Setting};
use crate::{Home, LIMIT, World};

/// Goes over every leg and reads the record. `configured` is false for the walk without any setting.
pub(super) async fn walk(configured: bool) -> Matrix {
    let (world, identity) = servers(configured).await;
    let proxy = Proxy::builder()
        .route(authority(world.mcp.origin()), world.mcp.addr())
        .route(authority(world.auth.url()), world.auth.addr())
        .start()
        .await
        .expect("a free port");
    let home = Home::new(&world, "");
    if configured {
        configure(&home, &identity, &proxy);
    }
    session(&world, &home).await;

    let mut matrix = Matrix::default();
    let requests = world.recorder.requests();
    for leg in Leg::ALL {
        let seen: Vec<_> = requests
            .iter()
            .filter(|request| Leg::of(request) == Some(leg))
            .collect();
        if seen.is_empty() {
            continue;
        }
        for (setting, holds) in columns(&proxy) {
            let all = seen.iter().all(|request| holds(request));
            matrix.0.insert((leg, setting), all);
        }
    }
    matrix
}

type Column<'a> = Box<dyn Fn(&RecordedRequest) -> bool + 'a>;

/// How each setting shows in a recorded request.
fn columns(proxy: &Proxy) -> [(Setting, Column<'_>); 5] {
    let tunnels = proxy.requests();
    let has = |header: &'static str, value: &'static str| -> Column<'static> {
        Box::new(move |request| request.header(header) == Some(value))
    };
    [
        (
            Setting::ClientCertificate,
            Box::new(|request| request.client_certificate),
        ),
        (Setting::DefaultHeader, has("x-everybody", "default-value")),
        (Setting::ResourceHeader, has("x-server", "resource-value")),
        (Setting::UserAgent, has("user-agent", USER_AGENT)),
        (
            // A name that only the proxy knows, and a tunnel to it.
            Setting::Proxy,
            Box::new(move |request| {
                let tunnel = tunnels.iter().any(|tunnel| {
                    tunnel.method == http::Method::CONNECT
                        && tunnel.status == 200
                        && request
                            .url
                            .starts_with(&format!("https://{}/", tunnel.authority))
                });
                tunnel && request.url.contains(UNREACHABLE)
            }),
        ),
    ]
}

/// Servers that ask for a client certificate; with names that only a proxy knows if `named`.
async fn servers(named: bool) -> (World, Identity) {
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let clients = CertificateAuthority::named("clients").expect("a certificate authority");
    let identity = clients.issue_client("somebody").expect("a certificate");
    let recorder = Recorder::new();
    let listen = |name: &str| {
        let listen = Listen::new()
            .tls(&ca)
            .request_client_certificate(&clients)
            .recorder(&recorder);
        if named {
            listen.host(format!("{name}{UNREACHABLE}"))
        } else {
            listen
        }
    };
    let auth = AuthorizationServer::builder()
        .listen(listen("as"))
        .start()
        .await
        .expect("a free port");
    // The wire that has a stream and a session to end.
    let mcp = McpServer::builder()
        .listen(listen("mcp"))
        .wire(Wire::Stateful2025_11_25)
        .authorization(&auth)
        .start()
        .await
        .expect("a free port");
    // The browser of the test knows no proxy.
    let page = format!("https://{}/authorize", auth.addr());
    auth.set_field(Document::Metadata, "authorization_endpoint", json!(page));
    let world = World::of(ca, recorder, auth, mcp).await;
    (world, identity)
}

fn configure(home: &Home, identity: &Identity, proxy: &Proxy) {
    home.write("client.pem", identity.certificate_pem().as_bytes());
    home.write("client-key.pem", identity.key_pem().as_bytes());
    home.configure(&format!(
        r#"http_headers = {{ X-Server = "resource-value" }}
[mcp_servers.{}.network]
client_certificate = "client.pem"
client_key = "client-key.pem"
default_headers = {{ X-Everybody = "default-value" }}
proxy = "{}"
user_agent = "{USER_AGENT}"
"#,
        Home::SERVER,
        proxy.url()
    ));
}

/// Every leg once: login, connect, stream, refresh, end of the session, logout with the registration.
async fn session(world: &World, home: &Home) {
    let ca = home.path().join("ca.pem");
    let environment = Environment::new([
        ("DOORKEY_HOME", home.path()),
        ("DOORKEY_CA_CERTIFICATE", ca.as_path()),
    ]);
    let place = Place::from_environment(&environment).expect("a home");
    assert!(place.config_file().is_file());
    let host = Host::open(environment.clone()).expect("a host");
    let login = host.login(Home::SERVER, world.person.interaction(), &doorkey::Silent);
    login.await.expect("a login");
    world.auth.expire_access_tokens();
    home.expire().await;

    let host = Host::open(environment).expect("a host");
    let connection = host.connect(Home::SERVER).await.expect("a connection");
    let streaming = |requests: &[RecordedRequest]| {
        requests
            .iter()
            .any(|it| Leg::of(it) == Some(Leg::McpStream))
    };
    let stream = world.recorder.wait_until(LIMIT, "a stream", streaming);
    stream.await.expect("an event stream");
    connection.list_tools().await.expect("tools");
    connection.close(Duration::from_secs(5)).await;
    let options = LogoutOptions::default().forget_client(true);
    host.logout(Home::SERVER, options).await.expect("a logout");
}

/// Host and port of an origin.
fn authority(origin: &str) -> &str {
    origin.strip_prefix("https://").unwrap_or(origin)
}

/// The end of names that no resolver knows (RFC 6761 §6.4).
const UNREACHABLE: &str = ".invalid";
const USER_AGENT: &str = "matrix/1.0";
