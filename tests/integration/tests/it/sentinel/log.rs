//! Everything that the library logs, and what its errors show.

use std::{
    error::Error as StdError,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::{Builder, Runtime};
use tracing::{Dispatch, dispatcher};

use super::{
    evidence::{Evidence, Place},
    values,
};

/// An error as programs show it: each cause as text, and the whole as programmers see it.
pub(crate) fn shown(name: &str, error: &(dyn StdError + 'static)) -> Vec<Evidence> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut evidence: Vec<_> = causes
        .map(|cause| Evidence::new(Place::Text, name, cause.to_string()))
        .collect();
    evidence.push(values::debug(name, &error));
    evidence
}

/// Everything that is logged while it listens: on all threads of a runtime of its own, through `tracing` and `log`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn listen<F: Future>(&self, start: impl FnOnce() -> F) -> F::Output {
        self.listen_and(|| {}, start)
    }

    /// The same, with something that each thread does first.
    pub(crate) fn listen_and<F: Future>(
        &self,
        first: impl Fn() + Send + Sync + 'static,
        start: impl FnOnce() -> F,
    ) -> F::Output {
        // Records of the log crate go to whatever this thread's subscriber is. The second time it is there already.
        drop(log::set_logger(&Bridge));
        log::set_max_level(log::LevelFilter::Trace);
        let writer = self.clone();
        let dispatch = Dispatch::new(
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish(),
        );
        let of_thread = dispatch.clone();
        let mut builder = Builder::new_multi_thread();
        first();
        builder.on_thread_start(move || {
            first();
            std::mem::forget(dispatcher::set_default(&of_thread));
        });
        let runtime = built(&mut builder);
        dispatcher::with_default(&dispatch, || runtime.block_on(async { start().await }))
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Evidence::new(Place::Log, "the log", bytes.clone())
    }

    /// # Panics
    /// When the log has nothing of one of these crates.
    pub(crate) fn assert_from(&self, crates: &[&str]) {
        let bytes = self.evidence().bytes;
        let text = String::from_utf8_lossy(&bytes);
        for name in crates {
            let by_tracing = [
                format!(" {name}::"),
                format!(" {name}_"),
                format!(" {name}: "),
            ];
            let found = by_tracing.iter().any(|target| text.contains(target));
            assert!(found, "nothing of {name} is in the log");
        }
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hands records of the log crate to `tracing`.
struct Bridge;

impl log::Log for Bridge {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        tracing::trace!(target: "log", "{}: {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Where the servers of a test run, so that what they log is not heard.
pub(crate) fn runtime() -> Runtime {
    built(&mut Builder::new_multi_thread())
}

fn built(builder: &mut Builder) -> Runtime {
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

#[test]
fn the_log_under_test_hears_every_thread_and_both_ways_of_logging() {
    let log = Log::default();
    log.listen(|| async {
        tracing::trace!("here");
        log::trace!("by the log crate");
        let task = tokio::spawn(async { tracing::trace!("in a task") });
        let thread = tokio::task::spawn_blocking(|| log::trace!("in a thread"));
        assert!(task.await.is_ok() && thread.await.is_ok());
    });
    let bytes = log.evidence().bytes;
    let text = String::from_utf8_lossy(&bytes);
    for said in ["here", "by the log crate", "in a task", "in a thread"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
