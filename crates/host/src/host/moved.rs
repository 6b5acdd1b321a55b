//! A server whose name leads nearer than at login, and the person who signs in to it again (SEC-05).

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use doorkey_http::{AddressClass, HttpClient, HttpProfile, Resolver, RootCertificate, Roots};
use doorkey_oauth::{NextStep, TokenSource};
use doorkey_store::Store;
use doorkey_testkit::{AuthorizationServer, CertificateAuthority, Listen, McpServer};
use tokio::runtime::Handle;

use super::{Host, Session};
use crate::{
    Browser, Config, Environment, Error, Home, LoginOutcome, LoopbackInteraction, PlatformBrowser,
    Silent,
};

/// Every name is this machine.
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn lookup<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }
}

/// A host whose one session looks names up so.
fn host(folder: &tempfile::TempDir, url: &str, authority: &CertificateAuthority) -> Host {
    let home = Home::at(folder.path());
    let text = format!("[mcp_servers.one]\nurl = {url:?}\n");
    let config = Config::parse(&home, &text).expect("a configuration");
    let host = Host::new(Environment::default(), home, config, Store::memory());
    let host = host.with_standalone_stream(false);
    let server = host.server("one".into()).expect("a server");
    let mut profile = HttpProfile::new(server.url.clone());
    let roots = RootCertificate::from_pem_bundle(authority.pem().as_bytes());
    profile.roots = Roots::Only(roots.expect("an authority"));
    let http = HttpClient::with_resolver(&profile, Arc::new(Here)).expect("a client");
    let settings = host.authorization_config(&server).expect("settings");
    let tokens = TokenSource::builder(settings, http.clone(), host.store().clone()).build();
    let key = (server.name.clone(), server.account.clone());
    let session = Session {
        server,
        http,
        tokens,
    };
    host.sessions().insert(key, session);
    host
}

fn person() -> Arc<LoopbackInteraction> {
    let runtime = Handle::current();
    let browser = PlatformBrowser::new(move |url| {
        let visit = doorkey_testkit::Browser::new();
        let visited = runtime.block_on(visit.open(url));
        visited.map(drop).map_err(io::Error::other)
    });
    let browser = Browser::Platform(browser);
    Arc::new(LoopbackInteraction::new(browser, Arc::new(Silent)))
}

/// The message with all its causes.
fn told(error: &Error) -> String {
    let first: &(dyn StdError + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_again_reaches_a_server_that_came_nearer_and_nothing_else_does_sec_05() {
    let authority = CertificateAuthority::new().expect("an authority");
    let auth = AuthorizationServer::builder().start();
    let auth = auth.await.expect("an authorization server");
    let mcp = McpServer::builder().listen(Listen::new().host("mcp.test").tls(&authority));
    let mcp = mcp.authorization(&auth).start();
    let mcp = mcp.await.expect("an MCP server");
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(&folder, mcp.url().as_ref(), &authority);
    let login = async || host.login("one", person(), &Silent).await;
    let signed_in = login().await.expect("a login");
    assert!(matches!(signed_in, LoginOutcome::SignedIn { .. }));

    // As if it had been a server on the internet then.
    let http = host.session("one").expect("a session").http;
    http.pin_resource_class(Some(AddressClass::Public));
    let error = host.connect("one").await.expect_err("a refusal");
    let text = told(&error);
    assert!(
        text.contains("public at login") && text.contains("VPN"),
        "{text}"
    );
    let next = error
        .authorization()
        .and_then(doorkey_oauth::Error::next_step);
    assert_eq!(next, Some(NextStep::CheckAddress), "{text}");

    let signed_in = login().await.expect("a login");
    assert!(matches!(signed_in, LoginOutcome::SignedIn { .. }));
    assert_eq!(http.resource_class(), Some(AddressClass::Loopback));
    let connection = host.connect("one").await.expect("a connection");
    connection.close(std::time::Duration::from_secs(5)).await;
}
