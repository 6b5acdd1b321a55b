//! A token in use: every request of a session carries it, in the header and nowhere else, and a session
//! outlives it (USE-01, USE-02, USE-04, CH-02, CH-03, REF-04, REF-07, REF-08, REF-15).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorkey_http::{Body, Leg};
use doorkey_oauth::{AuthorizationLayer, Challenges, Error, TokenSource};
use doorkey_store::{GrantKey, Store};
use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response};
use secrecy::ExposeSecret as _;
use tower::{Layer as _, ServiceExt as _};

use crate::browser::Browser;
use crate::stores::Fickle;
use crate::world::{SERVER, World};

/// What a session consists of: calls, notifications, its stream, a resumed stream, its end.
fn requests() -> Vec<Request<Body>> {
    let request = |method: Method, body: &'static str| {
        Request::builder()
            .method(method)
            .uri(format!("{SERVER}?session=one"))
            .header("mcp-session-id", "session")
            .header("mcp-protocol-version", "2025-11-25")
            .header("accept", "application/json, text/event-stream")
            .body(Body::from(body))
            .unwrap()
    };
    let mut resumed = request(Method::GET, "");
    resumed
        .headers_mut()
        .insert("last-event-id", "event-7".parse().unwrap());
    vec![
        request(
            Method::POST,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        ),
        request(
            Method::POST,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        ),
        request(Method::GET, ""),
        resumed,
        request(Method::DELETE, ""),
    ]
}

pub(crate) fn call() -> Request<Body> {
    requests().remove(0)
}

pub(crate) async fn send(
    world: &World,
    source: &TokenSource,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    AuthorizationLayer::new(source.clone())
        .layer(world.http())
        .oneshot(request)
        .await
}

pub(crate) fn header(name: http::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, value.parse().unwrap())])
}

fn without_credential(mut headers: HeaderMap) -> HeaderMap {
    headers.remove("authorization");
    headers
}

#[tokio::test]
async fn every_request_of_a_session_carries_the_token_use_01() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    for request in requests() {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        world.start_over();
        let response = send(&world, &source, request).await.unwrap();
        assert!(response.status().is_success(), "{method}");
        let [sent]: [_; 1] = world.all().try_into().unwrap();
        assert_eq!(sent.method, method.as_str());
        let credentials: Vec<_> = sent.headers.get_all("authorization").iter().collect();
        assert_eq!(credentials, ["Bearer access-2"], "{method}");
        for (name, value) in &headers {
            assert_eq!(sent.headers.get(name), Some(value), "{method} {name}");
        }
    }
}

#[tokio::test]
async fn a_401_is_recovered_from_wherever_it_comes_and_the_same_request_sent_again_ch_03_ch_13() {
    for request in requests() {
        let case = format!("{} {:?}", request.method(), request.headers());
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        send(&world, &source, call()).await.unwrap();
        world.set().forget_access_tokens();
        world.start_over();
        let response = send(&world, &source, request).await.unwrap();
        assert!(response.status().is_success(), "{case}");
        let [first, second]: [_; 2] = world.seen(Leg::Resource).try_into().unwrap();
        assert_eq!(first.headers["authorization"], "Bearer access-2");
        assert_eq!(second.headers["authorization"], "Bearer access-3");
        assert_eq!(
            (first.method, first.url, first.body),
            (second.method, second.url, second.body)
        );
        // The session is the same one.
        assert_eq!(second.headers["mcp-session-id"], "session");
        let headers = [first.headers, second.headers].map(without_credential);
        assert_eq!(headers[0], headers[1], "{case}");
        assert_eq!(world.seen(Leg::Token).len(), 1, "{case}");
    }
}

#[tokio::test]
async fn a_first_401_leads_to_a_login_wherever_it_comes_ch_01_ch_03() {
    for request in requests() {
        let case = format!("{} {:?}", request.method(), request.headers());
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        let response = send(&world, &source, request).await.unwrap();
        assert!(response.status().is_success(), "{case}");
        let [first, second]: [_; 2] = world.seen(Leg::Resource).try_into().unwrap();
        assert!(!first.headers.contains_key("authorization"), "{case}");
        assert_eq!((first.method, first.body), (second.method, second.body));
        assert_eq!(browser.prompts().len(), 1, "{case}");
    }
}

#[tokio::test]
async fn the_token_is_in_no_url_and_no_body_and_goes_to_nobody_else_use_02_use_04() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    // A login, a session, a redirect, a refused token, a step-up, an expiry, and a second login.
    for request in requests() {
        send(&world, &source, request).await.unwrap();
    }
    world.script_with(Leg::Resource, 307, "", header(LOCATION, "/mcp/moved"));
    send(&world, &source, call()).await.unwrap();
    world.set().forget_access_tokens();
    send(&world, &source, call()).await.unwrap();
    let lacking = r#"Bearer error="insufficient_scope", scope="files:write""#;
    world.script_with(Leg::Resource, 403, "", header(WWW_AUTHENTICATE, lacking));
    send(&world, &source, call()).await.unwrap();
    world.clock().advance(3600);
    send(&world, &source, call()).await.unwrap();
    let again = Arc::new(browser.clone());
    source.login(&Challenges::default(), again).await.unwrap();
    send(&world, &source, call()).await.unwrap();

    let mut carried = std::collections::BTreeSet::new();
    for seen in world.all() {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(!seen.url.as_str().contains("access-"), "{}", seen.url);
        assert!(!body.contains("access-"), "{} {body}", seen.url);
        for (name, value) in &seen.headers {
            let value = value.to_str().unwrap();
            if !value.contains("access-") {
                continue;
            }
            assert_eq!(name, "authorization");
            assert_eq!(seen.leg, Leg::Resource);
            assert_eq!(seen.url.host_str(), Some("mcp.example"));
            carried.insert(value.to_owned());
        }
    }
    // All the same they were sent: one of the login, and each that came after it.
    assert_eq!(carried.len(), 5, "{carried:?}");
    for prompt in browser.prompts() {
        assert!(!prompt.url.as_str().contains("access-"), "{}", prompt.url);
    }
}

