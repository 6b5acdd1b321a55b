//! What a hostile server tries with addresses: forms, names that change, redirects, URLs for others.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use doorkey_http::{
    AddressClass, AddressPolicy, Body, BoxError, Error, HttpClient, HttpProfile, Leg, Network,
    NoProxy, Origin, ProxyRules, Resolver,
};
use url::Url;

use crate::ca::Ca;
use crate::proxy::Proxy;
use crate::server::{Server, chain, get};

/// Answers each name's lookups with one list after the other, the last one for good.
#[derive(Debug, Default)]
struct Script(Mutex<HashMap<&'static str, Vec<Vec<IpAddr>>>>);

impl Script {
    fn new(names: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let names = names.iter().map(|(name, answers)| {
            let answers = answers.iter().map(|texts| parsed(texts)).collect();
            (*name, answers)
        });
        Arc::new(Self(Mutex::new(names.collect())))
    }
}

impl Resolver for Script {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        let mut names = self.0.lock().unwrap();
        let found = names.get_mut(host).map(|answers| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.remove(0),
        });
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

const PUBLIC: (&str, &[&[&str]]) = ("mcp.example", &[&["8.8.8.8"]]);

/// A client of a public MCP server.
fn public(ca: &Ca, policy: AddressPolicy, names: &[(&'static str, &[&[&str]])]) -> HttpClient {
    let mut profile = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    profile.roots = ca.roots();
    profile.addresses = policy;
    HttpClient::with_resolver(&profile, Script::new(names)).unwrap()
}

fn networks(texts: &[&str]) -> AddressPolicy {
    let networks = texts.iter().map(|text| text.parse::<Network>().unwrap());
    AddressPolicy::default().with_networks(networks)
}

fn is_refused<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::AddressRefused { .. }))
}

#[tokio::test]
async fn an_allowed_network_opens_every_origin_within_it_and_nothing_else() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["as.test", "127.0.0.1"], None))).await;
    let names = [
        PUBLIC,
        ("as.test", &[&["127.0.0.1"]]),
        ("other.test", &[&["10.1.1.1"]]),
    ];
    let client = public(&ca, networks(&["127.0.0.0/8"]), &names);
    for leg in Leg::ALL {
        for host in ["as.test", "127.0.0.1"] {
            let url = server.url(host, "/");
            client.send(leg, get(&url)).await.unwrap();
            client.judge(leg, &url.parse().unwrap()).await.unwrap();
        }
        for host in ["other.test", "10.1.1.1", "[64:ff9b::7f00:1]"] {
            let err = client
                .send(leg, get(&server.url(host, "/")))
                .await
                .unwrap_err();
            let told = chain(&err);
            assert!(
                matches!(err, Error::AddressRefused { .. }),
                "{leg} {host}: {told}"
            );
            assert!(
                told.contains("`allow_origins`") && told.contains("`allow_networks`"),
                "{told}"
            );
        }
    }
    assert_eq!(server.seen().len(), 2 * Leg::ALL.len());
    let never = public(&ca, networks(&["169.254.0.0/16", "::/0"]), &names);
    for url in [
        "https://169.254.169.254/",
        "https://[fe80::1]/",
        "https://[::]/",
    ] {
        assert!(is_refused(&never.send(Leg::Token, get(url)).await), "{url}");
    }
}

#[tokio::test]
async fn no_way_to_write_a_near_address_gets_past_a_public_server() {
    let ca = Ca::new();
    let client = public(&ca, AddressPolicy::default(), &[PUBLIC]);
    for host in [
        "10.0.0.1",
        "10.1",
        "167772161",
        "0x0a000001",
        "012.0.0.1",
        "0x7f.1",
        "127.1",
        "１２７.0.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a00:1]",
        "[::10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[64:ff9b:1::a00:1]",
        "[2002:a00:1::]",
        "[2001:0:a00:1::f7f7:f7f7]",
        "[fd12::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "as.localhost",
        "as.localhost.",
        "127.0.0.1.",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "2852039166",
        "[fd00:ec2::254]",
    ] {
        // As a document's URL is read, before it becomes a request.
        let url = Url::parse(&format!("https://{host}/token")).unwrap();
        for leg in Leg::ALL {
            let sent = client.send(leg, get(url.as_str())).await;
            assert!(is_refused(&sent), "{leg} {host}: {sent:?}");
            assert!(is_refused(&client.judge(leg, &url).await), "{leg} {host}");
        }
    }
    for zone in ["https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/"] {
        assert!(
            Url::parse(zone).is_err(),
            "{zone}: a zone is no part of a URL"
        );
    }
}

