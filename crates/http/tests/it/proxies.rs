//! Explicit proxies (SEC-15).

use std::collections::HashMap;
use std::sync::Arc;

use doorkey_http::{Error, HttpClient, Leg, NoProxy, ProxyRules, ProxyUrl};
use http::Version;

use crate::ca::Ca;
use crate::proxy::Proxy;
use crate::server::{Names, Server, chain, get};
use crate::tls::{client, profile};

fn url(proxy: &Proxy, credentials: &str) -> ProxyUrl {
    format!("http://{credentials}127.0.0.1:{}", proxy.port)
        .parse()
        .unwrap()
}

#[tokio::test]
async fn https_is_tunnelled_on_every_leg_and_names_are_left_to_the_proxy() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.nowhere"], None))).await;
    let proxy = Proxy::start().await;
    let mut profile = profile(&server, ca.roots());
    profile.proxy = ProxyRules::all(url(&proxy, "user:p%40ss@"), NoProxy::default());
    let client = client(&profile);
    for leg in Leg::ALL {
        // Our own resolver does not know this name.
        let answer = client
            .send_collected(leg, get(&server.url("as.nowhere", "/")))
            .await
            .unwrap();
        assert_eq!(answer.body().as_ref(), b"ok", "{leg}");
    }
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(
            head.starts_with(&format!("CONNECT as.nowhere:{} ", server.port)),
            "{head}"
        );
        // user:p@ss
        assert!(
            head.to_lowercase()
                .contains("proxy-authorization: basic dxnlcjpwqhnz"),
            "{head}"
        );
    }
    let seen = server.seen();
    assert_eq!(seen.len(), Leg::ALL.len());
    assert!(
        seen.iter()
            .all(|seen| seen.header("proxy-authorization").is_none())
    );
    assert!(seen.iter().all(|seen| seen.version == Version::HTTP_2));
}

#[tokio::test]
async fn a_proxy_over_tls_is_verified_and_alone_sees_its_credentials() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.nowhere"], None))).await;
    let proxy = Proxy::secure(ca.server(&["proxy.test"], None)).await;
    let mut profile = profile(&server, ca.roots());
    let address = |host: &str| {
        let proxy: ProxyUrl = format!("https://user:p%40ss@{host}:{}", proxy.port)
            .parse()
            .unwrap();
        ProxyRules::all(proxy, NoProxy::default())
    };
    // Our own resolver knows the proxy's name and no other.
    profile.proxy = address("proxy.test");
    let through = client(&profile);
    for leg in Leg::ALL {
        let url = server.url("as.nowhere", "/?x");
        let answer = through.send_collected(leg, get(&url)).await.unwrap();
        assert_eq!(answer.body().as_ref(), b"ok", "{leg}");
    }
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "one tunnel is kept: {heads:?}");
    assert!(
        heads[0].starts_with(&format!("CONNECT as.nowhere:{} ", server.port)),
        "{heads:?}"
    );
    assert!(
        heads[0]
            .to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwqhnz"),
        "{heads:?}"
    );
    for seen in server.seen() {
        assert_eq!(seen.header("proxy-authorization"), None);
        assert_eq!(seen.version, Version::HTTP_2);
    }

    let mut untrusted = profile.clone();
    untrusted.roots = other.roots();
    let mut misnamed = profile;
    misnamed.proxy = address("other.test");
    for (profile, fault) in [
        (untrusted, "UnknownIssuer"),
        (misnamed, "not valid for name"),
    ] {
        let sent = client(&profile)
            .send(Leg::Token, get(&server.url("as.nowhere", "/")))
            .await;
        let err = sent.unwrap_err();
        let told = chain(&err);
        assert!(err.is_tls() && told.contains(fault), "{told}");
        assert!(told.contains("through the proxy https://"), "{told}");
        assert!(!told.contains("p%40ss") && !told.contains("p@ss"), "{told}");
    }
    assert_eq!(proxy.heads().len(), 1, "nothing was said to either");
}

#[tokio::test]
async fn without_http2_no_server_is_offered_it_directly_or_through_a_proxy() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let proxy = Proxy::start().await;
    let secure = Proxy::secure(ca.server(&["127.0.0.1"], None)).await;
    let rules = [
        ProxyRules::default(),
        ProxyRules::all(url(&proxy, ""), NoProxy::default()),
        ProxyRules::all(
            format!("https://127.0.0.1:{}", secure.port)
                .parse()
                .unwrap(),
            NoProxy::default(),
        ),
    ];
    for (http2, version) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
        for rules in &rules {
            let mut profile = profile(&server, ca.roots());
            profile.http2 = http2;
            profile.proxy = rules.clone();
            client(&profile)
                .send(Leg::Resource, get(&server.url("mcp.test", "/")))
                .await
                .unwrap();
            assert_eq!(server.seen().pop().unwrap().version, version, "{rules:?}");
        }
    }
}

