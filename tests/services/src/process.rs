//! The test binary once more: one of its tests in a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::LIMIT;
use crate::daemon::send;

/// A process that runs one test of this binary. It is killed with the value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    said: Receiver<String>,
}

impl Process {
    /// Runs the test of that path (`processes::child`) and nothing else. The process finds what it is told by [`told`].
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start<'a>(test: &str, told: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let nothing: [(&str, &OsStr); 0] = [];
        Self::start_with(test, told, nothing)
    }

    /// As [`start`](Self::start), with variables of its environment besides: those of a [`Keyring`](crate::Keyring), for example.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_with<'a>(
        test: &str,
        told: impl IntoIterator<Item = (&'a str, &'a str)>,
        envs: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        let program = std::env::current_exe().expect("a process knows its program");
        let told = told
            .into_iter()
            .map(|(name, value)| (variable(name), value));
        let mut child = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .envs(told)
            .envs(envs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test binary can be started again");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                // A line without its end was cut off by a kill.
                let whole = line.strip_suffix('\n');
                if let Some(said) = whole.and_then(|line| line.strip_prefix(MARK)) {
                    drop(sender.send(said.to_owned()));
                }
                line.clear();
            }
        });
        Self { child, said }
    }

    /// The next thing that it [`say`]s.
    ///
    /// # Panics
    /// If it ends without a word, or takes too long.
    #[must_use]
    pub fn said(&self) -> String {
        self.said
            .recv_timeout(LIMIT)
            .unwrap_or_else(|error| panic!("the process said nothing: {error}"))
    }

    /// All that it still said, of one that ended.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        self.said.iter().collect()
    }

    /// Kills it in the middle of whatever it does.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        self.child.wait().expect("a child can be waited for");
    }

    /// Stops it where it is, until it is [`resume`](Self::resume)d.
    pub fn pause(&self) {
        send("STOP", &[self.child.id()]);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        send("CONT", &[self.child.id()]);
    }

    /// Waits for its end and fails unless its test passed.
    ///
    /// # Panics
    /// If its test failed, or takes too long.
    pub fn passed(mut self) {
        let started = std::time::Instant::now();
        loop {
            match self.child.try_wait().expect("a child's state") {
                Some(status) => return assert!(status.success(), "the process failed: {status}"),
                None => assert!(started.elapsed() < LIMIT, "the process does not end"),
            }
            thread::sleep(crate::daemon::TICK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the process that started this one told it; `None` in a process that nobody started so.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own process is told its part this way"
)]
pub fn told(name: &str) -> Option<String> {
    std::env::var(variable(name)).ok()
}

/// Tells the process that started this one something, past the lines of the test harness.
///
/// # Panics
/// If nobody listens.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    write!(out, "\n{MARK}{line}\n").expect("the parent listens");
    out.flush().expect("the parent listens");
}

fn variable(name: &str) -> String {
    format!("DOORKEY_TEST_{}", name.to_uppercase())
}

const MARK: &str = "@ ";
