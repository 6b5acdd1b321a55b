//! What a person sees who waits: nothing within a second, then who is waited for and since when.

use std::sync::PoisonError;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{Output, clean};

impl Output {
    /// The outcome of `work`, and meanwhile on the terminal, from the second second on, what is being done:
    ///
    /// ```text
    /// ⠹ asking work for its tools, 3s
    /// ```
    ///
    /// `what` is that line, without the end: every command that may take longer than a second awaits what it does
    /// through this. Messages and data come above the line, and it is gone when the work is done or given up. Where
    /// nothing can be written over, `--verbose` has it once, as a line; a login has its
    /// [`Narrator`](super::progress::Narrator) instead.
    pub(crate) fn while_waiting<'a, T>(
        &'a self,
        what: &'a str,
        work: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = T> + 'a
    where
        T: 'a,
    {
        // What is waited for is large, and its waiter is to be small.
        let mut work = Box::pin(work);
        async move {
            if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
                return done;
            }
            let _shown = Shown::new(self, what);
            work.await
        }
    }
}

/// The line, as long as it is to be seen.
struct Shown<'a>(&'a Output);

impl<'a> Shown<'a> {
    fn new(output: &'a Output, what: &str) -> Self {
        let manner = output.manner();
        if !manner.can_move {
            output.detail(&format!("{what} …"));
        } else if !manner.is_quiet {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let spinner = spinner.with_elapsed(PATIENCE);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
                spinner.set_style(style);
            }
            spinner.set_message(clean(what));
            spinner.enable_steady_tick(TICK);
            let mut place = output
                .spinner
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *place = Some(spinner);
        }
        Self(output)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let mut place = (self.0.spinner.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(spinner) = place.take() {
            spinner.finish_and_clear();
        }
    }
}

/// Nobody needs to be told of what is over within it.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);
