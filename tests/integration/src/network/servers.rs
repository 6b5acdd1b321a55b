//! The servers of a walk: every endpoint there is, on three origins, under one authority.

use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Document, Fault, FaultRule, Identity, Listen,
    McpServer, Recorder, Wire,
};
use serde_json::json;

use crate::{IdentityProvider, World, world::every_endpoint};

/// What a walk goes to.
pub(super) struct Servers {
    pub(super) world: World,
    pub(super) provider: IdentityProvider,
    /// A certificate that the servers ask for, and take a connection without it as well.
    pub(super) identity: Identity,
}

impl Servers {
    /// Starts them; under names that end in `suffix`, if there is one, else under the address.
    pub(super) async fn start(suffix: Option<&str>) -> Self {
        let ca = CertificateAuthority::new().expect("a certificate authority");
        let clients = CertificateAuthority::named("clients").expect("a certificate authority");
        let identity = clients.issue_client("somebody").expect("a certificate");
        let recorder = Recorder::new();
        let listen = |name: &str| {
            let listen = Listen::new()
                .tls(&ca)
                .request_client_certificate(&clients)
                .recorder(&recorder);
            match suffix {
                Some(suffix) => listen.host(format!("{name}{suffix}")),
                None => listen,
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
        // The browser of the test knows no proxy and no names.
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
        Self {
            world: World::of(ca, recorder, auth, mcp).await,
            provider,
            identity,
        }
    }

    /// Each origin with the header that is meant for it, and its value.
    pub(super) fn headers_of_origins(&self) -> [(String, &'static str, &'static str); 3] {
        let origins = [
            self.world.mcp.origin(),
            self.world.auth.url(),
            self.provider.server.url(),
        ];
        let [mcp, auth, provider] = origins.map(|origin| origin.trim_end_matches('/').to_owned());
        [
            (mcp, "x-at-mcp", "mcp-value"),
            (auth, "x-at-as", "as-value"),
            (provider, "x-at-idp", "idp-value"),
        ]
    }
}

/// Where the identity provider hands an identity over.
pub(super) const SERVICE: &str = "/identity";
