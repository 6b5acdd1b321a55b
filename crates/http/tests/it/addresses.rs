//! Who may be contacted, judged on the way to a real connection (SEC-01 to SEC-07, SEC-11).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use doorkey_http::{
    AddressClass, AddressPolicy, Body, BoxError, Error, HttpClient, HttpProfile, Leg, Origin,
};
use url::Url;

use crate::ca::Ca;
use crate::server::{Names, Server, chain, get};

/// A client whose user configured a public MCP server; `as.test` is on this machine.
fn public_client(ca: &Ca, allow: Vec<Origin>) -> HttpClient {
    let mut profile = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    profile.roots = ca.roots();
    profile.addresses = AddressPolicy::allowing(allow);
    let names = [
        ("mcp.example", "8.8.8.8"),
        ("rebound.example", "169.254.169.254"),
    ];
    let names: HashMap<_, IpAddr> = names
        .into_iter()
        .map(|(name, address)| (name, address.parse().unwrap()))
        .collect();
    HttpClient::with_resolver(&profile, Arc::new(Names(names))).unwrap()
}

#[tokio::test]
async fn a_public_server_leads_to_no_closer_address_by_name_or_literal() {
    let ca = Ca::new();
    let server = Server::ok(Some(
        ca.server(&["as.test", "127.0.0.1", "localhost"], None),
    ))
    .await;
    let client = public_client(&ca, Vec::new());
    for leg in Leg::ALL {
        for host in ["as.test", "127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let err = client
                .send(leg, get(&server.url(host, "/")))
                .await
                .unwrap_err();
            assert!(
                matches!(err, Error::AddressRefused { .. }),
                "{leg} {host}: {}",
                chain(&err)
            );
            let text = chain(&err);
            assert!(
                text.contains("loopback") && text.contains("`allow_origins`"),
                "{text}"
            );
            assert!(!err.is_transient());
        }
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn the_allow_list_opens_one_origin() {
    let ca = Ca::new();
    let tls = ca.server(&["as.test", "other.test"], None);
    let server = Server::ok(Some(tls)).await;
    let allowed = Url::parse(&server.url("as.test", "/")).unwrap();
    let client = public_client(&ca, vec![Origin::from(&allowed)]);
    client
        .send(Leg::Token, get(allowed.as_str()))
        .await
        .unwrap();
    let err = client
        .send(Leg::Token, get(&server.url("other.test", "/")))
        .await
        .unwrap_err();
    assert!(
        matches!(err, Error::AddressRefused { .. }),
        "{}",
        chain(&err)
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn cloud_metadata_is_never_contacted_whatever_is_allowed() {
    let ca = Ca::new();
    for url in [
        "https://169.254.169.254/",
        "https://rebound.example/",
        "https://[fe80::1]/",
    ] {
        let origin = Origin::from(&Url::parse(url).unwrap());
        let client = public_client(&ca, vec![origin]);
        let err = client
            .send(Leg::ResourceMetadata, get(url))
            .await
            .unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{url}: {}",
            chain(&err)
        );
        assert!(chain(&err).contains("never contacted"), "{}", chain(&err));
    }
}

#[tokio::test]
async fn loopback_leads_to_loopback_when_the_user_is_there() {
    let server = Server::ok(None).await;
    for resource in ["127.0.0.1", "localhost"] {
        let mut profile = HttpProfile::new(server.url(resource, "/mcp").parse().unwrap());
        profile.roots = Ca::new().roots();
        let client = HttpClient::new(&profile).unwrap();
        client
            .send(Leg::Token, get(&server.url("127.0.0.1", "/token")))
            .await
            .unwrap();
        client
            .send(Leg::Resource, get(&server.url(resource, "/mcp")))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redirect_to_a_closer_address_is_refused() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["as.test"], None)), async |_| {
        let answer = http::Response::builder()
            .status(302)
            .header("location", "https://10.0.0.1/");
        answer.body(Body::empty()).unwrap()
    })
    .await;
    let allowed = Url::parse(&server.url("as.test", "/")).unwrap();
    let client = public_client(&ca, vec![Origin::from(&allowed)]);
    let err = client
        .send(Leg::ResourceMetadata, get(allowed.as_str()))
        .await
        .unwrap_err();
    assert!(
        matches!(err, Error::AddressRefused { .. }),
        "{}",
        chain(&err)
    );
    assert_eq!(err.url().unwrap().to_string(), "https://10.0.0.1/");
}

/// A client of the MCP server at `url`, that had addresses of `class` at login.
fn client_since_login(
    ca: &Ca,
    url: &str,
    class: Option<AddressClass>,
    allow: Vec<Origin>,
) -> HttpClient {
    let mut profile = HttpProfile::new(url.parse().unwrap());
    profile.roots = ca.roots();
    profile.addresses = AddressPolicy::allowing(allow).with_class(class);
    HttpClient::with_resolver(&profile, Arc::new(Names::default())).unwrap()
}

#[tokio::test]
async fn a_server_that_was_public_at_login_is_not_followed_into_the_own_network() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let url = server.url("mcp.test", "/mcp");
    let refusing = client_since_login(&ca, &url, Some(AddressClass::Public), Vec::new());
    for leg in Leg::ALL {
        let err = refusing.send(leg, get(&url)).await.unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{leg}: {}",
            chain(&err)
        );
        let text = chain(&err);
        assert!(
            text.contains("public at login") && text.contains("`allow_origins`"),
            "{text}"
        );
        assert!(err.refused_address().is_some());
        assert!(!err.is_transient());
    }
    assert_eq!(server.seen().len(), 0);
    assert_eq!(refusing.resource_class(), Some(AddressClass::Public));

    let origin = Origin::from(&Url::parse(&url).unwrap());
    let allowing = client_since_login(&ca, &url, Some(AddressClass::Public), vec![origin]);
    allowing.send(Leg::Resource, get(&url)).await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_class_is_learned_from_a_verified_answer_and_serves_a_later_client() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.test"], None))).await;
    let url = server.url("mcp.test", "/mcp");
    let first = client_since_login(&ca, &url, None, Vec::new());
    assert_eq!(first.resource_class(), None);
    first.send(Leg::Resource, get(&url)).await.unwrap();
    assert_eq!(first.resource_class(), Some(AddressClass::Loopback));

    let later = client_since_login(&ca, &url, first.resource_class(), Vec::new());
    assert_eq!(later.resource_class(), Some(AddressClass::Loopback));
    for (leg, host) in [(Leg::Token, "as.test"), (Leg::Resource, "mcp.test")] {
        later.send(leg, get(&server.url(host, "/"))).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_tls_does_not_verify_teaches_nothing() {
    let (ca, other) = (Ca::new(), Ca::new());
    let tls = other.server(&["mcp.test", "as.test"], None);
    let server = Server::ok(Some(tls)).await;
    let url = server.url("mcp.test", "/mcp");
    let client = client_since_login(&ca, &url, None, Vec::new());
    let err = client.send(Leg::Resource, get(&url)).await.unwrap_err();
    assert!(err.is_tls(), "{}", chain(&err));
    assert_eq!(client.resource_class(), None);
    // The same machine with the right certificate for another name only.
    server.replace(ca.server(&["as.test"], None));
    let err = client.send(Leg::Resource, get(&url)).await.unwrap_err();
    assert!(err.is_tls(), "{}", chain(&err));
    let err = client
        .send(Leg::Token, get(&server.url("as.test", "/")))
        .await
        .unwrap_err();
    assert!(
        matches!(err, Error::AddressRefused { .. }),
        "{}",
        chain(&err)
    );
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn without_a_resource_or_a_connection_of_its_own_no_class_is_learned() {
    let mut profile = HttpProfile::default();
    profile.roots = Ca::new().roots();
    assert_eq!(HttpClient::new(&profile).unwrap().resource_class(), None);
    profile.resource = Some("https://10.0.0.1/mcp".parse().unwrap());
    let literal = HttpClient::new(&profile).unwrap().resource_class();
    assert_eq!(literal, Some(AddressClass::Private));
    let service =
        tower::service_fn(async |_| Ok::<_, BoxError>(http::Response::new(Body::empty())));
    let brought = HttpClient::with_service(&profile, service).unwrap();
    assert_eq!(brought.resource_class(), None);
}

#[tokio::test]
async fn no_leg_is_asked_over_plain_http_or_with_credentials_in_the_url() {
    let client = public_client(&Ca::new(), Vec::new());
    for leg in Leg::ALL {
        for url in [
            "http://as.example/secret?code=1",
            "https://user:pass@as.example/",
        ] {
            let err = client.send(leg, get(url)).await.unwrap_err();
            assert!(
                matches!(err, Error::Endpoint { .. }),
                "{leg} {url}: {err:?}"
            );
            let text = format!("{} {err:?}", chain(&err));
            assert!(
                !text.contains("code=1") && !text.contains("pass@"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_relative_url_is_an_error() {
    let client = public_client(&Ca::new(), Vec::new());
    let err = client.send(Leg::Token, get("/token")).await.unwrap_err();
    assert!(
        matches!(
            err,
            Error::Url {
                leg: Leg::Token,
                ..
            }
        ),
        "{err:?}"
    );
}
