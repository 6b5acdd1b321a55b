//! The authorization layer over the scripted resource (USE-01 to USE-09, CH-01 to CH-14, UP-04).

use std::convert::Infallible;

use bytes::Bytes;
use doorkey_http::{Body, Leg};
use doorkey_oauth::{AuthorizationLayer, Error, TokenSource};
use doorkey_store::Store;
use http::{HeaderMap, Request, Response, StatusCode};
use secrecy::SecretString;
use tower::{Layer as _, ServiceExt as _};

use crate::browser::Browser;
use crate::world::{SERVER, World, server};

fn post(url: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(url)
        .header("mcp-session-id", "session")
        .body(body.into())
        .unwrap()
}

async fn send(
    world: &World,
    source: &TokenSource,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    AuthorizationLayer::new(source.clone())
        .layer(world.http())
        .oneshot(request)
        .await
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect_limited(1000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn location(target: &str) -> HeaderMap {
    HeaderMap::from_iter([(http::header::LOCATION, target.parse().unwrap())])
}

async fn signed_in(world: &World) -> TokenSource {
    let source = world.source(&Store::memory());
    world.signed_in(&source).await;
    source
}

#[tokio::test]
async fn the_token_goes_in_exactly_one_header_use_01() {
    let world = World::new();
    let source = signed_in(&world).await;
    let response = send(&world, &source, post(SERVER, "hello")).await.unwrap();
    assert_eq!(text(response).await, "hello");
    let seen = world.all();
    let values: Vec<_> = seen[0].headers.get_all("authorization").iter().collect();
    assert_eq!(values, ["Bearer access-2"]);
    assert_eq!(world.legs(), [Leg::Resource]);
}

#[tokio::test]
async fn other_urls_get_no_token_and_no_recovery_use_03() {
    let world = World::new();
    let source = signed_in(&world).await;
    for url in [
        "https://mcp.example/other",
        "https://other.example/mcp",
        "https://mcp.example:8443/mcp",
    ] {
        let response = send(&world, &source, post(url, "x")).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{url}");
    }
    assert!(
        world
            .all()
            .iter()
            .all(|seen| !seen.headers.contains_key("authorization"))
    );
}

#[tokio::test]
async fn a_request_with_its_own_credential_is_left_alone_use_09() {
    let world = World::new();
    let source = signed_in(&world).await;
    let mut request = post(SERVER, "x");
    request
        .headers_mut()
        .insert("authorization", "Basic eA==".parse().unwrap());
    let response = send(&world, &source, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.all()[0].headers["authorization"], "Basic eA==");
    assert_eq!(world.all().len(), 1);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_request_repeated_byte_for_byte_ch_02_ch_13() {
    let world = World::new();
    let source = signed_in(&world).await;
    // It worked before, then the resource forgot it.
    send(&world, &source, post(SERVER, "first")).await.unwrap();
    world.set().forget_access_tokens();
    world.start_over();
    let response = send(&world, &source, post(SERVER, "payload"))
        .await
        .unwrap();
    assert_eq!(text(response).await, "payload");
    assert_eq!(
        world.legs(),
        [
            Leg::Resource,
            Leg::ResourceMetadata,
            Leg::Token,
            Leg::Resource
        ]
    );
    let [first, second]: [_; 2] = world.seen(Leg::Resource).try_into().unwrap();
    assert_eq!(
        (first.method, first.url, first.body),
        (second.method, second.url, second.body)
    );
    let others = |mut headers: HeaderMap| {
        headers.remove("authorization");
        headers
    };
    assert_ne!(
        first.headers["authorization"],
        second.headers["authorization"]
    );
    assert_eq!(others(first.headers), others(second.headers));
}

#[tokio::test]
async fn a_resource_that_refuses_everything_is_not_asked_for_ever_ch_04() {
    let world = World::new();
    let source = signed_in(&world).await;
    send(&world, &source, post(SERVER, "x")).await.unwrap();
    world.set().rejects_everything = true;
    world.start_over();
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(
        matches!(error, Error::TokenRejectedByResource { .. }),
        "{error:?}"
    );
    assert_eq!(world.seen(Leg::Resource).len(), 2);
    assert_eq!(world.seen(Leg::Token).len(), 1);
    // The rejected token is not sent again (CH-05).
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(matches!(error, Error::TokenRejectedByResource { .. }));
    assert_eq!(world.seen(Leg::Resource).len(), 2);
}

#[tokio::test]
async fn a_401_at_the_first_request_carries_its_challenges_ch_01() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(error.needs_login());
    assert!(
        error
            .challenges()
            .is_some_and(|challenges| !challenges.is_empty())
    );
}

#[tokio::test]
async fn where_a_person_may_be_asked_the_first_request_signs_in_ch_01() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    let response = send(&world, &source, post(SERVER, "hello")).await.unwrap();
    assert_eq!(text(response).await, "hello");
    assert_eq!(world.legs().len(), 6);
    // A dead grant does not keep it from asking again.
    world.clock().advance(3600);
    world.script(Leg::Token, 400, r#"{"error":"invalid_grant"}"#);
    send(&world, &source, post(SERVER, "hello")).await.unwrap();
    assert_eq!(browser.prompts().len(), 2);
}

#[tokio::test]
async fn step_ups_end_after_two_for_one_request_up_04() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    for scope in ["a", "b", "c", "d"] {
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        let headers =
            HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, challenge.parse().unwrap())]);
        world.script_with(Leg::Resource, 403, "", headers);
    }
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(matches!(error, Error::InsufficientScope { .. }));
    assert_eq!(browser.prompts().len(), 2);
    assert_eq!(world.seen(Leg::Resource).len(), 3);
}

