//! Logins that succeed: what they ask, send, store and report.

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{
    CallbackVerdict, Challenges, ClientAuthMethod, ClientChoice, Issuer, ResourceChoice, Scopes,
};
use doorkey_store::{RegistrationKey, Store};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::browser::{Act, Browser};
use crate::world::{ISSUER, SERVER, World};

const FOUR: [Leg; 4] = [
    Leg::ResourceMetadata,
    Leg::AuthorizationServerMetadata,
    Leg::Registration,
    Leg::Token,
];

#[tokio::test]
async fn a_first_login_makes_four_requests_and_saves_all_a_later_process_needs() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    let browser = Arc::new(Browser::new(&world));
    let report = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert_eq!(world.legs(), FOUR);
    assert_eq!(report.issuer, Issuer::new(ISSUER));
    assert_eq!(report.resource.as_deref(), Some(SERVER));
    assert_eq!(report.scopes, Scopes::parse("files:read"));
    assert!(report.registered && report.refreshable);

    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.resource.as_deref(), Some(SERVER));
    assert_eq!(grant.issuer, ISSUER);
    assert_eq!(grant.client_id, "client-1");
    assert_eq!(grant.token_endpoint, "https://as.example/token");
    assert_eq!(
        grant.revocation_endpoint.as_deref(),
        Some("https://as.example/revoke")
    );
    assert_eq!(
        grant.redirect_uri.as_deref(),
        Some("http://127.0.0.1:3118/callback")
    );
    assert_eq!(grant.client_auth_method, ClientAuthMethod::None);
    assert_eq!(grant.requested_scopes, ["files:read"]);
    assert_eq!(grant.expires_at, Some(1_700_003_600));
    assert!(grant.dynamic_registration && grant.refresh_token.is_some());
    assert_eq!(browser.verdicts(), [CallbackVerdict::Accepted]);
    assert_eq!(browser.open_channels(), 0);
}

#[tokio::test]
async fn a_second_login_registers_nothing_reg_02() {
    let world = World::new();
    let store = Store::memory();
    world.signed_in(&world.source(&store)).await;
    let browser = Arc::new(Browser::new(&world));
    let source = world.source(&store);
    let report = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert_eq!(
        world.legs(),
        [
            Leg::ResourceMetadata,
            Leg::AuthorizationServerMetadata,
            Leg::Token
        ]
    );
    assert!(!report.registered);
    assert_eq!(browser.hints(), [["http://127.0.0.1:3118/callback"]]);
}

#[tokio::test]
async fn another_redirect_uri_is_registered_rather_than_failing_reg_22() {
    let world = World::new();
    let store = Store::memory();
    world.signed_in(&world.source(&store)).await;
    let browser = Arc::new(Browser::new(&world).on_port(4000));
    let report = world
        .source(&store)
        .login(&Challenges::default(), browser)
        .await
        .unwrap();
    assert!(report.registered);
    assert_eq!(world.legs(), FOUR);
    let key = RegistrationKey::shared(ISSUER);
    let registration = store.registration(&key).await.unwrap().unwrap().value;
    assert_eq!(
        registration.redirect_uris,
        ["http://127.0.0.1:4000/callback"]
    );
}

#[tokio::test]
async fn resource_is_sent_once_and_the_same_on_every_leg_az_04_tok_03_ref_02() {
    let choices = [
        (ResourceChoice::Auto, Some("https://mcp.example")),
        (
            ResourceChoice::Value(String::from("api://own")),
            Some("api://own"),
        ),
        (ResourceChoice::Omit, None),
    ];
    for (choice, expected) in choices {
        let world = World::new();
        // A parent without a slash: a URL type would add one (DISC-12).
        world.set().resource = String::from("https://mcp.example");
        for endpoint in ["authorization_endpoint", "token_endpoint"] {
            let taken = format!("https://as.example/{endpoint}?resource=https%3A%2F%2Fother");
            world.set().metadata[endpoint] = json!(taken);
        }
        let mut config = world.config();
        config.resource = choice.clone();
        let store = Store::memory();
        let source = world.source_with(config, &store);
        let browser = Arc::new(Browser::new(&world));
        source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap();
        world.clock().advance(3600);
        source.token().await.unwrap().unwrap();

        let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(
            browser.asked("resource"),
            std::slice::from_ref(&expected),
            "{choice:?}"
        );
        let token_requests = world.seen(Leg::Token);
        assert_eq!(token_requests.len(), 2);
        for request in token_requests {
            assert_eq!(request.form("resource"), expected, "{choice:?}");
            assert_eq!(request.url.query(), None);
        }
    }
}

