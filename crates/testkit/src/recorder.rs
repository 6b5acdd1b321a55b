//! A record of every request that the servers saw, for tests to read afterwards.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::Notify;
use url::form_urlencoded;

use crate::Error;

/// What a request is for, as far as the server that got it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Leg {
    /// The MCP endpoint itself.
    Resource,
    /// A protected resource metadata document (RFC 9728).
    ResourceMetadata,
    /// An authorization server metadata document (RFC 8414, OpenID Connect Discovery).
    AuthorizationServerMetadata,
    /// The registration endpoint (RFC 7591).
    Registration,
    /// A client configuration endpoint (RFC 7592).
    ClientConfiguration,
    /// The authorization endpoint and its consent page.
    Authorization,
    /// The endpoint that takes pushed authorization requests (RFC 9126).
    PushedAuthorization,
    /// The token endpoint, any grant.
    Token,
    /// The revocation endpoint (RFC 7009).
    Revocation,
    /// The device authorization endpoint (RFC 8628).
    DeviceAuthorization,
    /// The page on which a person decides about a device.
    DeviceVerification,
    /// The keys that the authorization server signs with.
    Keys,
    /// Anything else, which the servers answer with 404.
    Other,
}

/// One request as a server saw it.
///
/// `Debug` and `Display` show no query, header value or body, because those carry secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The name of the server, see [`Listen::named`](crate::Listen::named).
    pub server: String,
    /// What the request is for.
    pub leg: Leg,
    /// The HTTP method.
    pub method: Method,
    /// The full URL, with the host as the client wrote it.
    pub url: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, at most [`Recorder::BODY_LIMIT`] bytes of it.
    pub body: Bytes,
    /// Whether the body was longer than what is kept.
    pub body_truncated: bool,
    /// Whether the client presented a certificate on the TLS connection.
    pub client_certificate: bool,
    /// Over which connection of the server it came: they are numbered from 0 as they are accepted.
    pub connection: usize,
    /// The JSON-RPC method, for a POST to the MCP endpoint.
    pub rpc_method: Option<String>,
    /// When the request had been read, by the machine's clock.
    pub at: SystemTime,
    /// The same by a clock that nobody sets.
    pub arrived: Instant,
    /// When the answer was ready to be sent; `None` while there is none or when the connection was cut.
    pub answered: Option<Instant>,
    /// The status of the answer; `None` while there is none or when the connection was cut.
    pub status: Option<u16>,
}

/// A shared list of requests. Clones are the same list.
#[derive(Clone, Default)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    entries: Mutex<VecDeque<Entry>>,
    next: std::sync::atomic::AtomicU64,
    arrived: Notify,
}

struct Entry {
    id: u64,
    request: RecordedRequest,
}

/// Names one entry, so that its status can be filled in later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryId(u64);

impl Recorder {
    /// How many bytes of a body are kept.
    pub const BODY_LIMIT: usize = 64 * 1024;

    /// How many requests are kept; then the oldest make room.
    pub const LIMIT: usize = 20_000;

    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.entries().iter().map(|e| e.request.clone()).collect()
    }

    /// The requests of one leg, in order of arrival.
    #[must_use]
    pub fn of(&self, leg: Leg) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.leg == leg);
        requests
    }

    /// How many requests of one leg there were.
    #[must_use]
    pub fn count(&self, leg: Leg) -> usize {
        self.entries()
            .iter()
            .filter(|e| e.request.leg == leg)
            .count()
    }

    /// How many requests there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there was no request yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Forgets everything recorded so far.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// Waits until at least `n` requests have arrived and returns them all.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if there are fewer after `limit`.
    pub async fn wait_for(&self, n: usize, limit: Duration) -> Result<Vec<RecordedRequest>, Error> {
        self.wait_until(limit, &format!("{n} requests"), |requests| {
            requests.len() >= n
        })
        .await
    }

    /// Waits until `done` says yes to the list, and returns the list.
    ///
    /// # Errors
    /// [`Error::TimedOut`] naming `what` if that has not happened after `limit`.
    pub async fn wait_until(
        &self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&[RecordedRequest]) -> bool,
    ) -> Result<Vec<RecordedRequest>, Error> {
        let arrival = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.arrived.notified());
                changed.as_mut().enable();
                let requests = self.requests();
                if done(&requests) {
                    return requests;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, arrival)
            .await
            .map_err(|_| Error::TimedOut {
                what: what.to_owned(),
                limit,
            })
    }

    pub(crate) fn record(&self, mut request: RecordedRequest) -> EntryId {
        request.body_truncated = request.body.len() > Self::BODY_LIMIT;
        request.body.truncate(Self::BODY_LIMIT);
        let id = self
            .shared
            .next
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut entries = self.entries();
        if entries.len() == Self::LIMIT {
            entries.pop_front();
        }
        entries.push_back(Entry { id, request });
        drop(entries);
        self.shared.arrived.notify_waiters();
        EntryId(id)
    }

    pub(crate) fn answered(&self, id: EntryId, status: u16) {
        if let Some(entry) = self.entries().iter_mut().rfind(|e| e.id == id.0) {
            entry.request.status = Some(status);
            entry.request.answered = Some(Instant::now());
        }
        self.shared.arrived.notify_waiters();
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.shared
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordedRequest {
    /// The first value of a header field, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every value of a parameter in the URL's query, decoded, in order.
    #[must_use]
    pub fn query(&self, name: &str) -> Vec<String> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        values(query.as_bytes(), name)
    }

    /// Every value of a parameter in a form-encoded body, decoded, in order.
    #[must_use]
    pub fn form(&self, name: &str) -> Vec<String> {
        values(&self.body, name)
    }

    /// The body as JSON, or `None` if it is none.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The path of the URL, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        let url = self.without_query();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        url[after_scheme..]
            .find('/')
            .map_or("/", |at| &url[after_scheme + at..])
    }

    fn without_query(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resource => "resource",
            Self::ResourceMetadata => "resource metadata",
            Self::AuthorizationServerMetadata => "authorization server metadata",
            Self::Registration => "registration",
            Self::ClientConfiguration => "client configuration",
            Self::Authorization => "authorization",
            Self::PushedAuthorization => "pushed authorization",
            Self::Token => "token",
            Self::Revocation => "revocation",
            Self::DeviceAuthorization => "device authorization",
            Self::DeviceVerification => "device verification",
            Self::Keys => "keys",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.without_query())?;
        if let Some(rpc) = &self.rpc_method {
            write!(f, " {rpc}")?;
        }
        match self.status {
            Some(status) => write!(f, " → {status}"),
            None => f.write_str(" → no answer"),
        }
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedRequest")
            .field("server", &self.server)
            .field("leg", &self.leg)
            .field("method", &self.method)
            .field("url", &self.without_query())
            .field("rpc_method", &self.rpc_method)
            .field("body_bytes", &self.body.len())
            .field("client_certificate", &self.client_certificate)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("requests", &self.len())
            .finish_non_exhaustive()
    }
}

fn values(encoded: &[u8], name: &str) -> Vec<String> {
    form_urlencoded::parse(encoded)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}
