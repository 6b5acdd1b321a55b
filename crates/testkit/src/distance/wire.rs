//! What a distance does with one connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::Shared;

/// Accepts until aborted; aborting also ends the open connections.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => {
                    let now = Instant::now();
                    shared.state().accepted.push(now);
                    open.spawn(connection(near, now, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn connection(near: TcpStream, opened: Instant, shared: Arc<Shared>) {
    let server = shared.state().server;
    let one_way = shared.one_way;
    let Some(server) = server else { return };
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    // What is to be measured is the distance, not how the kernel gathers small pieces.
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    // A client's first word follows the handshake of TCP, whose answer this port gave too early.
    let there = carry(near_reader, far_writer, one_way, opened + one_way * 2);
    let back = carry(far_reader, near_writer, one_way, opened);
    tokio::join!(there, back);
}

/// A piece that is under way, when it arrives, and its share of the room; an empty one is the end.
struct Piece {
    due: Instant,
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Passes on each piece `delay` after it was read, or after `first` if that is later.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    first: Instant,
) {
    let (under_way, mut arriving) = mpsc::unbounded_channel::<Piece>();
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    let reading = async {
        loop {
            let mut bytes = BytesMut::with_capacity(PIECE);
            let read = from.read_buf(&mut bytes).await.unwrap_or_default();
            let due = Instant::now().max(first) + delay;
            let share = u32::try_from(read).unwrap_or(u32::MAX);
            let room = Arc::clone(&room).acquire_many_owned(share).await.ok();
            let piece = Piece {
                due,
                bytes: bytes.freeze(),
                _room: room,
            };
            if under_way.send(piece).is_err() || read == 0 {
                // What is under way still arrives.
                std::future::pending::<()>().await;
            }
        }
    };
    let writing = async {
        while let Some(piece) = arriving.recv().await {
            tokio::time::sleep_until(piece.due.into()).await;
            if piece.bytes.is_empty() || to.write_all(&piece.bytes).await.is_err() {
                break;
            }
        }
        // The other side may be gone already.
        let _ended = to.shutdown().await;
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

/// The most that is read at once, in bytes.
const PIECE: usize = 64 * 1024;
/// The most that is under way each way, in bytes: what 50 ms hold of 10 Gbit/s.
const UNDER_WAY: usize = 64 * 1024 * 1024;
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
