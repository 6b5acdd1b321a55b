//! Work that may hang, in a thread that nobody has to wait for.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{KeyringError, KeyringFault};
use crate::Error;

/// Runs `work` in a thread of its own and waits for it no longer than `limit`. Work that takes longer goes on, with the locks that it
/// holds, so that what it does late meets nobody. A thread of the runtime would keep the program from ending.
pub(crate) async fn run<T: Send + 'static>(
    limit: Duration,
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = oneshot::channel();
    start(move || {
        // Nobody listens any more if it took too long.
        drop(sender.send(work()));
    })?;
    match tokio::time::timeout(limit, receiver).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(ended(action)),
        Err(_) => Err(silent(action, limit)),
    }
}

/// The same, for callers that may block.
pub(super) fn run_blocking<T: Send + 'static>(
    limit: Duration,
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::channel();
    start(move || drop(sender.send(work())))?;
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(silent(action, limit)),
        Err(RecvTimeoutError::Disconnected) => Err(ended(action)),
    }
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new()
        .name("doorkey-keyring".to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| Error::Runtime(Box::new(error)))
}

fn silent(action: &'static str, limit: Duration) -> Error {
    Error::keyring(action, KeyringError::new(KeyringFault::Silent { limit }))
}

/// The thread ended without a word: the keyring's library panicked.
fn ended(action: &'static str) -> Error {
    Error::keyring(action, KeyringError::new(KeyringFault::Failed))
}
