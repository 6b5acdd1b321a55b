//! Enterprise-managed authorization: from a sign-on at an identity provider to a token for the MCP server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_discovery::Issuer;
use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, ClientChoice,
    EnterpriseManaged, Error, Flow, Identity, LoginReason, LogoutOptions, StepOutcome,
};
use doorkey_store::{Grant, GrantKey};
use doorkey_testkit::{
    AuthorizationServer, ClientAuthMethod, Document, Fault, FaultRule, Leg, McpServer,
    RecordedRequest, SigningAlgorithm, SigningKey, StaticClient, TrustedIssuer,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::referee::{Person, Referee, login};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// An identity handed over by whoever embeds the library.
#[derive(Debug)]
struct Handed(Mutex<String>);

impl AssertionSource for Handed {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        let text = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(SecretString::from(text)) })
    }
}

struct Scene {
    referee: Referee,
    provider: AuthorizationServer,
}

impl Scene {
    async fn new() -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let agent = StaticClient::public("agent")
            .redirect_uri("http://127.0.0.1:3118/callback")
            .grant_types([EXCHANGE, "refresh_token", "authorization_code"]);
        let provider = AuthorizationServer::builder()
            .openid(&key)
            .token_exchange(true)
            .scopes_supported(["openid", "offline_access"])
            .static_client(agent)
            .start()
            .await
            .unwrap();
        let issuer = provider.issuer();
        let trusted = TrustedIssuer::id_jag(issuer.as_str(), key.public_key());
        let there = StaticClient::confidential("agent-there", "hush", ClientAuthMethod::Basic);
        let auth = AuthorizationServer::builder()
            .jwt_bearer(trusted)
            .static_client(there.grant_types([JWT_BEARER]));
        let referee = Referee::with(auth, McpServer::builder()).await;
        provider.know_client_at(&referee.auth.issuer(), "agent", "agent-there");
        Self { referee, provider }
    }

    fn config(&self, change: impl FnOnce(&mut EnterpriseManaged)) -> AuthorizationConfig {
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
    fn handed(&self) -> (AuthorizationConfig, Arc<Handed>) {
        let token = self.provider.issue_id_token("agent", "alice").unwrap();
        let handed = Arc::new(Handed(Mutex::new(token)));
        let source = handed.clone();
        let config = self.config(|enterprise| enterprise.identity = Identity::IdToken(source));
        (config, handed)
    }

    fn identity_key(&self) -> GrantKey {
        GrantKey::new(self.provider.issuer(), "default")
    }

    async fn identity(&self) -> Option<Grant> {
        let stored = self.referee.store.grant(&self.identity_key()).await;
        stored.unwrap().map(|stored| stored.value)
    }

    fn bearer_grants(&self) -> Vec<RecordedRequest> {
        let mut requests = self.referee.tokens();
        requests.retain(|request| request.form("grant_type") == [JWT_BEARER]);
        requests
    }

    fn spotless(&self) {
        self.referee.spotless();
        assert_eq!(self.provider.refusals(), [] as [String; 0]);
    }
}

