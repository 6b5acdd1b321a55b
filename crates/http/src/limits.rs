//! How much is read: bytes of a body by leg, bytes of a header block, redirects.

use http::{HeaderMap, Response};

use crate::body::Body;
use crate::cause;
use crate::error::Error;
use crate::leg::Leg;
use crate::stack::{Asked, Below, Step};

/// Upper bounds on what a server can make us read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a metadata document. Default 1 MiB.
    pub metadata: usize,
    /// Bytes of an answer from the registration, token, revocation and device endpoints and from
    /// an identity provider. Default 1 MiB.
    pub endpoint: usize,
    /// Bytes of an answer from the MCP server that is collected whole. Default 16 MiB. Streams
    /// are read by their own reader under its own limit.
    pub resource: usize,
    /// Bytes of a response's header block: names, values and 32 for each field, as HTTP/2 counts
    /// (RFC 9113 §6.5.2). Default 64 KiB. A block of more than 100 fields is refused as well.
    /// Interim answers (1xx, RFC 9110 §15.2) are passed over one by one and not counted: what ends
    /// a server that sends nothing else is the clock, `timeouts.total`.
    pub headers: usize,
    /// Redirects followed for a metadata document. Default 3.
    pub redirects: usize,
    /// Connections to one origin over HTTP/1.1, at least 1. Default 8. Over HTTP/2 there is one.
    ///
    /// Exchanges with an endpoint wait for each other beyond that, within their `timeouts.total`. For requests
    /// on [`Leg::Resource`], which may take long, more are made, one every 20 ms: each waits for its turn or
    /// for a connection that comes free, for a quarter of `timeouts.connect` at most. The request for a
    /// stream of events waits for a fortieth of it (a quarter of a second by default), and the connection of
    /// a stream counts no more. To an address literal requests on that leg do not wait.
    pub connections: usize,
}

impl Limits {
    /// The longest body that is collected whole on `leg`, in bytes.
    #[must_use]
    pub const fn body(&self, leg: Leg) -> usize {
        match leg {
            Leg::Resource => self.resource,
            Leg::ResourceMetadata | Leg::AuthorizationServerMetadata => self.metadata,
            Leg::Registration
            | Leg::Token
            | Leg::Revocation
            | Leg::PushedAuthorization
            | Leg::Device
            | Leg::IdentityProvider => self.endpoint,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            metadata: MIB,
            endpoint: MIB,
            resource: 16 * MIB,
            headers: 64 * 1024,
            redirects: 3,
            connections: 8,
        }
    }
}

/// Refuses answers with a header block longer than this many bytes.
pub(crate) struct HeaderLimit(pub(crate) usize);

impl Step for HeaderLimit {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let answer = below.call(asked).await;
        let too_large = || Error::HeadersTooLarge {
            exchange: asked.exchange.clone(),
            limit: self.0,
        };
        match answer {
            Ok(response)
                if header_bytes(response.headers()) > self.0
                    || response.headers().len() > FIELDS =>
            {
                Err(too_large())
            }
            // What is far beyond the limit is not read to its end.
            Err(Error::Transport { source, .. }) if cause::is_long_head(&*source) => {
                Err(too_large())
            }
            answer => answer,
        }
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
        .sum()
}

/// How many fields HTTP/1.1 connections read; the same for HTTP/2.
const FIELDS: usize = 100;

/// What HTTP/2 counts for each field beside its name and value (RFC 9113 §6.5.2).
const FIELD_OVERHEAD: usize = 32;
