//! What a change of the configuration makes of a grant that is there, and who gets credentials nobody named
//! an issuer for.

use std::sync::Arc;
use std::time::Duration;

use doorkey_discovery::Issuer;
use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, ClientChoice, Deny,
    DpopChoice, Error, Flow, LoginReason, NextStep,
};
use doorkey_testkit::{
    AuthorizationServer, ClientAuthMethod, DeviceGrant, Dpop, Leg, McpServer, PushedRequests,
    SigningAlgorithm, StaticClient, TrustedIssuer,
};
use secrecy::SecretString;
use serde_json::json;

use crate::keys::Pair;
use crate::referee::{Person, Referee, login};

const DOCUMENT: &str = "https://client.example/metadata.json";

/// A JWT that no test may see leave.
#[derive(Debug)]
struct Jwt(String);

impl AssertionSource for Jwt {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        let jwt = SecretString::from(self.0.clone());
        Box::pin(async move { Ok(jwt) })
    }
}

fn workload(referee: &Referee, jwt: &str) -> AuthorizationConfig {
    let mut config = referee.config();
    config.flow = Flow::WorkloadIdentity(Arc::new(Jwt(jwt.to_owned())));
    config
}

#[tokio::test]
async fn a_grant_of_another_flow_is_not_renewed_with_credentials_it_never_had_wif_04_wif_08_cc_07()
{
    let pair = Pair::es256();
    let trusted = TrustedIssuer::workload("https://platform.example", &pair.public);
    let auth = AuthorizationServer::builder().jwt_bearer(trusted);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let by_browser = referee.source(referee.config());
    login(&referee, &by_browser, &Person::at(3118))
        .await
        .unwrap();
    let before = referee.tokens().len();

    // Nobody said that the JWT is for the issuer that the MCP server names.
    let config = workload(&referee, "a.b.c");
    let reason = config.check(&referee.grant().await.value);
    assert_eq!(reason, Err(LoginReason::FlowChanged));
    let tokens = referee.source(config);
    referee.advance(Duration::from_secs(7200));
    let error = referee.call(&tokens).await.unwrap_err();
    let discovered = Issuer::new(referee.auth.issuer());
    assert_eq!(error.next_step(), Some(NextStep::NameIssuer { discovered }));
    assert_eq!(referee.tokens().len(), before, "nothing was sent");
    // The browser's grant is still there for who goes back to it.
    referee.calls(&referee.source(referee.config())).await;
}

#[tokio::test]
async fn a_jwt_stays_with_the_first_issuer_whatever_the_client_is_called_wif_08() {
    let pair = Pair::es256();
    let document = json!({
        "client_id": DOCUMENT, "client_name": "pods", "redirect_uris": [],
        "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
    });
    let server = || {
        let trusted = TrustedIssuer::workload("https://platform.example", &pair.public);
        AuthorizationServer::builder()
            .jwt_bearer(trusted)
            .metadata_document_clients(true)
            .metadata_document(DOCUMENT, document.clone())
    };
    let referee = Referee::with(server(), McpServer::builder()).await;
    let jwt = pair.sign(&json!({
        "iss": "https://platform.example", "sub": "pod", "aud": referee.auth.issuer(), "iat": 1_700_000_000,
        "exp": 4_000_000_000_u64,
    }));
    let mut config = workload(&referee, &jwt);
    config.accept_discovered_issuer = true;
    config.client = ClientChoice::Auto {
        metadata_url: Some(DOCUMENT.parse().unwrap()),
    };
    let tokens = referee.source(config.clone());
    referee.calls(&tokens).await;
    let other = server().start().await.unwrap();
    referee.mcp.set_authorization(&other);
    let later = referee.source(config);
    let error = login(&referee, &later, &Person::at(1)).await.unwrap_err();
    assert!(matches!(error, Error::UnboundCredentials { .. }), "{error}");
    assert_eq!(other.token_requests(), 0);
}

fn confidential(referee: &Referee, issuer: Option<Issuer>) -> AuthorizationConfig {
    let mut config = referee.config();
    config.client = ClientChoice::Static {
        client_id: "c".to_owned(),
        client_secret: Some("hush".into()),
        signing_key: None,
        issuer,
        auth_method: None,
    };
    config
}

