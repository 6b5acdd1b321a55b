//! Asking the MCP server itself.

use doorkey_discovery::{Error, MAX_CHALLENGE_BODY_BYTES, Probe, Scopes, probe};
use doorkey_http::{Body, HttpClient, HttpProfile};
use http::{HeaderValue, Request};
use wiremock::matchers::{body_string, method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::world::{SLOW, World};

async fn post(world: &World) -> Result<Probe, Error> {
    let request = Request::post(world.mcp().as_str())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Body::from("{\"jsonrpc\":\"2.0\"}"))
        .unwrap();
    probe(&world.http(), request).await
}

async fn answering(answer: ResponseTemplate) -> World {
    let world = World::new().await;
    Mock::given(method("POST"))
        .and(path("/mcp"))
        .and(body_string("{\"jsonrpc\":\"2.0\"}"))
        .respond_with(answer)
        .mount(&world.server)
        .await;
    world
}

#[tokio::test]
async fn a_401_is_a_challenge_whatever_its_header_and_body_www_01_www_12_ch_14() {
    assert_eq!(MAX_CHALLENGE_BODY_BYTES, 16_384);
    let long = "x".repeat(3 * MAX_CHALLENGE_BODY_BYTES);
    for (values, body, count) in [
        (
            &["Negotiate", "Bearer error=\"invalid_token\", scope=\"a\""][..],
            "{\"error\":\"x\"}",
            2,
        ),
        (&["Bearer realm=\"never closed"], "<html>", 0),
        (&[], "", 0),
        (&["Bearer"], &long, 1),
    ] {
        let mut answer = ResponseTemplate::new(401).set_body_string(body);
        for value in values {
            answer = answer.append_header("www-authenticate", *value);
        }
        let world = answering(answer).await;
        let Probe::Challenged {
            challenges,
            response,
        } = post(&world).await.unwrap()
        else {
            panic!("{values:?}")
        };
        assert_eq!(challenges.len(), count, "{values:?}");
        assert_eq!(response.status(), 401);
        assert!(body.as_bytes().starts_with(response.body()), "{values:?}");
        assert_eq!(
            response.body().len(),
            body.len().min(MAX_CHALLENGE_BODY_BYTES)
        );
        assert_eq!(world.asked().await, ["/mcp"], "one request");
    }
}

/// A tenant's name is a header of the request and part of what the server asks for; a key that the
/// server repeats is no business of a log.
#[tokio::test]
async fn a_challenge_that_repeats_headers_of_its_request_is_read_as_it_came_www_01_disc_18_err_11()
{
    const SAID: &str = "Bearer scope=\"acme:read\", resource_metadata=\"https://acme.example/acme/m\", \
         error_description=\"no key-0123456789 for acme\"";
    let answer = ResponseTemplate::new(401).insert_header("www-authenticate", SAID);
    let world = answering(answer).await;
    let mut profile = HttpProfile::new(world.mcp());
    for (name, value) in [("x-tenant", "acme"), ("x-key", "key-0123456789")] {
        let value = HeaderValue::from_static(value);
        profile.resource_headers.insert(name, value);
    }
    let request = Request::post(world.mcp().as_str())
        .body(Body::from("{\"jsonrpc\":\"2.0\"}"))
        .unwrap();
    let met = probe(&HttpClient::new(&profile).unwrap(), request).await;
    let met = met.unwrap();
    assert!(!format!("{met:?}").contains("key-0123"), "{met:?}");
    let Probe::Challenged { challenges, .. } = met else {
        panic!("{met:?}")
    };
    assert_eq!(challenges.to_header_value(), SAID);
    assert_eq!(challenges.scope(), Some(Scopes::parse("acme:read")));
    let metadata = Some("https://acme.example/acme/m");
    assert_eq!(challenges.resource_metadata(), metadata);
    assert_eq!(
        challenges.shown(),
        "Bearer scope=\"…:read\", resource_metadata=\"https://….example/…/m\", \
         error_description=\"no … for …\""
    );
}

#[tokio::test]
async fn everything_else_is_an_answer_to_the_request_ch_07() {
    for code in [200, 202, 204, 302, 307, 400, 403, 404, 405, 500] {
        let answer = ResponseTemplate::new(code)
            .insert_header("location", "/elsewhere")
            .insert_header("www-authenticate", "Bearer error=\"insufficient_scope\"");
        let world = answering(answer).await;
        let Probe::Open(response) = post(&world).await.unwrap() else {
            panic!("{code}")
        };
        assert_eq!(response.status(), code);
        assert_eq!(world.asked().await, ["/mcp"], "{code}: nothing is followed");
    }
}

#[tokio::test]
async fn no_answer_is_an_error_of_the_network() {
    let world = answering(ResponseTemplate::new(200).set_delay(SLOW)).await;
    let error = post(&world).await.unwrap_err();
    assert!(
        matches!(error, Error::Http(_)) && error.is_transient() && !error.needs_login(),
        "{error}"
    );
}
