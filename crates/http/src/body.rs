//! The one body type of requests and responses: bytes in hand that can be sent again, or a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
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
    /// Somewhere else: bodies are handed on with every request and answer, through all layers.
    Stream(Box<Timed>),
}

/// A stream, and the time that it has.
struct Timed {
    stream: Stream,
    clock: Option<Clock>,
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
        Self::streaming(Stream::Any(Mutex::new(stream)), None)
    }

    /// What came from the network, with what is kept until it ends.
    #[cfg(feature = "client")]
    pub(crate) fn received(body: reqwest::Body, ticket: Option<Ticket>) -> Self {
        let mut received = Stream::Received(body, ticket);
        if received.is_end_stream() {
            received.hands_on();
        }
        Self::streaming(received, None)
    }

    fn streaming(stream: Stream, clock: Option<Clock>) -> Self {
        Self(Kind::Stream(Box::new(Timed { stream, clock })))
    }

    /// The same within a time; what is in hand takes none.
    pub(crate) fn timed(mut self, clock: Clock) -> Self {
        match &mut self.0 {
            Kind::Stream(timed) if !timed.stream.is_end_stream() => match &timed.clock {
                None => timed.clock = Some(clock),
                Some(_) => return Self::new(self).timed(clock),
            },
            _ => {}
        }
        self
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
    pub fn collect_limited(
        mut self,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, BodyError>> + Send {
        let mut read = Collected::default();
        // What a future of this is made of is a part of every call.
        poll_fn(move |cx| {
            if let Kind::Full(bytes) = &mut self.0 {
                read.first = bytes.take().unwrap_or_default();
            }
            if read.first.len().max(self.announced()) > limit {
                return Poll::Ready(Err(BodyError::TooLarge { limit }));
            }
            while let Some(frame) = ready!(Pin::new(&mut self).poll_frame(cx)?) {
                // Trailers are none of it.
                let data = frame.into_data().unwrap_or_default();
                read.take(data, &self, limit)?;
            }
            Poll::Ready(Ok(read.whole()))
        })
    }

    /// How many bytes are still to come, at least.
    fn announced(&self) -> usize {
        usize::try_from(self.size_hint().lower()).unwrap_or(usize::MAX)
    }
}

/// What was read of a body.
#[derive(Default)]
struct Collected {
    /// Most answers are one piece, which needs no copy.
    first: Bytes,
    all: BytesMut,
}

impl Collected {
    fn take(&mut self, data: Bytes, rest: &Body, limit: usize) -> Result<(), BodyError> {
        if data.is_empty() {
            return Ok(());
        }
        if data.len() > limit - self.first.len().max(self.all.len()) {
            return Err(BodyError::TooLarge { limit });
        }
        if self.first.is_empty() && self.all.is_empty() {
            self.first = data;
            return Ok(());
        }
        if self.all.is_empty() {
            let first = std::mem::take(&mut self.first);
            // Room for a usual answer at once: a buffer that grows leaves copies behind, and some hold tokens.
            let length = (first.len() + data.len()).saturating_add(rest.announced());
            self.all.reserve(length.max(USUAL_BYTES).min(limit));
            self.all.extend_from_slice(&first);
        }
        self.all.extend_from_slice(&data);
        Ok(())
    }

    fn whole(&mut self) -> Bytes {
        match self.all.is_empty() {
            true => std::mem::take(&mut self.first),
            false => std::mem::take(&mut self.all).freeze(),
        }
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
            Kind::Stream(timed) => timed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Stream(timed) => timed.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Kind::Stream(timed) => timed.stream.size_hint(),
        }
    }
}

impl Timed {
    /// In one function: each piece of a stream passes here, and what it passes through is most of what a small one costs.
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(clock) = &self.clock
            && let Err(over) = clock.is_over()
        {
            return Poll::Ready(Some(Err(over)));
        }
        let frame = match &mut self.stream {
            #[cfg(feature = "client")]
            Stream::Received(body, ticket) => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(error))) => {
                    *ticket = None;
                    Poll::Ready(Some(Err(BodyError::from_box(error.into()))))
                }
                Poll::Ready(None) => {
                    self.stream.hands_on();
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            },
            Stream::Any(body) => {
                let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
                Pin::new(body).poll_frame(cx)
            }
        };
        match &mut self.clock {
            Some(clock) if frame.is_pending() => clock.wait(cx).map(|over| Some(Err(over))),
            Some(clock) => {
                clock.came();
                frame
            }
            None => frame,
        }
    }
}

/// The connection is free once all that was announced is read, though nobody asked whether there is more.
#[cfg(feature = "client")]
impl Drop for Timed {
    fn drop(&mut self) {
        if let Stream::Received(body, Some(_)) = &self.stream
            && body.is_end_stream()
        {
            self.stream.hands_on();
        }
    }
}

impl Stream {
    /// It is read to its end.
    #[cfg(feature = "client")]
    fn hands_on(&mut self) {
        if let Self::Received(_, ticket) = self
            && let Some(ticket) = ticket.take()
        {
            ticket.hands_on();
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
