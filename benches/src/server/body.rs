//! The body of an answer: prepared pieces, handed on without a copy.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Pieces that are sent in their order.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    left: VecDeque<Bytes>,
    /// Whether the length is told ahead; a stream of events does not know it.
    whole: bool,
}

impl Pieces {
    /// An answer whose length is known.
    pub(super) fn whole(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            left: pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
            whole: true,
        }
    }

    /// A stream: each piece is a frame of its own.
    pub(super) fn stream(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self {
            left: pieces.into_iter().collect(),
            whole: false,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.left.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.whole {
            SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}
