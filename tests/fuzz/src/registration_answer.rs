//! The answer to a registration (RFC 7591 §3.2): a line with the status, then the body.

use std::sync::Arc;

use doorkey_oauth::{AuthorizationConfig, Challenges, TokenSource};
use doorkey_store::{RegistrationKey, Store};
use serde_json::{Map, Value};
use url::Url;

use crate::callback_query::{Browser, REDIRECT};
use crate::servers::{ISSUER, Known, SERVER, STATE, Servers, Still, answer, query, run};
use crate::shown::{SECRET, assert_fit, assert_hidden};

/// A client is used under the id that was answered, its page is the one of the metadata, and no address in the answer
/// is asked.
pub fn registration_answer(data: &[u8]) {
    run(registered(data));
}

async fn registered(data: &[u8]) {
    let (status, body) = answer(data);
    let servers = Servers::new("");
    servers.answer("https://as.example/register", status, body.to_vec());
    let store = Store::memory();
    let config = AuthorizationConfig::new(Url::parse(SERVER).expect("a URL"));
    let source = TokenSource::builder(config, servers.http(), store.clone())
        .clock(Arc::new(Still))
        .random(Arc::new(Known))
        .build();
    // The person closes the window.
    let browser = Browser::new(Vec::new());
    let outcome = source
        .login(&Challenges::default(), Arc::new(browser.clone()))
        .await;
    let error = outcome.expect_err("nobody answered");
    servers.assert_nobody_else_was_asked();

    let said = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let quotes = said.get("error").is_some_and(Value::is_string) || status >= 300;
    let secrets: &[&str] = if quotes { &[STATE] } else { &[STATE, SECRET] };
    let client_id = said.get("client_id").and_then(Value::as_str);
    // What is shown of an id, and of a scope, is what the server called them.
    let names_secret = ["client_id", "scope", "redirect_uris", "grant_types"]
        .iter()
        .any(|member| {
            said.get(*member)
                .is_some_and(|value| value.to_string().contains(SECRET))
        });
    if !names_secret {
        assert_fit(&error, secrets);
    }
    for prompt in browser.prompts() {
        assert!(
            (200..300).contains(&status),
            "a {status} registered a client"
        );
        let Some(client_id) = client_id else {
            panic!("there is a page for nobody: {}", prompt.url);
        };
        assert!(!client_id.is_empty());
        assert_eq!(query(&prompt.url, "client_id"), [client_id]);
        assert_eq!(query(&prompt.url, "redirect_uri"), [REDIRECT]);
        assert_eq!(query(&prompt.url, "resource"), [SERVER]);
        assert_eq!(query(&prompt.url, "response_type"), ["code"]);
        assert_eq!(query(&prompt.url, "code_challenge_method"), ["S256"]);
        let mut page = prompt.url.clone();
        page.set_query(None);
        assert_eq!(page.as_str(), "https://as.example/authorize");
    }
    let key = RegistrationKey::shared(ISSUER);
    let kept = store.registration(&key).await.expect("a store in memory");
    if let Some(kept) = kept {
        assert_eq!(Some(kept.value.client_id.as_str()), client_id);
        if !names_secret {
            assert_hidden(&kept, &[SECRET]);
        }
    }
}
