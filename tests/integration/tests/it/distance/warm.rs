//! Connections that are made ahead: by the rules of every other, and without a request.

use std::sync::Arc;

use doorkey::{Browser, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_http::{Body, Error, HttpClient, HttpProfile, Leg as Purpose, Origin};
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Distance, Document, Leg, Listen, Proxy, Recorder,
};
use http::Request;
use integration::{Home, World};
use url::Url;

use super::{Far, distance};

/// A server over TLS that is behind a distance, and what it saw.
struct Server {
    ca: CertificateAuthority,
    recorder: Recorder,
    distance: Arc<Distance>,
    server: AuthorizationServer,
}

impl Server {
    async fn start(listen: impl FnOnce(Listen, &CertificateAuthority) -> Listen) -> Self {
        let ca = CertificateAuthority::new().expect("a certificate authority");
        let recorder = Recorder::new();
        let distance = distance().await;
        let base = Listen::new().tls(&ca).recorder(&recorder).behind(&distance);
        let server = AuthorizationServer::builder().listen(listen(base, &ca));
        Self {
            server: server.start().await.expect("a free port"),
            ca,
            recorder,
            distance,
        }
    }

    fn url(&self) -> Url {
        let url = format!(
            "{}/.well-known/oauth-authorization-server",
            self.server.url()
        );
        url.parse().expect("a URL")
    }

    fn profile(&self) -> HttpProfile {
        let mut profile = HttpProfile::new(self.url());
        let roots = doorkey_http::RootCertificate::from_pem_bundle(self.ca.pem().as_bytes());
        profile.roots = doorkey_http::Roots::Only(roots.expect("a certificate"));
        profile
    }

    /// Makes a connection ahead, several times over, and then sends requests one after the other.
    async fn warmed(&self, profile: &HttpProfile) {
        let client = HttpClient::new(profile).expect("a client");
        for _ in 0..3 {
            let warmed = client.warm(Purpose::Token, &self.url()).await;
            warmed.expect("a connection");
        }
        assert!(self.recorder.is_empty(), "{:?}", self.recorder.requests());
        assert_eq!(self.distance.connections().len(), 1);
        for _ in 0..3 {
            let request = Request::get(self.url().as_str()).body(Body::empty());
            let answer = client.send_collected(Purpose::Token, request.expect("a request"));
            assert_eq!(answer.await.expect("an answer").status(), 200);
        }
        assert_eq!(self.distance.connections().len(), 1);
        assert_eq!(self.recorder.len(), 3);
        let refusals = self.server.refusals();
        assert!(refusals.is_empty(), "{refusals:?}");
    }
}

#[tokio::test]
async fn a_connection_made_ahead_carries_no_request_and_the_next_request_uses_it() {
    let server = Server::start(|listen, _| listen).await;
    server.warmed(&server.profile()).await;
    let server = Server::start(|listen, _| listen.http1_only()).await;
    server.warmed(&server.profile()).await;
}

#[tokio::test]
async fn it_is_made_with_the_client_certificate_and_through_the_proxy() {
    for http1_only in [false, true] {
        let server = Server::start(|listen, ca| {
            let listen = listen.require_client_certificate(ca);
            match http1_only {
                true => listen.http1_only(),
                false => listen,
            }
        })
        .await;
        let proxy = Proxy::start().await.expect("a free port");
        let mut profile = server.profile();
        let identity = server.ca.issue_client("somebody").expect("a certificate");
        let key = identity.key_pem().as_bytes().to_vec().into();
        let chain = identity.certificate_pem().as_bytes();
        let identity = doorkey_http::ClientIdentity::from_pem(chain, &key);
        profile.client_identity = Some(identity.expect("an identity"));
        let url = proxy.url().parse().expect("a proxy");
        profile.proxy.https = Some(url);
        server.warmed(&profile).await;
        assert_eq!(proxy.requests().len(), 1, "one tunnel");
    }
}

#[tokio::test]
async fn whom_no_request_may_go_to_gets_no_connection_either() {
    let server = Server::start(|listen, _| listen).await;
    let mut profile = HttpProfile::new("https://192.0.2.1/mcp".parse().expect("a URL"));
    profile.roots = server.profile().roots;
    let refused = HttpClient::new(&profile).expect("a client");
    let refused = refused.warm(Purpose::Token, &server.url()).await;
    assert!(
        matches!(refused, Err(Error::AddressRefused { .. })),
        "{refused:?}"
    );
    assert!(server.distance.connections().is_empty());

    profile.addresses.allow.push(Origin::from(&server.url()));
    let allowed = HttpClient::new(&profile).expect("a client");
    let allowed = allowed.warm(Purpose::Token, &server.url()).await;
    assert!(allowed.is_ok(), "{allowed:?}");

    let insecure = "http://mcp.example/".parse().expect("a URL");
    let client = HttpClient::new(&profile).expect("a client");
    let insecure = client.warm(Purpose::Token, &insecure).await;
    assert!(
        matches!(insecure, Err(Error::Endpoint { .. })),
        "{insecure:?}"
    );

    // Who is not trusted is not connected to, and the error says so.
    let mut profile = server.profile();
    let other = CertificateAuthority::new().expect("a certificate authority");
    let roots = doorkey_http::RootCertificate::from_pem_bundle(other.pem().as_bytes());
    profile.roots = doorkey_http::Roots::Only(roots.expect("a certificate"));
    let client = HttpClient::new(&profile).expect("a client");
    let untrusted = client.warm(Purpose::Token, &server.url()).await;
    assert!(
        untrusted.as_ref().is_err_and(Error::is_tls),
        "{untrusted:?}"
    );
    assert!(server.recorder.is_empty());
}

/// The person reads until there is a connection to a token endpoint that nothing else led to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_endpoint_is_connected_to_while_the_person_reads() {
    let far = Far::with(|auth| auth, |mcp| mcp).await;
    let world = &far.world;
    let to_token = distance().await;
    to_token.lead_to(world.auth.addr());
    let token = format!("https://{}/tenant1/token", to_token.addr());
    let set = |value: String| {
        world
            .auth
            .set_field(Document::Metadata, "token_endpoint", value.into());
    };
    set(token);
    let home = Home::new(world, "");
    let host = home.host();
    let outcome = host.login(Home::SERVER, reader(world, &to_token), &Silent);
    outcome
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{:#?}", world.story()));
    assert_eq!(far.connections_after_the_page(), 0);
    let exchanged = world.recorder.of(Leg::Token);
    assert_eq!(exchanged.len(), 1);
    assert!(exchanged[0].url.contains(&to_token.addr().to_string()));
    assert_eq!(
        to_token.connections().len(),
        1,
        "made while the person read"
    );
    assert_eq!(world.recorder.count(Leg::Other), 0, "{:#?}", world.story());
}

/// Somebody who approves as soon as there is a connection over `distance`.
fn reader(world: &World, distance: &Arc<Distance>) -> Arc<LoopbackInteraction> {
    let browser = doorkey_testkit::Browser::new().trusting(&world.ca);
    let distance = Arc::clone(distance);
    let runtime = tokio::runtime::Handle::current();
    let browser = PlatformBrowser::new(move |url| {
        let (browser, distance, url) = (browser.clone(), Arc::clone(&distance), url.to_owned());
        runtime.spawn(async move {
            while distance.connections().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            browser.open(&url).await
        });
        Ok(())
    });
    Arc::new(LoopbackInteraction::new(
        Browser::Platform(browser),
        Arc::new(Silent),
    ))
}
