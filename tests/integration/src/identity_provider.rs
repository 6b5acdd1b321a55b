//! An enterprise's identity provider on an origin of its own, and how the world's servers know it.

use doorkey_oauth::{ClientChoice, EnterpriseManaged, Issuer};
use doorkey_testkit::{
    AuthorizationServer, ClientAuthMethod, Listen, RecordedRequest, SigningAlgorithm, SigningKey,
    StaticClient, TrustedIssuer,
};

/// An OpenID provider that people sign on at, and that exchanges what it vouched for.
#[derive(Debug)]
pub struct IdentityProvider {
    /// The provider; its requests are recorded under [`IdentityProvider::NAME`].
    pub server: AuthorizationServer,
    key: SigningKey,
}

impl IdentityProvider {
    /// What the recorder calls it.
    pub const NAME: &'static str = "identity provider";

    /// The client that the provider knows.
    pub const CLIENT: &'static str = "agent";

    /// What the authorization server of the MCP server calls the same client, and its secret there.
    pub const CLIENT_THERE: (&'static str, &'static str) =
        ("agent-there", "agent-secret-Tn5Wx9Kd2Qm7Lc4R");

    /// Starts one at `listen`.
    ///
    /// # Panics
    /// When no port can be opened.
    pub async fn start(listen: Listen) -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
        let client = StaticClient::public(Self::CLIENT)
            .redirect_uri("http://127.0.0.1/callback")
            .grant_types([EXCHANGE, "refresh_token", "authorization_code"]);
        let server = AuthorizationServer::builder()
            .listen(listen.named(Self::NAME))
            .openid(&key)
            .token_exchange(true)
            .scopes_supported(["openid", "offline_access"])
            .static_client(client)
            .loopback_any_port(true)
            .start()
            .await
            .expect("a free port");
        Self { server, key }
    }

    /// Whether a request came to it.
    pub fn saw(request: &RecordedRequest) -> bool {
        request.server == Self::NAME
    }

    /// The client as an authorization server that takes grants of the provider has it from the start.
    #[must_use]
    pub fn client_there() -> StaticClient {
        let (id, secret) = Self::CLIENT_THERE;
        StaticClient::confidential(id, secret, ClientAuthMethod::Basic).grant_types([JWT_BEARER])
    }

    /// Lets `auth` take what the provider vouches for.
    pub fn introduce(&self, auth: &AuthorizationServer) {
        let issuer = self.server.issuer();
        auth.trust(TrustedIssuer::id_jag(issuer, self.key.public_key()));
        let (there, _) = Self::CLIENT_THERE;
        self.server
            .know_client_at(&auth.issuer(), Self::CLIENT, there);
    }

    /// An identity token of somebody who has just signed on.
    ///
    /// # Panics
    /// Never: the provider signs.
    #[must_use]
    pub fn identity_token(&self) -> String {
        let token = self.server.issue_id_token(Self::CLIENT, "alice");
        token.expect("an identity token")
    }

    /// What a host says of it: people sign on.
    #[must_use]
    pub fn settings(&self) -> EnterpriseManaged {
        EnterpriseManaged::new(Issuer::new(self.server.issuer()), Self::CLIENT)
    }

    /// The client at `auth` as a host has it.
    #[must_use]
    pub fn client_choice(auth: &AuthorizationServer) -> ClientChoice {
        let (id, secret) = Self::CLIENT_THERE;
        ClientChoice::Static {
            client_id: id.to_owned(),
            client_secret: Some(secret.into()),
            signing_key: None,
            issuer: Some(Issuer::new(auth.issuer())),
            auth_method: None,
        }
    }
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
