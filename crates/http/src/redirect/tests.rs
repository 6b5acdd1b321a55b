//! The redirect table, row by row, and the hops that are taken over it (SEC-06).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower::service_fn;

use super::*;
use crate::sorted::Sorted;

fn hop(leg: Leg, method: Method, status: u16, location: &str) -> Result<Option<Target>, Refusal> {
    let url = Url::parse("https://as.example/a/b?secret").unwrap();
    let exchange = Exchange::new(leg, method, url);
    let location = HeaderValue::from_str(location).unwrap();
    next_hop(
        &exchange,
        StatusCode::from_u16(status).unwrap(),
        Some(&location),
        true,
    )
}

#[test]
fn the_resource_leg_and_answers_that_are_no_redirects_are_handed_back() {
    for (leg, status) in [
        (Leg::Resource, 302),
        (Leg::Resource, 307),
        (Leg::ResourceMetadata, 200),
        (Leg::ResourceMetadata, 304),
        (Leg::Token, 400),
    ] {
        let found = hop(leg, Method::POST, status, "https://other.example/x");
        assert!(matches!(found, Ok(None)), "{leg} {status}: {found:?}");
    }
    let url = Url::parse("https://as.example").unwrap();
    let exchange = Exchange::new(Leg::Token, Method::POST, url);
    assert!(matches!(
        next_hop(&exchange, StatusCode::FOUND, None, true),
        Ok(None)
    ));
}

#[test]
fn metadata_legs_follow() {
    for (location, target) in [
        ("https://other.example/x", "https://other.example/x"),
        ("c#fragment", "https://as.example/a/c"),
        ("//b.example", "https://b.example/"),
        ("?q", "https://as.example/a/b?q"),
    ] {
        for leg in Leg::ALL.into_iter().filter(|leg| leg.is_metadata()) {
            for status in [301, 302, 303, 307, 308] {
                let found = hop(leg, Method::GET, status, location).unwrap().unwrap();
                assert_eq!(found.url.as_str(), target, "{leg} {status}");
                assert_eq!(found.uri.to_string(), target);
            }
        }
    }
}

#[test]
fn metadata_legs_refuse_what_is_no_endpoint() {
    for (method, location, rule) in [
        (Method::POST, "https://other.example/x", "only GET"),
        (Method::GET, "http://localhost/x", "https to http"),
        (Method::GET, "ftp://as.example/x", "https to http"),
        (Method::GET, "javascript:alert(1)", "https to http"),
        (
            Method::GET,
            "https://user:secret@as.example",
            "not an endpoint",
        ),
        (Method::GET, "https://[bad", "not a URL"),
    ] {
        let refusal = hop(Leg::ResourceMetadata, method, 302, location).unwrap_err();
        let text = refusal.rule.unwrap().to_string();
        assert!(text.contains(rule), "{location}: {text}");
        assert!(
            !refusal.target.contains("secret"),
            "{location}: {}",
            refusal.target
        );
    }
}

#[test]
fn every_other_leg_refuses_and_names_the_target() {
    let follows = |leg: &Leg| *leg == Leg::Resource || leg.is_metadata();
    for leg in Leg::ALL.into_iter().filter(|leg| !follows(leg)) {
        let refusal = hop(leg, Method::POST, 307, "https://other.example/x?secret").unwrap_err();
        assert_eq!(refusal.rule, Some(RedirectRule::Leg(leg)), "{leg}");
        assert_eq!(refusal.target, "https://other.example/x", "{leg}");
    }
}

#[test]
fn plain_http_leads_to_loopback_only() {
    let exchange = Exchange::new(
        Leg::ResourceMetadata,
        Method::GET,
        Url::parse("http://localhost:3000/").unwrap(),
    );
    for (location, taken) in [
        ("http://127.0.0.1:9/x", true),
        ("https://as.example", true),
        ("http://as.example", false),
    ] {
        let location = HeaderValue::from_static(location);
        let hop = next_hop(&exchange, StatusCode::FOUND, Some(&location), true);
        assert_eq!(hop.is_ok(), taken, "{location:?}");
    }
}

#[test]
fn credentials_are_dropped_between_origins() {
    let mut key = HeaderValue::from_static("key");
    key.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("x"));
    headers.insert("dpop", HeaderValue::from_static("x"));
    headers.insert("cookie", HeaderValue::from_static("x"));
    headers.insert("x-api-key", key);
    headers.insert("accept", HeaderValue::from_static("application/json"));
    drop_credentials(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
}

/// Requests as they were sent: URI, the exchange they belong to, and their headers.
type Seen = Arc<Mutex<Vec<(String, Exchange, HeaderMap)>>>;

