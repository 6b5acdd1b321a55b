//! Where foreign errors become ours: at the bottom, and above what a host puts on top.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::{Service, ServiceExt};

use crate::BoxError;
use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;

/// A service whose errors are sorted into [`Error`].
#[derive(Clone)]
pub(crate) struct Sorted<S> {
    inner: S,
    connect: Duration,
}

impl<S> Sorted<S> {
    /// `connect` is the limit that a connection time-out is reported with.
    pub(crate) const fn new(inner: S, connect: Duration) -> Self {
        Self { inner, connect }
    }
}

impl<S> Service<Request<Body>> for Sorted<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    /// Always ready: the service below is waited for in the call, within the time of the request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, connect) = (self.inner.clone(), self.connect);
        Box::pin(async move {
            let exchange = Exchange::of(&request)?;
            let answer = inner.oneshot(request).await;
            answer.map_err(|err| Error::from_bottom(&exchange, err.into(), connect))
        })
    }
}
