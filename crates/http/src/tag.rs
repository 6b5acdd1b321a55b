//! The outermost layer: names the exchange, for errors and for the log.

use std::sync::Arc;

use http::{Request, Response};
use tracing::Instrument;

use crate::body::Body;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::stack::{Below, Step};

/// Puts the [`Exchange`] into the request's extensions and opens a span.
pub(crate) struct Tag;

impl Step for Tag {
    async fn run<S: Below>(
        self: Arc<Self>,
        mut request: Request<Body>,
        mut below: S,
    ) -> Result<Response<Body>, Error> {
        let exchange = Exchange::parse(&request)?;
        request.extensions_mut().insert(exchange.clone());
        let span = tracing::debug_span!(
            "http",
            leg = exchange.leg().as_str(),
            method = %exchange.method(),
            url = %exchange.shown(),
        );
        let answer = below.call(request).instrument(span.clone()).await;
        let _entered = span.enter();
        match &answer {
            Ok(response) => tracing::debug!(status = response.status().as_u16(), "answered"),
            Err(error) => tracing::debug!(%error, "failed"),
        }
        answer
    }
}
