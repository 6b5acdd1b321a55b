//! Where the user has a workload's identity fetched: plain http and any address, there and nowhere else.

use std::sync::Arc;

use doorkey_http::{
    AddressPolicy, Body, BoxError, Error, HttpClient, HttpProfile, Leg, NoProxy, Origin, ProxyRules,
};
use http::Response;

use crate::ca::Ca;
use crate::proxy::Proxy;
use crate::server::{Names, Server, chain, get};

/// The profile of a user with a public MCP server and a workload identity from `place`.
fn profile(place: &str) -> HttpProfile {
    let mut profile = HttpProfile::new("https://8.8.8.8/mcp".parse().unwrap());
    profile.roots = Ca::new().roots();
    let origin = Origin::from(&place.parse().unwrap());
    profile.addresses = AddressPolicy::default().with_workload([origin]);
    profile
}

fn client(profile: &HttpProfile) -> HttpClient {
    HttpClient::with_resolver(profile, Arc::new(Names::default())).unwrap()
}

#[tokio::test]
async fn a_workloads_identity_is_fetched_over_plain_http_from_a_near_address() {
    let server = Server::ok(None).await;
    for host in ["metadata.test", "127.0.0.1"] {
        let place = server.url(host, "/identity");
        let client = client(&profile(&place));
        let answer = client.send_collected(Leg::IdentityProvider, get(&place));
        assert_eq!(answer.await.unwrap().body().as_ref(), b"ok", "{host}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn no_other_leg_and_no_other_origin_is_exempt() {
    let (server, other) = (Server::ok(None).await, Server::ok(None).await);
    let place = server.url("metadata.test", "/identity");
    let client = client(&profile(&place));
    for leg in Leg::ALL
        .into_iter()
        .filter(|leg| *leg != Leg::IdentityProvider)
    {
        let err = client.send(leg, get(&place)).await.unwrap_err();
        assert!(matches!(err, Error::Endpoint { .. }), "{leg}: {err:?}");
        let near = server.url("127.0.0.1", "/identity");
        let err = client.send(leg, get(&near)).await.unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{leg}: {err:?}"
        );
    }
    for url in [
        other.url("metadata.test", "/identity"),
        server.url("other.test", "/identity"),
        server.url("user:pass@metadata.test", "/identity"),
    ] {
        let err = client.send(Leg::IdentityProvider, get(&url)).await;
        let err = err.unwrap_err();
        assert!(matches!(err, Error::Endpoint { .. }), "{url}: {err:?}");
    }
    assert_eq!(server.seen().len() + other.seen().len(), 0);
}

#[tokio::test]
async fn a_redirect_away_from_there_is_not_followed() {
    let server = Server::start(None, async |_| {
        let answer = Response::builder().status(302);
        let answer = answer.header("location", "https://as.example/");
        answer.body(Body::empty()).unwrap()
    })
    .await;
    let place = server.url("metadata.test", "/identity");
    let err = client(&profile(&place))
        .send(Leg::IdentityProvider, get(&place))
        .await
        .unwrap_err();
    assert!(
        matches!(err, Error::RedirectRefused { .. }),
        "{}",
        chain(&err)
    );
}

#[tokio::test]
async fn plain_http_to_there_goes_through_no_proxy() {
    let server = Server::ok(None).await;
    let proxy = Proxy::start().await;
    let place = server.url("metadata.test", "/identity");
    let mut profile = profile(&place);
    let url = format!("http://127.0.0.1:{}", proxy.port).parse().unwrap();
    profile.proxy = ProxyRules::all(url, NoProxy::default());
    let client = client(&profile);
    let answer = client.send_collected(Leg::IdentityProvider, get(&place));
    assert_eq!(answer.await.unwrap().body().as_ref(), b"ok");
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[tokio::test]
async fn a_service_of_the_hosts_own_gets_the_request_too() {
    let place = "http://169.254.169.254/identity";
    let service =
        tower::service_fn(async |_| Ok::<_, BoxError>(Response::new(Body::from("token"))));
    let client = HttpClient::with_service(&profile(place), service).unwrap();
    let answer = client.send_collected(Leg::IdentityProvider, get(place));
    assert_eq!(answer.await.unwrap().body().as_ref(), b"token");
    let err = client.send(Leg::Token, get(place)).await.unwrap_err();
    assert!(matches!(err, Error::Endpoint { .. }), "{err:?}");
}