fn claims(jwt: &str) -> serde_json::Value {
    use base64::Engine as _;
    let payload = jwt.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

#[tokio::test]
async fn an_identity_token_becomes_a_grant_and_that_a_token_ema_01_ema_02_ema_03_ema_04_ema_06_ema_07_ema_10()
 {
    let scene = Scene::new().await;
    let (config, _) = scene.handed();
    let tokens = scene.referee.source(config);
    scene.referee.mcp.set_required_scopes(["mcp:read"]);
    scene.referee.calls(&tokens).await;
    scene.spotless();
    let asked = scene.bearer_grants().pop().unwrap();
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(asked.form("resource"), [scene.referee.mcp.url()]);
    let id_jag = claims(&asked.form("assertion")[0]);
    assert_eq!(id_jag["aud"], scene.referee.auth.issuer());
    assert_eq!(id_jag["resource"], scene.referee.mcp.url());
    assert_eq!(id_jag["client_id"], "agent-there");
    assert_eq!(id_jag["scope"], "mcp:read");
    assert_eq!(scene.provider.counters().token_exchanges, 1);
    for leg in [Leg::Authorization, Leg::Registration] {
        assert_eq!(scene.referee.recorder.count(leg), 0, "{leg}");
    }
    // The grant itself never reaches the MCP server.
    let calls = scene.referee.recorder.of(Leg::Resource);
    let shown = format!(
        "{:?}",
        calls
            .iter()
            .map(|call| call.header("authorization"))
            .collect::<Vec<_>>()
    );
    assert!(!shown.contains(&asked.form("assertion")[0]));
}

#[tokio::test]
async fn a_due_token_is_renewed_by_another_exchange_and_no_refresh_token_is_expected_ema_13() {
    let scene = Scene::new().await;
    let (config, handed) = scene.handed();
    let tokens = scene.referee.source(config);
    scene.referee.calls(&tokens).await;
    scene.provider.advance(Duration::from_secs(3600));
    scene.referee.advance(Duration::from_secs(3600));
    let fresh = scene.provider.issue_id_token("agent", "alice").unwrap();
    *handed.0.lock().unwrap() = fresh;
    scene.referee.calls(&tokens).await;
    assert_eq!(scene.bearer_grants().len(), 2);
    assert_eq!(scene.provider.counters().token_exchanges, 2);
    assert!(scene.referee.grant().await.value.refresh_token.is_none());
    scene.spotless();
}

#[tokio::test]
async fn the_person_signs_on_once_for_all_servers_of_the_provider_ema_05_ema_13_ema_14() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let tokens = scene.referee.source(scene.config(|_| {}));
    // Nobody is asked from the background.
    let error = scene.referee.call(&tokens).await.unwrap_err();
    let needed = LoginReason::SignOn(Issuer::new(scene.provider.issuer()));
    assert!(
        matches!(&error, Error::LoginRequired { reason, .. } if *reason == needed),
        "{error}"
    );
    login(&scene.referee, &tokens, &person).await.unwrap();
    scene.referee.calls(&tokens).await;
    assert_eq!(person.asked(), 1);
    let identity = scene.identity().await.unwrap();
    assert!(identity.id_token.is_some() && identity.refresh_token.is_some());
    assert!(identity.access_token.is_none(), "it is of no use here");
    assert_eq!(identity.account_label.as_deref(), Some("alice"));

    // Another login, as for another server, is silent.
    login(&scene.referee, &tokens, &person).await.unwrap();
    assert_eq!(person.asked(), 1);

    // When the identity has expired as well, the provider renews it.
    scene.provider.advance(Duration::from_secs(7200));
    scene.referee.advance(Duration::from_secs(7200));
    let later = scene.referee.source(scene.config(|_| {}));
    scene.referee.calls(&later).await;
    assert_eq!(scene.provider.refreshes(), 1);
    let renewed = scene.identity().await.unwrap();
    assert_ne!(
        renewed.id_token.unwrap().expose_secret(),
        identity.id_token.unwrap().expose_secret()
    );
    scene.spotless();
}

#[tokio::test]
async fn a_sign_on_is_only_believed_with_the_right_claims_ema_14() {
    for (claim, wrong) in [
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("iss", json!("https://idp.example")),
        ("aud", json!("another-client")),
        ("exp", json!(1_000_000)),
    ] {
        let scene = Scene::new().await;
        scene.provider.set_field(Document::IdToken, claim, wrong);
        let tokens = scene.referee.source(scene.config(|_| {}));
        let error = login(&scene.referee, &tokens, &Person::at(3118))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::InvalidIdToken { .. }),
            "{claim}: {error}"
        );
        assert!(scene.identity().await.is_none());
        assert_eq!(scene.bearer_grants().len(), 0);
    }
}

