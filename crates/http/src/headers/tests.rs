//! Which headers reach which origin, and what of them is kept from logs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::exchange::Exchange;
use crate::sorted::Sorted;

fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
    let entry = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    entries.iter().map(entry).collect()
}

fn profile() -> HttpProfile {
    let mut profile = HttpProfile::new(Url::parse("https://mcp.example/mcp").unwrap());
    profile.default_headers = map(&[("x-route", "everyone"), ("x-who", "default")]);
    profile.resource_headers = map(&[("authorization", "resource"), ("x-who", "resource")]);
    let gateway = "https://as.example:8443".parse().unwrap();
    profile.origin_headers = vec![(gateway, map(&[("cookie", "gateway"), ("x-who", "gateway")]))];
    profile
}

fn completed(origin: &str, own: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = map(own);
    let scopes = HeaderScopes::new(&profile()).unwrap();
    drop(scopes.complete(&mut headers, &origin.parse().unwrap()));
    headers
}

#[test]
fn each_header_reaches_its_scope_and_the_narrower_one_counts() {
    for (origin, authorization, cookie, who) in [
        ("https://mcp.example", Some("resource"), None, "resource"),
        ("http://mcp.example", None, None, "default"),
        ("https://mcp.example:444", None, None, "default"),
        ("https://sub.mcp.example", None, None, "default"),
        ("https://as.example:8443", None, Some("gateway"), "gateway"),
        ("https://as.example", None, None, "default"),
    ] {
        let headers = completed(origin, &[]);
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("authorization"), authorization, "{origin}");
        assert_eq!(value("cookie"), cookie, "{origin}");
        assert_eq!(value("x-who"), Some(who), "{origin}");
        assert_eq!(value("x-route"), Some("everyone"), "{origin}");
        let agent = value("user-agent").unwrap();
        assert!(agent.starts_with("doorkey/"), "{agent}");
    }
}

#[test]
fn what_the_request_says_itself_always_wins() {
    let own = [
        ("authorization", "own"),
        ("user-agent", "own"),
        ("x-route", "own"),
    ];
    let headers = completed("https://mcp.example", &own);
    for (name, value) in own {
        let all: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(all, [value], "{name}");
    }
}

#[test]
fn configured_values_and_credentials_are_marked_sensitive() {
    let own = [("authorization", "own"), ("dpop", "own"), ("accept", "own")];
    for (origin, own) in [
        ("https://mcp.example", &[][..]),
        ("https://as.example", &own),
    ] {
        let headers = completed(origin, own);
        assert!(headers["authorization"].is_sensitive(), "{origin}");
        assert!(headers["x-route"].is_sensitive(), "{origin}");
        assert!(!headers["user-agent"].is_sensitive(), "{origin}");
        assert!(headers.get("dpop").is_none_or(HeaderValue::is_sensitive));
        assert!(headers.get("accept").is_none_or(|own| !own.is_sensitive()));
    }
}

#[test]
fn a_credential_for_everyone_is_refused_and_told_where_it_belongs() {
    let mut sensitive = HeaderValue::from_static("key");
    sensitive.set_sensitive(true);
    let secret = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), sensitive)]);
    for headers in [
        map(&[("authorization", "Bearer x")]),
        map(&[("cookie", "x")]),
        map(&[("proxy-authorization", "x")]),
        map(&[("dpop", "x")]),
        secret,
    ] {
        let refused = HttpProfile {
            default_headers: headers,
            ..HttpProfile::default()
        };
        let err = HeaderScopes::new(&refused).err().unwrap().to_string();
        assert!(
            err.contains("resource_headers") && err.contains("origin_headers"),
            "{err}"
        );
    }
}

#[test]
fn unusable_headers_are_named_by_their_setting() {
    let mut framing = profile();
    framing.origin_headers[0].1 = map(&[("content-length", "5")]);
    let mut homeless = profile();
    homeless.resource = None;
    let mut agent = profile();
    agent.user_agent = "a\nb".to_owned();
    for (profile, setting) in [
        (framing, "origin_headers"),
        (homeless, "resource_headers"),
        (agent, "user_agent"),
    ] {
        let err = HeaderScopes::new(&profile).err().unwrap();
        assert!(err.to_string().contains(setting), "{err}");
    }
}

/// Sends a request to `url` with headers of its own; gives what went out, and the answer, which
/// repeats them in a challenge.
async fn sent(url: &str, own: &[(&'static str, &'static str)]) -> (HeaderMap, Response<Body>) {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let server = Arc::clone(&seen);
    let below = tower::service_fn(move |request: Request<Body>| {
        *server.lock().unwrap() = request.headers().clone();
        let answer = Response::builder()
            .header("www-authenticate", "Bearer realm=\"x\"")
            .header("www-authenticate", "Basic")
            .header("content-type", "text/html");
        std::future::ready(Ok::<_, Error>(answer.body(Body::empty()).unwrap()))
    });
    let mut request = Request::get(url).body(Body::empty()).unwrap();
    *request.headers_mut() = map(own);
    let scopes = HeaderScopes::new(&profile()).unwrap();
    let mut asked = Asked::new(Exchange::parse(&request).unwrap(), request, None);
    let below = Sorted::new(below, Duration::ZERO);
    let answer = scopes.run(&mut asked, &below).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    (seen, answer)
}

#[tokio::test]
async fn a_request_is_sent_with_the_headers_of_its_origin_sec_09() {
    let (seen, _) = sent("https://mcp.example/mcp?a=b", &[("accept", "own")]).await;
    assert_eq!(seen["authorization"], "resource");
    assert_eq!(seen["x-who"], "resource");
    assert_eq!(seen["accept"], "own");
    let (seen, _) = sent("https://as.example/token", &[("x-who", "own")]).await;
    assert_eq!(seen.get("authorization"), None);
    assert_eq!(seen["x-who"], "own");
    assert_eq!(seen["x-route"], "everyone");
}

#[tokio::test]
async fn challenges_are_marked_when_the_request_carried_a_secret_err_11() {
    for (url, own, secret) in [
        ("https://mcp.example/mcp", &[][..], Some("resource")),
        (
            "https://as.example/token",
            &[("authorization", "Basic key-0123")],
            Some("key-0123"),
        ),
        ("https://as.example/token", &[("accept", "own-0123")], None),
    ] {
        let (_, answer) = sent(url, own).await;
        let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, ["Bearer realm=\"x\"", "Basic"], "{url}");
        for challenge in challenges {
            assert_eq!(challenge.is_sensitive(), secret.is_some(), "{url}");
        }
        assert!(!answer.headers()["content-type"].is_sensitive(), "{url}");
        let sent = answer.extensions().get::<SentSecrets>().unwrap();
        assert_eq!(sent.is_empty(), secret.is_none(), "{url}");
        let text = format!("no {} here", secret.unwrap_or("own-0123"));
        let shown = secret.map_or(text.as_str(), |_| "no … here");
        assert_eq!(sent.strike(&text), shown, "{url}");
    }
}

proptest! {
    #[test]
    fn no_scoped_header_reaches_a_foreign_origin(
        scheme in "https?", host in "[a-z]{1,6}(\\.mcp)?\\.example", port in 1_u16..,
    ) {
        let origin = format!("{scheme}://{host}:{port}");
        prop_assume!(!["https://mcp.example:443", "https://as.example:8443"].contains(&&*origin));
        let headers = completed(&origin, &[]);
        prop_assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"));
        prop_assert_eq!(&headers["x-who"], "default");
    }
}
