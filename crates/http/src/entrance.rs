//! Where requests enter the stack: the one that is built, or the one that is built when it changes.

use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::future::{BoxFuture, ready};
use http::{Request, Response, Uri};
use tower::Service;

use crate::body::Body;
use crate::class::ResourceClass;
use crate::endpoint::Endpoints;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::headers::HeaderScopes;
use crate::leg::Leg;
use crate::limits::HeaderLimit;
use crate::profile::HttpProfile;
use crate::redirect::Redirects;
use crate::stack::{Asked, Below};
use crate::tag::Tag;
use crate::timeout::{Deadline, Timeouts};
use crate::told::Told;

#[cfg(feature = "client")]
use crate::{
    bottom::Bottom,
    connections::Connections,
    reload::Renewal,
    resolve::{Addresses, Guard, literal_resource_class},
};

/// What all clones of a client have in common.
pub(crate) struct Shared {
    pub(crate) current: ArcSwap<Stack>,
    /// The last exchange with the resource: nearly every request is another one like it, and its URL need not be read
    /// again.
    last: ArcSwapOption<(Uri, Exchange)>,
    #[cfg(feature = "client")]
    renewal: Option<(Renewal, Connections)>,
}

/// The layers over one profile.
pub(crate) struct Stack {
    pub(crate) profile: Arc<HttpProfile>,
    /// Of the host of this profile's resource: another host begins anew, and what is still under
    /// way to the old one teaches it nothing.
    pub(crate) class: Arc<ResourceClass>,
    entry: Arc<dyn Entry>,
    /// Absent over a service that takes over the addresses.
    #[cfg(feature = "client")]
    pub(crate) addresses: Option<Arc<Addresses>>,
    #[cfg(feature = "client")]
    pub(crate) bottom: Option<Bottom>,
}

impl Stack {
    /// The layers over a service.
    pub(crate) fn over<B: Below>(
        profile: Arc<HttpProfile>,
        bottom: B,
        class: Arc<ResourceClass>,
    ) -> Result<Self, Error> {
        let layers = bottom
            .under(Endpoints {
                addresses: profile.addresses.clone(),
            })
            .under(HeaderLimit(profile.limits.headers))
            .under(Told)
            .under(HeaderScopes::new(&profile)?)
            .under(Redirects {
                limit: profile.limits.redirects,
            })
            .under(Deadline(profile.timeouts))
            .under(Tag);
        Ok(Self {
            profile,
            class,
            entry: Arc::new(layers),
            #[cfg(feature = "client")]
            addresses: None,
            #[cfg(feature = "client")]
            bottom: None,
        })
    }

    /// The layers over connections: those of a client that had `before` so far, where there was one.
    #[cfg(feature = "client")]
    pub(crate) fn connecting(
        profile: &HttpProfile,
        connections: &Connections,
        class: Arc<ResourceClass>,
        before: Option<&Bottom>,
    ) -> Result<Self, Error> {
        let profile = Arc::new(profile.clone());
        let resolver = Arc::clone(connections.resolver());
        let guard = Arc::new(Guard::new(&profile, resolver, Arc::clone(&class)));
        let bottom = match before {
            None => Bottom::new(connections.transport(&profile)?, Arc::clone(&guard)),
            Some(before) => {
                let transport = connections.transport_after(before.transport(), &profile)?;
                Bottom::after(before, transport, Arc::clone(&guard))
            }
        };
        let addresses = Arc::new(Addresses { guard });
        let lowest = bottom.clone().under(Arc::clone(&addresses));
        Ok(Self {
            addresses: Some(addresses),
            bottom: Some(bottom),
            ..Self::over(profile, lowest, class)?
        })
    }
}

