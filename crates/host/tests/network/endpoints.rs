//! Servers without any metadata, and endpoints that a person wrote down for them.

use doorkey::oauth::LogoutOptions;
use doorkey::{LoginOutcome, Silent};
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Leg, McpServer, MetadataKind, Prm, Recorder,
    StaticClient,
};

use crate::world::{World, person, within, works};

struct Servers {
    world: World,
    authority: CertificateAuthority,
    recorder: Recorder,
    authorization: AuthorizationServer,
    mcp: McpServer,
}

impl Servers {
    /// An MCP server that publishes nothing, and an authorization server with metadata of that kind.
    async fn start(metadata: MetadataKind, prm: Prm) -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let recorder = Recorder::new();
        let authorization = AuthorizationServer::builder()
            .tls(&authority)
            .metadata(metadata)
            .loopback_any_port(true)
            .static_client(StaticClient::public("desk").redirect_uri("http://127.0.0.1/callback"))
            .recorder(&recorder)
            .start();
        let authorization = authorization.await.unwrap();
        let mcp = McpServer::builder()
            .tls(&authority)
            .authorization(&authorization)
            .resource_metadata(prm)
            .recorder(&recorder)
            .start();
        let mcp = mcp.await.unwrap();
        let world = World::new();
        world.write("ca.pem", &authority.pem());
        Self {
            world,
            authority,
            recorder,
            authorization,
            mcp,
        }
    }

    fn host(&self, client: &str, endpoints: bool) -> doorkey::Host {
        let (url, issuer) = (self.mcp.url(), self.authorization.issuer());
        let endpoints = match endpoints {
            true => format!(
                "[mcp_servers.one.oauth.endpoints]\n\
                 authorization_endpoint = \"{issuer}/authorize\"\ntoken_endpoint = \"{issuer}/token\"\n\
                 registration_endpoint = \"{issuer}/register\"\n\
                 revocation_endpoint = \"{issuer}/revoke\"\n"
            ),
            false => String::new(),
        };
        self.world.host(&format!(
            "[network]\nca_certificates = [\"ca.pem\"]\n[mcp_servers.one]\nurl = \"{url}\"\n\
             [mcp_servers.one.oauth]\nissuer = \"{issuer}\"\n{client}{endpoints}"
        ))
    }

    async fn sign_in(&self, host: &doorkey::Host) {
        let signed_in = Box::pin(host.login("one", person(&self.authority), &Silent));
        let signed_in = within(signed_in).await.unwrap();
        assert!(
            matches!(signed_in, LoginOutcome::SignedIn { .. }),
            "{signed_in:?}"
        );
    }

    /// What was asked, but for the MCP server's own requests.
    fn count(&self, leg: Leg) -> usize {
        self.recorder.count(leg)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn login_refresh_and_logout_work_where_nobody_publishes_anything() {
    for client in ["client_id = \"desk\"\n", ""] {
        let servers = Servers::start(MetadataKind::None, Prm::None).await;
        let host = servers.host(client, true);
        servers.sign_in(&host).await;
        let registered = usize::from(client.is_empty());
        assert_eq!(servers.count(Leg::Registration), registered, "{client}");
        assert_eq!(servers.count(Leg::Token), 1);
        let asked = servers.recorder.of(Leg::Authorization).pop().unwrap();
        assert_eq!(asked.query("code_challenge_method"), ["S256"]);
        assert_eq!(asked.query("resource"), [servers.mcp.resource()]);
        let published = servers.recorder.of(Leg::AuthorizationServerMetadata);
        assert!(
            published.is_empty(),
            "nobody asks for what is written down: {published:?}"
        );

        servers.authorization.expire_access_tokens();
        within(works(&host, "one")).await.unwrap();
        assert_eq!(servers.authorization.refreshes(), 1);

        within(host.logout("one", LogoutOptions::default()))
            .await
            .unwrap();
        assert_ne!(servers.count(Leg::Revocation), 0);
        assert!(works(&host, "one").await.unwrap_err().needs_login());
        let refusals = servers.authorization.refusals();
        assert!(refusals.is_empty(), "{refusals:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_stand_in_for_the_metadata_of_an_issuer_that_the_resource_names() {
    let servers = Servers::start(MetadataKind::None, Prm::Challenge).await;
    let host = servers.host("client_id = \"desk\"\n", true);
    servers.sign_in(&host).await;
    servers.authorization.expire_access_tokens();
    within(works(&host, "one")).await.unwrap();
    assert_eq!(servers.authorization.refusals(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_alone_leads_to_its_metadata_where_the_resource_has_none() {
    let servers = Servers::start(MetadataKind::OAuth, Prm::None).await;
    let host = servers.host("client_id = \"desk\"\n", false);
    servers.sign_in(&host).await;
    within(works(&host, "one")).await.unwrap();
    assert_eq!(servers.authorization.refusals(), [] as [String; 0]);
}
