//! The bottom of the stack: where a request gets its connection.
//!
//! Addresses are judged when a connection is made, and a pooled connection is used again without
//! a question. So each judgement has a pool of its own: see [`connections`](crate::Connections).

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version};

use crate::BoxError;
use crate::address::AddressRefused;
use crate::body::Body;
use crate::cause::NarrowedDown;
use crate::class::{Moment, Standing};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::lane::{Errand, Taken};
use crate::leg::Leg;
use crate::pool::{Pool, UnderWay, Way};
use crate::reach::Reach;
use crate::resolve::{Guard, Route};
use crate::stack::{Asked, Below};
use crate::transport::Transport;

/// Sends requests over the network.
#[derive(Clone)]
pub(crate) struct Bottom(Arc<Pools>);

/// The pools that one client uses.
struct Pools {
    transport: Arc<Transport>,
    guard: Arc<Guard>,
    current: ArcSwapOption<Current>,
}

/// The pools as things stand, each looked for when a request needs it.
struct Current {
    version: u64,
    standing: Standing,
    pools: [OnceLock<Arc<Pool>>; ROUTES],
}

impl Bottom {
    pub(crate) fn new(transport: Arc<Transport>, guard: Arc<Guard>) -> Self {
        Self::with(transport, guard, None)
    }

    /// The same for a client that had `before` so far: where the kind of its connections is the same, it
    /// keeps them.
    pub(crate) fn after(before: &Self, transport: Arc<Transport>, guard: Arc<Guard>) -> Self {
        let Pools {
            transport: old,
            current,
            ..
        } = &*before.0;
        let known = current.load_full().filter(|_| Arc::ptr_eq(old, &transport));
        let known = known.map(|known| Current {
            // Of another guard: everything is looked at again.
            version: u64::MAX,
            standing: known.standing,
            pools: known.pools.clone(),
        });
        Self::with(transport, guard, known)
    }

    fn with(transport: Arc<Transport>, guard: Arc<Guard>, known: Option<Current>) -> Self {
        Self(Arc::new(Pools {
            transport,
            guard,
            current: ArcSwapOption::from_pointee(known),
        }))
    }

    /// Has a connection to the origin of `exchange` in the pool of this route, made ahead of a request and without one.
    pub(crate) async fn warm(&self, route: Route, exchange: &Exchange) -> Result<(), Error> {
        let Ok(uri) = exchange.url().as_str().parse::<Uri>() else {
            return Ok(());
        };
        let (pool, _) = self.0.pool(route)?;
        let under_way = UnderWay::begin(&pool, &uri, Errand::Endpoint).await;
        if let Some(ticket) = under_way.in_the_dark(&uri) {
            // Whoever finds out, the connection is wanted.
            ticket.finds_out().await;
        }
        let under_way = self.connected(&pool, exchange, under_way).await?;
        under_way.hands_on();
        Ok(())
    }

    /// The same for a request that is under way.
    ///
    /// What is handed to reqwest can be sent over no connection: HTTP/1.1 takes no request of version 2, HTTP/2 no
    /// `CONNECT` with content (RFC 9113 §8.5). It is found out once there is a connection, which then stays; the tests
    /// hold that nothing is sent.
    async fn connected(
        &self,
        pool: &Pool,
        exchange: &Exchange,
        under_way: UnderWay,
    ) -> Result<UnderWay, Error> {
        let mut request = reqwest::Request::new(Method::CONNECT, exchange.url().clone());
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("1"));
        let (made, under_way) = under_way.send(pool.client.execute(request)).await;
        match made {
            Err(err) if err.is_connect() || err.is_timeout() => {
                return Err(self.unsent(exchange, under_way, err));
            }
            Err(refusal) => under_way.learned(match format!("{refusal:?}").contains(NOT_HTTP2) {
                true => Version::HTTP_11,
                false => Version::HTTP_2,
            }),
            Ok(_) => {}
        }
        Ok(under_way)
    }

    fn unsent(&self, exchange: &Exchange, under_way: UnderWay, err: reqwest::Error) -> Error {
        let cause = without(under_way.left_out(), err);
        Error::from_bottom(exchange, cause, self.0.transport.connect())
    }

    pub(crate) fn transport(&self) -> &Arc<Transport> {
        &self.0.transport
    }
}

impl Pools {
    /// The pool for this route, and what its judgement stood on.
    fn pool(&self, route: Route) -> Result<(Arc<Pool>, Standing), Error> {
        let current = self.current();
        let place = &current.pools[place(route)];
        if let Some(pool) = place.get() {
            return Ok((Arc::clone(pool), current.standing));
        }
        let (way, after) = self.way(route, &current.standing);
        let pool = self.transport.pool(way, after)?;
        Ok((Arc::clone(place.get_or_init(|| pool)), current.standing))
    }

    fn current(&self) -> Arc<Current> {
        // What changes between the two is seen by the next request.
        let version = self.guard.version();
        let before = self.current.load();
        if let Some(current) = before.as_ref().filter(|known| known.version == version) {
            return Arc::clone(current);
        }
        let standing = self.guard.standing();
        let current = Arc::new(Current {
            version,
            standing,
            pools: match before.as_ref() {
                None => Default::default(),
                Some(before) => ALL.map(|route| self.kept(before, route, &standing)),
            },
        });
        self.current.store(Some(Arc::clone(&current)));
        current
    }

    /// What a client has used may go on being used if it is what it would look for: nobody else may be
    /// there to keep it.
    fn kept(&self, before: &Current, route: Route, standing: &Standing) -> OnceLock<Arc<Pool>> {
        let (way, after) = self.way(route, standing);
        let pool = before.pools[place(route)].get();
        let pool = pool.filter(|pool| pool.way == way && pool.made > after);
        pool.map_or_else(OnceLock::new, |pool| OnceLock::from(Arc::clone(pool)))
    }

