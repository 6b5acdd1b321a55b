//! Client credentials: no person, no registration, and nothing for an issuer that was not meant.

use std::time::Duration;

use doorkey_discovery::Issuer;
use doorkey_oauth::{AuthorizationConfig, ClientChoice, Error, Flow, NextStep, SigningKey};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, ClientAuthMethod, ClientCredentials, Document,
    Fault, FaultRule, Leg, McpServer, SigningAlgorithm, StaticClient,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::keys::Pair;
use crate::referee::{Person, Referee, login};

fn with_secret(method: ClientAuthMethod) -> AuthorizationServerBuilder {
    let client = StaticClient::confidential("robot", "hush", method);
    AuthorizationServer::builder()
        .client_credentials(true)
        .static_client(client.grant_types(["client_credentials"]))
}

fn with_key(pair: &Pair, algorithm: SigningAlgorithm) -> AuthorizationServerBuilder {
    let client = StaticClient::with_key("robot", &pair.public);
    AuthorizationServer::builder()
        .client_credentials(true)
        .private_key_jwt([algorithm])
        .static_client(client.grant_types(["client_credentials"]))
}

/// The robot with its secret or key, meant for the issuer that guards the server.
fn robot(referee: &Referee, key: Option<SigningKey>) -> AuthorizationConfig {
    let mut config = referee.config();
    config.flow = Flow::ClientCredentials;
    config.client = ClientChoice::Static {
        client_id: "robot".to_owned(),
        client_secret: key.is_none().then(|| SecretString::from("hush")),
        signing_key: key,
        issuer: Some(Issuer::new(referee.auth.issuer())),
        auth_method: None,
    };
    config
}

async fn secret_referee() -> Referee {
    Referee::with(with_secret(ClientAuthMethod::Basic), McpServer::builder()).await
}

