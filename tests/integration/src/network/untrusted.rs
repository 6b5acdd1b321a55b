//! The walk in which one leg at a time does not know the private authority.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use doorkey_http::{Body, HttpClient, Roots};
use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response};
use tower::Service;

use super::{Leg, drive::Rig};
use crate::World;

/// For each leg whether it fails in the handshake, without any request of it arriving.
pub(super) async fn walk() -> Vec<(Leg, bool)> {
    join_all(Leg::ALL.map(|leg| async move { (leg, is_refused(leg).await) })).await
}

async fn is_refused(leg: Leg) -> bool {
    let (world, provider) = World::with_every_endpoint().await;
    let mut stranger = world.profile();
    stranger.roots = Roots::Only(world_without());
    let switch = Switch {
        trusting: world.http(),
        stranger: HttpClient::new(&stranger).expect("a client"),
        spoilt: Arc::default(),
    };
    let http = HttpClient::with_service(&world.profile(), switch.clone()).expect("a client");
    let rig = Rig::new(world, provider, http);
    rig.prepare(leg).await;
    rig.world.recorder.clear();
    switch.spoil(leg);
    let failure = rig.failure(leg).await;
    let arrived = rig.world.recorder.requests();
    let arrived = arrived.iter().any(|request| Leg::of(request) == Some(leg));
    failure.is_some_and(|failure| failure.is_tls && failure.leg == Some(leg.tag())) && !arrived
}

/// An authority that signed nothing.
fn world_without() -> Vec<doorkey_http::RootCertificate> {
    let other = doorkey_testkit::CertificateAuthority::named("another").expect("an authority");
    doorkey_http::RootCertificate::from_pem_bundle(other.pem().as_bytes()).expect("a certificate")
}

/// The bottom of the stack: a client that knows the authority, and for the spoilt leg one that does not.
#[derive(Clone, Debug)]
struct Switch {
    trusting: HttpClient,
    stranger: HttpClient,
    spoilt: Arc<Mutex<Option<Leg>>>,
}

impl Switch {
    fn spoil(&self, leg: Leg) {
        *self.spoilt.lock().unwrap_or_else(PoisonError::into_inner) = Some(leg);
    }

    fn is_spoilt(&self, request: &Request<Body>) -> bool {
        let spoilt = *self.spoilt.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = request.extensions().get::<doorkey_http::Leg>();
        spoilt.is_some_and(|leg| tag == Some(&leg.tag()))
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
            &mut self.stranger
        } else {
            &mut self.trusting
        };
        client.call(request)
    }
}
