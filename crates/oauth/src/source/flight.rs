//! Work in tasks of their own, shared by every caller that wants the same (law 5).

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::error::Error;
use crate::shared::lock;

/// At most one running task of a kind, and its outcome for all who wait.
///
/// The mutex is never held while a task is made, started or dropped: each may come back here.
pub(super) struct Flights<T>(Mutex<Option<Arc<Outcome<T>>>>);

type Outcome<T> = watch::Sender<Option<Result<T, Error>>>;

/// Completes when the last caller stopped waiting.
pub(super) struct Interest<T> {
    flights: Arc<Flights<T>>,
    sender: Arc<Outcome<T>>,
}

impl<T> Interest<T> {
    /// From here on nobody joins this task any more: who comes now starts another one.
    pub(super) async fn lost(self) {
        loop {
            self.sender.closed().await;
            if self.flights.clear_if(&self.sender, Outcome::is_closed) {
                return;
            }
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Waits for the running task, or starts one when there is none.
    ///
    /// `settled` is asked under the lock, right before a start: an outcome that came in since the
    /// caller looked is taken instead. `start` makes the future that the task runs.
    pub(super) async fn join<F>(
        self: &Arc<Self>,
        tasks: &Tasks,
        settled: impl FnOnce() -> Option<T>,
        start: impl FnOnce(Interest<T>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut outcome = match self.enter(settled)? {
            Entry::Settled(value) => return Ok(value),
            Entry::Joined(outcome) => outcome,
            Entry::First(landing, outcome) => {
                let work = start(landing.interest());
                tasks.spawn(async move { landing.land(work.await) })?;
                outcome
            }
        };
        let seen = outcome.wait_for(Option::is_some).await;
        match seen.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            _ => Err(Error::TaskLost),
        }
    }

    fn enter(self: &Arc<Self>, settled: impl FnOnce() -> Option<T>) -> Result<Entry<T>, Error> {
        let mut running = lock(&self.0);
        if let Some(sender) = &*running {
            return Ok(Entry::Joined(sender.subscribe()));
        }
        if let Some(value) = settled() {
            return Ok(Entry::Settled(value));
        }
        runtime()?;
        let sender = Arc::new(watch::Sender::new(None));
        let outcome = sender.subscribe();
        *running = Some(Arc::clone(&sender));
        let flights = Arc::clone(self);
        Ok(Entry::First(Landing { flights, sender }, outcome))
    }
}

impl<T> Flights<T> {
    /// Makes way for the next task, if `sender` is what is running and `condition` holds. `true`:
    /// it is running no more.
    fn clear_if(&self, sender: &Arc<Outcome<T>>, condition: impl Fn(&Outcome<T>) -> bool) -> bool {
        let mut running = lock(&self.0);
        let is_ours = running
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, sender));
        if is_ours && !condition(sender) {
            return false;
        }
        if is_ours {
            *running = None;
        }
        true
    }
}

/// What a caller finds.
enum Entry<T> {
    Settled(T),
    Joined(watch::Receiver<Option<Result<T, Error>>>),
    /// It is this caller's to start the task.
    First(Landing<T>, watch::Receiver<Option<Result<T, Error>>>),
}

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// Makes way for the next task, also when this one panics or never starts.
struct Landing<T> {
    flights: Arc<Flights<T>>,
    sender: Arc<Outcome<T>>,
}

impl<T> Landing<T> {
    fn interest(&self) -> Interest<T> {
        Interest {
            flights: Arc::clone(&self.flights),
            sender: Arc::clone(&self.sender),
        }
    }

    fn land(self, outcome: Result<T, Error>) {
        self.clear();
        self.sender.send_replace(Some(outcome));
    }

    fn clear(&self) {
        self.flights.clear_if(&self.sender, |_| true);
    }
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Counts the tasks of one source, so that a program can wait for them before it exits.
#[derive(Debug, Default)]
pub(super) struct Tasks(Arc<Running>);

#[derive(Debug, Default)]
struct Running {
    count: AtomicUsize,
    /// Told when the last one ends.
    none: Notify,
}

impl Tasks {
    /// Runs `work` in a task of its own.
    pub(super) fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let runtime = runtime()?;
        self.0.count.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(Arc::clone(&self.0));
        drop(runtime.spawn(async move {
            let _counted = counted;
            work.await;
        }));
        Ok(())
    }

    /// Waits until none runs. `Err`: how many still do at the limit.
    pub(super) async fn idle(&self, limit: Duration) -> Result<(), usize> {
        let running = || self.0.count.load(Ordering::Acquire);
        let idle = async {
            loop {
                let mut none = pin!(self.0.none.notified());
                none.as_mut().enable();
                if running() == 0 {
                    return;
                }
                none.await;
            }
        };
        let idle = tokio::time::timeout(limit, idle).await;
        idle.map_err(|_| running())
    }
}

fn runtime() -> Result<Handle, Error> {
    Handle::try_current().map_err(|_| Error::NoRuntime)
}

struct Counted(Arc<Running>);

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
