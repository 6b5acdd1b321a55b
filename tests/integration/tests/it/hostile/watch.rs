//! Runs something in threads of its own, and notices what it logs, whether it panics, and whether it ends.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, Once, PoisonError, mpsc},
    thread,
    time::Duration,
};

use crate::sentinel::{Evidence, Log};

/// What became of it.
pub(super) struct Watched<T> {
    /// What it came to; `None` if it panicked or did not end in time.
    pub(super) outcome: Option<T>,
    pub(super) log: Evidence,
    /// Every panic of every thread and task of it.
    pub(super) panics: Vec<String>,
    /// Whether it was still running when the time was over.
    pub(super) hangs: bool,
}

/// Runs what `start` makes, for at most `limit`, with the log at TRACE, and gives its threads `grace` to end. A thread that never ends is left behind.
pub(super) fn watch<T, F>(
    limit: Duration,
    grace: Duration,
    start: impl FnOnce() -> F + Send + 'static,
) -> Watched<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    hear_panics();
    let log = Log::default();
    let panics = Panics::default();
    let (sender, receiver) = mpsc::channel();
    let (of_thread, heard) = (log.clone(), panics.clone());
    thread::spawn(move || {
        let each = heard.clone();
        let listening = || {
            of_thread.listen_and(
                move || HEARD.with_borrow_mut(|mine| *mine = Some(each.clone())),
                || async { tokio::time::timeout(limit, start()).await },
            )
        };
        // The runtime is gone when this returns: what it left running was ended.
        let outcome = panic::catch_unwind(AssertUnwindSafe(listening));
        // Nobody may be waiting any more.
        drop(sender.send(outcome));
    });
    let received = receiver.recv_timeout(limit + grace);
    let hangs = matches!(&received, Err(_) | Ok(Ok(Err(_))));
    let outcome = match received {
        Ok(Ok(Ok(outcome))) => Some(outcome),
        _ => None,
    };
    Watched {
        outcome,
        log: log.evidence(),
        panics: panics.all(),
        hangs,
    }
}

/// The panics of one run.
#[derive(Clone, Default)]
struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    fn all(&self) -> Vec<String> {
        let panics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panics.clone()
    }
}

thread_local! {
    /// Who hears the panics of this thread; nobody, where it is none of a run's.
    static HEARD: RefCell<Option<Panics>> = const { RefCell::new(None) };
}

/// Puts a hook before the one that is there, once for the process.
fn hear_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let heard = HEARD.with_borrow(Clone::clone);
            match heard {
                Some(Panics(panics)) => {
                    let mut panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
                    panics.push(info.to_string());
                }
                None => usual(info),
            }
        }));
    });
}
