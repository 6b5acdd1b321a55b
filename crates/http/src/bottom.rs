//! The bottom of the stack: reqwest clients that differ only in where they may connect to.
//!
//! Addresses are judged when a connection is made, and a pooled connection is used again without
//! a question. So each reach has a pool of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Proxy};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use tower::Service;

use crate::BoxError;
use crate::body::Body;
use crate::error::Error;
use crate::profile::HttpProfile;
use crate::reach::Reach;
use crate::resolve::{Guard, Route};
use crate::tls::client_config;

/// Sends requests over the network.
#[derive(Clone, Debug)]
pub(crate) struct Bottom(Arc<Clients>);

#[derive(Debug)]
struct Clients {
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
        let direct = |reach| {
            let resolver = Judged {
                guard: Arc::clone(guard),
                reach,
            };
            build(builder(profile, &tls).dns_resolver(resolver))
        };
        Ok(Self(Arc::new(Clients {
            users_word: direct(Reach::UsersWord)?,
            own: direct(guard.own())?,
            guarded: direct(Reach::Guarded)?,
            workload: match profile.addresses.workload.is_empty() {
                true => None,
                false => Some(direct(Reach::Workload)?),
            },
            proxied: proxied(profile, &tls)?,
        })))
    }
}

impl Service<Request<Body>> for Bottom {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = match request.extensions().get::<Route>() {
            Some(Route::Direct(Reach::UsersWord)) => &self.0.users_word,
            Some(Route::Direct(Reach::Own(_))) => &self.0.own,
            Some(Route::Proxied) => &self.0.proxied,
            Some(Route::Direct(Reach::Workload)) => {
                self.0.workload.as_ref().unwrap_or(&self.0.guarded)
            }
            Some(Route::Direct(Reach::Guarded)) | None => &self.0.guarded,
        };
        let client = client.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request.map(into_reqwest))?;
            let response = client.execute(request).await?;
            Ok(Response::<reqwest::Body>::from(response).map(Body::new))
        })
    }
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
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(profile.timeouts.connect)
        .pool_idle_timeout(POOL_IDLE)
        // Beyond our own limit, which names its setting; this one bounds what is held.
        .http2_max_header_list_size(
            u32::try_from(profile.limits.headers.saturating_mul(2)).unwrap_or(u32::MAX),
        )
}

fn proxied(profile: &HttpProfile, tls: &ClientConfig) -> Result<Client, Error> {
    let mut builder = builder(profile, tls);
    let unusable = |err| Error::Profile {
        setting: "proxy",
        source: Box::new(err),
    };
    if let Some(proxy) = &profile.proxy.https {
        builder = builder.proxy(Proxy::https(proxy.full().expose_secret()).map_err(unusable)?);
    }
    if let Some(proxy) = &profile.proxy.http {
        builder = builder.proxy(Proxy::http(proxy.full().expose_secret()).map_err(unusable)?);
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
            let found = guard.lookup(name.as_str(), reach).await?;
            // Port 0 stands for the port of the URL.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Shorter than what common servers keep idle connections for (60 to 75 s).
const POOL_IDLE: Duration = Duration::from_secs(55);