#[tokio::test]
async fn plain_http_never_leaves_this_machine_by_a_proxy() {
    let server = Server::ok(None).await;
    let proxy = Proxy::start().await;
    let rules = [
        ProxyRules::new(None, Some(url(&proxy, "")), NoProxy::default()),
        ProxyRules::all(url(&proxy, ""), NoProxy::default()),
    ];
    for (rules, host) in rules
        .iter()
        .flat_map(|rules| [(rules, "127.0.0.1"), (rules, "localhost")])
    {
        let mut profile = profile(&server, Ca::new().roots());
        profile.resource = Some(server.url(host, "/mcp").parse().unwrap());
        profile.proxy = rules.clone();
        let client = HttpClient::new(&profile).unwrap();
        for leg in Leg::ALL {
            let mut request = get(&server.url(host, "/x"));
            let bearer = "Bearer s3cret".parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
            let answer = client.send_collected(leg, request).await.unwrap();
            assert_eq!(answer.body().as_ref(), b"ok", "{leg} {host}");
        }
    }
    assert_eq!(proxy.heads(), [] as [String; 0]);
    assert_eq!(server.seen().len(), 4 * Leg::ALL.len());
}

#[tokio::test]
async fn behind_a_proxy_nothing_is_learned_of_the_resources_address() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let proxy = Proxy::start().await;
    let mut profile = profile(&server, ca.roots());
    profile.proxy = ProxyRules::all(url(&proxy, ""), NoProxy::parse("near.test"));
    let client = client(&profile);
    client
        .send(Leg::Resource, get(&server.url("mcp.test", "/")))
        .await
        .unwrap();
    // The proxy is on this machine, which says nothing of what is behind it.
    assert_eq!(client.resource_class(), None);
    let near = format!("https://near.test:{}/", server.port);
    for target in [&*near, "https://127.0.0.1/", "https://10.0.0.1/"] {
        let err = client.send(Leg::Token, get(target)).await.unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{target}: {}",
            chain(&err)
        );
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn hosts_of_the_no_proxy_list_are_asked_directly() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.test"], None))).await;
    let proxy = Proxy::start().await;
    let mut profile = profile(&server, ca.roots());
    profile.proxy = ProxyRules::all(url(&proxy, ""), NoProxy::parse("localhost, mcp.test"));
    let client = client(&profile);
    client
        .send(Leg::Resource, get(&server.url("mcp.test", "/")))
        .await
        .unwrap();
    assert_eq!(proxy.heads().len(), 0);
    client
        .send(Leg::Token, get(&server.url("as.test", "/")))
        .await
        .unwrap();
    assert_eq!(proxy.heads().len(), 1);
}

#[tokio::test]
async fn behind_a_proxy_address_literals_are_still_judged() {
    let ca = Ca::new();
    let proxy = Proxy::start().await;
    let mut profile = doorkey_http::HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    profile.roots = ca.roots();
    profile.proxy = ProxyRules::all(url(&proxy, ""), NoProxy::default());
    let public = HashMap::from([("mcp.example", "8.8.8.8".parse().unwrap())]);
    let client = HttpClient::with_resolver(&profile, Arc::new(Names(public))).unwrap();
    for target in [
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://localhost/",
    ] {
        let err = client
            .send(Leg::ResourceMetadata, get(target))
            .await
            .unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{target}: {}",
            chain(&err)
        );
    }
    assert_eq!(proxy.heads().len(), 0);
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_a_connection_error() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let mut profile = profile(&server, ca.roots());
    let proxy = "http://user:p4ss@127.0.0.1:1".parse().unwrap();
    profile.proxy = ProxyRules::all(proxy, NoProxy::default());
    let err = client(&profile)
        .send(Leg::Resource, get(&server.url("mcp.test", "/")))
        .await;
    let err = err.unwrap_err();
    assert!(err.is_connect() && err.is_transient(), "{}", chain(&err));
    let told = chain(&err);
    assert!(
        told.contains("through the proxy http://127.0.0.1:1: "),
        "{told}"
    );
    assert!(!told.contains("user") && !told.contains("p4ss"), "{told}");
}

#[tokio::test]
async fn an_ipv6_address_is_refused_behind_a_proxy_and_told_where_to_list_it() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test"], None))).await;
    let proxy = Proxy::start().await;
    let mut profile = profile(&server, ca.roots());
    profile.proxy = ProxyRules::all(url(&proxy, ""), NoProxy::default());
    let target = "https://[2001:4860:4860::8888]/";
    let refused = client(&profile).send(Leg::Resource, get(target)).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::Endpoint { .. }), "{refused:?}");
    assert!(!refused.is_transient());
    let told = chain(&refused);
    assert!(told.contains("`no_proxy`"), "{told}");
    assert!(proxy.heads().is_empty());
    profile.proxy.no_proxy = NoProxy::parse("[2001:4860:4860::8888]");
    assert!(profile.proxy.route(&target.parse().unwrap()).is_none());
}
