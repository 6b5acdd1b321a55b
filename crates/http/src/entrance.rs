//! Where requests enter the stack: the one that is built, or the one that is built when it changes.

use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::{Service, ServiceBuilder};

use crate::body::Body;
use crate::class::ResourceClass;
use crate::endpoint::Endpoints;
use crate::error::Error;
#[cfg(feature = "client")]
use crate::exchange::Exchange;
use crate::headers::HeaderScopes;
use crate::limits::HeaderLimit;
use crate::profile::HttpProfile;
use crate::redirect::Redirects;
use crate::stack::{Below, StepLayer};
use crate::tag::Tag;
use crate::timeout::Deadline;
use crate::told::Told;

#[cfg(feature = "client")]
use crate::{
    bottom::Bottom,
    reload::Renewal,
    resolve::{Addresses, Guard, Resolver, literal_resource_class},
    sorted::Sorted,
};
#[cfg(feature = "client")]
use tower::Layer;

/// What all clones of a client have in common.
pub(crate) struct Shared {
    pub(crate) current: ArcSwap<Stack>,
    #[cfg(feature = "client")]
    renewal: Option<(Renewal, Arc<dyn Resolver>)>,
}

/// The layers over one profile.
pub(crate) struct Stack {
    pub(crate) profile: Arc<HttpProfile>,
    /// Of the host of this profile's resource: another host begins anew, and what is still under
    /// way to the old one teaches it nothing.
    pub(crate) class: Arc<ResourceClass>,
    entry: Box<dyn Entry>,
    /// Absent over a service that takes over the addresses.
    #[cfg(feature = "client")]
    pub(crate) addresses: Option<Arc<Addresses>>,
}

impl Stack {
    /// The layers over a service.
    pub(crate) fn over<S: Below>(
        profile: &HttpProfile,
        bottom: S,
        class: Arc<ResourceClass>,
    ) -> Result<Self, Error> {
        let service = ServiceBuilder::new()
            .layer(StepLayer::new(Tag))
            .layer(StepLayer::new(Deadline(profile.timeouts)))
            .layer(StepLayer::new(Redirects {
                limit: profile.limits.redirects,
            }))
            .layer(StepLayer::new(HeaderScopes::new(profile)?))
            .layer(StepLayer::new(Told))
            .layer(StepLayer::new(HeaderLimit(profile.limits.headers)))
            .layer(StepLayer::new(Endpoints {
                addresses: profile.addresses.clone(),
            }))
            .service(bottom);
        Ok(Self {
            profile: Arc::new(profile.clone()),
            class,
            entry: Box::new(service),
            #[cfg(feature = "client")]
            addresses: None,
        })
    }

    /// The layers over connections.
    #[cfg(feature = "client")]
    pub(crate) fn connecting(
        profile: &HttpProfile,
        resolver: Arc<dyn Resolver>,
        class: Arc<ResourceClass>,
    ) -> Result<Self, Error> {
        let guard = Arc::new(Guard::new(profile, resolver, Arc::clone(&class)));
        let bottom = Sorted::new(Bottom::new(profile, &guard)?, profile.timeouts.connect);
        let addresses = Arc::new(Addresses {
            guard,
            proxy: profile.proxy.clone(),
        });
        let bottom = StepLayer::of(Arc::clone(&addresses)).layer(bottom);
        Ok(Self {
            addresses: Some(addresses),
            ..Self::over(profile, bottom, class)?
        })
    }
}

impl Shared {
    pub(crate) fn new(stack: Stack) -> Self {
        Self {
            current: ArcSwap::from_pointee(stack),
            #[cfg(feature = "client")]
            renewal: None,
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn renewed_by(self, renewal: Renewal, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            renewal: Some((renewal, resolver)),
            ..self
        }
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
        let Some((renewal, resolver)) = self.renewal.as_ref().filter(|_| self.is_due()) else {
            return Ok(());
        };
        let connect = self.current.load().profile.timeouts.connect;
        let install = |profile: &HttpProfile| self.install(profile, resolver);
        renewal.renew(exchange, connect, install).await
    }

    #[cfg(feature = "client")]
    fn install(&self, profile: &HttpProfile, resolver: &Arc<dyn Resolver>) -> Result<(), Error> {
        let current = self.current.load();
        let host = |profile: &HttpProfile| {
            let url = profile.resource.as_ref();
            url.and_then(|url| url.host_str().map(str::to_owned))
        };
        let class = match host(&current.profile) == host(profile) {
            true => Arc::clone(&current.class),
            false => Arc::new(first_class(profile)),
        };
        let stack = Stack::connecting(profile, Arc::clone(resolver), class)?;
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
        #[cfg(feature = "client")]
        if self.0.is_due() {
            let shared = Arc::clone(&self.0);
            return Box::pin(async move {
                shared.renew(&Exchange::of(&request)?).await?;
                let answer = shared.current.load().entry.enter(request);
                answer.await
            });
        }
        self.0.current.load().entry.enter(request)
    }
}

/// A whole stack, whatever it is made of.
trait Entry: Send + Sync {
    /// Sends a request; what it takes is in the future.
    fn enter(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Error>>;
}

impl<S> Entry for S
where
    S: Below<Future = BoxFuture<'static, Result<Response<Body>, Error>>>,
{
    fn enter(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        // Always ready: at the bottom of each stack the service is waited for in the call.
        self.clone().call(request)
    }
}