#[tokio::test]
async fn a_provider_that_refuses_the_refresh_wants_the_person_again_and_one_that_is_down_does_not_ema_13()
 {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let tokens = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &tokens, &person).await.unwrap();
    scene.provider.advance(Duration::from_secs(7200));
    scene.referee.advance(Duration::from_secs(7200));
    let outage = FaultRule::on(Leg::Token)
        .times(1)
        .respond(Fault::status(503));
    scene.provider.fault(outage);
    let error = scene.referee.call(&tokens).await.unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{error}");
    assert!(scene.identity().await.unwrap().refresh_token.is_some());

    scene.referee.clock.advance(Duration::from_secs(120));
    scene.provider.revoke_refresh_tokens();
    let error = scene.referee.call(&tokens).await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert!(scene.identity().await.unwrap().refresh_token.is_none());
    login(&scene.referee, &tokens, &person).await.unwrap();
    assert_eq!(person.asked(), 2);
    scene.referee.calls(&tokens).await;
}

#[tokio::test]
async fn a_saml_sign_on_is_traded_once_for_a_refresh_token_ema_04() {
    let scene = Scene::new().await;
    scene.provider.register_saml_assertion("<saml/>", "alice");
    let handed = Arc::new(Handed(Mutex::new("<saml/>".to_owned())));
    let config = scene.config(|enterprise| enterprise.identity = Identity::Saml(handed));
    let tokens = scene.referee.source(config.clone());
    scene.referee.calls(&tokens).await;
    let identity = scene.identity().await.unwrap();
    assert!(identity.refresh_token.is_some() && identity.id_token.is_none());
    // Once traded it is not looked at again.
    scene.referee.advance(Duration::from_secs(3600));
    scene.provider.advance(Duration::from_secs(3600));
    scene.referee.calls(&scene.referee.source(config)).await;
    assert_eq!(scene.bearer_grants().len(), 2);
    assert_eq!(scene.provider.counters().token_exchanges, 3);
    scene.spotless();
}

#[tokio::test]
async fn an_exchange_that_gives_something_else_is_not_used_ema_06() {
    for (member, value) in [
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:access_token"),
        ),
        ("issued_token_type", json!(null)),
        ("token_type", json!("Bearer")),
        ("access_token", json!(null)),
    ] {
        let scene = Scene::new().await;
        scene
            .provider
            .set_field(Document::TokenExchange, member, value);
        let (config, _) = scene.handed();
        let tokens = scene.referee.source(config);
        let error = login(&scene.referee, &tokens, &Person::at(1))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
        assert!(error.to_string().contains("identity provider"), "{error}");
        assert_eq!(scene.bearer_grants().len(), 0);
    }
}

#[tokio::test]
async fn endpoints_of_the_provider_are_the_administrators_word_ema_11() {
    let scene = Scene::new().await;
    let (_, handed) = scene.handed();
    let endpoint = format!("{}/token", scene.provider.issuer());
    let config = scene.config(|enterprise| {
        enterprise.identity = Identity::IdToken(handed.clone());
        enterprise.token_endpoint = Some(endpoint.parse().unwrap());
    });
    scene
        .provider
        .fault(FaultRule::on(Leg::AuthorizationServerMetadata).respond(Fault::status(500)));
    let tokens = scene.referee.source(config);
    scene.referee.calls(&tokens).await;

    // What the MCP server's authorization server says of other places changes nothing.
    let scene = Scene::new().await;
    let (config, _) = scene.handed();
    let elsewhere = json!("https://evil.example/token-exchange");
    for member in [
        "token_exchange_endpoint",
        "identity_provider",
        "idp_token_endpoint",
    ] {
        scene
            .referee
            .auth
            .set_field(Document::Metadata, member, elsewhere.clone());
    }
    scene.referee.calls(&scene.referee.source(config)).await;
    assert_eq!(scene.provider.counters().token_exchanges, 1);
}

