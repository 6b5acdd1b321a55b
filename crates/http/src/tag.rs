//! The outermost layer: names the exchange in the log.

use http::Response;
use tracing::Instrument;

use crate::body::Body;
use crate::error::Error;
use crate::stack::{Asked, Below, Step};

/// Opens a span for the exchange.
pub(crate) struct Tag;

impl Step for Tag {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let span = tracing::debug_span!(
            "http",
            leg = asked.exchange.leg().as_str(),
            method = %asked.exchange.method(),
            url = %asked.exchange.shown(),
        );
        let answer = below.call(asked).instrument(span.clone()).await;
        let _entered = span.enter();
        match &answer {
            Ok(response) => tracing::debug!(status = response.status().as_u16(), "answered"),
            Err(error) => tracing::debug!(%error, "failed"),
        }
        answer
    }
}
