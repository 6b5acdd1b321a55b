//! The bottom of the stack: reqwest clients that differ only in where they may connect to.
//!
//! Addresses are judged when a connection is made, and a pooled connection is used again without
//! a question. So each reach has a pool of its own.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Proxy};
use rustls::ClientConfig;
use secrecy::ExposeSecret;

use crate::BoxError;
use crate::address::AddressRefused;
use crate::body::Body;
use crate::cause::NarrowedDown;
use crate::error::Error;
use crate::profile::HttpProfile;
use crate::reach::Reach;
use crate::resolve::{Guard, Route};
use crate::stack::{Asked, Below};
use crate::tls::client_config;

/// Sends requests over the network.
#[derive(Clone)]
pub(crate) struct Bottom(Arc<Pools>);

/// The clients, and what they are made of: those that judge by the class of the user's own URL are
/// made anew when that is pinned or forgotten, so that no connection from before is used again.
struct Pools {
    profile: HttpProfile,
    tls: ClientConfig,
    guard: Arc<Guard>,
    current: ArcSwap<Clients>,
}

#[derive(Clone)]
struct Clients {
    /// The number of changes of the class that these were made after.
    since: u64,
    users_word: Client,
    own: Client,
    guarded: Client,
    /// Where the user names a place for it.
    workload: Option<Client>,
    proxied: Client,
}

impl Bottom {
    pub(crate) fn new(profile: &HttpProfile, guard: &Arc<Guard>) -> Result<Self, Error> {
        let tls = client_config(profile)?;
        let direct = |reach| direct(profile, &tls, guard, reach);
        let clients = Clients {
            since: guard.changes(),
            users_word: direct(Reach::UsersWord)?,
            own: direct(Reach::Own)?,
            guarded: direct(Reach::Guarded)?,
            workload: match profile.addresses.workload.is_empty() {
                true => None,
                false => Some(direct(Reach::Workload)?),
            },
            proxied: proxied(profile, &tls, guard)?,
        };
        Ok(Self(Arc::new(Pools {
            profile: profile.clone(),
            tls,
            guard: Arc::clone(guard),
            current: ArcSwap::from_pointee(clients),
        })))
    }
}

impl Pools {
    /// The client for this route, and the number of changes of the class that it was made after.
    fn client(&self, route: Option<&Route>) -> Result<(Client, u64), Error> {
        let current = self.current.load();
        let since = self.guard.changes();
        if current.since == since {
            return Ok((current.client(route).clone(), since));
        }
        let direct = |reach| direct(&self.profile, &self.tls, &self.guard, reach);
        let clients = Clients {
            since,
            own: direct(Reach::Own)?,
            guarded: direct(Reach::Guarded)?,
            ..Clients::clone(&current)
        };
        let client = clients.client(route).clone();
        self.current.store(Arc::new(clients));
        Ok((client, since))
    }
}

impl Clients {
    fn client(&self, route: Option<&Route>) -> &Client {
        match route {
            Some(Route::Direct(Reach::UsersWord)) => &self.users_word,
            Some(Route::Direct(Reach::Own)) => &self.own,
            Some(Route::Proxied) => &self.proxied,
            Some(Route::Direct(Reach::Workload)) => self.workload.as_ref().unwrap_or(&self.guarded),
            Some(Route::Direct(Reach::Guarded)) | None => &self.guarded,
        }
    }
}

impl Below for Bottom {
    async fn call(&self, asked: &mut Asked) -> Result<Response<Body>, Error> {
        let route = asked.route;
        let (client, since) = self.0.client(route.as_ref())?;
        let sending = client.execute(into_request(asked));
        let (sent, left_out) = LEFT_OUT
            .scope(RefCell::new(None), async {
                let sent = sending.await;
                (sent, LEFT_OUT.with(RefCell::take))
            })
            .await;
        let response = sent.map_err(|err| {
            let connect = self.0.profile.timeouts.connect;
            Error::from_bottom(&asked.exchange, without(left_out, err), connect)
        })?;
        if let (Some(Route::Direct(Reach::Own)), Some(peer)) = (route, response.remote_addr()) {
            self.0.guard.verified(peer.ip(), since);
        }
        Ok(Response::<reqwest::Body>::from(response).map(Body::received))
    }
}

