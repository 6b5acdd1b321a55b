//! An identity provider beside the referee's servers, and the configuration that trusts it.

use std::sync::{Arc, Mutex};

use doorkey_discovery::Issuer;
use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, ClientChoice,
    EnterpriseManaged, Flow, Identity,
};
use doorkey_store::{Grant, GrantKey};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, McpServer, RecordedRequest,
    Recorder, SigningAlgorithm, SigningKey, StaticClient, TrustedIssuer,
};
use secrecy::SecretString;

use crate::referee::Referee;

pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// An identity handed over by whoever embeds the library.
#[derive(Debug)]
pub(crate) struct Handed(pub(crate) Mutex<String>);

impl AssertionSource for Handed {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        let text = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(SecretString::from(text)) })
    }
}

pub(crate) struct Scene {
    pub(crate) referee: Referee,
    pub(crate) provider: AuthorizationServer,
    /// What the provider was asked.
    pub(crate) asked: Recorder,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::knowing("agent-there", |auth| auth).await
    }

    /// One where the client of the authorization server has this name there.
    pub(crate) async fn knowing(
        there: &str,
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let client = |id: &str| {
            StaticClient::public(id)
                .redirect_uri("http://127.0.0.1:3118/callback")
                .grant_types([EXCHANGE, "refresh_token", "authorization_code"])
        };
        let asked = Recorder::new();
        let provider = AuthorizationServer::builder()
            .openid(&key)
            .token_exchange(true)
            .scopes_supported(["openid", "offline_access"])
            .static_client(client("agent"))
            .static_client(client("other"))
            .recorder(&asked)
            .start()
            .await
            .unwrap();
        let issuer = provider.issuer();
        let trusted = TrustedIssuer::id_jag(issuer.as_str(), key.public_key());
        let own = StaticClient::confidential("agent-there", "hush", ClientAuthMethod::Basic);
        let server = AuthorizationServer::builder()
            .jwt_bearer(trusted)
            .static_client(own.grant_types([JWT_BEARER]));
        let referee = Referee::with(auth(server), McpServer::builder()).await;
        for id in ["agent", "other"] {
            provider.know_client_at(&referee.auth.issuer(), id, there);
        }
        Self {
            referee,
            provider,
            asked,
        }
    }

    pub(crate) fn config(
        &self,
        change: impl FnOnce(&mut EnterpriseManaged),
    ) -> AuthorizationConfig {
        let issuer = Issuer::new(self.provider.issuer());
        let mut enterprise = EnterpriseManaged::new(issuer, "agent");
        change(&mut enterprise);
        let mut config = self.referee.config();
        config.flow = Flow::EnterpriseManaged(Arc::new(enterprise));
        config.client = ClientChoice::Static {
            client_id: "agent-there".to_owned(),
            client_secret: Some("hush".into()),
            signing_key: None,
            issuer: Some(Issuer::new(self.referee.auth.issuer())),
            auth_method: None,
        };
        config
    }

    /// With an identity token from elsewhere.
    pub(crate) fn handed(&self) -> (AuthorizationConfig, Arc<Handed>) {
        let token = self.provider.issue_id_token("agent", "alice").unwrap();
        let handed = Arc::new(Handed(Mutex::new(token)));
        let source = handed.clone();
        let config = self.config(|enterprise| enterprise.identity = Identity::IdToken(source));
        (config, handed)
    }

    pub(crate) fn identity_key(&self) -> GrantKey {
        GrantKey::new(format!("{}#agent", self.provider.issuer()), "default")
    }

    pub(crate) async fn identity(&self) -> Option<Grant> {
        let stored = self.referee.store.grant(&self.identity_key()).await;
        stored.unwrap().map(|stored| stored.value)
    }

    pub(crate) fn bearer_grants(&self) -> Vec<RecordedRequest> {
        let mut requests = self.referee.tokens();
        requests.retain(|request| request.form("grant_type") == [JWT_BEARER]);
        requests
    }

    pub(crate) fn spotless(&self) {
        self.referee.spotless();
        assert_eq!(self.provider.refusals(), [] as [String; 0]);
    }
}
