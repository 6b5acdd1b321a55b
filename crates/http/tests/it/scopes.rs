//! Property: no scoped header reaches a foreign origin, whatever a URL or redirect looks like (SEC-10).

use std::sync::{Arc, Mutex};

use doorkey_http::{Body, BoxError, HttpClient, HttpProfile, Leg};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use proptest::prelude::*;
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

proptest! {
    #[test]
    fn header_scoping_never_yields_a_scoped_header_for_a_foreign_origin(
        resource in url(),
        gateway in url(),
        asked in url(),
        hops in prop::collection::vec(hop(), 0..4),
    ) {
        let parsed = |text: &str| Url::parse(text).ok();
        let (Some(resource), Some(gateway), Some(asked)) =
            (parsed(&resource), parsed(&gateway), parsed(&asked))
        else {
            return Err(TestCaseError::reject("not a URL"));
        };
        let (client, network) = client(&resource, &gateway, hops);
        let request = Request::get(asked.as_str())
            .header("dpop", "proof")
            .body(Body::empty());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let sent = runtime.block_on(client.send(Leg::ResourceMetadata, request.unwrap()));
        let reached = network.lock().unwrap().clone();
        prop_assert!(sent.is_err() || !reached.is_empty());
        for Reached { url, headers } in &reached {
            let has = |name: &str| headers.contains_key(name);
            prop_assert_eq!(has("x-resource"), same(url, &resource), "{} of {}", url, resource);
            prop_assert_eq!(has("authorization"), same(url, &resource), "{} of {}", url, resource);
            prop_assert_eq!(has("x-gateway"), same(url, &gateway), "{} of {}", url, gateway);
            prop_assert!(!has("dpop") || same(url, &asked), "{} after {}", url, asked);
            prop_assert!(has("x-default") && url.username().is_empty() && url.password().is_none());
        }
    }
}
