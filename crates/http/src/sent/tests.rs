//! What is struck, what stays, and how much work it is.

use std::time::{Duration, Instant};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, Request, Response};
use proptest::prelude::*;

use super::*;
use crate::{Body, HttpClient, HttpProfile, Leg};

const SECRET: &str = "rt:%+ 0123-example/and=more~of_it";

fn sent(secret: &str) -> SentSecrets {
    SentSecrets::default().and(&SecretString::from(secret))
}

#[test]
fn a_secret_is_struck_however_it_is_repeated() {
    let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let part = &SECRET[3..3 + SentSecrets::PART];
    for (text, shown) in [
        (format!("token {SECRET} is gone"), "token … is gone"),
        (format!("token {part}... is gone"), "token …... is gone"),
        (format!("a={form}&b={SECRET}"), "a=…&b=…"),
        (form.replace('+', "%20"), "…"),
    ] {
        assert_eq!(sent(SECRET).strike(&text), shown, "{text}");
    }
}

#[test]
fn a_secret_within_basic_credentials_is_struck() {
    let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for client in ["a", "ab", "abc"] {
        for written in [SECRET, &form] {
            let credentials = STANDARD.encode(format!("{client}:{written}"));
            let struck = sent(SECRET).strike(&credentials);
            assert!(
                struck.len() < SentSecrets::PART + 3,
                "{credentials}: {struck}"
            );
        }
    }
}

#[test]
fn other_text_stays_as_it_is() {
    for text in ["", "the refresh token has expired", "rt:%+ 0123", "é…"] {
        assert_eq!(sent(SECRET).strike(text), text);
    }
    assert_eq!(sent("").strike("anything"), "anything");
    assert_eq!(sent("abc").strike("abc"), "abc");
    assert_eq!(SentSecrets::default().strike("anything"), "anything");
}

#[test]
fn a_short_secret_is_struck_only_where_it_stands_alone_sec_13_err_11() {
    for (secret, text, shown) in [
        ("hunter2", "is hunter2?", "is …?"),
        ("hunter2", "key=hunter2&a=b", "key=…&a=b"),
        ("hunter2", "hunter2", "…"),
        ("hunter2", "hunter2hunter2", "hunter2hunter2"),
        (
            "client",
            "invalid_client: no such clients",
            "invalid_client: no such clients",
        ),
        ("client", "the client is gone", "the … is gone"),
        ("well", "see /.well-known/x", "see /.well-known/x"),
        (
            "acme",
            "acmes at macme, acme@home",
            "acmes at macme, …@home",
        ),
        ("caf\u{e9}", "caf\u{e9}s and caf\u{e9}", "caf\u{e9}s and …"),
        ("(key", "a(key) and (keys", "a…) and (keys"),
        ("a b c", "a+b+c or a%20b%20c or a b cd", "… or … or a b cd"),
    ] {
        assert_eq!(sent(secret).strike(text), shown, "{secret}: {text}");
    }
    let credentials = STANDARD.encode("somebody:hunter2");
    assert!(!sent("hunter2").strike(&credentials).contains("aHVudGVyM"));
}

#[test]
fn eight_bytes_are_found_within_words_too_err_11() {
    assert_eq!(sent("hunter22").strike("xhunter22x"), "x…x");
}

#[test]
fn the_first_word_of_a_header_is_a_scheme_in_authorization_only_err_11() {
    let mut key = HeaderValue::from_bytes("kl\u{fc}ngel schl\u{fc}ssel".as_bytes()).unwrap();
    key.set_sensitive(true);
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), key)]);
    let shown = SentSecrets::of(&headers).strike("no kl\u{fc}ngel schl\u{fc}ssel here");
    assert_eq!(shown, "no … here");
}

/// Every part of the text is one of the secret too, or none is; both are the worst case of some way
/// to search.
#[test]
fn long_secrets_in_long_texts_are_struck_in_linear_work_sec_13() {
    const LENGTH: usize = 64 * 1024;
    let started = Instant::now();
    let noise = |mut seed: u32| {
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (seed >> 24) as u8 % 94)
        };
        (0..LENGTH).map(|_| next()).collect::<String>()
    };
    let (secret, other) = (noise(1), noise(2));
    assert_eq!(sent(&secret).strike(&secret), "…");
    assert_eq!(sent(&secret).strike(&other), other);
    let (same, almost) = ("a".repeat(LENGTH), format!("{}b", "a".repeat(LENGTH)));
    assert_eq!(sent(&same).strike(&almost), "…b");
    assert_eq!(sent(&"ab".repeat(LENGTH / 2)).strike(&same), same);
    // A search that compares every place of the one with every place of the other takes minutes.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_secrets_of_a_request_are_its_credentials_and_what_is_marked() {
    let mut key = HeaderValue::from_static("key-0123456789");
    key.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (
            AUTHORIZATION,
            HeaderValue::from_static("Bearer token-0123456789"),
        ),
        (HeaderName::from_static("x-api-key"), key),
        (
            http::header::USER_AGENT,
            HeaderValue::from_static("agent-0123456789"),
        ),
    ]);
    let sent = SentSecrets::of(&headers);
    assert_eq!(
        sent.strike("Bearer token-0123456789 and key-0123456789 by agent-0123456789"),
        "Bearer … and … by agent-0123456789"
    );
    assert_eq!(format!("{sent:?}"), "SentSecrets(2)");
}

#[tokio::test]
async fn challenges_keep_every_byte_and_no_log_shows_them_err_11_www_01() {
    const CHALLENGE: &str = "Bearer scope=\"acme:read\", resource_metadata=\"https://mcp.acme.example/resource-key-0123\"";
    let echo = tower::service_fn(|request: Request<Body>| async move {
        let sent = request.headers()["x-key"].to_str().unwrap().to_owned();
        let response = Response::builder().header(WWW_AUTHENTICATE, CHALLENGE);
        Ok::<_, std::convert::Infallible>(response.body(Body::from(sent)).unwrap())
    });
    let mut profile = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    let tenant = HeaderValue::from_static("acme");
    profile.resource_headers.insert("x-tenant", tenant);
    let key = HeaderValue::from_static("resource-key-0123");
    profile.resource_headers.insert("x-key", key);
    let client = HttpClient::with_service(&profile, echo).unwrap();
    let request = Request::get("https://mcp.example/mcp").body(Body::empty());
    let response = client.send(Leg::Resource, request.unwrap()).await.unwrap();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], CHALLENGE);
    let logged = format!("{response:?}");
    assert!(!logged.contains("resource-key"), "{logged}");
    let sent = response.extensions().get::<SentSecrets>().unwrap().clone();
    assert_eq!(
        sent.strike(CHALLENGE),
        "Bearer scope=\"…:read\", resource_metadata=\"https://mcp.….example/…\""
    );
    let body = response.into_body().collect_limited(99).await.unwrap();
    let body = std::str::from_utf8(&body).unwrap();
    assert_eq!(body, "resource-key-0123", "what is no error stays whole");
    assert_eq!(sent.strike(body), "…");
}

proptest! {
    #[test]
    fn no_part_of_a_secret_is_left(
        before in ".{0,20}", secret in "[a-zA-Z0-9 %+~/=._-]{12,60}", after in ".{0,20}",
    ) {
        let struck = sent(&secret).strike(&format!("{before}{secret}{after}"));
        for part in secret.as_bytes().windows(SentSecrets::PART) {
            let part = std::str::from_utf8(part).unwrap();
            prop_assert!(!struck.contains(part), "{struck}");
        }
    }
}