#[tokio::test]
async fn the_code_goes_with_the_verifier_of_its_challenge_tok_02() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::new(&world));
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let request = world.seen(Leg::Token).remove(0);
    assert_eq!(request.form("grant_type"), ["authorization_code"]);
    assert_eq!(
        request.form("redirect_uri"),
        ["http://127.0.0.1:3118/callback"]
    );
    assert_eq!(request.form("client_id"), ["client-1"]);
    let verifier = oauth2::PkceCodeVerifier::new(request.form("code_verifier").concat());
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(browser.asked("code_challenge"), [[challenge.as_str()]]);
}

#[tokio::test]
async fn foreign_callbacks_do_not_end_a_login_rsp_02() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let acts = vec![
        Act::Answer("code=stolen&state=other"),
        Act::Answer("error=access_denied"),
        Act::Answer(""),
        Act::Approve,
    ];
    let browser = Arc::new(Browser::acting(&world, acts));
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let ignored = CallbackVerdict::Ignored;
    assert_eq!(
        browser.verdicts(),
        [
            ignored.clone(),
            ignored.clone(),
            ignored,
            CallbackVerdict::Accepted
        ]
    );
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_metadata_document_client_registers_nothing_reg_07_reg_11() {
    for supported in [true, false] {
        let world = World::new();
        world.set().metadata["client_id_metadata_document_supported"] = json!(supported);
        let mut config = world.config();
        let url = "https://client.example/metadata.json";
        config.client = ClientChoice::Auto {
            metadata_url: Some(url.parse().unwrap()),
        };
        let source = world.source_with(config, &Store::memory());
        let browser = Arc::new(Browser::new(&world));
        let report = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap();
        assert_eq!(report.registered, !supported);
        let id = if supported { url } else { "client-1" };
        assert_eq!(browser.asked("client_id"), [[id]]);
        assert_eq!(world.legs().len(), if supported { 3 } else { 4 });
    }
}

