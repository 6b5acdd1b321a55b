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
use crate::stack::{Asked, Below};

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

/// At the bottom, under the layers: the service finds in the request's extensions what is known of it.
impl<S> Below for Sorted<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    async fn call(&self, asked: &mut Asked) -> Result<Response<Body>, Error> {
        let mut request = std::mem::take(&mut asked.request);
        request.extensions_mut().insert(asked.exchange.leg());
        request.extensions_mut().insert(asked.exchange.clone());
        // The service is waited for here, within the time of the request.
        let answer = self.inner.clone().oneshot(request).await;
        answer.map_err(|err| Error::from_bottom(&asked.exchange, err.into(), self.connect))
    }
}

/// On top, where requests come as a host's own layers leave them.
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
            let exchange = Exchange::parse(&request)?;
            let answer = inner.oneshot(request).await;
            answer.map_err(|err| Error::from_bottom(&exchange, err.into(), connect))
        })
    }
}