#[tokio::test]
async fn identities_and_grants_are_in_no_error_and_no_url_ema_12() {
    let scene = Scene::new().await;
    let (config, handed) = scene.handed();
    let token = handed.0.lock().unwrap().clone();
    let echo = Fault::oauth_error(400, "invalid_request", &format!("what is {token}?"));
    scene
        .provider
        .fault(FaultRule::on(Leg::Token).respond(echo));
    let tokens = scene.referee.source(config);
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{tokens:?}"),
    ] {
        assert!(!shown.contains(&token), "{shown}");
    }
    scene.provider.clear_faults();
    tokens
        .login(&Default::default(), Person::at(1))
        .await
        .unwrap();
    let id_jag = scene.bearer_grants()[0].form("assertion")[0].clone();
    for request in scene.referee.recorder.requests() {
        assert!(!request.url.contains(&token) && !request.url.contains(&id_jag));
    }
    let grant = scene.referee.grant().await.value;
    assert!(!format!("{grant:?}").contains(&id_jag));
}

#[tokio::test]
async fn fewer_scopes_than_asked_for_are_what_is_kept_and_more_are_asked_without_a_browser_ema_16()
{
    let scene = Scene::new().await;
    let (config, _) = scene.handed();
    let tokens = scene.referee.source(config);
    scene.referee.mcp.set_required_scopes(["mcp:read"]);
    scene.referee.calls(&tokens).await;
    scene
        .referee
        .mcp
        .set_required_scopes(["mcp:read", "mcp:write"]);
    scene.referee.calls(&tokens).await;
    let asked = scene.bearer_grants().pop().unwrap();
    assert_eq!(asked.form("scope"), ["mcp:read mcp:write"]);
    let kept = scene.referee.grant().await.value;
    assert_eq!(kept.requested_scopes, ["mcp:read", "mcp:write"]);
    assert_eq!(scene.referee.recorder.count(Leg::Authorization), 0);
}

#[tokio::test]
async fn a_program_without_a_client_at_the_server_is_told_and_registers_none_reg_24() {
    let scene = Scene::new().await;
    let (mut config, _) = scene.handed();
    config.client = ClientChoice::Auto { metadata_url: None };
    config.accept_discovered_issuer = true;
    let tokens = scene.referee.source(config);
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoClient { .. }), "{error}");
    assert_eq!(scene.referee.recorder.count(Leg::Registration), 0);
}

#[tokio::test]
async fn a_logout_ends_the_sign_on_unless_another_server_lives_on_it_rev_04_rev_06() {
    let scene = Scene::new().await;
    let person = Person::at(3118);
    let one = scene.referee.source(scene.config(|_| {}));
    login(&scene.referee, &one, &person).await.unwrap();
    let mut other = scene.config(|_| {});
    other.server.set_query(Some("again"));
    let two = scene.referee.source(other);
    two.login(&Default::default(), person.clone())
        .await
        .unwrap();

    let report = one.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.identity, StepOutcome::InUse), "{report:?}");
    assert!(scene.identity().await.is_some());
    let report = two.logout(LogoutOptions::default()).await.unwrap();
    assert!(matches!(report.identity, StepOutcome::Done), "{report:?}");
    assert!(scene.identity().await.is_none());
    assert_eq!(scene.provider.counters().revocations, 1);
}

#[tokio::test]
async fn an_identity_that_the_provider_no_longer_takes_is_renewed_at_the_next_request_ema_13() {
    for code in ["invalid_request", "invalid_grant"] {
        let scene = Scene::new().await;
        let day = Duration::from_secs(24 * 3600);
        scene.provider.set_id_token_lifetime(day);
        let tokens = scene.referee.source(scene.config(|_| {}));
        login(&scene.referee, &tokens, &Person::at(3118))
            .await
            .unwrap();
        let refusal = Fault::oauth_error(400, code, "that subject is no more");
        let rule = FaultRule::on(Leg::Token).grant(EXCHANGE).times(1);
        scene.provider.fault(rule.respond(refusal));
        scene.referee.advance(Duration::from_secs(3600));
        scene.provider.advance(Duration::from_secs(3600));
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(error.to_string().contains(code), "{error}");
        assert!(scene.identity().await.unwrap().id_token.is_none());
        scene.referee.clock.advance(Duration::from_secs(120));
        scene.referee.calls(&tokens).await;
        assert_eq!(scene.provider.refreshes(), 1, "{code}");
    }
}
