//! The network without a token: a challenge is an error, and redirects are followed as with one.

use std::task::{Context, Poll};

use doorkey_discovery::Challenges;
use doorkey_http::{Body, HttpClient, Leg, Origin, RedactedUrl, clean_text};
use doorkey_oauth::{Error, LoginReason};
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, Uri, header::LOCATION};
use tower::Service;
use url::Url;

/// Sends requests as they are.
#[derive(Clone, Debug)]
pub(crate) struct Unauthenticated {
    http: HttpClient,
    server: Url,
}

impl Unauthenticated {
    pub(crate) const fn new(http: HttpClient, server: Url) -> Self {
        Self { http, server }
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let mut hops = 0;
        loop {
            let copy = again(&request);
            let from = request.uri().to_string();
            let response = self.http.send(Leg::Resource, request).await?;
            if !response.status().is_redirection() {
                return match self.challenge(&response) {
                    Some(error) => Err(error),
                    None => Ok(response),
                };
            }
            request = match (copy, next(&from, &response)) {
                (Some(mut copy), Some(target)) if hops < REDIRECT_LIMIT => {
                    *copy.uri_mut() = target;
                    copy
                }
                _ => return Err(refused(&self.server, &from, &response)),
            };
            hops += 1;
        }
    }

    fn challenge(&self, response: &Response<Body>) -> Option<Error> {
        let challenges = Challenges::from_answer(response.headers(), response.extensions());
        match response.status() {
            StatusCode::UNAUTHORIZED => Some(Error::LoginRequired {
                server: self.server.clone().into(),
                reason: LoginReason::NoGrant,
                challenges,
                cause: None,
            }),
            StatusCode::FORBIDDEN if challenges.is_insufficient_scope() => {
                Some(Error::InsufficientScope {
                    required: challenges.scope().unwrap_or_default(),
                    challenges,
                })
            }
            _ => None,
        }
    }
}

impl Service<Request<Body>> for Unauthenticated {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// The same request once more; `None` if its body is a stream.
fn again(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

/// Where a redirect leads, if it keeps method and origin (USE-05).
fn next(from: &str, response: &Response<Body>) -> Option<Uri> {
    if !matches!(
        response.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    ) {
        return None;
    }
    let from = Url::parse(from).ok()?;
    let target = from.join(location(response)?).ok()?;
    if Origin::from(&target) != Origin::from(&from) {
        return None;
    }
    target.as_str().parse().ok()
}

fn location(response: &Response<Body>) -> Option<&str> {
    response.headers().get(LOCATION)?.to_str().ok()
}

fn refused(server: &Url, from: &str, response: &Response<Body>) -> Error {
    let base = Url::parse(from).ok();
    let location = location(response).unwrap_or("nowhere");
    let target = base.as_ref().and_then(|base| base.join(location).ok());
    Error::Redirect {
        status: response.status(),
        from: RedactedUrl::from(base.as_ref().unwrap_or(server)),
        target: match &target {
            Some(target) => RedactedUrl::from(target).to_string(),
            None => clean_text(location, LOCATION_LIMIT),
        },
    }
}

const REDIRECT_LIMIT: usize = 3;
const LOCATION_LIMIT: usize = 200;
