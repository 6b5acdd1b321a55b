//! The walk with everything configured, as a person does it, and what the servers saw of it.

use std::time::Duration;

use doorkey::{Environment, Home as Place, Host};
use doorkey_oauth::LogoutOptions;
use doorkey_testkit::{CertificateAuthority, Proxy, RecordedRequest, Recorder};

use super::{
    Leg, Matrix, Setting,
    servers::{SERVICE, Servers},
};
use crate::{Home, IdentityProvider, LIMIT, World};

/// What is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// Nothing: the system trusts the servers.
    Bare,
    /// Everything, through a proxy in the clear; the private authority is trusted beside the system's.
    HttpProxy,
    /// Everything, through a proxy over TLS; the private authority is trusted in place of the system's.
    HttpsProxy,
}

/// Goes over every leg and reads the record.
pub(super) async fn walk(network: Network) -> Matrix {
    let servers = Servers::start((network != Network::Bare).then_some(UNREACHABLE)).await;
    let world = &servers.world;
    let clear = Proxy::builder();
    let secure = Proxy::builder().tls(&world.ca);
    let (clear, secure) = tokio::join!(start(clear, &servers), start(secure, &servers));
    let home = Home::new(world, "");
    home.write("client.pem", servers.identity.certificate_pem().as_bytes());
    home.write("client-key.pem", servers.identity.key_pem().as_bytes());
    let another = CertificateAuthority::named("the system's").expect("a certificate authority");
    home.write("system.pem", another.pem().as_bytes());
    home.configure(&configuration(&servers, network, [&clear, &secure]));
    let environment = environment(&home, network);
    Box::pin(session(world, &home, environment.clone())).await;
    other_logins(world, environment).await;

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
        // What a browser asks for is to have no trace of ours: one request with it is one too many.
        let is_page = leg == Leg::AuthorizationPage;
        if is_page && !seen.iter().any(|request| is_marked(&servers, request)) {
            continue;
        }
        for (setting, holds) in columns(&servers, network, [&clear, &secure]) {
            let holds = is_page || seen.iter().all(|request| holds(request));
            matrix.0.insert((leg, setting), holds.into());
        }
    }
    matrix
}

async fn start(proxy: doorkey_testkit::ProxyBuilder, servers: &Servers) -> Proxy {
    let (mcp, auth) = (&servers.world.mcp, &servers.world.auth);
    let provider = &servers.provider.server;
    let proxy = proxy
        .route(authority(mcp.origin()), mcp.addr())
        .route(authority(auth.url()), auth.addr())
        .route(authority(provider.url()), provider.addr());
    proxy.start().await.expect("a free port")
}

type Column<'a> = Box<dyn Fn(&RecordedRequest) -> bool + 'a>;

/// How each setting of the walk shows in a recorded request.
fn columns<'a>(
    servers: &'a Servers,
    network: Network,
    [clear, secure]: [&Proxy; 2],
) -> Vec<(Setting, Column<'a>)> {
    let has = |header: &'static str, value: &'static str| -> Column<'a> {
        Box::new(move |request| request.header(header) == Some(value))
    };
    let origins = servers.headers_of_origins();
    let mut columns = vec![
        (
            Setting::ClientCertificate,
            Box::new(|request: &RecordedRequest| request.client_certificate) as Column<'a>,
        ),
        (Setting::DefaultHeader, has("x-everybody", "default-value")),
        (Setting::ResourceHeader, has("x-server", "resource-value")),
        (
            // Its own origin's, and no other's.
            Setting::OriginHeader,
            Box::new(move |request| {
                origins.iter().all(|(origin, header, value)| {
                    let is_there = request.url.starts_with(&format!("{origin}/"));
                    request.header(header) == is_there.then_some(*value)
                })
            }),
        ),
        (Setting::UserAgent, has("user-agent", USER_AGENT)),
    ];
    let proxies = [(Setting::HttpProxy, clear), (Setting::HttpsProxy, secure)];
    for (setting, proxy) in proxies {
        let other = match network {
            Network::Bare => None,
            Network::HttpProxy => Some(Setting::HttpsProxy),
            Network::HttpsProxy => Some(Setting::HttpProxy),
        };
        if Some(setting) == other {
            assert_eq!(proxy.requests(), [], "that proxy was not configured");
        } else {
            columns.push((setting, through(proxy)));
        }
    }
    columns
}

