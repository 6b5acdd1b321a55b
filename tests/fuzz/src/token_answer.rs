//! The answer of a token endpoint (RFC 6749 §5): a line with the status, then the body.

use std::sync::Arc;

use doorkey_oauth::{AccessToken, AuthorizationConfig, Error, TokenSource};
use doorkey_store::{ClientAuthMethod, Grant, GrantKey, Store};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::servers::{ISSUER, Known, NOW, SERVER, Servers, Still, answer, run};
use crate::shown::{SECRET, assert_fit, assert_hidden};

/// A refresh hands out the token that was answered, keeps it as it was answered, or fails and keeps what there was.
pub fn token_answer(data: &[u8]) {
    run(refreshed(data));
}

async fn refreshed(data: &[u8]) {
    let (status, body) = answer(data);
    let servers = Servers::new("");
    servers.answer("https://as.example/token", status, body.to_vec());
    let (store, key) = (Store::memory(), GrantKey::new(SERVER, "default"));
    let saved = store.save_grant(&key, &expired(), None).await;
    saved.expect("a store in memory");
    let config = AuthorizationConfig::new(Url::parse(SERVER).expect("a URL"));
    let source = TokenSource::builder(config, servers.http(), store.clone())
        .clock(Arc::new(Still))
        .random(Arc::new(Known))
        .build();
    let outcome = source.token().await;
    servers.assert_nobody_else_was_asked();
    for request in servers.asked_of("https://as.example/token") {
        assert_eq!(request.form("refresh_token"), [REFRESH]);
        assert_eq!(request.form("resource"), [SERVER]);
    }
    let said = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    let kept = store.grant(&key).await.expect("a store in memory");
    let kept = kept.expect("nothing removes a grant").value;
    assert_hidden(&kept, &[REFRESH, CLIENT_SECRET, "access-0"]);
    match outcome {
        Ok(token) => taken(&token.expect("a grant is there"), &kept, &said, status),
        Err(error) => failed(&error, &kept, &said, status),
    }
}

fn taken(token: &AccessToken, kept: &Grant, said: &Map<String, Value>, status: u16) {
    assert!((200..300).contains(&status), "a {status} gave a token");
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let answered = text("access_token").expect("a token was answered");
    let kind = text("token_type").expect("a type was answered");
    assert!(kind.eq_ignore_ascii_case("bearer"), "{kind} without a key");
    let header = token.header_value().expect("it can be sent");
    assert!(header.is_sensitive());
    let sent = header.to_str().expect("ASCII");
    assert_eq!(sent, format!("Bearer {answered}"));
    assert_hidden(token, &[SECRET, "access-0"]);
    assert!(kept.token_type.eq_ignore_ascii_case(kind));
    assert_eq!(exposed(kept.access_token.as_ref()), Some(answered));
    let refresh = text("refresh_token").filter(|text| !text.is_empty());
    assert_eq!(
        exposed(kept.refresh_token.as_ref()),
        Some(refresh.unwrap_or(REFRESH))
    );
    assert_eq!(kept.issued_at, NOW);
    if let Some(end) = kept.expires_at {
        let longest = 100 * 366 * 24 * 60 * 60;
        assert!((NOW..=NOW + longest).contains(&end), "{end}");
    }
    assert_eq!(kept.refresh_started_at, None, "its outcome is known");
    assert_eq!(
        (kept.issuer.as_str(), kept.client_id.as_str()),
        (ISSUER, "client-1")
    );
}

fn failed(error: &Error, kept: &Grant, said: &Map<String, Value>, status: u16) {
    // What a server says in an error, and what it says where nobody expects a token, may be shown.
    let quotes = said.get("error").is_some_and(Value::is_string) || !(200..300).contains(&status);
    let secrets: &[&str] = if quotes {
        &[REFRESH, CLIENT_SECRET, "access-0"]
    } else {
        &[REFRESH, CLIENT_SECRET, "access-0", SECRET]
    };
    assert_fit(error, secrets);
    let ended = said.get("error").and_then(Value::as_str) == Some("invalid_grant");
    match exposed(kept.refresh_token.as_ref()) {
        Some(refresh) => assert_eq!(refresh, REFRESH),
        None => assert!(ended, "only `invalid_grant` ends a refresh token"),
    }
    assert_eq!(exposed(kept.access_token.as_ref()), Some("access-0"));
}

/// A grant whose access token is over.
fn expired() -> Grant {
    let mut grant = Grant::new(ISSUER, "client-1", "https://as.example/token");
    grant.resource = Some(SERVER.to_owned());
    grant.client_auth_method = ClientAuthMethod::Post;
    grant.client_secret = Some(CLIENT_SECRET.into());
    grant.access_token = Some("access-0".into());
    grant.refresh_token = Some(REFRESH.into());
    grant.token_type = "Bearer".to_owned();
    grant.issued_at = NOW - 7200;
    grant.expires_at = Some(NOW - 3600);
    grant
}

fn exposed(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(SecretString::expose_secret)
}

const REFRESH: &str = "refresh-0123456789-kept";
const CLIENT_SECRET: &str = "client-0123456789-secret";
