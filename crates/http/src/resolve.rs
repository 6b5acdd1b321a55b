//! From a host's name to its addresses, with the address rules applied to what is connected to.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Response;
use url::{Host, Url};

use crate::BoxError;
use crate::address::{AddressClass, AddressRefused};
use crate::body::Body;
use crate::class::{ResourceClass, Standing};
use crate::endpoint::EndpointError;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::network::Network;
use crate::origin::Origin;
use crate::profile::HttpProfile;
use crate::reach::{Judgement, Reach};
use crate::stack::{Asked, Below, Step};

/// Looks names up: the operating system by default, a table in a test, DNS over HTTPS in a host
/// that has it.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of `host`, best first. Runs within `timeouts.connect`.
    ///
    /// # Errors
    ///
    /// Whatever the lookup says; the request then fails as [`Error::Connect`].
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Which connections a request may use, decided by [`Addresses`] and obeyed at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct(Reach),
    Proxied,
}

/// The address rules, with the class of the user's own URL.
#[derive(Debug)]
pub(crate) struct Guard {
    profile: Arc<HttpProfile>,
    resource: Option<Origin>,
    networks: Arc<[Network]>,
    class: Arc<ResourceClass>,
    resolver: Arc<dyn Resolver>,
}

impl Guard {
    pub(crate) fn new(
        profile: &Arc<HttpProfile>,
        resolver: Arc<dyn Resolver>,
        class: Arc<ResourceClass>,
    ) -> Self {
        Self {
            profile: Arc::clone(profile),
            resource: profile.resource.as_ref().map(Origin::from),
            networks: match profile.addresses.networks.as_slice() {
                [] => Arc::default(),
                networks => networks.into(),
            },
            class,
            resolver,
        }
    }

    /// Grows whenever a [judgement](Self::judgement) changes. Takes no lock.
    pub(crate) fn version(&self) -> u64 {
        self.class.version()
    }

    pub(crate) fn standing(&self) -> Standing {
        self.class.standing()
    }

    /// What a request of this reach is judged by, as things stand.
    pub(crate) fn judgement(&self, reach: Reach, standing: &Standing) -> Judgement {
        Judgement::new(reach, standing, &self.networks)
    }

    /// Learns from an answer of the user's own server, which came directly from this address over
    /// a connection that was judged after so many [`changes`](Standing::changes). TLS has verified
    /// whose it is: over plain http only literals are asked, and theirs is known.
    pub(crate) fn verified(&self, peer: IpAddr, since: u64) {
        self.class.learn(AddressClass::of(peer), since);
    }

    fn reach(&self, leg: Leg, origin: &Origin) -> Reach {
        let own = self
            .resource
            .as_ref()
            .is_some_and(|resource| resource == origin);
        if self.profile.addresses.is_users_workload(leg, origin) {
            Reach::Workload
        } else if self.profile.addresses.allow.contains(origin) {
            Reach::UsersWord
        } else if own {
            Reach::Own
        } else {
            Reach::Guarded
        }
    }

    fn judge(&self, host: &str, address: IpAddr, reach: Reach) -> Result<(), AddressRefused> {
        let judgement = self.judgement(reach, &self.standing());
        judgement.judge(host, address)
    }
}

/// The addresses of `host` that may be connected to by this judgement, and why the others are left
/// out.
pub(crate) async fn judged(
    resolver: &dyn Resolver,
    host: &str,
    judgement: &Judgement,
) -> Result<(Vec<IpAddr>, Option<AddressRefused>), BoxError> {
    let addresses = resolver.lookup(host).await?;
    let mut allowed = Vec::new();
    let mut refused: Option<AddressRefused> = None;
    for address in addresses {
        match judgement.judge(host, address) {
            Ok(()) => allowed.push(address),
            // The first one that a setting could allow says most.
            Err(refusal) => match &refused {
                None => refused = Some(refusal),
                Some(AddressRefused::Never { .. }) => refused = Some(refusal),
                Some(_) => {}
            },
        }
    }
    match refused {
        Some(refusal) if allowed.is_empty() => Err(refusal.into()),
        refused => Ok((allowed, refused)),
    }
}

