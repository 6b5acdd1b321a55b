//! What went over the client, kept for somebody who has to explain it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tower::{Layer, Service};
use url::Url;

use crate::body::{Body, BodyError};
use crate::client::{HttpClient, HttpService};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::sent::SentSecrets;
use crate::trouble::Trouble;

/// Keeps every exchange of the clients that it was given to, in order: see [`HttpClient::recorded`].
///
/// Answers that issue tokens, codes or secrets are kept without their bodies; a server may still repeat in
/// another what it was sent, so whoever shows some of it strikes the secrets first. Nothing of it is shown by
/// `Debug`.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Recorded>>>);

/// One request, and what came of it so far.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// What it was for.
    pub leg: Leg,
    /// Its method.
    pub method: Method,
    /// Its whole URL.
    pub url: Url,
    /// Its headers as the caller made them: configured ones are added further below.
    pub headers: HeaderMap,
    /// When it was sent.
    pub started: SystemTime,
    /// How long it took until the head of the answer, or the failure.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing yet: it is under way, or whoever sent it has gone away.
    Pending,
    /// No answer.
    Failed {
        /// Why, by what a person does about it.
        trouble: Trouble,
        /// The causes in words, the first one last.
        causes: Vec<String>,
    },
    /// An answer.
    Answered {
        /// Where it came from, after redirects.
        url: Url,
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: Box<HeaderMap>,
        /// What was read of its body, at most [`Recorder::BODY_BYTES`]; nothing where it issues secrets.
        body: Vec<u8>,
        /// The secrets that its request carried.
        sent: SentSecrets,
    },
}

impl Recorder {
    /// How much of each body is kept, in bytes.
    pub const BODY_BYTES: usize = 64 * 1024;

    /// The most exchanges that are kept; later ones are not.
    pub const EXCHANGES: usize = 200;

    /// A recorder that has kept nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many exchanges were kept so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The exchanges from that one on, in the order in which they began.
    #[must_use]
    pub fn since(&self, first: usize) -> Vec<Recorded> {
        self.lock().get(first..).unwrap_or_default().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, recorded: Recorded) -> Option<usize> {
        let mut all = self.lock();
        (all.len() < Self::EXCHANGES).then(|| {
            all.push(recorded);
            all.len() - 1
        })
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut Recorded)) {
        if let Some(recorded) = self.lock().get_mut(at) {
            change(recorded);
        }
    }

    fn keep(&self, at: usize, data: &[u8]) {
        self.change(at, |recorded| {
            let issues_secrets = recorded.leg.issues_secrets();
            if let Outcome::Answered { status, body, .. } = &mut recorded.outcome
                && !(issues_secrets && status.is_success())
            {
                let room = Self::BODY_BYTES - body.len();
                body.extend_from_slice(&data[..room.min(data.len())]);
            }
        });
    }
}

impl HttpClient {
    /// The same client with every exchange kept by `recorder`, as [`layer`](Self::layer) puts it on top.
    #[must_use]
    pub fn recorded(self, recorder: &Recorder) -> Self {
        self.layer(Recording(recorder.clone()))
    }
}

/// Puts a recorder on top of a service.
struct Recording(Recorder);

impl Layer<HttpService> for Recording {
    type Service = RecordedService;

    fn layer(&self, service: HttpService) -> RecordedService {
        RecordedService {
            recorder: self.0.clone(),
            service,
        }
    }
}

/// A service whose exchanges are kept.
#[derive(Clone)]
struct RecordedService {
    recorder: Recorder,
    service: HttpService,
}