/// Sends `request` as `leg` to servers where `/n` leads to `/n-1` and `/0` is a document; a
/// location in `x-to` comes first.
async fn follow(
    leg: Leg,
    mut request: Request<Body>,
    seen: &Seen,
) -> Result<Response<Body>, Error> {
    request.extensions_mut().insert(leg);
    let seen = Arc::clone(seen);
    let servers = service_fn(move |request: Request<Body>| {
        let exchange = request.extensions().get::<Exchange>().unwrap().clone();
        let to = request.headers().get("x-to").cloned();
        let first = seen.lock().unwrap().is_empty();
        let step = request.uri().path().trim_start_matches('/').parse::<u32>();
        let (parts, _) = request.into_parts();
        let uri = parts.uri.to_string();
        seen.lock().unwrap().push((uri, exchange, parts.headers));
        let location = match (to, step) {
            (Some(to), _) if first => Some(to),
            (_, Ok(step @ 1..)) => HeaderValue::try_from(format!("/{}", step - 1)).ok(),
            _ => None,
        };
        let mut answer = Response::new(Body::empty());
        if let Some(location) = location {
            *answer.status_mut() = StatusCode::FOUND;
            answer.headers_mut().insert(LOCATION, location);
        }
        std::future::ready(Ok::<_, Error>(answer))
    });
    let mut asked = Asked::new(Exchange::parse(&request)?, request, None);
    let below = Sorted::new(servers, Duration::ZERO);
    Redirects { limit: 3 }.run(&mut asked, &below).await
}

fn uris(seen: &Seen) -> Vec<String> {
    let seen = seen.lock().unwrap();
    seen.iter().map(|(uri, ..)| uri.clone()).collect()
}

#[tokio::test]
async fn as_many_hops_as_the_limit_allows_are_taken_and_no_more_sec_06() {
    let seen = Seen::default();
    let request = Request::get("https://as.example/3")
        .body(Body::empty())
        .unwrap();
    let answer = follow(Leg::ResourceMetadata, request, &seen).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let last = answer.extensions().get::<Exchange>().unwrap();
    assert_eq!(last.url().as_str(), "https://as.example/0");
    let steps = [3, 2, 1, 0].map(|step| format!("https://as.example/{step}"));
    assert_eq!(uris(&seen), steps);
    for (uri, exchange, _) in seen.lock().unwrap().iter() {
        assert_eq!(exchange.url().as_str(), uri, "every hop is an exchange");
        assert_eq!(exchange.leg(), Leg::ResourceMetadata);
    }

    let seen = Seen::default();
    let request = Request::get("https://as.example/4")
        .body(Body::empty())
        .unwrap();
    let refused = follow(Leg::ResourceMetadata, request, &seen).await;
    let Err(Error::RedirectRefused { target, source, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(source, RedirectRule::TooMany(3));
    assert_eq!(target, "https://as.example/0");
    assert_eq!(uris(&seen).len(), 4);
}

#[tokio::test]
async fn only_what_leaves_the_origin_leaves_its_credentials_behind_sec_10() {
    for (to, keeps) in [
        ("/0", true),
        ("https://as.example:443/0", true),
        ("https://as.example:444/0", false),
        ("https://sub.as.example/0", false),
        ("https://other.example/0", false),
    ] {
        let seen = Seen::default();
        let request = Request::get("https://as.example/start")
            .header("x-to", to)
            .header("authorization", "Bearer x")
            .header("accept", "application/json")
            .body(Body::empty());
        let followed = follow(Leg::AuthorizationServerMetadata, request.unwrap(), &seen).await;
        assert_eq!(followed.unwrap().status(), StatusCode::OK, "{to}");
        let seen = seen.lock().unwrap();
        let [(_, _, first), (_, _, second)] = &seen[..] else {
            panic!("{to}: {seen:?}")
        };
        assert!(first.contains_key("authorization"), "{to}");
        assert_eq!(second.contains_key("authorization"), keeps, "{to}");
        assert_eq!(second["accept"], "application/json", "{to}");
    }
}

#[tokio::test]
async fn a_redirect_of_the_resource_is_handed_back_and_that_of_a_token_refused_sec_06_tok_12() {
    for leg in [Leg::Resource, Leg::Token] {
        let seen = Seen::default();
        let request = Request::get("https://h.example/1")
            .body(Body::empty())
            .unwrap();
        let followed = follow(leg, request, &seen).await;
        match leg {
            Leg::Resource => assert_eq!(followed.unwrap().status(), StatusCode::FOUND),
            _ => assert!(matches!(
                followed,
                Err(Error::RedirectRefused {
                    source: RedirectRule::Leg(Leg::Token),
                    status: StatusCode::FOUND,
                    ..
                })
            )),
        }
        assert_eq!(uris(&seen), ["https://h.example/1"]);
    }
}
