//! What a person sees who waits: nothing within a second, then who is waited for and since when.

use std::time::{Duration, Instant};

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
            let shown = Shown::new(self, what);
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    _ = tick.tick() => shown.draw(),
                }
            }
        }
    }
}

/// The line, as long as it is to be seen.
struct Shown<'a> {
    output: &'a Output,
    what: String,
    since: Instant,
}

impl<'a> Shown<'a> {
    fn new(output: &'a Output, what: &str) -> Self {
        if !output.manner().can_move {
            output.detail(&format!("{what} …"));
        }
        Self {
            output,
            what: clean(what),
            since: Instant::now(),
        }
    }

    fn draw(&self) {
        let manner = self.output.manner();
        if !manner.can_move || manner.is_quiet {
            return;
        }
        let shown = self.since.elapsed();
        let step = shown.as_millis() / TICK.as_millis();
        let frame = usize::try_from(step).unwrap_or_default() % FRAMES.len();
        let seconds = (PATIENCE + shown).as_secs();
        let line = format!("{} {}, {seconds}s", FRAMES[frame], self.what);
        self.output.set_passing(Some(line));
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.output.set_passing(None);
    }
}

/// Nobody needs to be told of what is over within it.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);
const FRAMES: [char; 8] = ['⠁', '⠂', '⠄', '⡀', '⢀', '⠠', '⠐', '⠈'];
