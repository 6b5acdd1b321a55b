//! Which header reaches which server, over the wire and across redirects (SEC-09, SEC-10).

use doorkey_http::{AddressClass, Body, HttpProfile, Leg, Origin};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use url::Url;

use crate::ca::Ca;
use crate::server::{Server, get};
use crate::tls::{client, profile};

fn map(entries: &[(&'static str, &'static str)]) -> HeaderMap {
    let entry = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    entries.iter().map(entry).collect()
}

/// One server under two names, so two origins; the profile has a header for each scope.
async fn two_origins() -> (Ca, Server, HttpProfile) {
    let ca = Ca::new();
    let tls = ca.server(&["mcp.test", "as.test", "gateway.test"], None);
    let server = Server::start(Some(tls), async |seen| {
        let target = match seen.path.as_str() {
            "/to-as" => seen.header("x-target").unwrap().to_owned(),
            _ => return Response::new(Body::from("ok")),
        };
        Response::builder()
            .status(302)
            .header("location", target)
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let mut profile = profile(&server, ca.roots());
    profile.default_headers = map(&[("x-default", "d")]);
    profile.resource_headers = map(&[("x-resource", "r"), ("authorization", "Bearer r")]);
    let gateway = Url::parse(&server.url("gateway.test", "/")).unwrap();
    profile.origin_headers = vec![(Origin::from(&gateway), map(&[("x-gateway", "g")]))];
    (ca, server, profile)
}

#[tokio::test]
async fn every_leg_gets_the_headers_of_its_origin_and_no_other() {
    let (_ca, server, profile) = two_origins().await;
    let client = client(&profile);
    for leg in Leg::ALL {
        for host in ["mcp.test", "as.test", "gateway.test"] {
            client.send(leg, get(&server.url(host, "/"))).await.unwrap();
            let seen = server.seen().pop().unwrap();
            let case = format!("{leg} to {host}");
            assert_eq!(seen.header("x-default"), Some("d"), "{case}");
            assert_eq!(
                seen.header("x-resource").is_some(),
                host == "mcp.test",
                "{case}"
            );
            assert_eq!(
                seen.header("authorization").is_some(),
                host == "mcp.test",
                "{case}"
            );
            assert_eq!(
                seen.header("x-gateway").is_some(),
                host == "gateway.test",
                "{case}"
            );
        }
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_secret_along() {
    let (_ca, server, profile) = two_origins().await;
    let target = server.url("as.test", "/document");
    let mut secret = HeaderValue::from_static("own");
    secret.set_sensitive(true);
    let request = Request::get(server.url("mcp.test", "/to-as"))
        .header("x-target", &target)
        .header("cookie", "own")
        .header("dpop", "own")
        .header("x-own-secret", secret)
        .header("accept", "application/json")
        .body(Body::empty())
        .unwrap();
    let answer = client(&profile)
        .send(Leg::ResourceMetadata, request)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let exchange = answer.extensions().get::<doorkey_http::Exchange>().unwrap();
    assert_eq!(exchange.url().as_str(), target);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for name in [
        "x-resource",
        "authorization",
        "cookie",
        "dpop",
        "x-own-secret",
    ] {
        assert!(
            seen[0].header(name).is_some(),
            "{name} was sent to where it belongs"
        );
        assert!(
            seen[1].header(name).is_none(),
            "{name} went to another origin"
        );
    }
    assert_eq!(seen[1].path, "/document");
    assert_eq!(seen[1].header("x-default"), Some("d"));
    assert_eq!(seen[1].header("accept"), Some("application/json"));
}

#[tokio::test]
async fn a_redirect_to_a_gateway_gets_the_gateways_headers() {
    let (_ca, server, mut profile) = two_origins().await;
    profile.addresses.class = Some(AddressClass::Loopback);
    let request = Request::get(server.url("as.test", "/to-as"))
        .header("x-target", server.url("gateway.test", "/"))
        .body(Body::empty())
        .unwrap();
    client(&profile)
        .send(Leg::AuthorizationServerMetadata, request)
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("x-gateway"), None);
    assert_eq!(seen[1].header("x-gateway"), Some("g"));
}

#[tokio::test]
async fn the_requests_own_headers_win_and_the_user_agent_is_always_there() {
    let (_ca, server, mut profile) = two_origins().await;
    profile.user_agent = "host/1".to_owned();
    let client = client(&profile);
    let own = Request::get(server.url("mcp.test", "/"))
        .header("authorization", "Bearer own")
        .header("user-agent", "own/2")
        .body(Body::empty())
        .unwrap();
    client.send(Leg::Resource, own).await.unwrap();
    client
        .send(Leg::Token, get(&server.url("as.test", "/")))
        .await
        .unwrap();
    let seen = server.seen();
    let all: Vec<_> = seen[0].headers.get_all("authorization").iter().collect();
    assert_eq!(all, ["Bearer own"]);
    assert_eq!(seen[0].header("user-agent"), Some("own/2"));
    assert_eq!(seen[1].header("user-agent"), Some("host/1"));
}
