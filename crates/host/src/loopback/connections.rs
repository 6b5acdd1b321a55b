//! The open connections of one interaction: few at once, and one that says nothing makes room for the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The connections that are open. Whatever opens many of them keeps nobody out: the oldest one that has not yet sent
/// its request is dropped for the newest, so that a browser, which sends its request at once, is always heard.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<Open>,
    answering: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    list: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    answering: bool,
    task: AbortHandle,
}

/// One connection's place, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::default(),
            answering: watch::Sender::new(0),
        }
    }

    /// Takes in one more connection, which `start` serves in a task of its own.
    pub(super) fn admit(self: &Arc<Self>, start: impl FnOnce(Place) -> AbortHandle) {
        let mut open = self.lock();
        if open.list.len() >= CONNECTIONS {
            let silent = open.list.iter().position(|one| !one.answering);
            // In the order in which they came: the first one is the oldest.
            let dropped = open.list.remove(silent.unwrap_or_default());
            dropped.task.abort();
            tracing::debug!(
                "too many connections to the callback listener: the oldest one was dropped"
            );
        }
        let id = open.next;
        open.next += 1;
        // A task that ends at once finds its entry all the same: it waits for the lock.
        let task = start(Place {
            connections: Arc::clone(self),
            id,
        });
        open.list.push(Connection {
            id,
            answering: false,
            task,
        });
        self.tell(&open);
    }

    /// Waits until every callback that was taken has its page.
    pub(super) async fn answered(&self) {
        // Cannot fail: the sender is here.
        drop(self.answering.subscribe().wait_for(|left| *left == 0).await);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, open: &Open) {
        let left = open.list.iter().filter(|one| one.answering).count();
        self.answering.send_replace(left);
    }
}

impl Place {
    /// Its request is here and is a callback: it is no longer the one to make room.
    pub(super) fn answering(&self) {
        let mut open = self.connections.lock();
        if let Some(own) = open.list.iter_mut().find(|one| one.id == self.id) {
            own.answering = true;
        }
        self.connections.tell(&open);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.list.retain(|one| one.id != self.id);
        self.connections.tell(&open);
    }
}

/// How many are served at once: a browser opens a few that it never uses.
pub(super) const CONNECTIONS: usize = 64;
