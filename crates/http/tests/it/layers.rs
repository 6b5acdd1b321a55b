//! A host's own bottom service, and a layer of its own on top.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::{
    Body, BoxError, Error, Exchange, HttpClient, HttpProfile, Leg, Phase, Timeouts,
};
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

use crate::server::{chain, get};

/// Records the leg and the headers of what passes.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(Leg, bool)>>>);

impl<S> Layer<S> for Recorder {
    type Service = Recording<S>;

    fn layer(&self, inner: S) -> Recording<S> {
        Recording {
            recorder: self.clone(),
            inner,
        }
    }
}

#[derive(Clone)]
struct Recording<S> {
    recorder: Recorder,
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Recording<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let leg = *request.extensions().get::<Leg>().unwrap();
        let agent = request.headers().contains_key("user-agent");
        self.recorder.0.lock().unwrap().push((leg, agent));
        self.inner.call(request)
    }
}

#[tokio::test]
async fn a_bottom_service_sees_what_would_go_to_the_network_and_a_layer_what_was_sent() {
    let recorder = Recorder::default();
    let bottom = service_fn(async |request: Request<Body>| {
        assert!(request.headers().contains_key("user-agent"));
        let leg = request.extensions().get::<Leg>().unwrap().to_string();
        Ok::<_, BoxError>(Response::new(Body::from(leg)))
    });
    let client = HttpClient::with_service(&HttpProfile::default(), bottom).unwrap();
    let client = client.layer(recorder.clone());
    for leg in Leg::ALL {
        let answer = client
            .send_collected(leg, get("https://as.example/"))
            .await
            .unwrap();
        assert_eq!(answer.body(), &leg.to_string());
        assert_eq!(answer.extensions().get::<Exchange>().unwrap().leg(), leg);
    }
    assert_eq!(
        *recorder.0.lock().unwrap(),
        Leg::ALL.map(|leg| (leg, false))
    );
}

#[tokio::test]
async fn the_client_is_a_service_itself_and_takes_the_leg_from_the_request() {
    let bottom = service_fn(async |request: Request<Body>| {
        let leg = request.extensions().get::<Exchange>().unwrap().leg();
        Ok::<_, BoxError>(
            Response::builder()
                .header("x-leg", leg.as_str())
                .body(Body::empty())?,
        )
    });
    let mut client = HttpClient::with_service(&HttpProfile::default(), bottom).unwrap();
    let mut tagged = get("https://as.example/");
    tagged.extensions_mut().insert(Leg::Device);
    for (request, leg) in [
        (tagged, "device authorization"),
        (get("https://as.example/"), "resource"),
    ] {
        std::future::poll_fn(|cx| client.poll_ready(cx))
            .await
            .unwrap();
        let answer = client.call(request).await.unwrap();
        assert_eq!(answer.headers()["x-leg"], leg);
    }
}

#[tokio::test]
async fn rules_and_limits_hold_over_a_bottom_service() {
    let bottom = service_fn(async |request: Request<Body>| match request.uri().path() {
        "/fails" => Err(BoxError::from("the host's own reason")),
        "/silent" => std::future::pending().await,
        _ => Ok(Response::new(Body::empty())),
    });
    let mut profile = HttpProfile::default();
    let short = Duration::from_millis(500);
    profile.timeouts = Timeouts::new(short, short, short);
    let client = HttpClient::with_service(&profile, bottom).unwrap();
    let err = client
        .send(Leg::Token, get("https://as.example/fails"))
        .await
        .unwrap_err();
    assert!(
        chain(&err).ends_with("no valid response: the host's own reason"),
        "{}",
        chain(&err)
    );
    let err = client
        .send(Leg::Token, get("https://as.example/silent"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            err,
            Error::Timeout {
                phase: Phase::Response,
                ..
            }
        ),
        "{err:?}"
    );
    let err = client
        .send(Leg::Token, get("http://as.example/"))
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Endpoint { .. }), "{err:?}");
}

#[test]
fn a_client_can_be_shared_and_moved_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let bottom = service_fn(async |_| Ok::<_, BoxError>(Response::new(Body::empty())));
    let client = HttpClient::with_service(&HttpProfile::default(), bottom).unwrap();
    shared(&client);
    let debug = format!("{client:?}");
    assert!(debug.starts_with("HttpClient"), "{debug}");
}
