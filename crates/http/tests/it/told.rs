//! The log of requests: each one that is sent is told once, however it ends, and without what is secret in it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use doorkey_http::{Body, BoxError, HttpClient, HttpProfile, Leg};
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::service_fn;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber, span};

use crate::server::get;

/// The fields of an event, its target among them.
type Told = BTreeMap<&'static str, String>;

/// Listens to the log of requests on this thread.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Told>>>);

impl Ear {
    fn listen() -> (Self, DefaultGuard) {
        // While there is one listener only, what another test reaches first is heard by nobody ever after.
        static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Ear::default()));
        LazyLock::force(&OTHER);
        let ear = Self::default();
        let guard = tracing::subscriber::set_default(ear.clone());
        (ear, guard)
    }

    /// What was told of requests since the last time.
    fn requests(&self) -> Vec<Told> {
        let mut told = self.all();
        told.retain(|told| told["target"] == "doorkey_http::request");
        told
    }

    fn all(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("doorkey_http")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target().to_owned();
        let mut fields = Fields(BTreeMap::from([("target", target)]));
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Fields(Told);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// Three pieces of five bytes, of unannounced length.
fn pieces() -> Body {
    let frames = futures_util::stream::iter([b"12345"; 3]);
    let frames = futures_util::StreamExt::map(frames, |piece| {
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece)))
    });
    Body::new(StreamBody::new(frames))
}

/// Answers by path: at once, in pieces, elsewhere, never, not at all.
fn client() -> HttpClient {
    let bottom = service_fn(async |request: Request<Body>| {
        let response = Response::builder();
        let response = match request.uri().path() {
            "/pieces" => response.body(pieces()),
            "/moved" => response
                .status(302)
                .header("location", "/here?code=s3cret")
                .body(Body::empty()),
            "/never" => std::future::pending().await,
            "/broken" => return Err(BoxError::from("cut off")),
            _ => response
                .header("set-cookie", "s3cret")
                .body(Body::from("1234567")),
        };
        Ok(response.unwrap())
    });
    let mut profile = HttpProfile::new("https://mcp.test/mcp".parse().unwrap());
    let key = HeaderValue::from_static("s3cret");
    profile.resource_headers.insert("x-key", key);
    HttpClient::with_service(&profile, bottom).unwrap()
}

#[tokio::test]
async fn each_request_is_told_once_with_what_became_of_it() {
    let client = client();
    let (ear, _guard) = Ear::listen();
    let url = |path: &str| format!("https://mcp.test{path}?token=s3cret");
    let sent = client.send_collected(Leg::Resource, get(&url("/here")));
    sent.await.unwrap();
    let told = ear.requests();
    assert_eq!(told.len(), 1, "{told:?}");
    for (field, value) in [
        ("leg", "resource"),
        ("method", "GET"),
        ("status", "200"),
        ("bytes", "7"),
    ] {
        assert_eq!(told[0][field], value);
    }
    assert!(told[0]["url"].starts_with("https://mcp.test/here"));
    assert!(!told[0].contains_key("error") && !told[0].contains_key("grant"));

    let sent = client.send(Leg::Resource, get(&url("/pieces"))).await;
    assert!(ear.requests().is_empty(), "its body is not read yet");
    let body = sent.unwrap().into_body();
    assert_eq!(body.collect_limited(100).await.unwrap().len(), 15);
    assert_eq!(ear.requests()[0]["bytes"], "15");

    let hops = client
        .send(Leg::ResourceMetadata, get(&url("/moved")))
        .await;
    drop(hops);
    let told = ear.requests();
    let statuses: Vec<_> = told.iter().map(|told| told["status"].as_str()).collect();
    assert_eq!(statuses, ["302", "200"]);

    let broken = client.send(Leg::Resource, get(&url("/broken"))).await;
    drop(broken);
    assert!(ear.requests()[0]["error"].contains("resource request GET"));

    let never = client.send(Leg::Resource, get(&url("/never")));
    let given_up = tokio::time::timeout(Duration::from_millis(50), never).await;
    assert!(given_up.is_err());
    assert_eq!(ear.requests()[0]["error"], "given up before an answer came");
}

#[tokio::test]
async fn the_kind_of_a_grant_is_told_and_no_secret_of_request_or_answer() {
    let client = client();
    let (ear, _guard) = Ear::listen();
    let form = "grant_type=refresh_token&refresh_token=s3cret&client_secret=s3cret";
    let request = Request::post("https://as.test/token?x=s3cret")
        .header("authorization", "Basic s3cret")
        .body(Body::from(form));
    let sent = client.send_collected(Leg::Token, request.unwrap());
    sent.await.unwrap();
    let sent = client.send_collected(Leg::Resource, get("https://mcp.test/s?s3cret"));
    sent.await.unwrap();
    let told = ear.all();
    let grants: Vec<_> = told.iter().filter_map(|told| told.get("grant")).collect();
    assert_eq!(grants, ["refresh_token"]);
    let headers: String = told
        .iter()
        .filter_map(|it| it.get("headers"))
        .cloned()
        .collect();
    for shown in ["authorization: …", "set-cookie: …", "user-agent: doorkey"] {
        assert!(headers.contains(shown), "{headers}");
    }
    assert!(!format!("{told:?}").contains("s3cret"), "{told:?}");
}
