//! The authorization endpoint.

use doorkey_testkit::{
    AuthorizationServer, Client, Consent, IssParameter, McpServer, StateParameter, StaticClient,
};
use serde_json::json;

use crate::support::{Change, REDIRECT, World};

#[tokio::test]
async fn a_sound_request_comes_back_with_code_state_and_iss() {
    let world = World::new().await;
    let client = world.register().await;
    let visit = world.visit(&client.id, &[]).await;
    assert!(visit.callback.starts_with(REDIRECT));
    assert!(visit.parameter("code").is_some());
    assert_eq!(visit.parameter("state").as_deref(), Some("the-state"));
    assert_eq!(visit.parameter("iss"), Some(world.auth.issuer()));
    assert!(world.auth.refusals().is_empty());
}

#[tokio::test]
async fn an_unsound_request_is_sent_back_with_the_error() {
    let table: [(&[Change<'_>], &str); 15] = [
        (&[("response_type", None)], "invalid_request"),
        (
            &[("response_type", Some("token"))],
            "unsupported_response_type",
        ),
        (&[("state", None)], "invalid_request"),
        (&[("state", Some(""))], "invalid_request"),
        (
            &[("state", Some("a")), ("state", Some("b"))],
            "invalid_request",
        ),
        (&[("code_challenge", None)], "invalid_request"),
        (&[("code_challenge", Some("too-short"))], "invalid_request"),
        (&[("code_challenge_method", None)], "invalid_request"),
        (
            &[("code_challenge_method", Some("plain"))],
            "invalid_request",
        ),
        (&[("client_secret", Some("x"))], "invalid_request"),
        (&[("scope", Some(""))], "invalid_scope"),
        (&[("scope", Some("a  b"))], "invalid_scope"),
        (&[("resource", None)], "invalid_target"),
        (
            &[("resource", Some("https://evil.example/mcp"))],
            "invalid_target",
        ),
        (&[("resource", Some("mcp"))], "invalid_target"),
    ];
    let world = World::new().await;
    let client = world.register().await;
    for (changes, error) in table {
        let visit = world.visit(&client.id, changes).await;
        assert_eq!(
            visit.parameter("error").as_deref(),
            Some(error),
            "{changes:?}"
        );
        assert_eq!(visit.parameter("code"), None, "{changes:?}");
        assert_eq!(visit.parameter("iss"), Some(world.auth.issuer()));
    }
    assert_eq!(world.auth.refusals().len(), 15);
    assert_eq!(world.auth.counters().approvals, 0);
}

#[tokio::test]
async fn resource_is_wanted_byte_for_byte_and_exactly_once() {
    let world = World::new().await;
    let client = world.register().await;
    let right = world.mcp.resource();
    let slash = format!("{right}/");
    let upper = right.replacen("http://", "HTTP://", 1);
    let fragment = format!("{right}#x");
    for wrong in [&slash, &upper, &fragment] {
        let visit = world.visit(&client.id, &[("resource", Some(wrong))]).await;
        assert_eq!(
            visit.parameter("error").as_deref(),
            Some("invalid_target"),
            "{wrong}"
        );
    }
    let twice = [("resource", Some(right)), ("resource", Some(right))];
    let visit = world.visit(&client.id, &twice).await;
    assert_eq!(visit.parameter("error").as_deref(), Some("invalid_target"));
    let refusals = world.auth.refusals();
    assert!(refusals.last().unwrap().contains("2 times"), "{refusals:?}");
}

#[tokio::test]
async fn nothing_is_sent_to_a_redirect_uri_in_doubt() {
    let world = World::new().await;
    let client = world.register().await;
    let table: [&[Change<'_>]; 6] = [
        &[("client_id", Some("nobody"))],
        &[("client_id", None)],
        &[("redirect_uri", None)],
        &[("redirect_uri", Some("http://127.0.0.1:9/callback/"))],
        &[("redirect_uri", Some("http://127.0.0.1:10/callback"))],
        &[("redirect_uri", Some("http://localhost:9/callback"))],
    ];
    for changes in table {
        let url = world.authorization_url(&client.id, changes);
        let reply = Client::new().get(&url).await.unwrap();
        assert_eq!(reply.status, 400, "{changes:?}");
        assert_eq!(reply.header("location"), None);
    }
}

#[tokio::test]
async fn the_loopback_port_is_free_where_the_switch_says_so() {
    let auth = AuthorizationServer::builder().loopback_any_port(true);
    let world = World::with(auth, McpServer::builder()).await;
    let client = world.register().await;
    let other_port = [("redirect_uri", Some("http://127.0.0.1:10/callback"))];
    let visit = world.visit(&client.id, &other_port).await;
    assert!(visit.parameter("code").is_some());
    for other in ["http://localhost:9/callback", "http://127.0.0.1:10/other"] {
        let url = world.authorization_url(&client.id, &[("redirect_uri", Some(other))]);
        let reply = world.client.get(&url).await.unwrap();
        assert_eq!(reply.status, 400, "{other}");
    }
}

#[tokio::test]
async fn scopes_that_do_not_exist_are_refused() {
    let auth = AuthorizationServer::builder().scopes_supported(["mcp:read"]);
    let world = World::with(auth, McpServer::builder()).await;
    let client = world.register().await;
    for (scope, error) in [
        ("mcp:read", None),
        ("mcp:read mcp:write", Some("invalid_scope")),
        ("offline_access", Some("invalid_scope")),
    ] {
        let visit = world.visit(&client.id, &[("scope", Some(scope))]).await;
        assert_eq!(visit.parameter("error").as_deref(), error, "{scope}");
    }
}

#[tokio::test]
async fn iss_and_state_can_be_tampered_with() {
    let wrong = "https://evil.example".to_owned();
    let table = [
        (IssParameter::Unadvertised, false, None),
        (IssParameter::Absent, false, Some(None)),
        (IssParameter::Withheld, true, Some(None)),
        (
            IssParameter::Wrong(wrong.clone()),
            true,
            Some(Some(wrong.clone())),
        ),
        (
            IssParameter::WrongUnadvertised(wrong.clone()),
            false,
            Some(Some(wrong)),
        ),
    ];
    for (iss, advertised, sent) in table {
        let auth = AuthorizationServer::builder().iss_parameter(iss.clone());
        let world = World::with(auth, McpServer::builder()).await;
        let client = world.register().await;
        let visit = world.visit(&client.id, &[]).await;
        let sent = sent.unwrap_or_else(|| Some(world.auth.issuer()));
        assert_eq!(visit.parameter("iss"), sent, "{iss:?}");
        let metadata = format!(
            "{}/.well-known/oauth-authorization-server",
            world.auth.url()
        );
        let metadata = world.client.get(&metadata).await.unwrap().json();
        let flag = metadata["authorization_response_iss_parameter_supported"].as_bool();
        assert_eq!(flag.unwrap_or(false), advertised, "{iss:?}");
    }

    let world = World::new().await;
    let client = world.register().await;
    world.auth.set_state_parameter(StateParameter::Withheld);
    assert_eq!(world.visit(&client.id, &[]).await.parameter("state"), None);
    world
        .auth
        .set_state_parameter(StateParameter::Wrong("other".into()));
    let visit = world.visit(&client.id, &[]).await;
    assert_eq!(visit.parameter("state").as_deref(), Some("other"));
}

#[tokio::test]
async fn the_person_can_say_no_without_a_page() {
    let world = World::new().await;
    let client = world.register().await;
    world.auth.set_consent(Consent::Deny);
    let visit = world.visit(&client.id, &[]).await;
    assert_eq!(visit.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(visit.parameter("state").as_deref(), Some("the-state"));
}

#[tokio::test]
async fn a_metadata_document_is_a_client_only_if_it_is_a_sound_one() {
    let url = "https://client.example/metadata.json";
    let sound = json!({ "client_id": url, "client_name": "x", "redirect_uris": [REDIRECT] });
    let mut other_id = sound.clone();
    other_id["client_id"] = json!("https://other.example/metadata.json");
    let mut secret = sound.clone();
    secret["token_endpoint_auth_method"] = json!("client_secret_basic");
    let mut nameless = sound.clone();
    nameless["client_name"] = json!(null);
    for (document, on, status) in [
        (&sound, true, 302),
        (&sound, false, 400),
        (&other_id, true, 400),
        (&secret, true, 400),
        (&nameless, true, 400),
    ] {
        let auth = AuthorizationServer::builder()
            .metadata_document_clients(on)
            .metadata_document(url, document.clone());
        let world = World::with(auth, McpServer::builder()).await;
        let reply = world.client.get(&world.authorization_url(url, &[])).await;
        assert_eq!(reply.unwrap().status, status, "{document} {on}");
    }
}

#[tokio::test]
async fn a_static_client_needs_no_registration() {
    let auth = AuthorizationServer::builder()
        .dynamic_registration(false)
        .static_client(StaticClient::public("known").redirect_uri(REDIRECT));
    let world = World::with(auth, McpServer::builder()).await;
    assert!(world.visit("known", &[]).await.parameter("code").is_some());
    let refused = world
        .client
        .post_json(&world.at("register"), &json!({}))
        .await;
    assert_eq!(refused.unwrap().status, 404);
}
