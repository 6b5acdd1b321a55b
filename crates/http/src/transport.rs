//! How connections are made: what they trust and show, and by which way. See [`connections`](crate::Connections).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Proxy};
use rustls::ClientConfig;
use secrecy::ExposeSecret;

use crate::class::Moment;
use crate::client::HttpClient;
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::pool::{Judged, Named, Pool, PoolLimits, Way};
use crate::profile::HttpProfile;
use crate::proxy::ProxyUrl;
use crate::resolve::Resolver;
use crate::roots::{RootCertificate, Roots};
use crate::tls::client_config;
use crate::verifier::{Stamp, system_stamps};

/// All that connections of one kind have in common, but for where they may lead.
pub(crate) struct Transport {
    kind: Kind,
    tls: ClientConfig,
    resolver: Arc<dyn Resolver>,
    /// The newest pool of each way.
    pools: Mutex<HashMap<Way, Weak<Pool>>>,
}

/// What makes connections different, whoever they lead to.
pub(crate) struct Kind {
    http2: bool,
    connect: Duration,
    headers: usize,
    connections: usize,
    proxy: Option<ProxyUrl>,
    identity: Option<ClientIdentity>,
    roots: Roots,
    /// The system's roots, where those count.
    system: Vec<Stamp>,
}

impl Kind {
    pub(crate) fn of(profile: &HttpProfile) -> Self {
        let system = match &profile.roots {
            Roots::System | Roots::SystemAnd(_) => system_stamps(),
            Roots::Only(_) => Vec::new(),
        };
        Self {
            http2: profile.http2,
            connect: profile.timeouts.connect,
            headers: profile.limits.headers,
            connections: profile.limits.connections,
            proxy: profile.proxy.https.clone(),
            identity: profile.client_identity.clone(),
            roots: profile.roots.clone(),
            system,
        }
    }

    /// Whether it would be another one if the system's roots were others.
    pub(crate) fn is_certain(&self) -> bool {
        matches!(self.roots, Roots::Only(_)) || !self.system.is_empty()
    }

    /// What costs least first.
    fn is(&self, other: &Self) -> bool {
        let scalars = |kind: &Self| (kind.http2, kind.connect, kind.headers, kind.connections);
        let identity = match (&self.identity, &other.identity) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        scalars(self) == scalars(other)
            && self.proxy == other.proxy
            && identity
            && self.system == other.system
            && are_same(&self.roots, &other.roots)
    }

    /// What all clients have in common. Headers and redirects are the stack's, and so are proxies:
    /// `no_proxy` keeps the environment out.
    fn builder(&self, tls: &ClientConfig) -> ClientBuilder {
        let builder = Client::builder();
        let builder = match self.http2 {
            true => builder,
            false => builder.http1_only(),
        };
        builder
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(self.connect)
            .pool_idle_timeout(HttpClient::IDLE_LIMIT)
            // Beyond our own limit, which names its setting; this one bounds what is held. HTTP/1.1
            // holds 400 KiB and 100 fields at most.
            .http2_max_header_list_size(
                u32::try_from(self.headers.saturating_mul(2))
                    .unwrap_or(u32::MAX)
                    .max(HELD_HEADERS),
            )
    }

    fn proxied(&self, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        let Some(proxy) = &self.proxy else {
            return Ok(builder);
        };
        let proxy = Proxy::https(proxy.full().expose_secret());
        let proxy = proxy.map_err(|err| Error::Profile {
            setting: "proxy",
            source: Box::new(err),
        });
        Ok(builder.proxy(proxy?))
    }
}

impl Transport {
    /// # Errors
    /// [`Error::Profile`], naming the setting that cannot be used.
    pub(crate) fn new(
        kind: Kind,
        profile: &HttpProfile,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        drop(kind.proxied(Client::builder())?);
        Ok(Self {
            tls: client_config(profile)?,
            kind,
            resolver,
            pools: Mutex::default(),
        })
    }

    /// How long a connection may take to come up.
    pub(crate) fn connect(&self) -> Duration {
        self.kind.connect
    }

    pub(crate) fn is_of(&self, kind: &Kind) -> bool {
        self.kind.is(kind)
    }

    /// The pool of this way, made if there is none that was made later than `after`.
    pub(crate) fn pool(&self, way: Way, after: Moment) -> Result<Arc<Pool>, Error> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&way).and_then(Weak::upgrade)
            && pool.made > after
        {
            return Ok(pool);
        }
        let made = Arc::new(self.make(way.clone())?);
        pools.retain(|_, pool| pool.strong_count() > 0);
        pools.insert(way, Arc::downgrade(&made));
        Ok(made)
    }

    fn make(&self, way: Way) -> Result<Pool, Error> {
        let builder = self.kind.builder(&self.tls);
        let resolver = Arc::clone(&self.resolver);
        let builder = match &way {
            Way::Direct(judgement) => builder.dns_resolver(Judged::new(resolver, judgement)),
            Way::Proxied => self.kind.proxied(builder.dns_resolver(Named(resolver)))?,
        };
        let client = builder.build().map_err(|err| Error::Profile {
            setting: "roots",
            source: Box::new(err),
        })?;
        let limits = PoolLimits {
            http2: self.kind.http2,
            connections: self.kind.connections,
            connect: self.kind.connect,
        };
        Ok(Pool::new(way, client, limits))
    }
}

fn are_same(one: &Roots, other: &Roots) -> bool {
    let listed = |roots: &[RootCertificate], others: &[RootCertificate]| {
        // Most often they are not only equal but the same bytes.
        let equal = |(one, other): (&RootCertificate, &RootCertificate)| {
            std::ptr::eq(one.der(), other.der()) || one == other
        };
        roots.len() == others.len() && roots.iter().zip(others).all(equal)
    };
    match (one, other) {
        (Roots::System, Roots::System) => true,
        (Roots::SystemAnd(own), Roots::SystemAnd(others))
        | (Roots::Only(own), Roots::Only(others)) => listed(own, others),
        _ => false,
    }
}

/// As much as HTTP/1.1 holds.
const HELD_HEADERS: u32 = 400 * 1024;
