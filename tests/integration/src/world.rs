//! An authorization server and an MCP server on different origins, under one private certificate authority.

use std::collections::BTreeMap;
use std::time::Duration;

use doorkey_http::{HttpClient, HttpProfile, RootCertificate, Roots};
use doorkey_oauth::{AuthorizationConfig, TokenSource, TokenSourceBuilder};
use doorkey_rmcp::{AuthorizedClient, ClientOptions};
use doorkey_store::Store;
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, CertificateAuthority, DeviceGrant, Leg,
    Listen, McpServer, McpServerBuilder, PushedRequests, Recorder,
};
use url::Url;

use crate::{IdentityProvider, LIMIT, Person};

/// Two servers, the authority of their certificates, the record of their requests, and somebody who approves.
#[derive(Debug)]
pub struct World {
    /// Signs the certificates of both servers; nobody trusts it who was not told to.
    pub ca: CertificateAuthority,
    /// Every request that either server saw.
    pub recorder: Recorder,
    /// The authorization server; its issuer has a path.
    pub auth: AuthorizationServer,
    /// The MCP server, which accepts tokens for itself alone.
    pub mcp: McpServer,
    /// Who opens the authorization page.
    pub person: Person,
}

impl World {
    /// Servers as they are by default.
    pub async fn new() -> Self {
        Self::with(|auth| auth, |mcp| mcp).await
    }

    /// Servers that differ from the default in what `auth` and `mcp` say.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn with(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        let ca = CertificateAuthority::new().expect("a certificate authority");
        let recorder = Recorder::new();
        let base = AuthorizationServer::builder()
            .tls(&ca)
            .issuer_path("/tenant1")
            .recorder(&recorder);
        let auth = auth(base).start().await.expect("a free port");
        let base = McpServer::builder()
            .tls(&ca)
            .authorization(&auth)
            .recorder(&recorder);
        let mcp = mcp(base).start().await.expect("a free port");
        Self::of(ca, recorder, auth, mcp).await
    }

    /// Servers that also let devices sign in and take grants of the identity provider beside them, and want
    /// authorization requests to be pushed.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn with_every_endpoint() -> (Self, IdentityProvider) {
        let world = Self::with(every_endpoint, |mcp| mcp).await;
        let listen = Listen::new().tls(&world.ca).recorder(&world.recorder);
        let provider = IdentityProvider::start(listen).await;
        provider.introduce(&world.auth);
        (world, provider)
    }

    /// A world of servers that were started otherwise.
    pub async fn of(
        ca: CertificateAuthority,
        recorder: Recorder,
        auth: AuthorizationServer,
        mcp: McpServer,
    ) -> Self {
        let person = Person::trusting(&ca).await;
        Self {
            ca,
            recorder,
            auth,
            mcp,
            person,
        }
    }

    /// The MCP server's URL.
    ///
    /// # Panics
    /// Never: the server's own URL parses.
    pub fn url(&self) -> Url {
        self.mcp.url().parse().expect("a URL")
    }

    /// A profile for the MCP server that trusts the private authority and no other.
    ///
    /// # Panics
    /// Never: the authority's own certificate parses.
    pub fn profile(&self) -> HttpProfile {
        let mut profile = HttpProfile::new(self.url());
        let roots = RootCertificate::from_pem_bundle(self.ca.pem().as_bytes());
        profile.roots = Roots::Only(roots.expect("a certificate"));
        profile
    }

    /// A client of that profile.
    ///
    /// # Panics
    /// When no client can be made of it.
    pub fn http(&self) -> HttpClient {
        HttpClient::new(&self.profile()).expect("a client")
    }

    /// A token source with every default but for what `config` changes.
    pub fn tokens(
        &self,
        store: &Store,
        config: impl FnOnce(&mut AuthorizationConfig),
    ) -> TokenSourceBuilder {
        let mut settings = AuthorizationConfig::new(self.url());
        config(&mut settings);
        TokenSource::builder(settings, self.http(), store.clone())
    }

    /// rmcp's HTTP client over the tokens, without the standalone stream.
    pub fn client(&self, tokens: &TokenSource) -> AuthorizedClient {
        let options = ClientOptions::default().with_standalone_stream(false);
        AuthorizedClient::new(self.http(), tokens.clone(), options)
    }

    /// Starts both servers again on the ports they had, stopped or not.
    ///
    /// # Panics
    /// When a port is not to be had for longer than [`LIMIT`].
    pub async fn restart(&self) {
        let restarting = async {
            // A port that nobody listens on may be lent to an outgoing connection of somebody else for a while.
            while self.auth.restart().await.is_err() || self.mcp.restart().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let restarted = tokio::time::timeout(LIMIT, restarting).await;
        assert!(restarted.is_ok(), "somebody else keeps a server's port");
    }

    /// How many requests there were on each leg, in the order of the legs and not of time, the browser's apart, since the
    /// last [`Recorder::clear`].
    pub fn counts(&self) -> Vec<(Leg, usize)> {
        let mut counts: BTreeMap<Leg, usize> = BTreeMap::new();
        for request in self.recorder.requests() {
            if request.leg != Leg::Authorization {
                *counts.entry(request.leg).or_default() += 1;
            }
        }
        counts.into_iter().collect()
    }

    /// Every request in short, in order: what a failed assertion shows.
    pub fn story(&self) -> Vec<String> {
        let requests = self.recorder.requests();
        requests
            .iter()
            .map(|request| self.anonymous(&format!("{}: {request}", request.leg)))
            .collect()
    }

    /// `text` with the servers' addresses replaced by names that are the same in every run.
    pub fn anonymous(&self, text: &str) -> String {
        let servers = [
            (self.mcp.addr().to_string(), "mcp.test"),
            (self.auth.addr().to_string(), "as.test"),
        ];
        servers
            .iter()
            .fold(text.to_owned(), |text, (address, name)| {
                text.replace(address, name)
                    .replace(&address.replace(':', "%3A"), name)
            })
    }
}

/// An authorization server with everything that [`World::with_every_endpoint`] tells.
pub(crate) fn every_endpoint(auth: AuthorizationServerBuilder) -> AuthorizationServerBuilder {
    auth.pushed_requests(PushedRequests::Required)
        .device_grant(DeviceGrant::new().interval(Duration::from_secs(1)))
        .static_client(IdentityProvider::client_there())
}
