//! The redirect table over the wire (SEC-06).

use doorkey_http::{Body, Error, Leg, RedirectRule};
use http::{Method, Request, Response};

use crate::ca::Ca;
use crate::server::{Server, chain, get, post};
use crate::tls::{client, profile};

/// `/n` redirects to `/n-1`, `/0` is a document; `/away` leads to plain http.
async fn stairs(ca: &Ca) -> Server {
    Server::start(Some(ca.server(&["mcp.test"], None)), async |seen| {
        let target = match seen.path.trim_start_matches('/') {
            "away" => "http://localhost:1/secret".to_owned(),
            step => match step.parse::<u32>().unwrap() {
                0 => return Response::new("document".into()),
                step => format!("/{}", step - 1),
            },
        };
        let answer = Response::builder().status(307).header("location", target);
        answer.body(Body::from("moved")).unwrap()
    })
    .await
}

#[tokio::test]
async fn metadata_follows_three_hops_and_no_more() {
    let ca = Ca::new();
    let server = stairs(&ca).await;
    let client = client(&profile(&server, ca.roots()));
    let url = server.url("mcp.test", "/3");
    let answer = client
        .send_collected(Leg::ResourceMetadata, get(&url))
        .await
        .unwrap();
    assert_eq!(answer.body().as_ref(), b"document");
    assert_eq!(server.seen().len(), 4);
    let url = server.url("mcp.test", "/4");
    let err = client
        .send(Leg::AuthorizationServerMetadata, get(&url))
        .await
        .unwrap_err();
    assert!(
        chain(&err).contains("more than 3 redirects"),
        "{}",
        chain(&err)
    );
    assert!(!err.is_transient());
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn the_resource_leg_hands_the_redirect_back_with_its_body() {
    let ca = Ca::new();
    let server = stairs(&ca).await;
    let client = client(&profile(&server, ca.roots()));
    let url = server.url("mcp.test", "/1");
    let answer = client
        .send_collected(Leg::Resource, post(&url, "message"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], "/0");
    assert_eq!(answer.body().as_ref(), b"moved");
    assert_eq!(server.only().body, "message");
}

#[tokio::test]
async fn every_other_leg_is_an_error_that_names_the_target() {
    let ca = Ca::new();
    let server = stairs(&ca).await;
    let client = client(&profile(&server, ca.roots()));
    for leg in [
        Leg::Registration,
        Leg::Token,
        Leg::Revocation,
        Leg::Device,
        Leg::IdentityProvider,
    ] {
        let err = client
            .send(leg, post(&server.url("mcp.test", "/1"), "x"))
            .await
            .unwrap_err();
        let text = chain(&err);
        assert!(
            text.contains(&server.url("mcp.test", "/0")) && text.contains("307"),
            "{text}"
        );
        assert!(
            matches!(
                err,
                Error::RedirectRefused {
                    source: RedirectRule::Leg(refused),
                    ..
                } if refused == leg
            ),
            "{err:?}"
        );
        let who = match leg {
            Leg::IdentityProvider => "configure the final URL, or the operator of the identity",
            _ => "the operator of the authorization server has to publish the final URL",
        };
        assert!(text.contains(who), "{leg}: {text}");
    }
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn nothing_leads_from_https_to_http_nor_follows_with_a_body() {
    let ca = Ca::new();
    let server = stairs(&ca).await;
    let client = client(&profile(&server, ca.roots()));
    for (method, path, rule) in [
        (Method::GET, "/away", RedirectRule::Downgrade),
        (Method::POST, "/1", RedirectRule::Method),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(server.url("mcp.test", path));
        let request = request.body(Body::empty()).unwrap();
        let err = client
            .send(Leg::ResourceMetadata, request)
            .await
            .unwrap_err();
        assert!(
            matches!(&err, Error::RedirectRefused { source, .. } if *source == rule),
            "{err:?}"
        );
    }
}