#[tokio::test]
async fn a_step_up_repeats_the_request_with_the_wider_token_ch_06() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    world.set().required_scope = Some("files:write");
    let response = send(&world, &source, post(SERVER, "written"))
        .await
        .unwrap();
    assert_eq!(text(response).await, "written");
    assert_eq!(browser.prompts().len(), 1);
}

#[tokio::test]
async fn other_answers_are_the_callers_ch_07_ch_08() {
    let world = World::new();
    let source = signed_in(&world).await;
    for (status, body) in [
        (403, "bad origin"),
        (400, r#"{"error":"invalid_request"}"#),
        (404, ""),
        (405, ""),
        (500, ""),
        (304, ""),
    ] {
        world.script(Leg::Resource, status, body);
        let response = send(&world, &source, post(SERVER, "x")).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
    assert_eq!(world.legs(), [Leg::Resource; 6]);
}

#[tokio::test]
async fn redirects_keep_to_the_origin_and_the_method_use_05() {
    let world = World::new();
    let source = signed_in(&world).await;
    for status in [307, 308] {
        world.start_over();
        world.script_with(Leg::Resource, status, "", location("/mcp/"));
        let response = send(&world, &source, post(SERVER, "kept")).await.unwrap();
        assert_eq!(text(response).await, "kept");
        let second = world.seen(Leg::Resource).remove(1);
        assert_eq!(second.url.as_str(), "https://mcp.example/mcp/");
        assert_eq!(second.headers["authorization"], "Bearer access-2");
    }
    let refused = [
        (301, "/mcp/", "mcp.example/mcp/", "only 307 and 308"),
        (302, "/mcp/", "mcp.example/mcp/", "only 307 and 308"),
        (303, "/mcp/", "mcp.example/mcp/", "only 307 and 308"),
        (307, "https://evil.example/mcp", "evil.example", "may go"),
        (
            308,
            "http://mcp.example/mcp",
            "http://mcp.example",
            "may go",
        ),
        (307, "/elsewhere", "elsewhere", "may go"),
    ];
    for (status, target, named, rule) in refused {
        world.start_over();
        world.script_with(Leg::Resource, status, "", location(target));
        let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
        assert!(matches!(error, Error::Redirect { .. }), "{status} {target}");
        let text = error.to_string();
        assert!(text.contains(named) && text.contains(rule), "{text}");
        assert_eq!(world.all().len(), 1);
    }
    for _ in 0..4 {
        world.script_with(Leg::Resource, 307, "", location(SERVER));
    }
    world.start_over();
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }));
    assert_eq!(world.all().len(), 4);
}

#[tokio::test]
async fn a_body_that_is_a_stream_is_sent_once_and_the_error_says_why() {
    struct Stream(Option<Bytes>);
    impl http_body::Body for Stream {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            std::task::Poll::Ready(self.0.take().map(|data| Ok(http_body::Frame::data(data))))
        }
    }
    let world = World::new();
    let source = signed_in(&world).await;
    let stream = || Body::new(Stream(Some(Bytes::from_static(b"streamed"))));
    let response = send(&world, &source, post(SERVER, stream())).await.unwrap();
    assert_eq!(text(response).await, "streamed");
    world.set().forget_access_tokens();
    let error = send(&world, &source, post(SERVER, stream()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotReplayable { .. }), "{error:?}");
    // The token was replaced all the same, so the caller's own repetition works.
    send(&world, &source, post(SERVER, stream())).await.unwrap();
}

#[tokio::test]
async fn a_configured_bearer_that_is_refused_is_reported_as_that_use_09() {
    let world = World::new();
    let source = TokenSource::fixed(server(), SecretString::from("configured"));
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(matches!(error, Error::BearerRejected { .. }));
    assert_eq!(world.legs(), [Leg::Resource]);
}

#[tokio::test]
async fn an_illegal_token_never_becomes_a_header_use_10() {
    let world = World::new();
    let source = TokenSource::fixed(server(), SecretString::from("a\r\nx-evil: 1"));
    let error = send(&world, &source, post(SERVER, "x")).await.unwrap_err();
    assert!(matches!(error, Error::IllegalToken));
    assert!(world.all().is_empty());
}
