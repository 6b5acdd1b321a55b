//! Enterprise-managed authorization: from an identity to a token for the MCP server.

use std::time::Duration;

use doorkey_oauth::{ClientChoice, Error, Identity};
use doorkey_testkit::{Document, Fault, FaultRule, Leg};
use serde_json::json;

use crate::provider::{JWT_BEARER, Scene};
use crate::referee::{Person, login};

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
    let mut requests = scene.referee.recorder.requests();
    requests.extend(scene.asked.requests());
    assert!(
        requests
            .iter()
            .any(|request| request.form("subject_token") == [token.clone()])
    );
    for request in requests {
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
async fn a_metadata_document_may_be_the_client_there_ema_08() {
    const DOCUMENT: &str = "https://client.example/metadata.json";
    let document = json!({
        "client_id": DOCUMENT,
        "client_name": "agent",
        "redirect_uris": ["http://127.0.0.1:3118/callback"],
        "grant_types": [JWT_BEARER],
        "token_endpoint_auth_method": "none",
    });
    let publish = |auth: doorkey_testkit::AuthorizationServerBuilder| {
        auth.metadata_document_clients(true)
            .metadata_document(DOCUMENT, document)
    };
    let scene = Scene::knowing(DOCUMENT, publish).await;
    let (mut config, _) = scene.handed();
    config.client = ClientChoice::Auto {
        metadata_url: Some(DOCUMENT.parse().unwrap()),
    };
    config.accept_discovered_issuer = true;
    let tokens = scene.referee.source(config);
    scene.referee.calls(&tokens).await;
    let asked = scene.bearer_grants().pop().unwrap();
    assert_eq!(asked.form("client_id"), [DOCUMENT]);
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(claims(&asked.form("assertion")[0])["client_id"], DOCUMENT);
    assert_eq!(scene.referee.recorder.count(Leg::Registration), 0);
    scene.spotless();
}
