//! The shape all layers of the stack share: one step, a request in, the rest of the stack below.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::body::Body;
use crate::error::Error;

/// What a step stands on.
pub(crate) trait Below:
    Service<Request<Body>, Response = Response<Body>, Error = Error, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Below for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Error, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// One layer of the stack.
pub(crate) trait Step: Send + Sync + 'static {
    /// Handles one request, with `below` ready for one call; for more, `ready` it again.
    fn run<S: Below>(
        self: Arc<Self>,
        request: Request<Body>,
        below: S,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send;
}

/// Puts a [`Step`] on top of a service.
pub(crate) struct StepLayer<P>(Arc<P>);

impl<P> StepLayer<P> {
    pub(crate) fn new(step: P) -> Self {
        Self::of(Arc::new(step))
    }

    /// The same over a step that others have as well.
    pub(crate) const fn of(step: Arc<P>) -> Self {
        Self(step)
    }
}

impl<P, S> Layer<S> for StepLayer<P> {
    type Service = Stepped<P, S>;

    fn layer(&self, below: S) -> Self::Service {
        Stepped {
            step: Arc::clone(&self.0),
            below,
        }
    }
}

/// A [`Step`] with what it stands on.
pub(crate) struct Stepped<P, S> {
    step: Arc<P>,
    below: S,
}

impl<P, S: Clone> Clone for Stepped<P, S> {
    fn clone(&self) -> Self {
        Self {
            step: Arc::clone(&self.step),
            below: self.below.clone(),
        }
    }
}

impl<P: Step, S: Below> Service<Request<Body>> for Stepped<P, S> {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.below.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was made ready is the one to call; its clone is not.
        let fresh = self.below.clone();
        let ready = std::mem::replace(&mut self.below, fresh);
        Box::pin(Arc::clone(&self.step).run(request, ready))
    }
}