#[tokio::test]
async fn a_name_that_was_public_first_and_near_then_is_refused_on_every_leg() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["as.test"], None))).await;
    let url: Url = server.url("as.test", "/token").parse().unwrap();
    for near in [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
    ] {
        for leg in Leg::ALL {
            let (far, near): (&[&str], &[&str]) = (&["8.8.4.4"], &[near]);
            let turns = [far, near];
            let names = [PUBLIC, ("as.test", &turns[..])];
            let client = public(&ca, AddressPolicy::default(), &names);
            client.judge(leg, &url).await.unwrap();
            let sent = client.send(leg, get(url.as_str())).await;
            assert!(is_refused(&sent), "{leg} {near:?}: {sent:?}");
            assert!(is_refused(&client.judge(leg, &url).await), "{leg} {near:?}");
        }
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn of_a_name_with_near_and_other_addresses_only_the_allowed_are_connected_to() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["as.test"], None))).await;
    let names = [
        PUBLIC,
        ("as.test", &[&["10.9.9.9", "169.254.169.254", "127.0.0.1"]]),
    ];
    let client = public(&ca, networks(&["127.0.0.1"]), &names);
    let url = server.url("as.test", "/");
    client.send(Leg::Token, get(&url)).await.unwrap();
    assert_eq!(server.seen().len(), 1);
    // Somebody else would choose for himself.
    assert!(is_refused(
        &client.judge(Leg::Token, &url.parse().unwrap()).await
    ));
}

