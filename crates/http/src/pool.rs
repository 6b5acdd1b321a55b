//! Pooled connections of one kind that lead wherever one judgement allows, and name lookup for them.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{Uri, Version};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::BoxError;
use crate::address::AddressRefused;
use crate::class::Moment;
use crate::lane::{Errand, Lane, Taken, Ticket, Wait};
use crate::reach::Judgement;
use crate::resolve::{Resolver, judged};

/// How requests of a pool travel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// To addresses that this judgement allows.
    Direct(Judgement),
    /// To the proxy, whatever its address: the user named it.
    Proxied,
}

/// What connections of a pool are made within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    /// Whether HTTP/2 is spoken to who offers it.
    pub(crate) http2: bool,
    /// Over HTTP/1.1, to an origin.
    pub(crate) connections: usize,
    /// How long one may take to come up.
    pub(crate) connect: Duration,
}

/// Connections that are as good as each other.
pub(crate) struct Pool {
    pub(crate) way: Way,
    pub(crate) made: Moment,
    pub(crate) client: Client,
    http2: bool,
    connections: usize,
    connect: Duration,
    lanes: Mutex<Lanes>,
}

/// By the origin: whether it is asked over TLS, and its host and port.
type Lanes = HashMap<(bool, Authority), Arc<Lane>>;

impl Pool {
    pub(crate) fn new(way: Way, client: Client, limits: PoolLimits) -> Self {
        let PoolLimits {
            http2,
            connections,
            connect,
        } = limits;
        Self {
            way,
            made: Moment::now(),
            client,
            http2,
            connections,
            connect,
            lanes: Mutex::default(),
        }
    }

    /// The way to the origin of this URL; `None` for one without.
    fn lane(&self, url: &Uri) -> Option<Arc<Lane>> {
        let origin = (
            url.scheme() == Some(&Scheme::HTTPS),
            url.authority()?.clone(),
        );
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&origin) {
            return Some(Arc::clone(lane));
        }
        if lanes.len() >= lanes.capacity() {
            // Those that nobody goes are forgotten with what was learned of them.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        let is_http1 = !self.http2 || url.scheme() != Some(&Scheme::HTTPS);
        let lane = Arc::new(Lane::new(self.connections, self.connect, is_http1));
        lanes.insert(origin, Arc::clone(&lane));
        Some(lane)
    }
}

/// A request that is under way over connections of a pool.
#[derive(Default)]
pub(crate) struct UnderWay {
    ticket: Option<Ticket>,
    /// Why some addresses of its host were left out, if a connection was made for it.
    left_out: Cell<Option<AddressRefused>>,
}

impl UnderWay {
    /// Waits until the request may be sent.
    pub(crate) async fn begin(pool: &Pool, url: &Uri, errand: Errand) -> Self {
        let ticket = match pool.lane(url) {
            Some(lane) => Some(Ticket::get(lane, errand).await),
            None => None,
        };
        Self {
            ticket,
            left_out: Cell::default(),
        }
    }

    /// The ticket of a request to `url`, where what is spoken there has to be known before it is sent: see
    /// [`Ticket::finds_out`].
    pub(crate) fn in_the_dark(&self, url: &Uri) -> Option<&Ticket> {
        let ticket = self.ticket.as_ref()?;
        (ticket.is_in_the_dark() && is_literal(url)).then_some(ticket)
    }

    /// A connection was made that shows what is spoken.
    pub(crate) fn learned(&self, version: Version) {
        if let Some(ticket) = &self.ticket {
            ticket.learned(version);
        }
    }

    /// Sends what `sending` does, while connections are made for this request.
    pub(crate) async fn send<T>(self, sending: impl Future<Output = T>) -> (T, Self) {
        let mut sending = pin!(UNDER_WAY.scope(self, sending));
        let sent = sending.as_mut().await;
        // It is there once the future has ended.
        let under_way = sending.take_value().unwrap_or_default();
        (sent, under_way)
    }

    /// What is left of it until the end of this answer's body: see [`Ticket::answered`].
    pub(crate) fn answered(self, version: Version, taken: Taken) -> Option<Ticket> {
        self.ticket?.answered(version, taken)
    }

    /// A connection was made for others.
    pub(crate) fn hands_on(self) {
        if let Some(ticket) = self.ticket {
            ticket.hands_on();
        }
    }

    pub(crate) fn left_out(self) -> Option<AddressRefused> {
        self.left_out.into_inner()
    }
}

/// Whether no name has to be looked up for it.
fn is_literal(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

tokio::task_local! {
    /// The request at hand, whose connection is made while it waits.
    static UNDER_WAY: UnderWay;
}

/// The wait of the request at hand for its turn to make a connection; `None`: there is nothing to wait for.
fn at_hand() -> Option<Arc<Wait>> {
    let wait = |request: &UnderWay| request.ticket.as_ref().map(Ticket::wait);
    UNDER_WAY.try_with(wait).ok().flatten()
}

/// Waits until a connection may be made.
///
/// # Errors
/// [`NotNeeded`]: the request got a connection of another one.
async fn gate(wait: Option<Arc<Wait>>) -> Result<(), NotNeeded> {
    let Some(wait) = wait else {
        return Ok(());
    };
    let mut turn = pin!(wait.turn_comes());
    std::future::poll_fn(|cx| {
        // A connection that its request no longer waits for is polled outside of it.
        match UNDER_WAY.try_with(|_| ()) {
            Ok(()) => turn.as_mut().poll(cx).map(Ok),
            Err(_) => {
                wait.ends();
                Poll::Ready(Err(NotNeeded))
            }
        }
    })
    .await
}

/// Told to nobody who waits.
#[derive(Debug, thiserror::Error)]
#[error("the request got another connection")]
struct NotNeeded;

/// Name lookup that yields only addresses within reach.
pub(crate) struct Judged(Arc<(Arc<dyn Resolver>, Judgement)>);

impl Judged {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, judgement: &Judgement) -> Self {
        Self(Arc::new((resolver, judgement.clone())))
    }
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (by, wait) = (Arc::clone(&self.0), at_hand());
        Box::pin(async move {
            gate(wait).await?;
            let (resolver, judgement) = &*by;
            let (found, refused) = judged(resolver.as_ref(), name.as_str(), judgement).await?;
            // A connection that is made ahead, for nobody in particular, tells nobody.
            let _: Result<(), _> = UNDER_WAY.try_with(|request| request.left_out.set(refused));
            Ok(connectable(found))
        })
    }
}

/// Name lookup without a verdict: the only name is the proxy's, on the user's word.
pub(crate) struct Named(pub(crate) Arc<dyn Resolver>);

impl Resolve for Named {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, wait) = (Arc::clone(&self.0), at_hand());
        Box::pin(async move {
            gate(wait).await?;
            let found = resolver.lookup(name.as_str()).await;
            found.map(connectable).map_err(BoxError::from)
        })
    }
}

/// Port 0 stands for the port of the URL.
fn connectable(found: Vec<IpAddr>) -> Addrs {
    Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)))
}