impl Service<Request<Body>> for RecordedService {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let exchange = match Exchange::parse(&request) {
            Ok(exchange) => exchange,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let began = Instant::now();
        let at = self.recorder.begin(Recorded {
            leg: exchange.leg(),
            method: request.method().clone(),
            url: exchange.url().clone(),
            headers: request.headers().clone(),
            started: SystemTime::now(),
            took: Duration::ZERO,
            outcome: Outcome::Pending,
        });
        let asked = self.service.call(request);
        let recorder = self.recorder.clone();
        Box::pin(async move {
            let answer = asked.await;
            let Some(at) = at else { return answer };
            let outcome = match &answer {
                Ok(response) => answered(&exchange, response),
                Err(error) => Outcome::Failed {
                    trouble: error.trouble(),
                    causes: causes(error),
                },
            };
            recorder.change(at, |recorded| {
                recorded.took = began.elapsed();
                recorded.outcome = outcome;
            });
            answer.map(|response| response.map(|body| Body::new(Read { body, recorder, at })))
        })
    }
}

fn answered(asked: &Exchange, response: &Response<Body>) -> Outcome {
    let extensions = response.extensions();
    Outcome::Answered {
        url: extensions.get().unwrap_or(asked).url().clone(),
        status: response.status(),
        headers: Box::new(response.headers().clone()),
        body: Vec::new(),
        sent: extensions.get().cloned().unwrap_or_default(),
    }
}

fn causes(error: &Error) -> Vec<String> {
    let first: &(dyn std::error::Error + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.take(MOST_CAUSES).map(ToString::to_string).collect()
}

/// A body of which a copy is kept as it is read.
struct Read {
    body: Body,
    recorder: Recorder,
    at: usize,
}

impl HttpBody for Read {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.recorder.keep(self.at, data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.len()).finish()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("leg", &self.leg)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("Pending"),
            Self::Failed { trouble, .. } => f.debug_tuple("Failed").field(trouble).finish(),
            Self::Answered { status, .. } => f.debug_tuple("Answered").field(status).finish(),
        }
    }
}

const MOST_CAUSES: usize = 16;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::profile::HttpProfile;

    #[tokio::test]
    async fn what_was_asked_and_answered_is_kept_in_order_and_a_long_body_in_part() {
        let answer = tower::service_fn(|request: Request<Body>| async move {
            let long = request.uri().path() == "/long";
            let body = "x".repeat(if long { 2 * Recorder::BODY_BYTES } else { 3 });
            Ok::<_, Infallible>(Response::new(Body::from(body)))
        });
        let recorder = Recorder::new();
        let client = HttpClient::with_service(&HttpProfile::default(), answer)
            .unwrap()
            .recorded(&recorder);
        for path in ["long", "short"] {
            let request = Request::get(format!("https://as.example/{path}?code=1"));
            let request = request.body(Body::empty()).unwrap();
            let got = client.send_collected(Leg::Resource, request).await.unwrap();
            assert_eq!(got.body().len() > 3, path == "long");
        }
        let kept = recorder.since(0);
        let lengths = kept.iter().map(|recorded| match &recorded.outcome {
            Outcome::Answered { body, .. } => body.len(),
            _ => 0,
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [Recorder::BODY_BYTES, 3]);
        assert_eq!(kept[1].url.path(), "/short");
        assert!(!format!("{kept:?}{recorder:?}").contains("code=1"));
        assert_eq!(recorder.since(9).len(), 0);
    }

    #[tokio::test]
    async fn a_failure_is_kept_with_its_causes() {
        let cut = tower::service_fn(|_: Request<Body>| async move {
            Err::<Response<Body>, _>(std::io::Error::other("pulled"))
        });
        let recorder = Recorder::new();
        let client = HttpClient::with_service(&HttpProfile::default(), cut)
            .unwrap()
            .recorded(&recorder);
        let request = Request::get("https://as.example/")
            .body(Body::empty())
            .unwrap();
        assert!(client.send(Leg::Token, request).await.is_err());
        let [recorded] = &recorder.since(0)[..] else {
            unreachable!("one exchange")
        };
        let Outcome::Failed { causes, .. } = &recorded.outcome else {
            unreachable!("a failure")
        };
        assert_eq!(causes.last().map(String::as_str), Some("pulled"));
    }
}
