//! The walk with everything configured, as a person does it, and what the servers saw of it.

use std::time::Duration;

use doorkey::{Environment, Home as Place, Host};
use doorkey_oauth::LogoutOptions;
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Document, Fault, FaultRule, Identity, Listen,
    McpServer, Proxy, RecordedRequest, Recorder, Wire,
};
use serde_json::json;

use super::{Leg, Matrix, Setting};
use crate::{Home, IdentityProvider, LIMIT, World, world::every_endpoint};

/// Goes over every leg and reads the record. `configured` is false for the walk without any setting.
pub(super) async fn walk(configured: bool) -> Matrix {
    let (world, provider, identity) = servers(configured).await;
    let proxy = Proxy::builder()
        .route(authority(world.mcp.origin()), world.mcp.addr())
        .route(authority(world.auth.url()), world.auth.addr())
        .route(authority(provider.server.url()), provider.server.addr())
        .start()
        .await
        .expect("a free port");
    let home = Home::new(&world, "");
    home.write("client.pem", identity.certificate_pem().as_bytes());
    home.write("client-key.pem", identity.key_pem().as_bytes());
    home.configure(&configuration(
        &world,
        &provider,
        configured.then_some(&proxy),
    ));
    session(&world, &home).await;
    other_logins(&world, &home).await;

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
async fn servers(named: bool) -> (World, IdentityProvider, Identity) {
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
    let provider = IdentityProvider::start(listen("idp")).await;
    let auth = every_endpoint(AuthorizationServer::builder().listen(listen("as")))
        .start()
        .await
        .expect("a free port");
    provider.introduce(&auth);
    // The wire that has a stream and a session to end.
    let mcp = McpServer::builder()
        .listen(listen("mcp"))
        .wire(Wire::Stateful2025_11_25)
        .authorization(&auth)
        .start()
        .await
        .expect("a free port");
    // The browser of the test knows no proxy.
    for server in [&auth, &provider.server] {
        let page = format!("https://{}/authorize", server.addr());
        server.set_field(Document::Metadata, "authorization_endpoint", json!(page));
    }
    let page = json!(format!("https://{}/device", auth.addr()));
    auth.set_field(Document::DeviceAuthorization, "verification_uri", page);
    // A service that hands an identity over, as clouds have them for what runs there.
    let token = provider.identity_token();
    let hands_over = Fault::Status(200, Vec::new(), token);
    provider
        .server
        .fault(FaultRule::on(SERVICE).respond(hands_over));
    let world = World::of(ca, recorder, auth, mcp).await;
    (world, provider, identity)
}

/// A server for each way to sign in, all of them the same MCP server, with every network setting if there is a proxy.
fn configuration(world: &World, provider: &IdentityProvider, proxy: Option<&Proxy>) -> String {
    let (there, secret) = IdentityProvider::CLIENT_THERE;
    let issuer = provider.server.issuer();
    let enterprise = |name: &str| {
        format!(
            r#"flow = "enterprise_managed"
client_id = {there:?}
client_secret = {secret:?}
issuer = {:?}
[mcp_servers.{name}.oauth.identity_provider]
issuer = {issuer:?}
client_id = {:?}
"#,
            world.auth.issuer(),
            IdentityProvider::CLIENT,
        )
    };
    let service = format!("id_token = {{ url = \"{issuer}{SERVICE}\" }}\n");
    let logins = [
        (DEVICE, "flow = \"device\"\n".to_owned()),
        (SIGN_ON, enterprise(SIGN_ON)),
        (HANDED, enterprise(HANDED) + &service),
    ];
    let mut text = settings(Home::SERVER, proxy);
    for (name, login) in logins {
        text += &format!(
            "[mcp_servers.{name}]\nurl = {:?}\naccount = {name:?}\n",
            world.mcp.url()
        );
        text += &settings(name, proxy);
        text += &format!("[mcp_servers.{name}.oauth]\n{login}");
    }
    text
}

/// What the table of a server goes on with, and its own network.
fn settings(name: &str, proxy: Option<&Proxy>) -> String {
    let Some(proxy) = proxy else {
        return String::new();
    };
    format!(
        r#"http_headers = {{ X-Server = "resource-value" }}
[mcp_servers.{name}.network]
client_certificate = "client.pem"
client_key = "client-key.pem"
default_headers = {{ X-Everybody = "default-value" }}
proxy = "{}"
user_agent = "{USER_AGENT}"
"#,
        proxy.url()
    )
}

/// A home where the private authority is one more, as the configuration has it.
fn environment(home: &Home) -> Environment {
    let ca = home.path().join("ca.pem");
    Environment::new([
        ("DOORKEY_HOME", home.path()),
        ("DOORKEY_CA_CERTIFICATE", ca.as_path()),
    ])
}

/// A session with each of its legs: login, connect, stream, refresh, end of the session, logout with the registration.
async fn session(world: &World, home: &Home) {
    let environment = environment(home);
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

/// The logins that go elsewhere: on another device, by a sign-on at the identity provider, and with an identity that a
/// service hands over.
async fn other_logins(world: &World, home: &Home) {
    let host = Host::open(environment(home)).expect("a host");
    let login = host.login(DEVICE, world.person.typing(), &doorkey::Silent);
    login.await.expect("a login on another device");
    let login = host.login(SIGN_ON, world.person.interaction(), &doorkey::Silent);
    login.await.expect("a sign-on");
    host.check(HANDED).await.expect("an identity");
    assert_went_to_the_provider(&world.recorder);
}

/// One row has every kind of request to an identity provider.
fn assert_went_to_the_provider(recorder: &Recorder) {
    let mut requests = recorder.requests();
    requests.retain(|request| Leg::of(request) == Some(Leg::IdentityProvider));
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    for grant in ["authorization_code", exchange] {
        let made = requests.iter().any(|it| it.form("grant_type") == [grant]);
        assert!(made, "no {grant}: {requests:?}");
    }
    let served = requests.iter().any(|request| request.path() == SERVICE);
    assert!(served, "nobody asked the service: {requests:?}");
}

/// Host and port of an origin.
fn authority(origin: &str) -> &str {
    origin.strip_prefix("https://").unwrap_or(origin)
}

/// The end of names that no resolver knows (RFC 6761 §6.4).
const UNREACHABLE: &str = ".invalid";
const USER_AGENT: &str = "matrix/1.0";
/// Where the identity provider hands an identity over.
const SERVICE: &str = "/identity";
/// The servers of the configuration, besides [`Home::SERVER`].
const DEVICE: &str = "device";
const SIGN_ON: &str = "sign-on";
const HANDED: &str = "handed";