fn claims(jwt: &str) -> Value {
    use base64::Engine as _;
    let payload = jwt.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

#[tokio::test]
async fn the_first_request_signs_in_by_itself_and_asks_nobody_cc_01_cc_02_reg_24() {
    let mcp = McpServer::builder().required_scopes(["mcp:read"]);
    let referee = Referee::with(with_secret(ClientAuthMethod::Basic), mcp).await;
    let tokens = referee.source(robot(&referee, None));
    assert!(tokens.may_sign_in());
    referee.calls(&tokens).await;
    referee.spotless();
    let asked = referee.tokens().pop().unwrap();
    assert_eq!(asked.form("grant_type"), ["client_credentials"]);
    assert_eq!(asked.form("resource"), [referee.mcp.url()]);
    assert_eq!(asked.form("scope"), ["mcp:read"]);
    for leg in [Leg::Registration, Leg::Authorization] {
        assert_eq!(referee.recorder.count(leg), 0, "{leg}");
    }
    // A later process starts warm: no discovery, no token request.
    referee.recorder.clear();
    referee.calls(&referee.source(robot(&referee, None))).await;
    assert_eq!(referee.recorder.len(), 1);
}

#[tokio::test]
async fn a_secret_goes_in_a_header_unless_the_server_lists_the_body_alone_cc_03_cc_04() {
    for method in [ClientAuthMethod::Basic, ClientAuthMethod::Post] {
        let referee = Referee::with(with_secret(method), McpServer::builder()).await;
        let member = "token_endpoint_auth_methods_supported";
        referee
            .auth
            .set_field(Document::Metadata, member, json!([method.as_str()]));
        let tokens = referee.source(robot(&referee, None));
        login(&referee, &tokens, &Person::at(1)).await.unwrap();
        referee.spotless();
        let asked = referee.tokens().pop().unwrap();
        let is_basic = method == ClientAuthMethod::Basic;
        assert_eq!(asked.header("authorization").is_some(), is_basic);
        assert_eq!(asked.form("client_secret").is_empty(), is_basic);
    }
}

#[tokio::test]
async fn a_key_signs_an_assertion_for_the_issuer_alone_cc_03_cc_05_tok_09_tok_10_tok_11() {
    let pairs = [
        (Pair::es256(), SigningAlgorithm::Es256),
        (Pair::rs256(), SigningAlgorithm::Rs256),
        (Pair::rs256(), SigningAlgorithm::Ps256),
        (Pair::eddsa(), SigningAlgorithm::EdDsa),
    ];
    for (pair, algorithm) in pairs {
        let referee = Referee::with(with_key(&pair, algorithm), McpServer::builder()).await;
        let key = pair.key().with_id("key-1");
        let tokens = referee.source(robot(&referee, Some(key)));
        for _ in 0..2 {
            login(&referee, &tokens, &Person::at(1)).await.unwrap();
        }
        referee.spotless();
        let asked = referee.tokens();
        let told: Vec<_> = asked
            .iter()
            .map(|asked| claims(&asked.form("client_assertion")[0]))
            .collect();
        for claims in &told {
            assert_eq!(claims["aud"], referee.auth.issuer());
            assert_eq!(
                (&claims["iss"], &claims["sub"]),
                (&json!("robot"), &json!("robot"))
            );
            let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
            assert!(life <= 300, "{life}");
        }
        assert_ne!(told[0]["jti"], told[1]["jti"]);
        assert_eq!(asked[0].header("authorization"), None);
        assert_eq!(asked[0].form("client_secret"), [] as [String; 0]);
    }
}

#[tokio::test]
async fn an_old_server_gets_the_audience_it_wants_if_the_user_says_so_con_03() {
    let pair = Pair::es256();
    let audience = "https://old.example/token";
    let auth = with_key(&pair, SigningAlgorithm::Es256).client_assertion_audience(audience);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let mut config = robot(&referee, Some(pair.key()));
    let strict = referee.source(config.clone());
    assert!(login(&referee, &strict, &Person::at(1)).await.is_err());
    config.assertion_audience = Some(audience.to_owned());
    let tokens = referee.source(config);
    login(&referee, &tokens, &Person::at(1)).await.unwrap();
    // Also when the token is due again.
    referee.advance(Duration::from_secs(3600));
    referee.calls(&tokens).await;
}

#[tokio::test]
async fn a_key_that_fits_no_algorithm_of_the_server_is_told_before_it_signs_tok_11() {
    let pair = Pair::eddsa();
    let auth = with_key(&Pair::es256(), SigningAlgorithm::Es256);
    let referee = Referee::with(auth, McpServer::builder()).await;
    let tokens = referee.source(robot(&referee, Some(pair.key())));
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    let member = "token_endpoint_auth_signing_alg_values_supported";
    assert!(error.to_string().contains(member), "{error}");
    assert_eq!(referee.tokens().len(), 0);
}

#[tokio::test]
async fn without_the_grant_in_the_servers_list_nothing_is_tried_cc_06() {
    let referee = secret_referee().await;
    let grants = json!(["authorization_code"]);
    referee
        .auth
        .set_field(Document::Metadata, "grant_types_supported", grants);
    let tokens = referee.source(robot(&referee, None));
    let error = login(&referee, &tokens, &Person::at(1)).await.unwrap_err();
    assert!(error.to_string().contains("client_credentials"), "{error}");
    assert_eq!(referee.tokens().len(), 0);
    assert_eq!(referee.recorder.count(Leg::Authorization), 0);
}

#[tokio::test]
async fn credentials_go_to_the_issuer_they_are_for_and_to_no_other_cc_07_reg_04() {
    let referee = secret_referee().await;
    let with_issuer = |issuer: Option<&str>, accept| {
        let mut config = robot(&referee, None);
        config.accept_discovered_issuer = accept;
        if let ClientChoice::Static { issuer: meant, .. } = &mut config.client {
            *meant = issuer.map(Issuer::new);
        }
        config
    };
    let foreign = referee.source(with_issuer(Some("https://as.example"), true));
    let error = login(&referee, &foreign, &Person::at(1)).await.unwrap_err();
    assert!(matches!(error, Error::StaticClientIssuer { .. }), "{error}");

    let unbound = referee.source(with_issuer(None, false));
    let error = login(&referee, &unbound, &Person::at(1)).await.unwrap_err();
    let discovered = Issuer::new(referee.auth.issuer());
    assert_eq!(error.next_step(), Some(NextStep::NameIssuer { discovered }));
    assert_eq!(referee.tokens().len(), 0, "nothing was sent");

    let accepted = referee.source(with_issuer(None, true));
    login(&referee, &accepted, &Person::at(1)).await.unwrap();
    // From then on they belong there.
    let other = AuthorizationServer::builder().client_credentials(true);
    let other = other.start().await.unwrap();
    referee.mcp.set_authorization(&other);
    let later = referee.source(with_issuer(None, true));
    let error = later
        .login(&Default::default(), Person::at(1))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::UnboundCredentials { .. } | Error::StaticClientIssuer { .. }
        ),
        "{error}"
    );
    assert_eq!(other.token_requests(), 0);
}

#[tokio::test]
async fn a_token_is_asked_for_again_when_it_is_due_and_a_refresh_token_is_ignored_cc_08() {
    let client = StaticClient::confidential("robot", "hush", ClientAuthMethod::Basic);
    let auth = AuthorizationServer::builder()
        .client_credentials(ClientCredentials::WithRefreshToken)
        .static_client(client.grant_types(["client_credentials", "refresh_token"]));
    let referee = Referee::with(auth, McpServer::builder()).await;
    let tokens = referee.source(robot(&referee, None));
    referee.calls(&tokens).await;
    assert!(referee.grant().await.value.refresh_token.is_none());
    referee.advance(Duration::from_secs(3600));
    referee.recorder.clear();
    referee.calls(&tokens).await;
    let asked = referee.tokens();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].form("grant_type"), ["client_credentials"]);
    assert_eq!(asked[0].form("resource"), [referee.mcp.url()]);
    assert_eq!(
        referee.recorder.len(),
        2,
        "no discovery for a token that is due"
    );
    referee.spotless();
}

