//! The one body type of requests and responses: bytes in hand that can be sent again, or a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "client")]
use std::task::ready;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::BoxError;
#[cfg(feature = "client")]
use crate::lane::Ticket;
use crate::timeout::{Clock, Phase};

/// A request or response body.
///
/// Bytes in hand can be cloned and so sent again after a challenge; a stream cannot.
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Stream(Stream, Option<Clock>),
}

enum Stream {
    /// From the network, as it came, with what is kept until it ends.
    #[cfg(feature = "client")]
    Received(reqwest::Body, Option<Ticket>),
    // The lock is never contended: it lends `Sync` to a stream that is only `Send`.
    Any(Mutex<UnsyncBoxBody<Bytes, BodyError>>),
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The body is longer than the caller allows.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Nothing arrived for too long, or the whole took too long.
    #[error("{phase} took longer than {} s", limit.as_secs_f64())]
    Timeout {
        /// What was being waited for.
        phase: Phase,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The connection or the stream failed in the middle.
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

impl Body {
    /// No bytes at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Full(None))
    }

    /// Wraps a stream, which can be sent once.
    pub fn new<B>(inner: B) -> Self
    where
        B: HttpBody + Send + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        let stream = inner
            .map_frame(|frame| frame.map_data(Into::into))
            .map_err(|err| BodyError::from_box(err.into()))
            .boxed_unsync();
        Self(Kind::Stream(Stream::Any(Mutex::new(stream)), None))
    }

    /// What came from the network, with what is kept until it ends.
    #[cfg(feature = "client")]
    pub(crate) fn received(body: reqwest::Body, ticket: Option<Ticket>) -> Self {
        let ticket = ticket.filter(|_| !body.is_end_stream());
        Self(Kind::Stream(Stream::Received(body, ticket), None))
    }

    /// The same within a time; what is in hand takes none.
    pub(crate) fn timed(self, clock: Clock) -> Self {
        match self.0 {
            Kind::Stream(stream, None) if !stream.is_end_stream() => {
                Self(Kind::Stream(stream, Some(clock)))
            }
            Kind::Stream(stream, Some(own)) if !stream.is_end_stream() => {
                Self::new(Self(Kind::Stream(stream, Some(own)))).timed(clock)
            }
            done => Self(done),
        }
    }

    /// The same body again, or `None` for a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Kind::Full(bytes) => Some(Self(Kind::Full(bytes.clone()))),
            Kind::Stream(..) => None,
        }
    }

    /// The bytes, when they are in hand: not for a stream.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Full(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            Kind::Stream(..) => None,
        }
    }

    /// As reqwest takes it. Bytes in hand stay so, for it to send them again when a server took none of
    /// them.
    #[cfg(feature = "client")]
    pub(crate) fn into_reqwest(self) -> reqwest::Body {
        match self.0 {
            Kind::Full(bytes) => bytes.unwrap_or_default().into(),
            stream @ Kind::Stream(..) => reqwest::Body::wrap(Self(stream)),
        }
    }

    /// Reads the body to its end, at most `limit` bytes. Trailers are dropped.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] as soon as the announced or the received length passes `limit`;
    /// otherwise whatever broke the stream.
    pub async fn collect_limited(mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Kind::Full(bytes) = &mut self.0 {
            let bytes = bytes.take().unwrap_or_default();
            return if bytes.len() > limit {
                Err(BodyError::TooLarge { limit })
            } else {
                Ok(bytes)
            };
        }
        if self.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(BodyError::TooLarge { limit });
        }
        let Some(first) = self.data().await? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        // Most answers are one piece, which needs no copy.
        let Some(second) = self.data().await? else {
            return Ok(first);
        };
        // Room for a usual answer at once: a buffer that grows leaves copies behind, and some hold tokens.
        let announced = usize::try_from(self.size_hint().lower()).unwrap_or(limit);
        let mut collected = BytesMut::with_capacity(announced.max(USUAL_BYTES).min(limit));
        collected.extend_from_slice(&first);
        drop(first);
        let mut next = Some(second);
        while let Some(data) = next {
            if data.len() > limit - collected.len() {
                return Err(BodyError::TooLarge { limit });
            }
            collected.extend_from_slice(&data);
            drop(data);
            next = self.data().await?;
        }
        Ok(collected.freeze())
    }

    /// The next piece.
    async fn data(&mut self) -> Result<Option<Bytes>, BodyError> {
        while let Some(frame) = self.frame().await {
            match frame?.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(Some(data)),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

impl BodyError {
    /// Keeps an error that is already ours as it is, however often bodies are wrapped.
    fn from_box(err: BoxError) -> Self {
        match err.downcast::<Self>() {
            Ok(own) => *own,
            Err(other) => Self::Broken(crate::cause::plain(other)),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Full(bytes) => {
                let rest = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(rest.map(|bytes| Ok(Frame::data(bytes))))
            }
            Kind::Stream(stream, None) => stream.poll_frame(cx),
            Kind::Stream(stream, Some(clock)) => {
                if let Err(over) = clock.is_over() {
                    return Poll::Ready(Some(Err(over)));
                }
                let frame = stream.poll_frame(cx);
                if frame.is_ready() {
                    clock.came();
                    return frame;
                }
                clock.wait(cx).map(|over| Some(Err(over)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Stream(stream, _) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Kind::Stream(stream, _) => stream.size_hint(),
        }
    }
}

impl Stream {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            #[cfg(feature = "client")]
            Self::Received(body, ticket) => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                if !matches!(frame, Some(Ok(_))) || body.is_end_stream() {
                    *ticket = None;
                }
                let broken = |err: reqwest::Error| BodyError::from_box(err.into());
                Poll::Ready(frame.map(|frame| frame.map_err(broken)))
            }
            Self::Any(body) => {
                let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
                Pin::new(body).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            #[cfg(feature = "client")]
            Self::Received(body, _) => body.is_end_stream(),
            Self::Any(body) => body
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            #[cfg(feature = "client")]
            Self::Received(body, _) => body.size_hint(),
            Self::Any(body) => body
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Full(Some(bytes)))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Bodies carry codes, secrets and tokens: only the kind and the length are shown.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Full(bytes) => write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Kind::Stream(..) => f.write_str("Body(stream)"),
        }
    }
}

const USUAL_BYTES: usize = 8 * 1024;