/// Whether a request carries anything that was configured.
fn is_marked(servers: &Servers, request: &RecordedRequest) -> bool {
    let origins = servers.headers_of_origins();
    let headers = origins.iter().map(|(_, header, _)| *header);
    let mut headers = headers.chain(["x-everybody", "x-server"]);
    request.client_certificate
        || headers.any(|header| request.header(header).is_some())
        || request.header("user-agent") == Some(USER_AGENT)
        || request.url.contains(UNREACHABLE)
}

/// A name that only the proxy knows, and a tunnel to it.
fn through(proxy: &Proxy) -> Column<'static> {
    let tunnels = proxy.requests();
    Box::new(move |request| {
        let tunnel = tunnels.iter().any(|tunnel| {
            tunnel.method == http::Method::CONNECT
                && tunnel.status == 200
                && request
                    .url
                    .starts_with(&format!("https://{}/", tunnel.authority))
        });
        tunnel && request.url.contains(UNREACHABLE)
    })
}

/// A server for each way to sign in, all of them the same MCP server, with the settings of the network.
fn configuration(servers: &Servers, network: Network, proxies: [&Proxy; 2]) -> String {
    let (world, provider) = (&servers.world, &servers.provider);
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
    let settings = |name: &str| settings(servers, name, network, proxies);
    let mut text = settings(Home::SERVER);
    for (name, login) in logins {
        text += &format!(
            "[mcp_servers.{name}]\nurl = {:?}\naccount = {name:?}\n",
            world.mcp.url()
        );
        text += &settings(name);
        text += &format!("[mcp_servers.{name}.oauth]\n{login}");
    }
    text
}

/// What the table of a server goes on with, and its own network. Nobody but the proxy knows where the servers are, so the
/// pages on this machine have to be allowed.
fn settings(
    servers: &Servers,
    name: &str,
    network: Network,
    [clear, secure]: [&Proxy; 2],
) -> String {
    let (proxy, roots) = match network {
        Network::Bare => return String::new(),
        Network::HttpProxy => (clear, ""),
        Network::HttpsProxy => (
            secure,
            "ca_certificates = [\"ca.pem\"]\nsystem_roots = false\n",
        ),
    };
    let mut text = format!(
        r#"http_headers = {{ X-Server = "resource-value" }}
[mcp_servers.{name}.network]
{roots}client_certificate = "client.pem"
client_key = "client-key.pem"
default_headers = {{ X-Everybody = "default-value" }}
proxy = "{}"
user_agent = "{USER_AGENT}"
allow_networks = ["127.0.0.1"]
"#,
        proxy.url()
    );
    for (origin, header, value) in servers.headers_of_origins() {
        text += &format!(
            "[mcp_servers.{name}.network.origin_headers.{origin:?}]\n{header} = {value:?}\n"
        );
    }
    text
}

/// Who the system trusts: the world's own authority where nothing is configured, else somebody else.
fn environment(home: &Home, network: Network) -> Environment {
    let file = |name: &str| home.path().join(name);
    let mut variables = vec![("DOORKEY_HOME", file(""))];
    match network {
        Network::Bare => variables.push(("SSL_CERT_FILE", file("ca.pem"))),
        Network::HttpProxy => variables.extend([
            ("SSL_CERT_FILE", file("system.pem")),
            ("DOORKEY_CA_CERTIFICATE", file("ca.pem")),
        ]),
        Network::HttpsProxy => variables.push(("SSL_CERT_FILE", file("system.pem"))),
    }
    Environment::new(variables)
}

/// A session with each of its legs: login, connect, stream, refresh, end of the session, logout with the registration.
async fn session(world: &World, home: &Home, environment: Environment) {
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
async fn other_logins(world: &World, environment: Environment) {
    let host = Host::open(environment).expect("a host");
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
/// The servers of the configuration, besides [`Home::SERVER`].
const DEVICE: &str = "device";
const SIGN_ON: &str = "sign-on";
const HANDED: &str = "handed";
