//! The one client that every request goes through.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};

use crate::BoxError;
use crate::body::Body;
use crate::error::Error;
use crate::leg::Leg;
use crate::profile::HttpProfile;

/// A cheap handle over the whole stack.
#[derive(Clone)]
pub struct HttpClient {
    profile: Arc<HttpProfile>,
    service: Stack,
}

pub(crate) type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

impl HttpClient {
    /// Builds the stack over a connection of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Profile`]
    #[cfg(feature = "client")]
    pub fn new(_profile: &HttpProfile) -> Result<Self, Error> {
        todo!()
    }

    /// Builds the stack over the host's own service.
    ///
    /// # Errors
    ///
    /// [`Error::Profile`]
    pub fn with_service<S>(_profile: &HttpProfile, _bottom: S) -> Result<Self, Error>
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        todo!()
    }

    /// Wraps the whole stack.
    #[must_use]
    pub fn layer<L>(self, _layer: L) -> Self
    where
        L: Layer<Stack>,
        L::Service:
            Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    {
        todo!()
    }

    /// Sends `request` as `leg`.
    ///
    /// # Errors
    ///
    /// [`Error`]
    pub async fn send(
        &self,
        leg: Leg,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        request.extensions_mut().insert(leg);
        self.service.clone().oneshot(request).await
    }

    /// Sends `request` as `leg` and reads the body under the leg's limit.
    ///
    /// # Errors
    ///
    /// [`Error`]
    pub async fn send_collected(
        &self,
        _leg: Leg,
        _request: Request<Body>,
    ) -> Result<Response<Bytes>, Error> {
        todo!()
    }

    /// The profile it was built from.
    #[must_use]
    pub fn profile(&self) -> &HttpProfile {
        &self.profile
    }
}

impl Service<Request<Body>> for HttpClient {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.service.call(request)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
