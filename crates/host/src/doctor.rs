//! `Host::examine`: goes the whole way to a server, step by step, and says what is wrong on it and what mends it.
//!
//! Nothing is changed but a token that was due for a refresh, and nobody is asked. The requests are those of a
//! login and a connection, over the same client; a [`Recorder`](doorkey_http::Recorder) looks on.

mod answer;
mod asking;
mod client;
mod diagnosis;
mod discovery;
mod engine;
mod fault;
mod fill;
mod known;
mod login;
mod mask;
mod record;
mod refresh;
mod replay;
mod seen;
mod session;
mod settings;
mod table;
mod way;

use std::time::Duration;

use crate::error::Error;
use crate::host::Host;

pub use diagnosis::{Diagnosis, Evidence, Finding, KnownQuirk, Mend, Status, StepReport};
pub use fault::{Class, Fault, Severity, Step};
pub use record::{Record, RecordError, RecordFile, RecordedExchange};
pub use table::faults;

/// How an examination is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExamineOptions {
    /// The account; `None` is the default one.
    pub account: Option<String>,
    /// Whether a token that is due for it is refreshed. Default true.
    pub refresh: bool,
    /// How long it may take in all. Default two minutes.
    pub limit: Duration,
}

impl Default for ExamineOptions {
    fn default() -> Self {
        Self {
            account: None,
            refresh: true,
            limit: Duration::from_secs(120),
        }
    }
}

impl ExamineOptions {
    /// The same for another account.
    #[must_use]
    pub fn with_account(mut self, account: Option<String>) -> Self {
        self.account = account;
        self
    }

    /// The same with or without the refresh that is due.
    #[must_use]
    pub fn with_refresh(mut self, refresh: bool) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same within another time.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl Host {
    /// Goes the whole way to a server that is named as in the configuration, or by its URL, and says what is wrong on it.
    ///
    /// It never fails: whatever keeps it from going on is a finding. A URL that is in no table of the configuration is asked
    /// with the network settings that hold for all, and nothing about it is kept.
    pub async fn diagnose(&self, server: &str, options: &ExamineOptions) -> Diagnosis {
        self.examine(server, options).await.diagnosis
    }

    /// The same with every exchange and the settings in force, for a report to somebody else. No secret is in it.
    pub async fn examine(&self, server: &str, options: &ExamineOptions) -> Record {
        engine::examine(self, server, options).await
    }
}

impl Diagnosis {
    /// The diagnosis where the host itself could not be opened, so that nothing could be asked.
    #[must_use]
    pub fn of_host_failure(server: &str, error: &Error) -> Self {
        engine::of_host_failure(server, error)
    }
}

impl Record {
    /// The same as a record, in which there is nothing else.
    #[must_use]
    pub fn of_host_failure(server: &str, error: &Error) -> Self {
        let diagnosis = Diagnosis::of_host_failure(server, error);
        Self::new(diagnosis, Default::default(), &[], &Default::default())
    }
}