#[tokio::test]
async fn a_secret_that_names_no_issuer_goes_nowhere_before_a_person_saw_the_page_reg_04_reg_05() {
    let client = || {
        StaticClient::confidential("c", "hush", ClientAuthMethod::Basic)
            .redirect_uri("http://127.0.0.1:3118/callback")
            .grant_types([
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ])
    };
    for rule in [PushedRequests::Offered, PushedRequests::Required] {
        let auth = AuthorizationServer::builder()
            .pushed_requests(rule)
            .device_grant(DeviceGrant::new())
            .static_client(client());
        let referee = Referee::with(auth, McpServer::builder()).await;
        let unbound = referee.source(confidential(&referee, None));
        let outcome = login(&referee, &unbound, &Person::at(3118)).await;
        assert_eq!(referee.recorder.count(Leg::PushedAuthorization), 0);
        assert_eq!(outcome.is_ok(), rule == PushedRequests::Offered);
        let unmeant = |error: &Error| matches!(error, Error::UnboundCredentials { .. });
        assert!(outcome.as_ref().err().is_none_or(unmeant), "{outcome:?}");

        let issuer = Issuer::new(referee.auth.issuer());
        let meant = referee.source(confidential(&referee, Some(issuer)));
        login(&referee, &meant, &Person::at(3118)).await.unwrap();
        assert_eq!(referee.recorder.count(Leg::PushedAuthorization), 1);
    }
    let auth = AuthorizationServer::builder()
        .device_grant(DeviceGrant::new())
        .static_client(client());
    let referee = Referee::with(auth, McpServer::builder()).await;
    let mut config = confidential(&referee, None);
    config.flow = Flow::Device;
    let tokens = referee.source(config);
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    assert!(matches!(error, Error::UnboundCredentials { .. }), "{error}");
    assert_eq!(referee.recorder.count(Leg::DeviceAuthorization), 0);
}

#[tokio::test]
async fn what_a_key_signs_with_is_remembered_for_every_later_request_tok_11_cc_05() {
    let pair = Pair::rs256();
    let robot = StaticClient::with_key("robot", &pair.public);
    let auth = AuthorizationServer::builder()
        .client_credentials(true)
        .private_key_jwt([SigningAlgorithm::Ps256])
        .static_client(robot.grant_types(["client_credentials"]));
    let referee = Referee::with(auth, McpServer::builder()).await;
    let mut config = referee.config();
    config.flow = Flow::ClientCredentials;
    config.client = ClientChoice::Static {
        client_id: "robot".to_owned(),
        client_secret: None,
        signing_key: Some(pair.key()),
        issuer: Some(Issuer::new(referee.auth.issuer())),
        auth_method: None,
    };
    referee.calls(&referee.source(config.clone())).await;
    referee.advance(Duration::from_secs(7200));
    let later = referee.source(config);
    referee.calls(&later).await;
    let report = later.logout(Default::default()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    referee.spotless();
}

#[tokio::test]
async fn a_grant_whose_binding_is_not_the_wanted_one_is_signed_in_to_anew_dp_01_dp_16() {
    let auth = AuthorizationServer::builder().dpop(Dpop::Supported);
    let mcp = McpServer::builder().dpop(Dpop::Supported);
    let referee = Referee::with(auth, mcp).await;
    let with = |choice| {
        let mut config = referee.config();
        config.dpop = choice;
        referee.source(config)
    };
    for (first, then) in [
        (DpopChoice::Auto, DpopChoice::Require),
        (DpopChoice::Prefer, DpopChoice::Off),
    ] {
        let tokens = with(first);
        login(&referee, &tokens, &Person::at(3118)).await.unwrap();
        let changed = with(then);
        let error = referee.call(&changed).await.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::LoginRequired {
                    reason: LoginReason::BindingChanged,
                    ..
                }
            ),
            "{first:?} {then:?}: {error}"
        );
        login(&referee, &changed, &Person::at(3118)).await.unwrap();
        referee.calls(&changed).await;
    }
}

#[tokio::test]
async fn a_client_with_nothing_to_prove_itself_with_is_told_before_any_request_cc_02_cc_03() {
    let referee = Referee::with(AuthorizationServer::builder(), McpServer::builder()).await;
    for client in [
        ClientChoice::Auto { metadata_url: None },
        ClientChoice::Auto {
            metadata_url: Some(DOCUMENT.parse().unwrap()),
        },
        ClientChoice::Static {
            client_id: "robot".to_owned(),
            client_secret: None,
            signing_key: None,
            issuer: None,
            auth_method: None,
        },
    ] {
        let mut config = referee.config();
        config.flow = Flow::ClientCredentials;
        config.client = client;
        config.accept_discovered_issuer = true;
        let tokens = referee.source(config);
        let challenges = doorkey_oauth::Challenges::default();
        let error = tokens.login(&challenges, Arc::new(Deny)).await.unwrap_err();
        assert!(matches!(error, Error::Configuration { .. }), "{error}");
    }
    assert!(referee.recorder.is_empty());
}
