//! From a host's name to its addresses, with the address rules applied to what is connected to.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use url::{Host, Url};

use crate::BoxError;
use crate::address::{AddressClass, AddressPolicy, AddressRefused};
use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::origin::Origin;
use crate::profile::HttpProfile;
use crate::proxy::ProxyRules;
use crate::reach::{Reach, common_class, judge};
use crate::stack::{Below, Step};

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

/// The address rules, with the class of the user's own URL fixed at login, else when it is first
/// looked up.
#[derive(Debug)]
pub(crate) struct Guard {
    policy: AddressPolicy,
    resource: Option<(Origin, Host<String>)>,
    /// Only for a name: an address literal cannot change.
    at_login: Option<AddressClass>,
    class: Arc<OnceLock<AddressClass>>,
    resolver: Arc<dyn Resolver>,
}

impl Guard {
    pub(crate) fn new(profile: &HttpProfile, resolver: Arc<dyn Resolver>) -> Self {
        let resource = profile.resource.as_ref().and_then(|url| {
            let host = url.host()?.to_owned();
            Some((Origin::from(url), host))
        });
        let literal = match &resource {
            None => Some(AddressClass::Public),
            Some((_, host)) => literal_class(host),
        };
        let at_login = profile.addresses.class.filter(|_| literal.is_none());
        let class = literal.or(at_login);
        Self {
            policy: profile.addresses.clone(),
            resource,
            at_login,
            class: Arc::new(class.map(OnceLock::from).unwrap_or_default()),
            resolver,
        }
    }

    /// The class of the user's own URL, shared, filled as soon as it is known.
    pub(crate) fn class(&self) -> Arc<OnceLock<AddressClass>> {
        Arc::clone(&self.class)
    }

    /// How far requests to the user's own origin reach.
    pub(crate) const fn own(&self) -> Reach {
        Reach::Own(self.at_login)
    }

    fn reach(&self, leg: Leg, origin: &Origin) -> Reach {
        let own = self
            .resource
            .as_ref()
            .is_some_and(|(resource, _)| resource == origin);
        if self.policy.is_users_workload(leg, origin) {
            Reach::Workload
        } else if self.policy.allow.contains(origin) {
            Reach::UsersWord
        } else if own {
            self.own()
        } else {
            Reach::Guarded
        }
    }

    /// The class of the MCP server that the user configured.
    async fn users_class(&self) -> io::Result<AddressClass> {
        if let Some(class) = self.class.get() {
            return Ok(*class);
        }
        let Some((_, Host::Domain(name))) = &self.resource else {
            return Ok(AddressClass::Public);
        };
        let addresses = self.resolver.lookup(name).await?;
        Ok(self.fix_class(&addresses))
    }

    fn fix_class(&self, addresses: &[IpAddr]) -> AddressClass {
        *self.class.get_or_init(|| common_class(addresses))
    }

    fn is_resource(&self, name: &str) -> bool {
        matches!(&self.resource, Some((_, Host::Domain(resource))) if resource == name)
    }

    /// The addresses of `host` that a request of this reach may connect to.
    pub(crate) async fn lookup(&self, host: &str, reach: Reach) -> Result<Vec<IpAddr>, BoxError> {
        let addresses = self.resolver.lookup(host).await?;
        if self.is_resource(host) && !addresses.is_empty() {
            self.fix_class(&addresses);
        }
        let mut allowed = Vec::new();
        let mut refused = None;
        for address in addresses {
            match self.judge(host, address, reach).await? {
                Ok(()) => allowed.push(address),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        match refused {
            Some(refusal) if allowed.is_empty() => Err(refusal.into()),
            _ => Ok(allowed),
        }
    }

    /// Judges an address; asks for the user's own class only when that decides.
    async fn judge(
        &self,
        host: &str,
        address: IpAddr,
        reach: Reach,
    ) -> io::Result<Result<(), AddressRefused>> {
        let class = AddressClass::of(address);
        let decided = reach != Reach::Guarded || class == AddressClass::Public || class.is_never();
        let user = if decided {
            AddressClass::Public
        } else {
            self.users_class().await?
        };
        Ok(judge(host, address, reach, user))
    }
}

/// Judges what no resolver sees, address literals and `localhost`, and chooses the route.
pub(crate) struct Addresses {
    pub(crate) guard: Arc<Guard>,
    pub(crate) proxy: ProxyRules,
}

impl Step for Addresses {
    async fn run<S: Below>(
        self: Arc<Self>,
        mut request: Request<Body>,
        mut below: S,
    ) -> Result<Response<Body>, Error> {
        let exchange = Exchange::of(&request)?;
        let reach = self
            .guard
            .reach(exchange.leg(), &Origin::from(exchange.url()));
        if let Some(address) = literal_address(exchange.url()) {
            let host = exchange.url().host_str().unwrap_or_default();
            match self.guard.judge(host, address, reach).await {
                Ok(Ok(())) => {}
                Ok(Err(source)) => return Err(Error::AddressRefused { exchange, source }),
                Err(source) => {
                    return Err(Error::Connect {
                        exchange,
                        source: source.into(),
                    });
                }
            }
        }
        // The identity of a workload crosses no proxy in the clear.
        let direct = reach == Reach::Workload && exchange.url().scheme() == "http";
        let proxy = self.proxy.route(exchange.url()).filter(|_| !direct);
        let route = match proxy {
            Some(proxy) => {
                request.extensions_mut().insert(exchange.through(proxy));
                Route::Proxied
            }
            None => Route::Direct(reach),
        };
        request.extensions_mut().insert(route);
        below.call(request).await
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
