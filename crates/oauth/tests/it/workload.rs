//! Workload identity (RFC 7523 §2.1, SEP-1933): a platform's JWT, presented as it is, where it is meant.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey_discovery::Issuer;
use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, ClientChoice, Error, Flow,
    NextStep, TokenType,
};
use doorkey_testkit::{
    AuthorizationServer, Document, Dpop, Fault, FaultRule, Leg, McpServer, McpServerBuilder,
    TrustedIssuer,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::keys::Pair;
use crate::referee::{Person, Referee, login};

const PLATFORM: &str = "https://platform.example";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A file that the platform writes anew now and then.
#[derive(Debug)]
struct Projected {
    jwt: Mutex<Option<String>>,
    reads: Mutex<usize>,
}

impl Projected {
    fn holding(jwt: String) -> Arc<Self> {
        Arc::new(Self {
            jwt: Mutex::new(Some(jwt)),
            reads: Mutex::new(0),
        })
    }

    fn write(&self, jwt: Option<String>) {
        *self.jwt.lock().unwrap() = jwt;
    }

    fn reads(&self) -> usize {
        *self.reads.lock().unwrap()
    }
}

impl AssertionSource for Projected {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        *self.reads.lock().unwrap() += 1;
        let jwt = self.jwt.lock().unwrap().clone();
        Box::pin(async move {
            jwt.map(SecretString::from)
                .ok_or_else(|| AssertionError::new("the file is not there"))
        })
    }
}

struct Scene {
    referee: Referee,
    pair: Pair,
    file: Arc<Projected>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(McpServer::builder()).await
    }

    async fn with(mcp: McpServerBuilder) -> Self {
        let pair = Pair::rs256();
        let trusted = TrustedIssuer::workload(PLATFORM, &pair.public);
        let auth = AuthorizationServer::builder()
            .jwt_bearer(trusted)
            .dpop(Dpop::Supported);
        let referee = Referee::with(auth, mcp).await;
        let file = Projected::holding(String::new());
        let scene = Self {
            referee,
            pair,
            file,
        };
        scene.file.write(Some(scene.jwt(&json!({}))));
        scene
    }

    /// The platform's JWT for this authorization server, with changes.
    fn jwt(&self, changes: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut claims = json!({
            "iss": PLATFORM, "sub": "pod-1", "aud": [self.referee.auth.issuer()],
            "iat": now.as_secs(), "exp": now.as_secs() + 7200,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.pair.sign(&claims)
    }

    fn config(&self) -> AuthorizationConfig {
        let mut config = self.referee.config();
        config.flow = Flow::WorkloadIdentity(self.file.clone());
        config.discovery.allowed = Some(vec![Issuer::new(self.referee.auth.issuer())]);
        config
    }
}

#[tokio::test]
async fn the_jwt_goes_to_the_token_endpoint_unchanged_and_names_no_client_wif_01_wif_02_wif_03_wif_04()
 {
    let scene = Scene::with(McpServer::builder().required_scopes(["mcp:read"])).await;
    let tokens = scene.referee.source(scene.config());
    scene.referee.calls(&tokens).await;
    scene.referee.spotless();
    let asked = scene.referee.tokens().pop().unwrap();
    assert_eq!(asked.form("grant_type"), [GRANT]);
    let jwt = scene.file.jwt.lock().unwrap().clone().unwrap();
    assert_eq!(asked.form("assertion"), [jwt]);
    assert_eq!(asked.form("resource"), [scene.referee.mcp.url()]);
    assert_eq!(asked.form("scope"), ["mcp:read"]);
    for member in ["client_id", "client_secret", "client_assertion"] {
        assert_eq!(asked.form(member), [] as [String; 0], "{member}");
    }
    assert_eq!(asked.header("authorization"), None);
    let recorder = &scene.referee.recorder;
    assert_eq!(recorder.count(Leg::Registration), 0);
    assert_eq!(recorder.count(Leg::Authorization), 0);
}

#[tokio::test]
async fn the_source_is_read_for_each_token_request_and_no_refresh_token_is_used_wif_06_wif_09() {
    let scene = Scene::new().await;
    let tokens = scene.referee.source(scene.config());
    scene.referee.calls(&tokens).await;
    scene.referee.calls(&tokens).await;
    assert_eq!(scene.file.reads(), 1);
    let next = scene.jwt(&json!({ "jti": "another" }));
    scene.file.write(Some(next.clone()));
    scene.referee.advance(Duration::from_secs(3600));
    scene.referee.calls(&tokens).await;
    assert_eq!(scene.file.reads(), 2);
    let asked = scene.referee.tokens().pop().unwrap();
    assert_eq!(asked.form("assertion"), [next]);
    assert!(scene.referee.grant().await.value.refresh_token.is_none());
}

#[tokio::test]
async fn a_jwt_that_has_clearly_expired_is_told_without_a_request_wif_06() {
    let scene = Scene::new().await;
    let old = scene.jwt(&json!({ "exp": 1_000_000 }));
    scene.file.write(Some(old.clone()));
    let tokens = scene.referee.source(scene.config());
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::AssertionExpired), "{error}");
    assert_eq!(error.next_step(), Some(NextStep::CheckAssertion));
    assert_eq!(scene.referee.tokens().len(), 0);

    scene.file.write(None);
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Assertion(_)), "{error}");
    let cause = std::error::Error::source(&error).unwrap();
    let cause = std::error::Error::source(cause).unwrap().to_string();
    assert_eq!(cause, "the file is not there");
}