impl Shared {
    pub(crate) fn new(stack: Stack) -> Self {
        Self {
            current: ArcSwap::from_pointee(stack),
            last: ArcSwapOption::empty(),
            #[cfg(feature = "client")]
            renewal: None,
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn renewed_by(self, renewal: Renewal, connections: Connections) -> Self {
        Self {
            renewal: Some((renewal, connections)),
            ..self
        }
    }

    /// Sends a request into the stack as it stands.
    pub(crate) fn enter(
        self: &Arc<Self>,
        leg: Leg,
        request: Request<Body>,
        timeouts: Option<Timeouts>,
    ) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        let exchange = match self.exchange(leg, &request) {
            Ok(exchange) => exchange,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let asked = Asked::new(exchange, request, timeouts);
        #[cfg(feature = "client")]
        if self.is_due() {
            let shared = Arc::clone(self);
            return Box::pin(async move {
                shared.renew(&asked.exchange).await?;
                let entry = Arc::clone(&shared.current.load().entry);
                entry.enter(asked).await
            });
        }
        Arc::clone(&self.current.load().entry).enter(asked)
    }

    /// The exchange that a request begins.
    fn exchange(&self, leg: Leg, request: &Request<Body>) -> Result<Exchange, Error> {
        let (method, uri) = (request.method(), request.uri());
        if leg != Leg::Resource {
            return Exchange::to(leg, method, uri);
        }
        if let Some(last) = self.last.load().as_ref()
            && last.0 == *uri
            && last.1.method() == method
        {
            return Ok(last.1.clone());
        }
        let exchange = Exchange::to(leg, method, uri)?;
        self.last
            .store(Some(Arc::new((uri.clone(), exchange.clone()))));
        Ok(exchange)
    }

    /// Whether [`renew`](Self::renew) has something to do.
    #[cfg(feature = "client")]
    fn is_due(&self) -> bool {
        self.renewal
            .as_ref()
            .is_some_and(|(renewal, _)| renewal.is_due())
    }

    /// Takes over what changed in the settings, before `exchange` is sent.
    #[cfg(feature = "client")]
    pub(crate) async fn renew(&self, exchange: &Exchange) -> Result<(), Error> {
        let Some((renewal, connections)) = self.renewal.as_ref().filter(|_| self.is_due()) else {
            return Ok(());
        };
        let connect = self.current.load().profile.timeouts.connect;
        let install = |profile: &HttpProfile| self.install(profile, connections);
        renewal.renew(exchange, connect, install).await
    }

    #[cfg(feature = "client")]
    fn install(&self, profile: &HttpProfile, connections: &Connections) -> Result<(), Error> {
        let current = self.current.load();
        let host = |profile: &HttpProfile| {
            let url = profile.resource.as_ref();
            url.and_then(|url| url.host_str().map(str::to_owned))
        };
        let class = match host(&current.profile) == host(profile) {
            true => Arc::clone(&current.class),
            false => Arc::new(first_class(profile)),
        };
        let stack = Stack::connecting(profile, connections, class, current.bottom.as_ref())?;
        self.current.store(Arc::new(stack));
        Ok(())
    }
}

/// What is known of the class of the resource before anything was asked.
#[cfg(feature = "client")]
pub(crate) fn first_class(profile: &HttpProfile) -> ResourceClass {
    ResourceClass::new(literal_resource_class(profile), profile.addresses.class)
}

/// The stack as it stands when a request comes.
#[derive(Clone)]
pub(crate) struct Entrance(pub(crate) Arc<Shared>);

impl Service<Request<Body>> for Entrance {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let leg = request.extensions().get::<Leg>().copied();
        self.0.enter(leg.unwrap_or(Leg::Resource), request, None)
    }
}

/// A whole stack, whatever it is made of.
trait Entry: Send + Sync {
    /// Sends a request; what it takes is in the future.
    fn enter(self: Arc<Self>, asked: Asked) -> BoxFuture<'static, Result<Response<Body>, Error>>;
}

impl<B: Below> Entry for B {
    fn enter(
        self: Arc<Self>,
        mut asked: Asked,
    ) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        Box::pin(async move { self.call(&mut asked).await })
    }
}
