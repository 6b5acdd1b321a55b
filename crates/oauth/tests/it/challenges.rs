//! Challenges as they really come, through the layer: several of them, in several lines, beside bodies
//! of every kind, and those that ask for nothing (CH-01, CH-06 to CH-08, CH-14, WWW-02 to WWW-12).

use doorkey_http::{Body, Leg};
use doorkey_oauth::{AuthorizationLayer, Error, Scopes, TokenSource};
use doorkey_store::Store;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Request, Response};
use tower::{Layer as _, ServiceExt as _};

use crate::browser::Browser;
use crate::world::{SERVER, World};

async fn send(world: &World, source: &TokenSource) -> Result<Response<Body>, Error> {
    let request = Request::post(SERVER).body(Body::from("call")).unwrap();
    AuthorizationLayer::new(source.clone())
        .layer(world.http())
        .oneshot(request)
        .await
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect_limited(1000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn lines(values: &[&str]) -> HeaderMap {
    values
        .iter()
        .map(|value| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (WWW_AUTHENTICATE, value)
        })
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
}

fn asked(browser: &Browser) -> Scopes {
    Scopes::parse(&browser.asked("scope").concat().concat())
}

fn places(world: &World) -> Vec<String> {
    let places = world.seen(Leg::ResourceMetadata);
    places
        .iter()
        .map(|seen| seen.url.path().to_owned())
        .collect()
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/mcp";
/// The lines of a challenge for `files:write`, and where the metadata is asked for then.
const MANY: &[(&[&str], &str)] = &[
    (&[r#"Bearer scope="files:write""#], WELL_KNOWN),
    (&[r#"Negotiate, Bearer scope="files:write""#], WELL_KNOWN),
    (&["Negotiate", r#"Bearer scope="files:write""#], WELL_KNOWN),
    (&[r#"Bearer scope="files:write""#, "Negotiate"], WELL_KNOWN),
    (
        &[r#"Negotiate YII=, Basic realm="a, b", Bearer realm="x", scope="files:write""#],
        WELL_KNOWN,
    ),
    // Of two for the same scheme the first that says something counts.
    (
        &[
            r#"Bearer realm="one""#,
            r#"Bearer realm="two", scope="files:write""#,
        ],
        WELL_KNOWN,
    ),
    (
        &[r#"Bearer scope="files:write", Bearer scope="admin""#],
        WELL_KNOWN,
    ),
    (
        &[
            r#"Bearer realm="one", resource_metadata="https://mcp.example/one""#,
            r#"Bearer scope="files:write", resource_metadata="https://mcp.example/two""#,
        ],
        "/one",
    ),
    // A scheme that is none of OAuth has no say.
    (
        &[
            r#"Basic scope="admin", resource_metadata="https://mcp.example/no", Bearer scope="files:write""#,
        ],
        WELL_KNOWN,
    ),
    // Who takes either is given a bearer token.
    (
        &[r#"DPoP algs="ES256", scope="admin", Bearer scope="files:write""#],
        WELL_KNOWN,
    ),
    (
        &[
            r#"DPoP algs="ES256", resource_metadata="https://mcp.example/dpop""#,
            r#"Bearer scope="files:write", resource_metadata="https://mcp.example/bearer""#,
        ],
        "/bearer",
    ),
    (&[r#", ,bEaReR ScOpE = "files\:write" , ,"#], WELL_KNOWN),
    (
        &[r#"Bearer error_description="a, Basic b=\"c\", scope=x", scope="files:write""#],
        WELL_KNOWN,
    ),
    // One that says a thing twice says nothing.
    (
        &[
            r#"Bearer scope="admin", scope="files:read""#,
            r#"Bearer scope="files:write""#,
        ],
        WELL_KNOWN,
    ),
];

#[tokio::test]
async fn several_challenges_in_one_line_or_many_say_what_to_ask_for_ch_01_www_02_www_03() {
    for (values, place) in MANY {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.script_with(Leg::Resource, 401, "", lines(values));
        let response = send(&world, &source).await.unwrap();
        assert_eq!(text(response).await, "call", "{values:?}");
        assert_eq!(asked(&browser), Scopes::parse("files:write"), "{values:?}");
        assert_eq!(places(&world), [*place], "{values:?}");
        let sent = &world.seen(Leg::Resource)[1];
        let scheme = sent.headers["authorization"].to_str().unwrap();
        assert!(scheme.starts_with("Bearer "), "{values:?}");
        assert!(!sent.headers.contains_key("dpop"), "{values:?}");
    }
}

#[tokio::test]
async fn every_challenge_reaches_who_has_to_sign_in_www_02() {
    let world = World::new();
    let source = world.source(&Store::memory());
    let values = [
        r#"Negotiate, Bearer scope="files:write""#,
        r#"Basic realm="proxy""#,
    ];
    world.script_with(Leg::Resource, 401, "", lines(&values));
    let error = send(&world, &source).await.unwrap_err();
    assert!(error.needs_login());
    let schemes: Vec<_> = error
        .challenges()
        .unwrap()
        .iter()
        .map(doorkey_discovery::Challenge::scheme)
        .collect();
    assert_eq!(schemes, ["Negotiate", "Bearer", "Basic"]);
}

#[tokio::test]
async fn a_challenge_that_cannot_be_read_or_is_not_there_hides_no_401_www_12_ch_01() {
    let endless = format!("Bearer scope=\"{}\"", "a".repeat(40_000));
    let cases: [&[&str]; 8] = [
        &[],
        &[""],
        &["Basic realm=\"proxy\""],
        &["Bearer scope=\"files:write"],
        &["=,=,=;;\"\\"],
        &["Bearer scope=\"\u{fc}\u{f6}\""],
        &["Bearer scope=\"\""],
        &[&endless],
    ];
    for values in cases {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.script_with(Leg::Resource, 401, "", lines(values));
        let response = send(&world, &source).await.unwrap();
        assert_eq!(text(response).await, "call");
        // What the resource publishes is asked for, where it is published.
        let case = values.concat();
        let case = case.get(..40).unwrap_or(&case);
        assert_eq!(asked(&browser), Scopes::parse("files:read"), "{case}");
        assert_eq!(places(&world), [WELL_KNOWN], "{case}");
    }
}

#[tokio::test]
async fn a_401_is_one_whatever_its_body_ch_14_ch_02() {
    let bodies = [
        "",
        "<html><body>Unauthorized</body></html>",
        r#"{"error":"invalid_token","error_description":"expired"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        "data: {}\n\n",
        r#"{"jsonrpc""#,
        "\u{0}\u{1}",
    ];
    for body in bodies {
        let world = World::new();
        let source = world.source(&Store::memory());
        world.signed_in(&source).await;
        send(&world, &source).await.unwrap();
        world.start_over();
        world.script_with(Leg::Resource, 401, body, lines(&["Bearer"]));
        let response = send(&world, &source).await.unwrap();
        assert_eq!(text(response).await, "call", "{body}");
        let expected = [
            Leg::Resource,
            Leg::ResourceMetadata,
            Leg::Token,
            Leg::Resource,
        ];
        assert_eq!(world.legs(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_403_that_names_no_missing_scope_is_forbidden_and_starts_nothing_ch_07() {
    let cases: [&[&str]; 11] = [
        &[],
        &["Bearer"],
        &["Negotiate"],
        &[r#"Bearer scope="files:write""#],
        &[r#"Bearer error="invalid_token", scope="files:write""#],
        &[r#"Bearer error="insufficient_user_authentication", acr_values="mfa""#],
        &[r#"Basic error="insufficient_scope", scope="files:write""#],
        &[r#"Bearer error="INSUFFICIENT_SCOPE", scope="files:write""#],
        &[r#"Bearer error="x", error_description="insufficient_scope""#],
        &[r#"Bearer error="insufficient_scope", error="x""#],
        &[r#"Bearer error="insufficient_scope"#],
    ];
    for values in cases {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.signed_in(&source).await;
        let before = source.token().await.unwrap();
        world.script_with(Leg::Resource, 403, "no", lines(values));
        let response = send(&world, &source).await.unwrap();
        assert_eq!(response.status().as_u16(), 403, "{values:?}");
        assert_eq!(text(response).await, "no", "{values:?}");
        // The token is as good as it was.
        assert_eq!(source.token().await.unwrap(), before, "{values:?}");
        assert_eq!(send(&world, &source).await.unwrap().status().as_u16(), 200);
        assert_eq!(world.legs(), [Leg::Resource; 2], "{values:?}");
        assert!(browser.prompts().is_empty(), "{values:?}");
    }
}

#[tokio::test]
async fn a_challenge_beside_another_status_starts_nothing_ch_08() {
    for status in [200, 202, 400, 404, 405, 407, 409, 429, 500, 503] {
        for value in [
            r#"Bearer error="invalid_request""#,
            r#"Bearer error="invalid_token", scope="files:write""#,
            r#"Bearer error="insufficient_scope", scope="files:write""#,
        ] {
            let world = World::new();
            let browser = Browser::new(&world);
            let source = world.interactive(&Store::memory(), browser.clone());
            world.signed_in(&source).await;
            world.script_with(Leg::Resource, status, "told", lines(&[value]));
            let response = send(&world, &source).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{value}");
            assert_eq!(text(response).await, "told", "{status} {value}");
            assert_eq!(world.legs(), [Leg::Resource], "{status} {value}");
            assert!(browser.prompts().is_empty(), "{status} {value}");
        }
    }
}

#[tokio::test]
async fn a_missing_scope_is_found_among_several_challenges_ch_06_up_03_www_08() {
    let cases: [&[&str]; 6] = [
        &[r#"Bearer error="insufficient_scope", scope="files:write""#],
        &[r#"Bearer scope="files:write", realm="x", error="insufficient_scope""#],
        &[r#"Negotiate, Bearer error="insufficient_scope", scope="files:write""#],
        &[
            "Negotiate",
            r#"Bearer scope="files:write",error="insufficient_scope""#,
        ],
        &[
            r#"Bearer realm="one""#,
            r#"Bearer error="insufficient_scope", scope="files:write""#,
        ],
        &[
            r#"DPoP error="insufficient_scope", scope="files:write", algs="ES256""#,
            r#"Bearer error="insufficient_scope", scope="files:write""#,
        ],
    ];
    for values in cases {
        let world = World::new();
        let browser = Browser::new(&world);
        let source = world.interactive(&Store::memory(), browser.clone());
        world.signed_in(&source).await;
        world.script_with(Leg::Resource, 403, "", lines(values));
        let response = send(&world, &source).await.unwrap();
        assert_eq!(text(response).await, "call", "{values:?}");
        let union = Scopes::parse("files:read files:write");
        assert_eq!(asked(&browser), union, "{values:?}");
    }
}

#[tokio::test]
async fn who_sent_no_token_lacks_no_scope_ch_07() {
    let world = World::new();
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    let value = r#"Bearer error="insufficient_scope", scope="files:write""#;
    world.script_with(Leg::Resource, 403, "no", lines(&[value]));
    let response = send(&world, &source).await.unwrap();
    assert_eq!(response.status().as_u16(), 403);
    assert!(browser.prompts().is_empty());
    assert_eq!(world.legs(), [Leg::Resource]);
}

#[tokio::test]
async fn a_401_that_names_other_scopes_has_them_asked_for_besides_ch_11() {
    let world = World::new();
    world.set().issues_refresh_tokens = false;
    let browser = Browser::new(&world);
    let source = world.interactive(&Store::memory(), browser.clone());
    world.signed_in(&source).await;
    send(&world, &source).await.unwrap();
    let value = r#"Bearer error="invalid_token", scope="mail""#;
    world.script_with(Leg::Resource, 401, "", lines(&[value]));
    let response = send(&world, &source).await.unwrap();
    assert_eq!(text(response).await, "call");
    assert_eq!(asked(&browser), Scopes::parse("files:read mail"));
}
