//! Property: no scoped header reaches a foreign origin, whatever a URL or redirect looks like (SEC-10).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use doorkey_http::{Body, BoxError, HttpClient, HttpProfile, Leg};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use url::Url;

/// What reached the network: the URL, and the names of the headers that belong to one origin.
#[derive(Clone, Debug)]
struct Reached {
    url: Url,
    headers: HeaderMap,
}

/// A client with a header for each scope, over a network that redirects through `hops`.
fn client(resource: &Url, gateway: &Url, hops: Vec<String>) -> (HttpClient, Network) {
    let mut profile = HttpProfile::new(resource.clone());
    let header = |name: &'static str| (name.parse().unwrap(), HeaderValue::from_static("secret"));
    profile.resource_headers =
        HeaderMap::from_iter([header("authorization"), header("x-resource")]);
    profile.origin_headers = vec![(gateway.into(), HeaderMap::from_iter([header("x-gateway")]))];
    profile.default_headers = HeaderMap::from_iter([header("x-default")]);
    profile.limits.redirects = hops.len();
    let network = Network::default();
    let (seen, hops) = (Arc::clone(&network), Arc::new(Mutex::new(hops.into_iter())));
    let service = tower::service_fn(move |request: Request<Body>| {
        let url = Url::parse(&request.uri().to_string()).unwrap();
        let headers = request.headers().clone();
        seen.lock().unwrap().push(Reached { url, headers });
        let mut answer = Response::new(Body::empty());
        if let Some(hop) = hops.lock().unwrap().next() {
            *answer.status_mut() = http::StatusCode::TEMPORARY_REDIRECT;
            let target = HeaderValue::from_bytes(hop.as_bytes()).unwrap();
            answer.headers_mut().insert(LOCATION, target);
        }
        std::future::ready(Ok::<_, BoxError>(answer))
    });
    (
        HttpClient::with_service(&profile, service).unwrap(),
        network,
    )
}

type Network = Arc<Mutex<Vec<Reached>>>;

/// URLs that are one origin written in several ways, and others that look like it.
fn url() -> impl Strategy<Value = String> {
    let host = prop::sample::select(vec![
        "mcp.example",
        "MCP.Example",
        "mcp.example.",
        "ｍcp.example",
        "mcp%2eexample",
        "sub.mcp.example",
        "mcp.example.evil.example",
        "evilmcp.example",
        "mcp-example",
        "bücher.example",
        "BÜCHER.example",
        "xn--bcher-kva.example",
        "bucher.example",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "[::1]",
        "[0:0::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "localhost.",
    ]);
    let scheme = prop::sample::select(vec!["https", "https", "https", "HTTPS", "http"]);
    let user = prop::sample::select(vec!["", "", "", "", "mcp.example@", "user:pass@"]);
    let port = prop::sample::select(vec!["", "", ":443", ":0443", ":80", ":8443", ":"]);
    let path = prop::sample::select(vec![
        "",
        "/",
        "/mcp",
        "/@mcp.example",
        "/?x=//mcp.example",
        "\\mcp",
    ]);
    (scheme, user, host, port, path)
        .prop_map(|(scheme, user, host, port, path)| format!("{scheme}://{user}{host}{port}{path}"))
}

fn hop() -> impl Strategy<Value = String> {
    let relative = prop::sample::select(vec![
        "/next",
        "?next",
        "//mcp.example/x",
        "\\\\mcp.example",
        ".",
    ]);
    prop_oneof![4 => url(), 1 => relative.prop_map(str::to_owned)]
}

/// As the URL standard has it, which is not how the client compares.
fn same(left: &Url, right: &Url) -> bool {
    left.origin() == right.origin()
}

/// The resource, the gateway, what is asked and where it is redirected: often to one of the first two.
fn journey() -> impl Strategy<Value = (String, String, String, Vec<String>)> {
    (url(), url()).prop_flat_map(|(resource, gateway)| {
        let own = || prop::sample::select(vec![resource.clone(), gateway.clone()]);
        let asked = prop_oneof![own(), url()];
        let hops = prop::collection::vec(prop_oneof![1 => own(), 2 => hop()], 0..4);
        (Just(resource.clone()), Just(gateway.clone()), asked, hops)
    })
}

#[test]
fn header_scoping_never_yields_a_scoped_header_for_a_foreign_origin() {
    // How many requests went to the resource, to the gateway, and to somebody else.
    let counts: [AtomicUsize; 3] = Default::default();
    let mut runner = TestRunner::default();
    let outcome = runner.run(&journey(), |(resource, gateway, asked, hops)| {
        let parsed = |text: &str| Url::parse(text).ok();
        let (Some(resource), Some(gateway), Some(asked)) =
            (parsed(&resource), parsed(&gateway), parsed(&asked))
        else {
            return Err(TestCaseError::reject("not a URL"));
        };
        for Reached { url, headers } in travel(&resource, &gateway, &asked, hops)? {
            let has = |name: &str| headers.contains_key(name);
            let (to_resource, to_gateway) = (same(&url, &resource), same(&url, &gateway));
            prop_assert_eq!(has("x-resource"), to_resource, "{} of {}", url, resource);
            prop_assert_eq!(has("authorization"), to_resource, "{} of {}", url, resource);
            prop_assert_eq!(has("x-gateway"), to_gateway, "{} of {}", url, gateway);
            prop_assert!(
                !has("dpop") || same(&url, &asked),
                "{} after {}",
                url,
                asked
            );
            prop_assert!(has("x-default") && url.username().is_empty() && url.password().is_none());
            let whose = [to_resource, to_gateway, !to_resource && !to_gateway];
            for (count, _) in counts.iter().zip(whose).filter(|(_, is)| *is) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    let counts = counts.map(AtomicUsize::into_inner);
    let enough = counts.iter().sum::<usize>() / 10;
    assert!(counts.iter().all(|count| *count > enough), "{counts:?}");
}

/// All that reaches the network.
fn travel(
    resource: &Url,
    gateway: &Url,
    asked: &Url,
    hops: Vec<String>,
) -> Result<Vec<Reached>, TestCaseError> {
    let (client, network) = client(resource, gateway, hops);
    let request = Request::get(asked.as_str())
        .header("dpop", "proof")
        .body(Body::empty());
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let sent = runtime.block_on(client.send(Leg::ResourceMetadata, request.unwrap()));
    let reached = network.lock().unwrap().clone();
    prop_assert!(sent.is_err() || !reached.is_empty());
    Ok(reached)
}