#[tokio::test]
async fn the_challenge_decides_the_scopes_and_configuration_adds_az_07_az_10() {
    let world = World::new();
    let mut config = world.config();
    config.scopes = Scopes::parse("extra");
    let source = world.source_with(config, &Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let challenges = Challenges::parse([r#"Bearer scope="files:write""#]);
    source.login(&challenges, browser.clone()).await.unwrap();
    assert_eq!(browser.asked("scope"), [["files:write extra"]]);
    // A new login keeps what was asked for before (CH-11).
    let browser = Arc::new(Browser::new(&world));
    let challenges = Challenges::parse([r#"Bearer scope="mail""#]);
    source.login(&challenges, browser.clone()).await.unwrap();
    let asked = Scopes::parse(&browser.asked("scope").remove(0).concat());
    assert_eq!(asked, Scopes::parse("mail extra files:write"));
}

#[tokio::test]
async fn a_confidential_registration_authenticates_as_the_server_said_reg_17() {
    for (method, basic) in [("client_secret_basic", true), ("client_secret_post", false)] {
        let world = World::new();
        world.set().registered = json!({
            "client_id": "c", "client_secret": "s e", "token_endpoint_auth_method": method,
        });
        let store = Store::memory();
        world
            .source(&store)
            .login(&Challenges::default(), Arc::new(Browser::new(&world)))
            .await
            .unwrap();
        // The next process refreshes with the same secret.
        world.clock().advance(3600);
        world.source(&store).token().await.unwrap().unwrap();
        let requests = world.seen(Leg::Token);
        assert_eq!(requests.len(), 2);
        for request in requests {
            assert_eq!(request.headers.contains_key("authorization"), basic);
            assert_eq!(request.form("client_secret").len(), usize::from(!basic));
        }
    }
}

#[tokio::test]
async fn a_server_that_lists_basic_and_takes_only_post_is_remembered() {
    let world = World::new();
    world.set().registered = json!({
        "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_basic",
    });
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    let store = Store::memory();
    let source = world.source(&store);
    source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await
        .unwrap();
    assert_eq!(world.seen(Leg::Token).len(), 2);
    world.clock().advance(3600);
    source.token().await.unwrap().unwrap();
    let requests = world.seen(Leg::Token);
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2].form("client_secret"), ["s"]);
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.client_auth_method, ClientAuthMethod::Post);
    let registration = store
        .registration(&RegistrationKey::shared(ISSUER))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        registration.value.token_endpoint_auth_method,
        ClientAuthMethod::Post
    );
}

#[tokio::test]
async fn a_registration_that_the_server_forgot_is_made_once_more_reg_23() {
    let world = World::new();
    let store = Store::memory();
    world.signed_in(&world.source(&store)).await;
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    world.set().registered = json!({"client_id": "client-2"});
    let browser = Arc::new(Browser::new(&world));
    let source = world.source(&store);
    let report = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert!(report.registered);
    assert_eq!(browser.asked("client_id"), [["client-1"], ["client-2"]]);
    assert_eq!(world.seen(Leg::Registration).len(), 1);
    assert_eq!(
        source.grant().await.unwrap().unwrap().value.client_id,
        "client-2"
    );
}

#[tokio::test]
async fn a_login_of_an_older_server_needs_no_metadata_leg_06() {
    let world = World::new();
    for leg in [
        Leg::ResourceMetadata,
        Leg::ResourceMetadata,
        Leg::AuthorizationServerMetadata,
    ] {
        world.script(leg, 404, "");
    }
    let source = world.source(&Store::memory());
    let browser = Arc::new(Browser::new(&world));
    let report = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    assert_eq!(report.source.unwrap().as_str(), "legacy_defaults");
    let prompt = browser.prompts().remove(0);
    assert!(
        prompt
            .url
            .as_str()
            .starts_with("https://mcp.example/authorize?")
    );
    assert_eq!(browser.asked("code_challenge_method"), [["S256"]]);
    assert_eq!(browser.asked("resource"), [[SERVER]]);
}

#[tokio::test]
async fn login_refresh_and_logout_all_pass_the_one_client_law_3() {
    let world = World::new();
    let source = world.source(&Store::memory());
    source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await
        .unwrap();
    world.clock().advance(3600);
    let token = source.token().await.unwrap().unwrap();
    source
        .logout(doorkey_oauth::LogoutOptions::default())
        .await
        .unwrap();
    let mut expected = FOUR.to_vec();
    expected.extend([Leg::Token, Leg::Revocation, Leg::Revocation]);
    assert_eq!(world.legs(), expected);
    // No access token ever goes to an authorization server's endpoint (USE-04).
    let header = token.header_value().unwrap();
    assert!(
        world
            .all()
            .iter()
            .all(|seen| seen.headers.get("authorization") != Some(&header))
    );
}

#[tokio::test]
async fn a_login_survives_the_process() {
    let world = World::new();
    let store = Store::memory();
    world.signed_in(&world.source(&store)).await;
    let token = world.source(&store).token().await.unwrap().unwrap();
    let stored = world.source(&store).grant().await.unwrap().unwrap().value;
    let secret = stored.access_token.unwrap();
    assert_eq!(
        token.header_value().unwrap().to_str().unwrap(),
        format!("Bearer {}", secret.expose_secret())
    );
    assert_eq!(world.all().len(), 0);
}
