//! A connection that HTTP is lent to, and that can be written to when HTTP is done with it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::Raw;

/// Clones are the same connection; one of them is used at a time.
pub(crate) struct Lent<S>(Arc<Mutex<S>>);

impl<S> Lent<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn stream(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lent<S> {
    /// Writes what was ordered, as far as the client takes it, and ends the connection.
    pub(crate) async fn write(mut self, raw: Raw) {
        // A client that goes away in the middle is what such bytes are for.
        let _gone: io::Result<()> = async {
            self.write_all(&raw.at_once).await?;
            self.flush().await?;
            for byte in &raw.slowly {
                tokio::time::sleep(raw.pause).await;
                self.write_all(std::slice::from_ref(byte)).await?;
                self.flush().await?;
            }
            tokio::time::sleep(raw.hold).await;
            self.shutdown().await
        }
        .await;
    }
}

impl<S> Clone for Lent<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(cx)
    }
}
