//! The one client that every request goes through: the layers, put together.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::BoxError;
use crate::address::AddressClass;
use crate::body::Body;
use crate::endpoint::Endpoints;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::headers::HeaderScopes;
use crate::leg::Leg;
use crate::limits::HeaderLimit;
use crate::profile::HttpProfile;
use crate::redirect::Redirects;
use crate::sorted::Sorted;
use crate::stack::{Below, StepLayer};
use crate::tag::Tag;
use crate::timeout::Deadline;

#[cfg(feature = "client")]
use crate::{
    bottom::Bottom,
    resolve::{Addresses, Guard, Resolver, SystemResolver},
};

/// A stack of layers as one service, as [`HttpClient::layer`] hands it over.
pub type HttpService = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

/// A handle, cheap to clone, over the whole stack; every request of every leg goes through it.
///
/// It needs a Tokio runtime with timers (and, for [`HttpClient::new`], input and output) around
/// it. As a [`tower::Service`] it takes the [`Leg`] from the request's extensions, where
/// [`send`](Self::send) puts it; a request without one counts as [`Leg::Resource`].
#[derive(Clone)]
pub struct HttpClient {
    profile: Arc<HttpProfile>,
    /// Stays empty over a service that takes over the addresses.
    resource_class: Arc<OnceLock<AddressClass>>,
    service: HttpService,
}

impl HttpClient {
    /// Builds the stack over connections of its own, with the operating system's resolver.
    ///
    /// # Errors
    ///
    /// [`Error::Profile`] or [`Error::HeaderRefused`], naming the setting to correct.
    #[cfg(feature = "client")]
    pub fn new(profile: &HttpProfile) -> Result<Self, Error> {
        Self::with_resolver(profile, Arc::new(SystemResolver))
    }

    /// Builds the stack over connections of its own, with names looked up by `resolver`.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::new`].
    #[cfg(feature = "client")]
    pub fn with_resolver(
        profile: &HttpProfile,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        let guard = Arc::new(Guard::new(profile, resolver));
        let resource_class = guard.class();
        let bottom = Bottom::new(profile, &guard)?;
        let addresses = Addresses {
            guard,
            proxy: profile.proxy.clone(),
        };
        let connect = profile.timeouts.connect;
        let bottom = StepLayer::new(addresses).layer(Sorted::new(bottom, connect));
        Ok(Self {
            resource_class,
            ..Self::assemble(profile, bottom)?
        })
    }

    /// Builds the stack over the host's own service.
    ///
    /// The service takes over TLS (`roots`, `client_identity`), `proxy`, `timeouts.connect` and
    /// `addresses`: none of these settings has an effect then. Everything else stays: legs,
    /// header scopes, redirects, the other time-outs and limits, and that only https URLs, or
    /// http on loopback and where `addresses.workload` has it, are asked.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::new`].
    pub fn with_service<S>(profile: &HttpProfile, bottom: S) -> Result<Self, Error>
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let connect = profile.timeouts.connect;
        Self::assemble(profile, Sorted::new(bottom, connect))
    }

    fn assemble<S>(profile: &HttpProfile, bottom: S) -> Result<Self, Error>
    where
        S: Below,
    {
        let service = ServiceBuilder::new()
            .layer(StepLayer::new(Tag))
            .layer(StepLayer::new(Deadline(profile.timeouts)))
            .layer(StepLayer::new(Redirects {
                limit: profile.limits.redirects,
            }))
            .layer(StepLayer::new(HeaderScopes::new(profile)?))
            .layer(StepLayer::new(HeaderLimit(profile.limits.headers)))
            .layer(StepLayer::new(Endpoints {
                addresses: profile.addresses.clone(),
            }))
            .service(bottom);
        Ok(Self {
            profile: Arc::new(profile.clone()),
            resource_class: Arc::default(),
            service: BoxCloneSyncService::new(service),
        })
    }

    /// Wraps the whole stack: a recorder put here sees every request as [`send`](Self::send) got
    /// it, its leg in its extensions, before configured headers are added.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<HttpService>,
        L::Service:
            Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    {
        let connect = self.profile.timeouts.connect;
        let service = Sorted::new(layer.layer(self.service), connect);
        Self {
            service: BoxCloneSyncService::new(service),
            ..self
        }
    }

    /// Sends `request` as `leg` and returns as soon as the response headers are there. Any status
    /// is an answer, not an error.
    ///
    /// # Errors
    ///
    /// [`Error`], naming leg, method and URL.
    pub async fn send(
        &self,
        leg: Leg,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        request.extensions_mut().insert(leg);
        self.service.clone().oneshot(request).await
    }

    /// Sends `request` as `leg` and reads the whole body under the [limit](crate::Limits) of the
    /// leg.
    ///
    /// # Errors
    ///
    /// [`Error`], naming leg, method and URL.
    pub async fn send_collected(
        &self,
        leg: Leg,
        mut request: Request<Body>,
    ) -> Result<Response<Bytes>, Error> {
        request.extensions_mut().insert(leg);
        let asked = Exchange::parse(&request)?;
        let (parts, body) = self.send(leg, request).await?.into_parts();
        let limit = self.profile.limits.body(leg);
        match body.collect_limited(limit).await {
            Ok(bytes) => Ok(Response::from_parts(parts, bytes)),
            Err(err) => {
                let exchange = parts.extensions.get::<Exchange>().cloned().unwrap_or(asked);
                Err(Error::from_body(exchange, err))
            }
        }
    }

    /// The class of the addresses of the profile's resource: what [`AddressPolicy::class`] says,
    /// else what this client learned when it first looked its host up. A host keeps it at login
    /// and gives it to later clients as that setting. A name with addresses of several classes
    /// counts as public.
    ///
    /// `None` without a resource, before the first lookup, behind a proxy (which looks names up by
    /// itself) and over [`with_service`](Self::with_service).
    ///
    /// [`AddressPolicy::class`]: crate::AddressPolicy::class
    #[must_use]
    pub fn resource_class(&self) -> Option<AddressClass> {
        self.profile.resource.as_ref()?;
        self.resource_class.get().copied()
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