#[tokio::test]
async fn a_token_that_expires_in_mid_session_is_replaced_before_the_next_request_ref_10_ch_03() {
    let world = World::new();
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    let mut sent = Vec::new();
    for round in 0..3 {
        for request in requests() {
            send(&world, &source, request).await.unwrap();
        }
        let seen = world.seen(Leg::Resource);
        sent.push(seen[round * requests().len()].headers["authorization"].clone());
        world.clock().advance(3600);
    }
    assert_eq!(
        sent,
        ["Bearer access-2", "Bearer access-3", "Bearer access-4"]
    );
    // No request was refused, and nobody was asked where to refresh.
    assert_eq!(world.seen(Leg::Resource).len(), 3 * requests().len());
    assert_eq!(world.seen(Leg::Token).len(), 2);
    assert!(world.seen(Leg::ResourceMetadata).is_empty());
}

#[tokio::test]
async fn a_refresh_that_fails_for_now_fails_its_request_and_the_session_goes_on_ref_08() {
    for (status, body) in [(503, ""), (429, ""), (200, "<html></html>"), (418, "")] {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.signed_in(&source).await;
        send(&world, &source, call()).await.unwrap();
        world.clock().advance(3600);
        world.script(Leg::Token, status, body);
        world.start_over();
        let error = send(&world, &source, call()).await.unwrap_err();
        assert!(error.is_transient() && !error.needs_login(), "{error:?}");
        // No token, no request: without one it would look like a login that is needed.
        assert_eq!(world.legs(), [Leg::Token], "{status}");
        world.clock().advance(60);
        assert!(send(&world, &source, call()).await.is_ok(), "{status}");
        assert!(browser.prompts().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_refresh_that_is_refused_leads_to_a_new_authorization_where_a_person_is_ref_07_ref_15() {
    for (status, code) in [
        (400, "invalid_grant"),
        (400, "unauthorized_client"),
        (400, "invalid_scope"),
        (400, "invalid_target"),
        (401, "invalid_client"),
    ] {
        let world = World::new();
        world.set().numbers_clients = true;
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.signed_in(&source).await;
        world.clock().advance(3600);
        world.script(
            Leg::Token,
            status,
            format!(r#"{{"error":"{code}"}}"#).leak(),
        );
        assert!(send(&world, &source, call()).await.is_ok(), "{code}");
        assert_eq!(browser.prompts().len(), 1, "{code}");
        let grants: Vec<_> = world
            .seen(Leg::Token)
            .iter()
            .map(|seen| seen.form("grant_type").concat())
            .collect();
        // One refresh, and none with fewer parameters.
        assert_eq!(grants, ["refresh_token", "authorization_code"], "{code}");
        let registered = world.seen(Leg::Registration).len();
        assert_eq!(registered, usize::from(code == "invalid_client"), "{code}");
        let resource = world.seen(Leg::Token)[1].form("resource");
        assert_eq!(resource, [SERVER], "{code}");
    }
}

/// Sends a request and tells whether the store had its token by then.
async fn is_on_record(world: &World, source: &TokenSource, store: &Store) -> bool {
    let on_record = Arc::new(AtomicBool::new(false));
    let (http, noted, store) = (world.http(), Arc::clone(&on_record), store.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (http, noted, store) = (http.clone(), Arc::clone(&noted), store.clone());
        async move {
            let sent = request.headers().get("authorization").cloned();
            let key = GrantKey::new(SERVER, "default");
            let stored = store.grant(&key).await.unwrap();
            let secret = stored.and_then(|stored| stored.value.access_token);
            let expected = secret.map(|secret| format!("Bearer {}", secret.expose_secret()));
            let sent = sent.map(|value| value.to_str().unwrap().to_owned());
            noted.store(sent == expected, Ordering::SeqCst);
            http.oneshot(request).await
        }
    });
    let layer = AuthorizationLayer::new(source.clone());
    layer.layer(service).oneshot(call()).await.unwrap();
    on_record.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_new_token_is_on_record_before_anybody_uses_it_ref_04_law_5() {
    let world = World::new();
    let records = Fickle::default();
    let store = Store::new(records.clone());
    let source = world.source(&store);
    world.signed_in(&source).await;
    records.save_slowly();
    world.set().token_delay = Duration::from_millis(20);
    for seconds in [3600, 3550] {
        // The old token is spent, or good for a while yet.
        world.clock().advance(seconds);
        world.start_over();
        let callers = (0..30).map(|caller| {
            let (world, source, store) = (world.clone(), source.clone(), store.clone());
            async move {
                // One comes after the other, all through the refresh and the saves around it.
                tokio::time::sleep(Duration::from_millis(3 * caller)).await;
                is_on_record(&world, &source, &store).await
            }
        });
        let on_record = futures_util::future::join_all(callers).await;
        assert_eq!(on_record, [true; 30], "{seconds}");
        assert_eq!(world.seen(Leg::Token).len(), 1, "{seconds}");
    }
}
