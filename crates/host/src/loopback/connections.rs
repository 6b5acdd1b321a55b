//! The open connections of one interaction: few at once, and one that hangs makes room for the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The connections that are open. Those that hang keep nobody out: the oldest one that has not yet sent its request is
/// dropped for the newest, once it had the moment that a browser takes to send one. Whoever opens connections faster than
/// that for as long as a login waits can still delay it.
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
    since: Instant,
    /// None until its task runs.
    task: Option<AbortHandle>,
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

    /// Waits until one more connection may be taken in: there is a place, or one that has been held long enough.
    pub(super) async fn room(&self) {
        loop {
            let wait = {
                let open = self.lock();
                if open.list.len() < CONNECTIONS {
                    return;
                }
                let held = open.list[open.first_to_go()].since.elapsed();
                GRACE.saturating_sub(held)
            };
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes in one more connection, which `start` serves in a task of its own.
    pub(super) fn admit(self: &Arc<Self>, start: impl FnOnce(Place) -> AbortHandle) {
        let (id, dropped) = self.enter();
        if let Some(task) = dropped {
            task.abort();
        }
        // Without the lock, as above: a runtime that is closing drops a task at once, and its place takes the lock.
        let task = start(Place {
            connections: Arc::clone(self),
            id,
        });
        let mut open = self.lock();
        match open.list.iter_mut().find(|one| one.id == id) {
            Some(own) => own.task = Some(task),
            // It has ended already, or had to make room.
            None => task.abort(),
        }
    }

    /// A place for one more, and the task of the connection that had to make room for it.
    fn enter(&self) -> (u64, Option<AbortHandle>) {
        let mut open = self.lock();
        let mut dropped = None;
        if open.list.len() >= CONNECTIONS {
            let first = open.first_to_go();
            dropped = open.list.remove(first).task;
            tracing::debug!(
                "too many connections to the callback listener: the oldest one was dropped"
            );
        }
        let id = open.next;
        open.next += 1;
        open.list.push(Connection {
            id,
            answering: false,
            since: Instant::now(),
            task: None,
        });
        self.tell(&open);
        (id, dropped)
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

impl Open {
    /// Which one makes room. They stand in the order in which they came: the first one is the oldest.
    fn first_to_go(&self) -> usize {
        let silent = self.list.iter().position(|one| !one.answering);
        silent.unwrap_or_default()
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
/// How long one may say nothing though others want its place.
const GRACE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_is_dropped_as_it_is_started_leaves_no_connection_and_blocks_nobody() {
        let runtime = tokio::runtime::Handle::current();
        let (done, ended) = tokio::sync::oneshot::channel();
        // A thread of its own, which may hang without holding up the test.
        std::thread::spawn(move || {
            let connections = Arc::new(Connections::new());
            connections.admit(|place| {
                // What a runtime that is closing does to a task.
                drop(place);
                runtime.spawn(async {}).abort_handle()
            });
            let left = connections.lock().list.len();
            done.send(left)
        });
        let left = tokio::time::timeout(Duration::from_secs(20), ended).await;
        assert_eq!(left.expect("it hangs").expect("a count"), 0);
    }

    #[tokio::test]
    async fn each_connection_has_a_moment_before_it_makes_room() {
        let connections = Arc::new(Connections::new());
        let silent = |place: Place| {
            let held = async move {
                let _place = place;
                std::future::pending::<()>().await;
            };
            tokio::spawn(held).abort_handle()
        };
        let started = Instant::now();
        for _ in 0..CONNECTIONS {
            let room = tokio::time::timeout(Duration::ZERO, connections.room()).await;
            assert!(room.is_ok(), "there was room");
            connections.admit(silent);
        }
        connections.room().await;
        assert!(
            started.elapsed() >= GRACE,
            "the first one had {:?}",
            started.elapsed()
        );
        connections.admit(silent);
        assert_eq!(connections.lock().list.len(), CONNECTIONS);
        assert_eq!(connections.lock().list[0].id, 1, "another than the oldest");
    }
}
