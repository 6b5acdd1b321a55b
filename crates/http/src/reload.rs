//! Profiles that change while a client lives: when their source is asked, and what becomes of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::BoxError;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::profile::HttpProfile;
use crate::timeout::Phase;

/// Where a profile comes from that may change while a client lives: files, commands.
///
/// Given to [`HttpClient::reloading`](crate::HttpClient::reloading).
pub trait ProfileSource: Send + Sync + fmt::Debug {
    /// Whether [`changed`](Self::changed) should be asked now. Called before every request, so it
    /// should cost next to nothing: a look at a clock or a flag.
    fn is_due(&self) -> bool;

    /// The profile that holds from now on, or `None` if nothing changed.
    ///
    /// Asked before the first request whatever [`is_due`](Self::is_due) says, and then when it
    /// says so: by one request at a time, within [`limit`](Self::limit). Other requests meanwhile go
    /// on with the profile they have, once there was an answer, unless they
    /// [must wait](Self::must_wait). A request that ends early drops the future, and the next one
    /// asks anew.
    ///
    /// # Errors
    ///
    /// Whatever keeps the profile from being read, naming the setting: this request, and no other,
    /// then fails as [`Error::Reload`]. A source that can go on with what it had logs it and gives
    /// `Ok(None)`.
    fn changed(&self) -> BoxFuture<'_, Result<Option<HttpProfile>, BoxError>>;

    /// Whether no request may be sent with the profile that held so far, such as one with a header
    /// that has expired: the others then wait for the one that asks, and ask in their turn if it got
    /// no answer. Costs as little as [`is_due`](Self::is_due), and says nothing where that says no.
    fn must_wait(&self) -> bool {
        false
    }

    /// How long a request may wait for [`changed`](Self::changed); `None` for `timeouts.connect` of
    /// the profile that held so far.
    fn limit(&self) -> Option<Duration> {
        None
    }
}

/// A source, and who asks it.
#[derive(Debug)]
pub(crate) struct Renewal {
    source: Arc<dyn ProfileSource>,
    /// Whether it ever answered: until then no request may be sent.
    answered: AtomicBool,
    turn: Mutex<()>,
}

impl Renewal {
    pub(crate) fn new(source: Arc<dyn ProfileSource>) -> Self {
        Self {
            source,
            answered: AtomicBool::new(false),
            turn: Mutex::new(()),
        }
    }

    /// Whether the request at hand should [`renew`](Self::renew). No lock, no allocation.
    pub(crate) fn is_due(&self) -> bool {
        !self.answered.load(Ordering::Acquire) || self.source.is_due()
    }

    /// Asks the source, unless another request does, and hands a new profile to `install`. It takes as
    /// long as the source says that it may, else as long as a connection.
    pub(crate) async fn renew(
        &self,
        exchange: &Exchange,
        connect: Duration,
        install: impl FnOnce(&HttpProfile) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let asking = async {
            let answered = self.answered.load(Ordering::Acquire);
            let turn = if answered && !self.source.must_wait() {
                self.turn.try_lock().ok()
            } else {
                Some(self.turn.lock().await)
            };
            // Another request asks now, or has just asked.
            if turn.is_none() || !self.is_due() {
                return Ok(());
            }
            if let Some(profile) = self.source.changed().await? {
                install(&profile)?;
                // The first answer is how it begins, not a change.
                if answered {
                    tracing::info!(
                        event = "network.reloaded",
                        "the HTTP settings changed: new connections from here on"
                    );
                }
            }
            self.answered.store(true, Ordering::Release);
            Ok(())
        };
        let own_limit = self.source.limit();
        let failed = |source| Error::Reload {
            exchange: exchange.clone(),
            source,
        };
        let asked = tokio::time::timeout(own_limit.unwrap_or(connect), asking).await;
        match (asked, own_limit) {
            (Ok(asked), _) => asked.map_err(failed),
            (Err(_), None) => Err(Error::Timeout {
                exchange: exchange.clone(),
                phase: Phase::Reload,
                limit: connect,
            }),
            // No setting of ours would change it.
            (Err(_), Some(limit)) => {
                let told = format!(
                    "the settings were not read within {} s",
                    limit.as_secs_f32()
                );
                Err(failed(told.into()))
            }
        }
    }
}
