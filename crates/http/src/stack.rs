//! The shape all layers of the stack share: one step, a request in, the rest of the stack below.
//!
//! The layers are known when the program is built, so that the way down is one future: it is put into memory once, at the
//! [entrance](crate::entrance), however many layers there are. What is known of a request goes beside it.

use std::future::Future;

use http::{Request, Response};

use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::timeout::Timeouts;

#[cfg(feature = "client")]
use crate::resolve::Route;

/// A request on its way down, and what is known of it.
pub(crate) struct Asked {
    pub(crate) exchange: Exchange,
    /// Spent by whoever sends it.
    pub(crate) request: Request<Body>,
    /// The limits of the handle it was sent by, in place of the profile's.
    pub(crate) timeouts: Option<Timeouts>,
    /// Which connections it may use, once the address rules have said so.
    #[cfg(feature = "client")]
    pub(crate) route: Option<Route>,
}

impl Asked {
    pub(crate) const fn new(
        exchange: Exchange,
        request: Request<Body>,
        timeouts: Option<Timeouts>,
    ) -> Self {
        Self {
            exchange,
            request,
            timeouts,
            #[cfg(feature = "client")]
            route: None,
        }
    }
}

/// What a step stands on.
pub(crate) trait Below: Send + Sync + Sized + 'static {
    /// Sends the request and gives the head of the answer.
    fn call(&self, asked: &mut Asked)
    -> impl Future<Output = Result<Response<Body>, Error>> + Send;

    /// The same with a layer on top.
    fn under<P: Step>(self, step: P) -> Stepped<P, Self> {
        Stepped { step, below: self }
    }
}

/// One layer of the stack.
pub(crate) trait Step: Send + Sync + 'static {
    /// Handles one request.
    fn run<B: Below>(
        &self,
        asked: &mut Asked,
        below: &B,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send;
}

/// A [`Step`] with what it stands on.
pub(crate) struct Stepped<P, B> {
    step: P,
    below: B,
}

impl<P: Step, B: Below> Below for Stepped<P, B> {
    fn call(
        &self,
        asked: &mut Asked,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send {
        self.step.run(asked, &self.below)
    }
}