tokio::task_local! {
    /// Why some addresses of the host were left out, for the request at hand, whose connection is made while it waits.
    static LEFT_OUT: RefCell<Option<AddressRefused>>;
}

/// The failure of the request, with the addresses that it was not sent to.
fn without(left_out: Option<AddressRefused>, err: reqwest::Error) -> BoxError {
    match left_out {
        Some(refused) if err.is_connect() => Box::new(NarrowedDown {
            refused,
            source: err.into(),
        }),
        _ => err.into(),
    }
}

/// The request as reqwest takes it; the URL is parsed already.
fn into_request(asked: &mut Asked) -> reqwest::Request {
    let from = &mut asked.request;
    let url = asked.exchange.url().clone();
    let mut request = reqwest::Request::new(from.method().clone(), url);
    *request.version_mut() = from.version();
    *request.headers_mut() = std::mem::take(from.headers_mut());
    *request.body_mut() = Some(into_reqwest(std::mem::take(from.body_mut())));
    request
}

/// Bytes in hand stay so, for reqwest to send them again when a server took none of them.
fn into_reqwest(body: Body) -> reqwest::Body {
    match body.into_bytes() {
        Ok(bytes) => bytes.into(),
        Err(stream) => reqwest::Body::wrap(stream),
    }
}

/// What they all have in common. Headers and redirects are the stack's, and so are proxies:
/// `no_proxy` keeps the environment out.
fn builder(profile: &HttpProfile, tls: &ClientConfig) -> ClientBuilder {
    let builder = Client::builder();
    let builder = match profile.http2 {
        true => builder,
        false => builder.http1_only(),
    };
    builder
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(profile.timeouts.connect)
        .pool_idle_timeout(POOL_IDLE)
        // Beyond our own limit, which names its setting; this one bounds what is held. HTTP/1.1
        // holds 400 KiB and 100 fields at most.
        .http2_max_header_list_size(
            u32::try_from(profile.limits.headers.saturating_mul(2))
                .unwrap_or(u32::MAX)
                .max(HELD_HEADERS),
        )
}

fn direct(
    profile: &HttpProfile,
    tls: &ClientConfig,
    guard: &Arc<Guard>,
    reach: Reach,
) -> Result<Client, Error> {
    let resolver = Judged {
        guard: Arc::clone(guard),
        reach,
    };
    build(builder(profile, tls).dns_resolver(resolver))
}

/// The only name it looks up is the proxy's, on the user's word.
fn proxied(profile: &HttpProfile, tls: &ClientConfig, guard: &Arc<Guard>) -> Result<Client, Error> {
    let mut builder = builder(profile, tls).dns_resolver(Named(Arc::clone(guard)));
    let unusable = |err| Error::Profile {
        setting: "proxy",
        source: Box::new(err),
    };
    if let Some(proxy) = &profile.proxy.https {
        builder = builder.proxy(Proxy::https(proxy.full().expose_secret()).map_err(unusable)?);
    }
    build(builder)
}

fn build(builder: ClientBuilder) -> Result<Client, Error> {
    builder.build().map_err(|err| Error::Profile {
        setting: "roots",
        source: Box::new(err),
    })
}

/// Name lookup that yields only addresses within reach.
struct Judged {
    guard: Arc<Guard>,
    reach: Reach,
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, reach) = (Arc::clone(&self.guard), self.reach);
        Box::pin(async move {
            let (found, refused) = guard.lookup(name.as_str(), reach).await?;
            // A connection that is made ahead, for nobody in particular, tells nobody.
            drop(LEFT_OUT.try_with(|left_out| left_out.replace(refused)));
            Ok(connectable(found))
        })
    }
}

/// Name lookup without a verdict.
struct Named(Arc<Guard>);

impl Resolve for Named {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move { Ok(connectable(guard.lookup_proxy(name.as_str()).await?)) })
    }
}

/// Port 0 stands for the port of the URL.
fn connectable(found: Vec<IpAddr>) -> Addrs {
    Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)))
}

/// As much as HTTP/1.1 holds.
const HELD_HEADERS: u32 = 400 * 1024;

/// Shorter than what common servers keep idle connections for (60 to 75 s).
const POOL_IDLE: Duration = Duration::from_secs(55);
