//! What servers say, wherever it enters an error or a prompt: nothing that a terminal obeys, and not without end
//! (SEC-13). And what is sent to them: marked, so that no log shows it.

use std::sync::Arc;

use doorkey_http::Leg;
use doorkey_oauth::{
    Challenges, ClientAuthMethod, ClientChoice, Error, LogoutOptions, StepOutcome, TokenSource,
};
use doorkey_store::Store;
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::browser::{Act, Browser};
use crate::world::World;

/// Escapes, a title, C1 controls, a direction override, what nobody sees, ends of lines, and a NUL.
const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;t\u{7}c\u{9b}2Jd\u{202e}e\u{200b}f\u{0}g\r\nh";

/// The error and its causes, as a person reads them.
fn told(error: &Error) -> String {
    let first: &dyn std::error::Error = error;
    let chain = std::iter::successors(Some(first), |error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[track_caller]
fn assert_harmless(text: &str) {
    let is_shown = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().count() == 1;
    assert!(text.chars().all(is_shown), "{text:?}");
    assert!(text.len() < 8192, "{} bytes: {text:.200}", text.len());
}

/// An answer that says it all, for a script that lives as long as the tests.
fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

async fn login(source: &TokenSource, world: &World) -> Result<(), Error> {
    let browser = Arc::new(Browser::new(world));
    let outcome = source.login(&Challenges::default(), browser).await;
    outcome.map(drop)
}

#[tokio::test]
async fn no_word_of_a_server_in_an_error_is_obeyed_by_a_terminal_or_has_no_end_sec_13() {
    let words = format!("{HOSTILE}{}", "x".repeat(100_000));
    let bodies = [
        json!({"error": words, "error_description": words, "error_uri": words}).to_string(),
        json!({"error": {"code": words, "message": words}}).to_string(),
        json!({"ok": false, "message": words}).to_string(),
        words.clone(),
        format!("<html>{words}</html>"),
    ];
    for leg in [
        Leg::Registration,
        Leg::Token,
        Leg::ResourceMetadata,
        Leg::AuthorizationServerMetadata,
        Leg::PushedAuthorization,
    ] {
        for body in &bodies {
            for status in [200, 400, 503] {
                let world = World::new();
                world.set().metadata["pushed_authorization_request_endpoint"] =
                    json!("https://as.example/par");
                world.set().metadata["require_pushed_authorization_requests"] =
                    json!(leg == Leg::PushedAuthorization);
                for _ in 0..2 {
                    world.script(leg, status, leaked(body.clone()));
                }
                let error = login(&world.source(&Store::memory()), &world).await;
                // Metadata has a second place.
                if let Err(error) = error {
                    assert_harmless(&told(&error));
                } else {
                    assert_eq!(leg, Leg::ResourceMetadata, "{status}: {body:.100}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_documents_challenges_refreshes_and_revocations_say_is_cleaned_as_well_sec_13() {
    for (member, value) in [
        ("issuer", json!(HOSTILE)),
        ("token_endpoint", json!(HOSTILE)),
        ("grant_types_supported", json!([HOSTILE])),
    ] {
        let world = World::new();
        world.set().metadata[member] = value;
        let error = login(&world.source(&Store::memory()), &world)
            .await
            .unwrap_err();
        assert_harmless(&told(&error));
    }
    let world = World::new();
    world.set().issuers = vec![HOSTILE.to_owned(), format!("https://as.example/{HOSTILE}")];
    let error = login(&world.source(&Store::memory()), &world)
        .await
        .unwrap_err();
    assert_harmless(&told(&error));
    let world = World::new();
    world.set().resource = format!("https://mcp.example/{HOSTILE}");
    let error = login(&world.source(&Store::memory()), &world)
        .await
        .unwrap_err();
    assert_harmless(&told(&error));

    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    let refusal = json!({"error": HOSTILE, "error_description": HOSTILE}).to_string();
    world.script(Leg::Token, 400, leaked(refusal.clone()));
    assert_harmless(&told(&source.token().await.unwrap_err()));
    for _ in 0..2 {
        world.script(Leg::Revocation, 400, leaked(refusal.clone()));
    }
    let report = source.logout(LogoutOptions::default()).await.unwrap();
    for step in [&report.revoked_refresh, &report.revoked_access] {
        let text = match step {
            StepOutcome::LocalOnly(error) | StepOutcome::Failed(error) => told(error),
            other => format!("{other:?}"),
        };
        assert_harmless(&text);
        assert!(text.contains("400"), "{text}");
    }
}

#[tokio::test]
async fn a_challenge_is_shown_without_what_a_terminal_obeys_sec_13() {
    let mut headers = HeaderMap::new();
    let words = "a\u{9b}2Jb\u{202e}c\u{200b}d";
    for scheme in ["Bearer", "DPoP"] {
        let line = format!(
            "{scheme} realm=\"b\u{202e}c\u{200b}d\", error=\"x\u{202e}\", error_description=\"{words}\", scope=\"{}\"",
            "s ".repeat(4000)
        );
        let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
        headers.append("www-authenticate", value);
    }
    let challenges = Challenges::from_headers(&headers);
    let world = World::new();
    let source = world.source(&Store::memory());
    let error = source.rejected(None, &challenges).await.unwrap_err();
    assert_harmless(&told(&error));
    assert_harmless(&format!("{error:?}"));
    assert_harmless(&error.challenges().unwrap().shown());
}

#[tokio::test]
async fn what_the_page_of_a_refusal_says_is_cleaned_for_page_and_terminal_sec_13() {
    let world = World::new();
    let encoded: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let query =
        format!("error={encoded}&error_description={encoded}&error_uri={encoded}&state=STATE");
    let browser = Browser::acting(&world, vec![Act::Answer(leaked(query))]);
    let browser = Arc::new(browser);
    let source = world.source(&Store::memory());
    let error = source
        .login(&Challenges::default(), browser)
        .await
        .unwrap_err();
    assert_harmless(&told(&error));
}

#[tokio::test]
async fn every_credential_that_is_sent_is_marked_so_that_no_log_shows_it_err_11() {
    let world = World::new();
    world.set().numbers_clients = true;
    world.set().registered = json!({
        "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_basic",
    });
    let mut config = world.config();
    config.client = ClientChoice::Static {
        client_id: "c".to_owned(),
        client_secret: Some("secret".into()),
        signing_key: None,
        issuer: None,
        auth_method: Some(ClientAuthMethod::Basic),
    };
    for source in [
        world.source_with(config, &Store::memory()),
        world.source(&Store::memory()),
    ] {
        let browser = Arc::new(Browser::new(&world));
        source.login(&Challenges::default(), browser).await.unwrap();
        let token = source.token().await.unwrap().unwrap();
        assert!(token.header_value().unwrap().is_sensitive());
        let mut options = LogoutOptions::default();
        options.forget_client = true;
        source.logout(options).await.unwrap();
    }
    let mut marked = 0;
    for seen in world.all() {
        for name in ["authorization", "dpop"] {
            for value in seen.headers.get_all(name) {
                assert!(value.is_sensitive(), "{} {name}", seen.leg);
                marked += 1;
            }
        }
    }
    // Basic at the token and revocation endpoints, and the token that deletes the registration.
    assert!(marked >= 4, "{marked}");
}

/// What stands in `$(…)` is run by a PowerShell that an opener puts the page into.
#[tokio::test]
async fn no_page_that_a_server_names_holds_what_a_shell_acts_on_az_20() {
    let world = World::new();
    let named = "https://as.example/$(calc)/authorize?x=$(calc)&y=`id`;a|b&z='%HOME%";
    world.set().metadata["authorization_endpoint"] = json!(named);
    let browser = Arc::new(Browser::new(&world));
    let source = world.source(&Store::memory());
    source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap();
    let page = browser.prompts().remove(0).url;
    let begins = "https://as.example/%24%28calc%29/authorize?x=%24%28calc%29&y=%60id%60%3Ba%7Cb&z=%27%25HOME%25&";
    assert!(page.as_str().starts_with(begins), "{page}");
    assert_eq!(browser.asked("y"), [["`id`;a|b"]]);
    assert_eq!(
        browser.asked("redirect_uri"),
        [["http://127.0.0.1:3118/callback"]]
    );
}