#[tokio::test]
async fn a_renewal_that_fails_does_not_show_the_token_that_it_was_to_replace_err_11() {
    let referee = secret_referee().await;
    let tokens = referee.source(robot(&referee, None));
    referee.calls(&tokens).await;
    let token = referee.grant().await.value.access_token.unwrap();
    let said = format!("still good: {}", token.expose_secret());
    let refusal = Fault::oauth_error(400, "invalid_request", &said);
    referee
        .auth
        .fault(FaultRule::on(Leg::Token).respond(refusal));
    referee.advance(Duration::from_secs(3600));
    let error = referee.call(&tokens).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("still good"), "{shown}");
    assert!(!shown.contains(&token.expose_secret()[..12]), "{shown}");
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_and_a_second_rejection_is_the_end_cc_08_ref_11() {
    let referee = secret_referee().await;
    let tokens = referee.source(robot(&referee, None));
    referee.calls(&tokens).await;
    referee.clock.advance(Duration::from_secs(120));
    referee.auth.expire_access_tokens();
    referee.calls(&tokens).await;
    assert_eq!(referee.tokens().len(), 2);
    referee.mcp.reject_tokens(true);
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(!error.needs_login(), "{error}");
    let asked = referee.tokens().len();
    assert!(asked <= 3, "{asked}");
    for _ in 0..3 {
        assert!(referee.call(&tokens).await.is_err());
    }
    assert_eq!(referee.tokens().len(), asked, "no storm");
}

#[tokio::test]
async fn more_scopes_are_asked_for_without_a_person_and_within_bounds_cc_09_up_05() {
    let referee = secret_referee().await;
    let tokens = referee.source(robot(&referee, None));
    referee.calls(&tokens).await;
    referee.mcp.set_required_scopes(["mcp:read"]);
    referee.calls(&tokens).await;
    referee.mcp.set_required_scopes(["mcp:read", "mcp:write"]);
    referee.calls(&tokens).await;
    let scopes: Vec<_> = referee
        .tokens()
        .iter()
        .map(|asked| asked.form("scope"))
        .collect();
    assert_eq!(
        scopes,
        [
            vec![],
            vec!["mcp:read".to_owned()],
            vec!["mcp:read mcp:write".to_owned()]
        ]
    );
    // Scopes that are never granted lead to no third request.
    let rule = Fault::Status(
        403,
        vec![(
            "www-authenticate".to_owned(),
            "Bearer error=\"insufficient_scope\", scope=\"mcp:admin\"".to_owned(),
        )],
        String::new(),
    );
    referee
        .mcp
        .fault(FaultRule::on(Leg::Resource).respond(rule));
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::InsufficientScope { .. }), "{error}");
    let asked = referee.tokens().len();
    assert_eq!(asked, 4);
    for _ in 0..5 {
        assert!(referee.call(&tokens).await.is_err());
    }
    assert_eq!(referee.tokens().len(), asked, "no storm");
}

#[tokio::test]
async fn a_refusal_is_told_as_it_came_and_repeated_only_after_a_while() {
    let referee = secret_referee().await;
    let mut config = robot(&referee, None);
    if let ClientChoice::Static { client_secret, .. } = &mut config.client {
        *client_secret = Some("wrong".into());
    }
    let tokens = referee.source(config);
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(matches!(error, Error::TokenEndpoint { .. }), "{error}");
    assert_eq!(error.next_step(), Some(NextStep::CheckClient));
    let asked = referee.tokens().len();
    for _ in 0..5 {
        assert!(referee.call(&tokens).await.is_err());
    }
    assert_eq!(referee.tokens().len(), asked, "the brake holds");
    assert!(!format!("{error:?}").contains("wrong"));
}

#[tokio::test]
async fn outages_of_the_authorization_server_end_by_themselves() {
    let referee = secret_referee().await;
    let tokens = referee.source(robot(&referee, None));
    referee.calls(&tokens).await;
    let token = referee.grant().await.value.access_token.unwrap();
    referee.advance(Duration::from_secs(3600));
    let outage = FaultRule::on(Leg::Token)
        .times(1)
        .respond(Fault::status(503));
    referee.auth.fault(outage);
    let error = referee.call(&tokens).await.unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{error}");
    let kept = referee.grant().await.value.access_token.unwrap();
    assert_eq!(kept.expose_secret(), token.expose_secret());
    referee.clock.advance(Duration::from_secs(120));
    referee.calls(&tokens).await;
}