#[tokio::test]
async fn each_hop_is_judged_by_the_address_behind_its_name() {
    let ca = Ca::new();
    let tls = ca.server(&["as.test", "near.test"], None);
    let server = Server::start(Some(tls), async |seen| {
        let target = seen.header("x-target").unwrap_or_default().to_owned();
        let answer = http::Response::builder()
            .status(302)
            .header("location", target);
        answer.body(Body::empty()).unwrap()
    })
    .await;
    let allowed = Url::parse(&server.url("as.test", "/")).unwrap();
    let names = [
        PUBLIC,
        ("as.test", &[&["127.0.0.1"]]),
        ("near.test", &[&["127.0.0.1"]]),
    ];
    let policy = AddressPolicy::allowing([Origin::from(&allowed)]);
    let client = public(&ca, policy, &names);
    let near = server.url("near.test", "/");
    let literal = format!("https://127.0.0.1:{}/", server.port);
    for target in [
        &*near,
        &*literal,
        "https://[::ffff:7f00:1]/",
        "https://0x7f000001/",
    ] {
        for leg in [Leg::ResourceMetadata, Leg::AuthorizationServerMetadata] {
            let mut request = get(allowed.as_str());
            request
                .headers_mut()
                .insert("x-target", target.parse().unwrap());
            let sent = client.send(leg, request).await;
            assert!(is_refused(&sent), "{leg} {target}: {sent:?}");
        }
    }
    for seen in server.seen() {
        assert!(
            seen.header("x-target").is_some(),
            "only the first hop was taken"
        );
    }
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn a_pin_holds_for_the_next_request_also_where_a_connection_is_open() {
    let ca = Ca::new();
    let server = Server::ok(Some(ca.server(&["mcp.test", "as.test"], None))).await;
    let (own, named) = (
        server.url("mcp.test", "/mcp"),
        server.url("as.test", "/token"),
    );
    let mut profile = HttpProfile::new(own.parse().unwrap());
    profile.roots = ca.roots();
    let names = [
        ("mcp.test", &[&["127.0.0.1"][..]][..]),
        ("as.test", &[&["127.0.0.1"]]),
    ];
    let client = HttpClient::with_resolver(&profile, Script::new(&names)).unwrap();
    let clone = client.clone();
    let both = async || {
        let own = client.send(Leg::Resource, get(&own)).await;
        (own, client.send(Leg::Token, get(&named)).await)
    };
    let (one, two) = both().await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(clone.resource_class(), Some(AddressClass::Loopback));

    clone.pin_resource_class(Some(AddressClass::Public));
    let (one, two) = both().await;
    assert!(is_refused(&one) && is_refused(&two), "{one:?} {two:?}");
    assert!(chain(&one.unwrap_err()).contains("while it was public at login"));
    assert_eq!(client.resource_class(), Some(AddressClass::Public));

    clone.pin_resource_class(None);
    assert_eq!(client.resource_class(), None);
    let (one, two) = both().await;
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!(client.resource_class(), Some(AddressClass::Loopback));
}

#[tokio::test]
async fn a_public_name_that_answers_with_this_machine_to_a_lookup_opens_nothing_on_it() {
    let ca = Ca::new();
    // Something of the user's own, without TLS: it could prove no name.
    let near = Server::ok(None).await;
    let token: Url = near.url("127.0.0.1", "/token").parse().unwrap();
    let hostile: &[&[&str]] = &[&["127.0.0.1"]];
    let client = public(&ca, AddressPolicy::default(), &[("mcp.example", hostile)]);
    for leg in Leg::ALL {
        for host in ["127.0.0.1", "localhost"] {
            let sent = client.send(leg, get(&near.url(host, "/token"))).await;
            assert!(is_refused(&sent), "{leg} {host}: {sent:?}");
        }
        assert!(is_refused(&client.judge(leg, &token).await), "{leg}");
        // Nor does the name itself, looked up to be judged, or tried without a certificate.
        let own: Url = format!("https://mcp.example:{}/", near.port)
            .parse()
            .unwrap();
        client.judge(leg, &own).await.unwrap_err();
        let own = "https://mcp.example/".parse().unwrap();
        client.judge(leg, &own).await.unwrap();
        assert_eq!(client.resource_class(), None, "{leg}");
    }
    assert_eq!(near.seen().len(), 0);
}

#[tokio::test]
async fn a_failure_to_connect_names_the_addresses_that_were_left_out() {
    let ca = Ca::new();
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut profile = HttpProfile::new(format!("https://mcp.test:{port}/mcp").parse().unwrap());
    profile.roots = ca.roots();
    let names = [
        ("mcp.test", &[&["10.0.0.1", "127.0.0.1"][..]][..]),
        ("as.test", &[&["198.18.0.7", "127.0.0.1"]]),
        ("plain.test", &[&["127.0.0.1"]]),
    ];
    profile.addresses = networks(&["127.0.0.0/8"]).with_class(Some(AddressClass::Public));
    let client = HttpClient::with_resolver(&profile, Script::new(&names)).unwrap();
    for (host, leg, told_of) in [
        (
            "mcp.test",
            Leg::Resource,
            &["10.0.0.1", "public at login", "`allow_networks`"][..],
        ),
        (
            "as.test",
            Leg::Token,
            &["198.18.0.7", "198.18.0.0/15", "`allow_networks`"],
        ),
    ] {
        let url = format!("https://{host}:{port}/");
        let err = client.send(leg, get(&url)).await.unwrap_err();
        let told = chain(&err);
        assert!(err.is_connect() && err.is_transient(), "{told}");
        assert!(err.refused_address().is_some(), "{told}");
        for part in told_of {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(told.contains("(os error"), "the cause: {told}");
    }
    let url = format!("https://plain.test:{port}/");
    let err = client.send(Leg::Token, get(&url)).await.unwrap_err();
    assert!(
        err.is_connect() && err.refused_address().is_none(),
        "{}",
        chain(&err)
    );
}

#[tokio::test]
async fn a_url_for_a_browser_is_judged_as_an_endpoint_and_by_its_address() {
    let ca = Ca::new();
    let names = [
        PUBLIC,
        ("near.example", &[&["192.168.1.1"][..]][..]),
        ("far.example", &[&["8.8.4.4"]]),
    ];
    let client = public(&ca, AddressPolicy::default(), &names);
    let leg = Leg::AuthorizationServerMetadata;
    let judge = async |url: &str| client.judge(leg, &url.parse().unwrap()).await;
    for url in [
        "https://far.example/authorize?state=1",
        "https://mcp.example/authorize",
        "https://unknown.example/authorize",
        "https://8.8.8.8/authorize",
    ] {
        judge(url).await.unwrap();
    }
    for url in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "http://far.example/",
        "https://user@far.example/",
        "ms-settings:x",
    ] {
        let err = judge(url).await.unwrap_err();
        assert!(matches!(err, Error::Endpoint { .. }), "{url}: {err:?}");
    }
    for url in [
        "https://near.example/?code=s3cret",
        "http://localhost:9/",
        "https://10.0.0.1/",
    ] {
        let err = judge(url).await.unwrap_err();
        assert!(
            matches!(err, Error::AddressRefused { .. }),
            "{url}: {err:?}"
        );
        assert!(!format!("{} {err:?}", chain(&err)).contains("s3cret"));
    }
}

#[tokio::test]
async fn behind_a_proxy_or_over_another_service_names_are_for_others_to_judge() {
    let ca = Ca::new();
    let proxy = Proxy::start().await;
    let mut profile = HttpProfile::new("https://mcp.example/mcp".parse().unwrap());
    profile.roots = ca.roots();
    let near = "https://near.example/authorize".parse().unwrap();
    let literal: Url = "https://10.0.0.1/authorize".parse().unwrap();
    let names = [PUBLIC, ("near.example", &[&["192.168.1.1"][..]][..])];
    let url = format!("http://127.0.0.1:{}", proxy.port).parse().unwrap();
    profile.proxy = ProxyRules::all(url, NoProxy::default());
    let proxied = HttpClient::with_resolver(&profile, Script::new(&names)).unwrap();
    proxied.judge(Leg::Token, &near).await.unwrap();
    assert!(is_refused(&proxied.judge(Leg::Token, &literal).await));
    // So it is where only the proxy knows the resource's name.
    let unknown = HttpClient::with_resolver(&profile, Script::new(&[])).unwrap();
    assert!(is_refused(&unknown.judge(Leg::Token, &literal).await));
    assert!(is_refused(
        &unknown.send(Leg::Token, get(literal.as_str())).await
    ));

    let service =
        tower::service_fn(async |_| Ok::<_, BoxError>(http::Response::new(Body::empty())));
    let brought = HttpClient::with_service(&profile, service).unwrap();
    for url in [&near, &literal] {
        brought.judge(Leg::Token, url).await.unwrap();
    }
    let script = "javascript:x".parse().unwrap();
    assert!(brought.judge(Leg::Token, &script).await.is_err());
    assert!(proxy.heads().is_empty());
}