#[tokio::test]
async fn a_refused_jwt_is_not_sent_again_and_no_other_grant_is_tried_wif_05() {
    let scene = Scene::new().await;
    let foreign = Pair::rs256().sign(&json!({
        "iss": PLATFORM, "sub": "pod-1", "aud": scene.referee.auth.issuer(), "exp": 4_000_000_000_u64,
    }));
    scene.file.write(Some(foreign.clone()));
    let tokens = scene.referee.source(scene.config());
    for _ in 0..4 {
        let error = scene.referee.call(&tokens).await.unwrap_err();
        assert!(matches!(&error, Error::TokenEndpoint { error, .. } if error.is("invalid_grant")));
        assert!(!error.to_string().contains(&foreign));
        // Beyond any brake.
        scene.referee.clock.advance(Duration::from_secs(3600));
    }
    let asked = scene.referee.tokens();
    assert_eq!(asked.len(), 1, "the same one is not sent again");
    assert_eq!(asked[0].form("grant_type"), [GRANT]);
    // Another one is.
    let good = scene.jwt(&json!({ "exp": 4_000_000_000_u64 }));
    scene.file.write(Some(good));
    scene.referee.calls(&tokens).await;
}

#[tokio::test]
async fn refusals_are_reported_by_their_code_wif_05() {
    for code in ["invalid_grant", "invalid_scope", "unauthorized_client"] {
        let scene = Scene::new().await;
        let refusal = Fault::oauth_error(400, code, "no");
        let rule = FaultRule::on(Leg::Token).respond(refusal);
        scene.referee.auth.fault(rule);
        let tokens = scene.referee.source(scene.config());
        let error = login(&scene.referee, &tokens, &Person::at(1))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(code), "{error}");
        assert!(!error.is_transient() && !error.needs_login());
        assert_eq!(scene.referee.tokens().len(), 1);
    }
}

#[tokio::test]
async fn an_mcp_server_cannot_lead_the_jwt_to_an_issuer_of_its_own_wif_08() {
    let scene = Scene::new().await;
    let mut config = scene.config();
    config.discovery.allowed = Some(vec![Issuer::new("https://as.example")]);
    let tokens = scene.referee.source(config.clone());
    assert!(
        login(&scene.referee, &tokens, &Person::at(1))
            .await
            .is_err()
    );

    config.discovery.allowed = None;
    let tokens = scene.referee.source(config.clone());
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    let discovered = Issuer::new(scene.referee.auth.issuer());
    assert_eq!(error.next_step(), Some(NextStep::NameIssuer { discovered }));
    assert_eq!(scene.file.reads(), 0, "it was not even read");
    assert_eq!(scene.referee.tokens().len(), 0);

    config.accept_discovered_issuer = true;
    let tokens = scene.referee.source(config.clone());
    login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap();
    // The first issuer it was accepted for stays the only one.
    let other = AuthorizationServer::builder();
    let other = other
        .jwt_bearer(TrustedIssuer::workload(PLATFORM, &scene.pair.public))
        .start()
        .await
        .unwrap();
    scene.referee.mcp.set_authorization(&other);
    let later = scene.referee.source(config);
    let error = login(&scene.referee, &later, &Person::at(1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnboundCredentials { .. }), "{error}");
    assert_eq!(other.token_requests(), 0);
}

#[tokio::test]
async fn the_grant_has_to_be_in_the_list_of_the_server_wif_10() {
    let scene = Scene::new().await;
    let grants = json!(["authorization_code", "client_credentials"]);
    let auth = &scene.referee.auth;
    auth.set_field(Document::Metadata, "grant_types_supported", grants);
    let tokens = scene.referee.source(scene.config());
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("JWT bearer"), "{error}");
    assert_eq!(scene.referee.tokens().len(), 0);
}

#[tokio::test]
async fn nothing_shows_the_jwt_and_nothing_stores_it_wif_07() {
    let scene = Scene::new().await;
    let jwt = scene.file.jwt.lock().unwrap().clone().unwrap();
    let echo = Fault::oauth_error(400, "invalid_grant", &format!("bad assertion {jwt}"));
    let rule = FaultRule::on(Leg::Token).times(1).respond(echo);
    scene.referee.auth.fault(rule);
    let tokens = scene.referee.source(scene.config());
    let error = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap_err();
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(&jwt), "{shown}");
    }
    let fresh = scene.jwt(&json!({ "jti": "fresh" }));
    scene.file.write(Some(fresh.clone()));
    scene.referee.clock.advance(Duration::from_secs(120));
    scene.referee.calls(&tokens).await;
    let key = scene.referee.config().grant_key();
    let grant = scene
        .referee
        .store
        .grant(&key)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert!(grant.refresh_token.is_none() && grant.client_secret.is_none());
    assert!(grant.extra.is_empty() && grant.id_token.is_none());
}

#[tokio::test]
async fn a_configured_client_is_named_and_a_token_bound_where_asked_wif_04_dp_07() {
    let scene = Scene::with(McpServer::builder().dpop(Dpop::Required)).await;
    let mut config = scene.config();
    config.client = ClientChoice::Static {
        client_id: "pods".to_owned(),
        client_secret: None,
        signing_key: None,
        issuer: Some(Issuer::new(scene.referee.auth.issuer())),
        auth_method: None,
    };
    let named = scene.referee.source(config);
    // The referee does not know that client, and says so: it was named.
    let error = login(&scene.referee, &named, &Person::at(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("invalid_client"), "{error}");
    let asked = scene.referee.tokens().pop().unwrap();
    assert_eq!(asked.form("client_id"), ["pods"]);

    let tokens = scene.referee.source(scene.config());
    let report = login(&scene.referee, &tokens, &Person::at(1))
        .await
        .unwrap();
    assert_eq!(report.token_type, TokenType::Dpop);
    scene.referee.calls(&tokens).await;
}