/// Judges what no resolver sees, address literals and `localhost`, and chooses the route.
pub(crate) struct Addresses {
    pub(crate) guard: Arc<Guard>,
}

impl Step for Arc<Addresses> {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let (route, proxied) = self.route(&asked.exchange)?;
        let Some(proxied) = proxied else {
            asked.route = Some(route);
            return below.call(asked).await;
        };
        // What fails down there may be the proxy.
        let direct = std::mem::replace(&mut asked.exchange, proxied);
        asked.route = Some(Route::Proxied);
        let answer = below.call(asked).await;
        asked.exchange = direct;
        answer
    }
}

impl Addresses {
    /// Which connections a request may use; for one through a proxy also the exchange as it is told then.
    ///
    /// # Errors
    ///
    /// [`Error::AddressRefused`] for an address literal, [`Error::Endpoint`] for one that no proxy is asked for.
    pub(crate) fn route(&self, exchange: &Exchange) -> Result<(Route, Option<Exchange>), Error> {
        let reach = self.guard.reach(exchange.leg(), exchange.origin());
        self.judge_literal(exchange, reach)?;
        let Some(proxy) = self.guard.profile.proxy.route(exchange.url()) else {
            return Ok((Route::Direct(reach), None));
        };
        if matches!(exchange.url().host(), Some(Host::Ipv6(_))) {
            let url = exchange.shown().clone();
            let (exchange, source) = (exchange.clone(), EndpointError::Proxied { url });
            return Err(Error::Endpoint { exchange, source });
        }
        Ok((Route::Proxied, Some(exchange.through(proxy))))
    }

    fn judge_literal(&self, exchange: &Exchange, reach: Reach) -> Result<(), Error> {
        let Some(address) = literal_address(exchange.url()) else {
            return Ok(());
        };
        let host = exchange.url().host_str().unwrap_or_default();
        let verdict = self.guard.judge(host, address, reach);
        verdict.map_err(|source| refusal(exchange, source))
    }

    /// Judges a URL that somebody else is to open. One who opens it chooses among the addresses of
    /// a name by itself, so that all of them have to be allowed.
    pub(crate) async fn judge_opened(
        &self,
        exchange: &Exchange,
        limit: Duration,
    ) -> Result<(), Error> {
        let url = exchange.url();
        let reach = self.guard.reach(exchange.leg(), exchange.origin());
        self.judge_literal(exchange, reach)?;
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        if literal_address(url).is_some() || self.guard.profile.proxy.route(url).is_some() {
            return Ok(());
        }
        // Who opens it may know names that are unknown here, and have the time to look them up.
        let lookup = tokio::time::timeout(limit, self.guard.resolver.lookup(name));
        let Ok(Ok(addresses)) = lookup.await else {
            return Ok(());
        };
        for address in addresses {
            let verdict = self.guard.judge(name, address, reach);
            verdict.map_err(|source| refusal(exchange, source))?;
        }
        Ok(())
    }
}

fn refusal(exchange: &Exchange, source: AddressRefused) -> Error {
    Error::AddressRefused {
        exchange: exchange.clone(),
        source,
    }
}

/// The class that a profile's own URL says by itself.
pub(crate) fn literal_resource_class(profile: &HttpProfile) -> Option<AddressClass> {
    match profile.resource.as_ref().and_then(Url::host) {
        None => Some(AddressClass::Public),
        Some(host) => literal_class(&host.to_owned()),
    }
}

/// The address that a URL names without a lookup; for `localhost` the one it stands for.
fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(name) => is_localhost(name).then_some(std::net::Ipv4Addr::LOCALHOST.into()),
    }
}

fn literal_class(host: &Host<String>) -> Option<AddressClass> {
    match host {
        Host::Ipv4(address) => Some(AddressClass::of((*address).into())),
        Host::Ipv6(address) => Some(AddressClass::of((*address).into())),
        Host::Domain(name) => is_localhost(name).then_some(AddressClass::Loopback),
    }
}

/// `localhost` and the names below it are this machine by definition (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
