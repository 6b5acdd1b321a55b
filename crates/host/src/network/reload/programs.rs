//! The program of one header: when it is run, and what becomes of requests while it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::task::JoinHandle;

use crate::child::Withheld;
use crate::config::{HeaderCommand, HeaderSource};
use crate::network::HeaderInForce;
use crate::network::error::HeaderProblem;
use crate::program::ProgramError;

/// The program of one header.
pub(super) struct Run {
    /// Which of the headers.
    pub(super) header: usize,
    command: HeaderCommand,
    /// From when on what it printed is too old.
    pub(super) due: Instant,
    /// It goes on when the request that waited for it is gone: the next one finds it done.
    running: Option<JoinHandle<Result<HeaderValue, HeaderProblem>>>,
    /// Why it failed, and until when that is repeated in place of running it.
    failed: Option<(Arc<HeaderProblem>, Instant)>,
}

impl Run {
    /// The programs of these headers.
    pub(super) fn all(headers: &[HeaderInForce]) -> Vec<Self> {
        let due = Instant::now();
        let of = |(header, known): (usize, &HeaderInForce)| match &known.source {
            HeaderSource::Command(command) => Some(Self {
                header,
                command: command.clone(),
                due,
                running: None,
                failed: None,
            }),
            _ => None,
        };
        headers.iter().enumerate().filter_map(of).collect()
    }

    /// Starts the program if what it printed is too old, or says again why it failed a moment ago.
    pub(super) fn start(
        &mut self,
        header: &HeaderInForce,
        withheld: &Withheld,
    ) -> Result<(), Arc<HeaderProblem>> {
        let now = Instant::now();
        if self.due > now || self.running.is_some() {
            return Ok(());
        }
        if let Some((problem, _)) = self.failed.as_ref().filter(|(_, until)| *until > now) {
            return Err(Arc::clone(problem));
        }
        let (header, command) = (header.clone(), self.command.clone());
        let withheld = withheld.clone();
        self.running = Some(tokio::spawn(async move {
            header.printed(&command, &withheld).await
        }));
        Ok(())
    }

    /// What the program prints, if it runs; it ends in time by itself.
    pub(super) async fn end(
        &mut self,
        pause: Duration,
    ) -> Result<Option<HeaderValue>, Arc<HeaderProblem>> {
        let Some(running) = &mut self.running else {
            return Ok(None);
        };
        let ended = running.await;
        self.running = None;
        let printed = ended.unwrap_or_else(|lost| {
            Err(HeaderProblem::Program(ProgramError::Run {
                program: self.command.program.clone(),
                source: std::io::Error::other(lost),
            }))
        });
        match printed {
            Ok(value) => {
                self.due = Instant::now() + self.command.refresh;
                self.failed = None;
                Ok(Some(value))
            }
            Err(problem) => {
                let problem = Arc::new(problem);
                self.failed = Some((Arc::clone(&problem), Instant::now() + pause));
                Err(problem)
            }
        }
    }
}
