//! Distance to a server: a port in front of it that passes on what it gets, each way later by a fixed time.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Error, RecordedRequest};

mod wire;

/// A port on 127.0.0.1 that is as far from the server behind it as a test says.
///
/// Put a server there with [`Listen::behind`](crate::Listen::behind): its URLs, and so issuer and resource, then name
/// this port. Bytes are passed on as they are, in order, TLS and all, without a limit to how many are under way that a
/// test would notice. A connection costs its client a round trip before anything that it writes sets out, as TCP's
/// handshake does on a wire; what TLS adds are bytes like any others.
///
/// It stops when it is dropped.
pub struct Distance {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    one_way: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    server: Option<SocketAddr>,
    accepted: Vec<Instant>,
}

impl Distance {
    /// Opens a port from which everything takes `one_way` longer, there and back each. Until a server is behind it, it
    /// ends every connection. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] if no port can be opened.
    pub async fn of(one_way: Duration) -> Result<Self, Error> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |source| Error::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            one_way,
            state: Mutex::default(),
        });
        let task = tokio::spawn(wire::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Passes connections that are made from now on to `server`, an address on loopback.
    ///
    /// # Panics
    /// When the address is not on loopback.
    pub fn lead_to(&self, server: SocketAddr) {
        assert!(server.ip().is_loopback(), "{server} is not on loopback");
        self.shared.state().server = Some(server);
    }

    /// How long it takes there and back.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.shared.one_way * 2
    }

    /// When each connection so far was opened, in order.
    #[must_use]
    pub fn connections(&self) -> Vec<Instant> {
        self.shared.state().accepted.clone()
    }

    /// The longest chain of requests of which each was sent after the one before it was answered: its length is what
    /// they took in round trips, whatever the clock said.
    ///
    /// `requests` came over this distance or another of the same length. Who waits for an answer cannot be heard before a
    /// round trip after it was given; what was heard earlier did not wait for it. So a request that waits is never
    /// taken for one that does not, and the other way around only when a client dawdles for a whole round trip.
    #[must_use]
    pub fn longest_chain(&self, requests: &[RecordedRequest]) -> Vec<RecordedRequest> {
        let mut requests: Vec<&RecordedRequest> = requests.iter().collect();
        requests.sort_by_key(|request| request.arrived);
        // For each request the longest chain that ends with it: its length, and the request before it.
        let mut chains: Vec<(usize, Option<usize>)> = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let waited_for = |earlier: &usize| {
                let answered = requests[*earlier].answered;
                answered.is_some_and(|answered| request.arrived >= answered + self.round_trip())
            };
            let before = (0..at)
                .filter(waited_for)
                .max_by_key(|earlier| chains[*earlier].0);
            chains.push((1 + before.map_or(0, |before| chains[before].0), before));
        }
        let mut last = (0..chains.len()).max_by_key(|at| chains[*at].0);
        let mut chain = Vec::new();
        while let Some(at) = last {
            chain.push(requests[at].clone());
            last = chains[at].1;
        }
        chain.reverse();
        chain
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distance")
            .field("address", &self.address)
            .field("one_way", &self.shared.one_way)
            .finish_non_exhaustive()
    }
}