    /// The way of this route, and the time that its pool has to be later than.
    fn way(&self, route: Route, standing: &Standing) -> (Way, Moment) {
        let after = match route {
            Route::Direct(Reach::Own) => standing.forgotten,
            Route::Direct(_) | Route::Proxied => Moment::default(),
        };
        let way = match route {
            Route::Direct(reach) => Way::Direct(self.guard.judgement(reach, standing)),
            Route::Proxied => Way::Proxied,
        };
        (way, after)
    }
}

/// How it is told that a request of HTTP/2 got a connection of HTTP/1.1. A mistake would last until the next answer.
const NOT_HTTP2: &str = "UnsupportedVersion";

const ROUTES: usize = 5;

const ALL: [Route; ROUTES] = [
    Route::Direct(Reach::UsersWord),
    Route::Direct(Reach::Own),
    Route::Direct(Reach::Workload),
    Route::Direct(Reach::Guarded),
    Route::Proxied,
];

/// The place of a route in [`ALL`].
const fn place(route: Route) -> usize {
    match route {
        Route::Direct(Reach::UsersWord) => 0,
        Route::Direct(Reach::Own) => 1,
        Route::Direct(Reach::Workload) => 2,
        Route::Direct(Reach::Guarded) => 3,
        Route::Proxied => 4,
    }
}

impl Below for Bottom {
    async fn call(&self, asked: &mut Asked) -> Result<Response<Body>, Error> {
        // Without a verdict it goes nowhere but where everybody may be led to.
        let route = asked.route.unwrap_or(Route::Direct(Reach::Guarded));
        let (pool, standing) = self.0.pool(route)?;
        let errand = errand(asked);
        let mut under_way = UnderWay::begin(&pool, asked.request.uri(), errand).await;
        if let Some(ticket) = under_way.in_the_dark(asked.request.uri())
            && Box::pin(ticket.finds_out()).await
        {
            under_way = Box::pin(self.connected(&pool, &asked.exchange, under_way)).await?;
        }
        let sending = pool.client.execute(into_request(asked));
        let (sent, under_way) = under_way.send(sending).await;
        let response = match sent {
            Ok(response) => response,
            Err(err) => return Err(self.unsent(&asked.exchange, under_way, err)),
        };
        if let (Route::Direct(Reach::Own), Some(peer)) = (route, response.remote_addr()) {
            self.0.guard.verified(peer.ip(), standing.changes);
        }
        let response = Response::<reqwest::Body>::from(response);
        let ticket = under_way.answered(response.version(), taken(errand, &response));
        Ok(response.map(|body| Body::received(body, ticket)))
    }
}

fn errand(asked: &Asked) -> Errand {
    match asked.exchange.leg() {
        Leg::Resource if asked.request.method() == Method::GET => Errand::Stream,
        Leg::Resource => Errand::Call,
        _ => Errand::Endpoint,
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// How long this answer, over HTTP/1.1 or before, takes its connection.
fn taken<B>(errand: Errand, response: &Response<B>) -> Taken {
    if is_closed(response) {
        return Taken::ForEver;
    }
    // Events that answer a call end as the call does.
    match errand == Errand::Stream && is_event_stream(response.headers()) {
        true => Taken::ForLong,
        false => Taken::Shortly,
    }
}

/// Whether its connection ends with it (RFC 9112 §6.3, §9.3).
fn is_closed<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let says = |word: &str| {
        let values = headers.get_all(CONNECTION).into_iter();
        let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let has_end = headers.contains_key(CONTENT_LENGTH)
        || headers.contains_key(TRANSFER_ENCODING)
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status());
    match response.version() {
        Version::HTTP_11 => !has_end || says("close"),
        Version::HTTP_10 | Version::HTTP_09 => !has_end || !says("keep-alive"),
        _ => false,
    }
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
    *request.body_mut() = Some(std::mem::take(from.body_mut()).into_reqwest());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_taken_for_as_long_as_its_answer_says() {
        let length = ("content-length", "2");
        let chunked = ("transfer-encoding", "chunked");
        let events = ("content-type", "text/event-stream");
        let close = ("connection", "x, Close");
        let keep = ("connection", "Keep-Alive");
        for (version, status, headers, taken_by_call) in [
            (Version::HTTP_11, 200, &[length][..], Taken::Shortly),
            (Version::HTTP_11, 200, &[chunked, events], Taken::Shortly),
            (Version::HTTP_11, 204, &[], Taken::Shortly),
            (Version::HTTP_11, 304, &[], Taken::Shortly),
            (Version::HTTP_11, 200, &[], Taken::ForEver),
            (Version::HTTP_11, 200, &[length, close], Taken::ForEver),
            (
                Version::HTTP_11,
                200,
                &[length, keep, close],
                Taken::ForEver,
            ),
            (Version::HTTP_10, 200, &[length], Taken::ForEver),
            (Version::HTTP_10, 200, &[keep], Taken::ForEver),
            (Version::HTTP_10, 200, &[length, keep], Taken::Shortly),
            (Version::HTTP_2, 200, &[], Taken::Shortly),
        ] {
            let mut response = Response::new(());
            *response.version_mut() = version;
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                let value = HeaderValue::from_static(value);
                response.headers_mut().append(*name, value);
            }
            let case = format!("{version:?} {status} {headers:?}");
            assert_eq!(taken(Errand::Call, &response), taken_by_call, "{case}");
            let by_stream = match headers.contains(&events) {
                true => Taken::ForLong,
                false => taken_by_call,
            };
            assert_eq!(taken(Errand::Stream, &response), by_stream, "{case}");
        }
    }
}
