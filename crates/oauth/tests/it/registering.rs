//! A client that registers itself: what it sends, what it believes, and what a refusal comes to
//! (REG-12 to REG-20, REG-26, AZ-15, TOK-08).

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{
    BoxFuture, Callback, Challenges, Channel, ClientChoice, Error, Interaction, InteractionError,
    InteractionRequest, LoginReason, LogoutOptions, NextStep, Prompt,
};
use doorkey_store::{RegistrationKey, Store};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::world::{ISSUER, World};

#[tokio::test]
async fn what_is_registered_is_what_is_used_reg_12_reg_13_reg_14_reg_26() {
    let world = World::new();
    let browser = Arc::new(Browser::new(&world));
    let source = world.source(&Store::memory());
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let [request]: [_; 1] = world.seen(Leg::Registration).try_into().unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(!request.headers.contains_key("authorization"));
    let document: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(document["application_type"], "native");
    assert_eq!(document["response_types"], json!(["code"]));
    assert_eq!(document["token_endpoint_auth_method"], "none");
    assert_eq!(document["client_name"], "doorkey");
    let redirect_uris = json!(["http://127.0.0.1:3118/callback"]);
    assert_eq!(document["redirect_uris"], redirect_uris);
    assert_eq!(json!(browser.asked("redirect_uri")[0]), redirect_uris);
    assert_eq!(browser.asked("client_id"), [["client-1"]]);
}

