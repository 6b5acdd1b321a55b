//! The one client that every request goes through: the layers, put together.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};
use url::Url;

use crate::BoxError;
use crate::address::AddressClass;
use crate::body::Body;
use crate::class::ResourceClass;
use crate::endpoint::check_endpoint;
use crate::entrance::{Entrance, Shared, Stack};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::profile::HttpProfile;
use crate::sorted::Sorted;
use crate::timeout::Timeouts;

#[cfg(feature = "client")]
use crate::{
    connections::Connections,
    entrance::first_class,
    reload::{ProfileSource, Renewal},
    resolve::{Resolver, SystemResolver},
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
    shared: Arc<Shared>,
    /// With what was put on top, if anything was.
    layered: Option<HttpService>,
    timeouts: Option<Timeouts>,
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
        Self::connecting(profile, &Connections::with_resolver(resolver), None)
    }

    /// Builds the stack over connections of its own, and anew whenever `source` has another
    /// profile. Where that changes what connections are made by (roots, client certificate, proxy,
    /// HTTP/2, `timeouts.connect`, limits of a connection), a request that is under way ends over the
    /// old connections, and every later one is sent over new ones. `profile` holds until `source` is asked for the first time, which is
    /// before the first request is sent.
    ///
    /// The pin of the [resource class](Self::pin_resource_class) stays, unless the host of the
    /// resource changes, and so do the layers put on top by [`layer`](Self::layer).
    ///
    /// # Errors
    ///
    /// As [`HttpClient::new`], for `profile`. What is wrong with a later one is the
    /// [`Error::Reload`] of the request before which it was asked for.
    #[cfg(feature = "client")]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a profile that is about to be replaced belongs to nobody else"
    )]
    pub fn reloading(profile: HttpProfile, source: Arc<dyn ProfileSource>) -> Result<Self, Error> {
        Self::reloading_with_resolver(&profile, source, Arc::new(SystemResolver))
    }

    /// [`reloading`](Self::reloading), with names looked up by `resolver`.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::reloading`].
    #[cfg(feature = "client")]
    pub fn reloading_with_resolver(
        profile: &HttpProfile,
        source: Arc<dyn ProfileSource>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        let connections = Connections::with_resolver(resolver);
        Self::connecting(profile, &connections, Some(Renewal::new(source)))
    }

    /// Builds the stack over these connections.
    #[cfg(feature = "client")]
    pub(crate) fn connecting(
        profile: &HttpProfile,
        connections: &Connections,
        renewal: Option<Renewal>,
    ) -> Result<Self, Error> {
        let class = Arc::new(first_class(profile));
        let stack = Stack::connecting(profile, connections, class, None)?;
        let shared = Shared::new(stack);
        Ok(Self::entered(match renewal {
            None => shared,
            Some(renewal) => shared.renewed_by(renewal, connections.clone()),
        }))
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
        let bottom = Sorted::new(bottom, profile.timeouts.connect);
        let class = ResourceClass::new(None, profile.addresses.class);
        let stack = Stack::over(Arc::new(profile.clone()), bottom, Arc::new(class))?;
        Ok(Self::entered(Shared::new(stack)))
    }

    fn entered(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            layered: None,
            timeouts: None,
        }
    }

    /// The same client, for requests with time limits of their own: in place of the profile's `read`
    /// and `total` these hold for all that is sent by this handle, but for what a request itself
    /// [carries](Timeouts).
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self {
            timeouts: Some(timeouts),
            ..self
        }
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
        let connect = self.profile().timeouts.connect;
        let entrance = || BoxCloneSyncService::new(Entrance(Arc::clone(&self.shared)));
        let below = self.layered.unwrap_or_else(entrance);
        let service = Sorted::new(layer.layer(below), connect);
        Self {
            layered: Some(BoxCloneSyncService::new(service)),
            shared: self.shared,
            timeouts: self.timeouts,
        }
    }

    /// Sends `request` as `leg` and returns as soon as the response headers are there. Any status
    /// is an answer, not an error.
    ///
    /// # Errors
    ///
    /// [`Error`], naming leg, method and URL.
    pub async fn send(&self, leg: Leg, request: Request<Body>) -> Result<Response<Body>, Error> {
        match &self.layered {
            None => self.shared.enter(leg, request, self.timeouts).await,
            Some(service) => service.clone().oneshot(self.told(leg, request)).await,
        }
    }

    /// The request as a host's own layers see it.
    fn told(&self, leg: Leg, mut request: Request<Body>) -> Request<Body> {
        let extensions = request.extensions_mut();
        extensions.insert(leg);
        if let (Some(timeouts), None) = (self.timeouts, extensions.get::<Timeouts>()) {
            extensions.insert(timeouts);
        }
        request
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
        request: Request<Body>,
    ) -> Result<Response<Bytes>, Error> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (parts, body) = self.send(leg, request).await?.into_parts();
        let limit = self.profile().limits.body(leg);
        match body.collect_limited(limit).await {
            Ok(bytes) => Ok(Response::from_parts(parts, bytes)),
            Err(err) => {
                let exchange = match parts.extensions.get::<Exchange>() {
                    Some(exchange) => exchange.clone(),
                    None => Exchange::to(leg, &method, &uri)?,
                };
                Err(Error::from_body(exchange, err))
            }
        }
    }

    /// The class of the addresses of the profile's resource: what was
    /// [pinned](Self::pin_resource_class), else the nearest one that this client was answered from.
    /// A host keeps it at login and pins it in later clients.
    ///
    /// Only a direct answer over TLS teaches it, by the address at the other end; a lookup does
    /// not. An address literal and `localhost` say it themselves.
    ///
    /// `None` without a resource, and where nothing is pinned: before the first answer of the
    /// resource, behind a proxy and over [`with_service`](Self::with_service).
    #[must_use]
    pub fn resource_class(&self) -> Option<AddressClass> {
        let stack = self.shared.current.load();
        stack.profile.resource.as_ref()?;
        stack.class.known()
    }

    /// Fixes the class of the addresses of the profile's resource to the one it had at login, as
    /// [`AddressPolicy::class`] does when a client is built; `None` forgets it and all that was
    /// learned, so that the next answers fix it again. It holds for all clones of the client and
    /// from the next request on: no connection that was made before is used again. An address
    /// literal and `localhost` keep the class that they say themselves.
    ///
    /// The resource may be as near as the class that is pinned. Others are measured by that class
    /// too, until an answer of the resource comes from farther away.
    ///
    /// [`AddressPolicy::class`]: crate::AddressPolicy::class
    pub fn pin_resource_class(&self, class: Option<AddressClass>) {
        self.shared.current.load().class.pin(class);
    }

    /// Whether a URL that a server named for `leg` may be opened by somebody else, such as a
    /// browser: it has to be an [endpoint](check_endpoint) and keep the rules of the profile's
    /// [`addresses`](HttpProfile::addresses).
    ///
    /// A name that cannot be looked up within `timeouts.connect`, and one that is asked for
    /// through a proxy, pass: whoever opens it may know more. Of a name with several addresses all
    /// have to be allowed, since nobody knows which will be used. Over
    /// [`with_service`](Self::with_service) only the URL is looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Endpoint`] or [`Error::AddressRefused`]: do not open it. [`Error::Reload`] as for
    /// any request.
    pub async fn judge(&self, leg: Leg, url: &Url) -> Result<(), Error> {
        let exchange = Exchange::new(leg, Method::GET, url.clone());
        if let Err(source) = check_endpoint(url) {
            return Err(Error::Endpoint { exchange, source });
        }
        #[cfg(feature = "client")]
        {
            self.shared.renew(&exchange).await?;
            let stack = self.shared.current.load_full();
            if let Some(addresses) = &stack.addresses {
                let limit = stack.profile.timeouts.connect;
                return addresses.judge_opened(&exchange, limit).await;
            }
        }
        Ok(())
    }

    /// Has a connection to the origin of `url` ready for a request of `leg` that may come soon, so that the request
    /// does not wait for it. No request is sent: the connection is made as for one, by the same rules of
    /// addresses, proxy, certificates and time, and carries TLS and no HTTP. One that is there already will do.
    ///
    /// It is kept for [`IDLE_LIMIT`](Self::IDLE_LIMIT), as others are that nobody uses. Over
    /// [`with_service`](Self::with_service) this does nothing.
    ///
    /// # Errors
    ///
    /// As for a request that got no connection. The next request then tries by itself.
    pub async fn warm(&self, leg: Leg, url: &Url) -> Result<(), Error> {
        let exchange = Exchange::new(leg, Method::CONNECT, url.clone());
        if let Err(source) = check_endpoint(url) {
            return Err(Error::Endpoint { exchange, source });
        }
        #[cfg(feature = "client")]
        {
            self.shared.renew(&exchange).await?;
            let stack = self.shared.current.load_full();
            if let (Some(addresses), Some(bottom)) = (&stack.addresses, &stack.bottom) {
                let (route, proxied) = addresses.route(&exchange)?;
                let exchange = proxied.unwrap_or(exchange);
                return bottom.warm(route, &exchange).await;
            }
        }
        Ok(())
    }

    /// For how long a connection is kept that nobody uses: shorter than common servers do (60 to 75 s).
    pub const IDLE_LIMIT: Duration = Duration::from_secs(55);

    /// The profile that the next request is sent by.
    #[must_use]
    pub fn profile(&self) -> Arc<HttpProfile> {
        Arc::clone(&self.shared.current.load().profile)
    }
}

impl Service<Request<Body>> for HttpClient {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.layered {
            Some(service) => service.poll_ready(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let leg = request.extensions().get::<Leg>().copied();
        let leg = leg.unwrap_or(Leg::Resource);
        if self.layered.is_some() {
            request = self.told(leg, request);
        }
        match &mut self.layered {
            None => self.shared.enter(leg, request, self.timeouts),
            Some(service) => service.call(request),
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("profile", &self.profile())
            .finish_non_exhaustive()
    }
}
