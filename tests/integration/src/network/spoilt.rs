//! The walks in which one leg at a time goes over another client than all the others.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use doorkey_http::{Body, HttpClient};
use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response};
use tower::Service;

use super::{
    Leg,
    drive::{Failure, Rig},
    servers::Servers,
};

/// Two clients of one world: one that reaches all of it, and one that should not.
pub(super) struct Clients {
    pub(super) servers: Servers,
    pub(super) reaching: HttpClient,
    pub(super) spoilt: HttpClient,
}

/// For each leg whether it fails as `fails` says where it alone is spoilt, without any request of it arriving. The worlds
/// come from `clients`, one for each leg.
pub(super) async fn walk<C>(clients: C, fails: fn(&Failure) -> bool) -> Vec<(Leg, bool)>
where
    C: AsyncFn() -> Clients,
{
    let clients = &clients;
    join_all(Leg::sent().map(|leg| async move {
        let clients = clients().await;
        (leg, Box::pin(is_refused(leg, clients, fails)).await)
    }))
    .await
}

async fn is_refused(leg: Leg, clients: Clients, fails: fn(&Failure) -> bool) -> bool {
    let Clients {
        servers,
        reaching,
        spoilt,
    } = clients;
    let profile = reaching.profile();
    let switch = Switch {
        reaching,
        spoilt,
        leg: Arc::default(),
    };
    let http = HttpClient::with_service(&profile, switch.clone()).expect("a client");
    let rig = Rig::new(servers.world, servers.provider, http);
    rig.prepare(leg).await;
    rig.world.recorder.clear();
    switch.spoil(leg);
    let failure = rig.failure(leg).await;
    let arrived = rig.world.recorder.requests();
    let arrived = arrived.iter().any(|request| Leg::of(request) == Some(leg));
    failure.is_some_and(|failure| fails(&failure) && failure.leg == leg.tag()) && !arrived
}

/// The bottom of the stack: a client that reaches every server, and for the spoilt leg another one.
#[derive(Clone, Debug)]
struct Switch {
    reaching: HttpClient,
    spoilt: HttpClient,
    leg: Arc<Mutex<Option<Leg>>>,
}

impl Switch {
    fn spoil(&self, leg: Leg) {
        *self.leg.lock().unwrap_or_else(PoisonError::into_inner) = Some(leg);
    }

    fn is_spoilt(&self, request: &Request<Body>) -> bool {
        let spoilt = *self.leg.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = request.extensions().get::<doorkey_http::Leg>().copied();
        spoilt.is_some_and(|leg| tag == leg.tag())
    }
}

impl Service<Request<Body>> for Switch {
    type Response = Response<Body>;
    type Error = doorkey_http::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, doorkey_http::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = if self.is_spoilt(&request) {
            &mut self.spoilt
        } else {
            &mut self.reaching
        };
        client.call(request)
    }
}