/// Status, body, how often it was tried, whether it may pass, and what a person reads.
const REFUSALS: &[(u16, &str, usize, bool, &str)] = &[
    (
        400,
        r#"{"error":"invalid_redirect_uri","error_description":"no loopback"}"#,
        1,
        false,
        "invalid_redirect_uri: no loopback",
    ),
    // Without scopes it is tried once more.
    (
        400,
        r#"{"error":"invalid_client_metadata"}"#,
        2,
        false,
        "invalid_client_metadata",
    ),
    (
        400,
        r#"{"error":"invalid_scope"}"#,
        2,
        false,
        "invalid_scope",
    ),
    (
        400,
        r#"{"error":"invalid_software_statement"}"#,
        1,
        false,
        "invalid_software_statement",
    ),
    (
        400,
        r#"{"error":"unapproved_software_statement"}"#,
        1,
        false,
        "unapproved_software",
    ),
    (
        401,
        r#"{"error":"invalid_token"}"#,
        1,
        false,
        "invalid_token",
    ),
    (403, "Forbidden", 1, false, "Forbidden"),
    (
        403,
        "<html><h1>Trusted hosts</h1></html>",
        1,
        false,
        "Trusted hosts",
    ),
    (404, "", 1, false, "404"),
    (405, "", 1, false, "405"),
    (422, r#"{"message":"no"}"#, 1, false, "422"),
    (429, "", 1, true, "429"),
    (500, "<html>Internal</html>", 1, true, "500"),
    (503, "", 1, true, "503"),
    (418, "", 1, true, "register"),
    (
        200,
        r#"{"error":"invalid_redirect_uri"}"#,
        1,
        false,
        "invalid_redirect_uri",
    ),
    (201, "", 1, false, "empty"),
    (201, "<html>Welcome</html>", 1, false, "not JSON"),
    (201, r#"{"client_id":"sentinel"#, 1, false, "breaks off"),
    (201, r#"["sentinel"]"#, 1, false, "not an object"),
    (201, "{}", 1, false, "client_id"),
    (201, r#"{"client_id":""}"#, 1, false, "client_id"),
    (201, r#"{"client_id":7}"#, 1, false, "client_id"),
    (
        201,
        r#"{"client_id":"c","token_endpoint_auth_method":"tls_client_auth"}"#,
        1,
        false,
        "token_endpoint_auth_method",
    ),
];

#[tokio::test]
async fn without_a_client_no_page_opens_reg_01() {
    let document = ClientChoice::Auto {
        metadata_url: Some("https://client.example/metadata.json".parse().unwrap()),
    };
    // Nothing is configured, or a document that this server does not take.
    for choice in [ClientChoice::default(), document] {
        let world = World::new();
        world.set().metadata["registration_endpoint"] = json!(null);
        let mut config = world.config();
        config.client = choice;
        let source = world.source_with(config, &Store::memory());
        let browser = Arc::new(Browser::new(&world));
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoClient { .. }), "{error:?}");
        assert!(browser.prompts().is_empty());
        assert!(world.seen(Leg::Token).is_empty());
    }
}

#[tokio::test]
async fn a_refused_registration_opens_no_page_and_says_why_reg_20() {
    for (status, body, tries, passing, told) in REFUSALS {
        let case = format!("{status} {body}");
        let world = World::new();
        world.script(Leg::Registration, *status, body);
        world.script(Leg::Registration, *status, body);
        let store = Store::memory();
        let source = world.source(&store);
        let browser = Arc::new(Browser::new(&world));
        let error = source
            .login(&Challenges::default(), browser.clone())
            .await
            .unwrap_err();
        assert_eq!(error.is_transient(), *passing, "{case}: {error:?}");
        assert!(!error.needs_login(), "{case}");
        let text = error.to_string();
        assert!(text.contains(told), "{case}: {text}");
        assert!(!text.contains("sentinel") && !text.contains('<'), "{text}");
        if matches!(error, Error::RegistrationRefused { .. }) && !passing {
            let step = Some(NextStep::ConfigureClientId);
            assert_eq!(error.next_step(), step, "{case}");
        }
        assert_eq!(world.seen(Leg::Registration).len(), *tries, "{case}");
        assert!(browser.prompts().is_empty(), "{case}");
        assert_eq!(browser.open_channels(), 0, "{case}");
        assert!(world.seen(Leg::Token).is_empty(), "{case}");
        let kept = store.registrations().await.unwrap().entries;
        assert!(kept.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_registration_whose_secret_expired_is_made_anew_reg_19() {
    const NOW: u64 = 1_700_000_000;
    // When the secret ends, how much later the next login is, and whether it registers.
    for (end, later, anew) in [
        (json!(0), 86_400 * 365, false),
        (json!(null), 86_400 * 365, false),
        (json!(NOW + 600), 599, false),
        (json!(NOW + 600), 600, true),
        (json!(NOW + 600), 86_400, true),
        (json!(NOW - 1), 0, true),
    ] {
        let world = World::new();
        let registered = |id: &str| {
            json!({
                "client_id": id, "client_secret": format!("secret of {id}"),
                "client_secret_expires_at": end, "token_endpoint_auth_method": "client_secret_post",
            })
        };
        world.set().registered = registered("client-1");
        let store = Store::memory();
        world.signed_in(&world.source(&store)).await;
        world.clock().advance(later);
        world.set().registered = registered("client-2");
        let report = world.signed_in(&world.source(&store)).await;
        assert_eq!(report.registered, anew, "{end}, {later} s later");
        let grant = world.source(&store).grant().await.unwrap().unwrap().value;
        let id = if anew { "client-2" } else { "client-1" };
        assert_eq!(grant.client_id, id, "{end}, {later} s later");
        // The one that is worn out is not kept beside it.
        assert_eq!(store.registrations().await.unwrap().entries.len(), 1);
    }
}

#[tokio::test]
async fn a_refresh_with_an_expired_secret_is_judged_by_the_server_reg_19_reg_23() {
    let world = World::new();
    world.set().registered = json!({
        "client_id": "client-1", "client_secret": "s", "client_secret_expires_at": 1_700_000_600,
        "token_endpoint_auth_method": "client_secret_post",
    });
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 401, r#"{"error":"invalid_client"}"#);
    let error = source.token().await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::LoginRequired {
                reason: LoginReason::RegistrationGone(_),
                ..
            }
        ),
        "{error:?}"
    );
    let key = RegistrationKey::shared(ISSUER);
    assert!(store.registration(&key).await.unwrap().is_none());
    world.set().registered = json!({"client_id": "client-2"});
    assert!(world.signed_in(&source).await.registered);
}

#[tokio::test]
async fn a_secret_that_nobody_asked_for_is_not_sent_reg_18_tok_08_tok_04() {
    for method in [json!(null), json!("none")] {
        let world = World::new();
        world.set().registered = json!({
            "client_id": "client-1", "client_secret": "sentinel", "token_endpoint_auth_method": method,
        });
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        world.clock().advance(3600);
        source.token().await.unwrap().unwrap();
        source.logout(LogoutOptions::default()).await.unwrap();
        assert_eq!(world.legs(), [Leg::Token, Leg::Revocation, Leg::Revocation]);
        for seen in world.all() {
            assert_eq!(seen.form("client_id"), ["client-1"], "{method}");
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            assert!(!body.contains("sentinel"), "{method}");
            assert!(!seen.headers.contains_key("authorization"), "{method}");
        }
    }
}

#[tokio::test]
async fn the_method_of_the_answer_is_used_whatever_was_asked_reg_17_tok_04() {
    for (listed, answered, header, body) in [
        (json!(["none"]), "client_secret_basic", true, false),
        (json!(["none"]), "client_secret_post", false, true),
        (
            json!(["client_secret_basic"]),
            "client_secret_post",
            false,
            true,
        ),
        (
            json!(["client_secret_post"]),
            "client_secret_basic",
            true,
            false,
        ),
        (
            json!(["client_secret_basic", "client_secret_post"]),
            "none",
            false,
            false,
        ),
    ] {
        let world = World::new();
        world.set().metadata["token_endpoint_auth_methods_supported"] = listed.clone();
        world.set().registered = json!({
            "client_id": "client-1", "client_secret": "s", "token_endpoint_auth_method": answered,
        });
        let source = world.source(&Store::memory());
        let browser = Arc::new(Browser::new(&world));
        source.login(&Challenges::default(), browser).await.unwrap();
        let request = world.seen(Leg::Token).remove(0);
        let case = format!("{listed} {answered}");
        assert_eq!(
            request.headers.contains_key("authorization"),
            header,
            "{case}"
        );
        assert_eq!(
            request.form("client_secret").len(),
            usize::from(body),
            "{case}"
        );
        // Basic names the client, so the body does not.
        assert_eq!(
            request.form("client_id").len(),
            usize::from(!header),
            "{case}"
        );
    }
}

/// A way back from the browser that nobody should take.
#[derive(Debug)]
struct Elsewhere(&'static str);

struct Nowhere(&'static str);

impl Interaction for Elsewhere {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        Box::pin(async { Ok(Box::new(Nowhere(self.0)) as Box<dyn Channel>) })
    }
}

impl Channel for Nowhere {
    fn redirect_uri(&self) -> &str {
        self.0
    }

    fn present<'a>(&'a mut self, _: &'a Prompt) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async { Err(InteractionError::other("a page was opened")) })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_redirect_uri_in_the_clear_is_refused_before_it_is_registered_az_15() {
    for redirect_uri in [
        "http://host.example/callback",
        "http://192.168.0.7:3118/callback",
        "http://localhost.evil.example/callback",
        "app:/callback",
        "javascript:alert(1)",
        "https://user@host.example/callback",
        "https://host.example/callback#fragment",
        "",
    ] {
        let world = World::new();
        let source = world.source(&Store::memory());
        let error = source
            .login(&Challenges::default(), Arc::new(Elsewhere(redirect_uri)))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::RedirectUri(_)),
            "{redirect_uri}: {error:?}"
        );
        assert!(world.seen(Leg::Registration).is_empty(), "{redirect_uri}");
    }
}
