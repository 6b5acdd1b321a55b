//! The line about what is going on: how long it may take still, and how much a person has typed meanwhile.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::task::AbortHandle;

use super::words::{countdown, span};
use crate::cli::output::Output;

/// A line that moves; or plain lines, at the beginning and when the end is near.
#[derive(Debug)]
pub(super) struct Line {
    spinner: Option<ProgressBar>,
    output: Output,
    end: Arc<Mutex<Option<Instant>>>,
    /// Tells when the end is near.
    reminder: Mutex<Option<AbortHandle>>,
}

impl Line {
    pub(super) fn new(output: &Output, moves: bool, typed: Option<Arc<AtomicUsize>>) -> Self {
        let end = Arc::<Mutex<Option<Instant>>>::default();
        let spinner = moves.then(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            spinner.set_style(style(&end, typed));
            spinner.enable_steady_tick(TICK);
            spinner
        });
        Self {
            spinner,
            output: output.clone(),
            end,
            reminder: Mutex::default(),
        }
    }

    /// Says what is going on, and how long it may.
    pub(super) fn set(&self, text: &str, limit: Option<Duration>) {
        *lock(&self.end) = limit.map(|limit| Instant::now() + limit);
        self.remind_no_more();
        match (&self.spinner, limit) {
            (Some(spinner), _) => spinner.set_message(text.to_owned()),
            (None, None) => self.output.note(text),
            (None, Some(limit)) => {
                let at_most = span(limit);
                self.output.note(&format!("{text}, at most {at_most}"));
                self.remind(limit);
            }
        }
    }

    /// Writes above the line.
    pub(super) fn over(&self, write: impl FnOnce()) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        self.remind_no_more();
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    fn remind(&self, limit: Duration) {
        let Some(pause) = limit.checked_sub(NEAR).filter(|pause| !pause.is_zero()) else {
            return;
        };
        let output = self.output.clone();
        let reminder = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            output.note(&format!("{} left", span(NEAR)));
        });
        *lock(&self.reminder) = Some(reminder.abort_handle());
    }

    fn remind_no_more(&self) {
        if let Some(reminder) = lock(&self.reminder).take() {
            reminder.abort();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is drawn anew with each tick.
fn style(end: &Arc<Mutex<Option<Instant>>>, typed: Option<Arc<AtomicUsize>>) -> ProgressStyle {
    let end = Arc::clone(end);
    let left = move |_: &ProgressState, line: &mut dyn Write| {
        if let Some(end) = *lock(&end) {
            let left = end.saturating_duration_since(Instant::now());
            // What cannot be drawn this time is drawn next time.
            let _missing = write!(line, " ({} left)", countdown(left));
        }
    };
    let typed = move |_: &ProgressState, line: &mut dyn Write| {
        let count = typed
            .as_ref()
            .map_or(0, |typed| typed.load(Ordering::Relaxed));
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            let _missing = write!(line, ": {count} character{plural}, press Enter");
        }
    };
    let style = ProgressStyle::with_template("{spinner} {msg}{typed}{left}");
    style
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("left", left)
        .with_key("typed", typed)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const TICK: Duration = Duration::from_millis(120);
/// When a person who has forgotten is told.
const NEAR: Duration = Duration::from_secs(60);
