//! Child processes: stdin closed, a limit on every wait, and nothing is ended but what was started here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::failure::{Ending, Failure};

/// A command to run, and how long it may take.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(&'static str, OsString)>,
    folder: PathBuf,
    limit: Duration,
}

impl Call {
    /// A call of `program` in `folder`, limited to five minutes.
    pub(crate) fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            folder: folder.to_owned(),
            limit: minutes(5),
        }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command in sight of the person, and counts the tests that it reports.
    pub(crate) fn show(&self) -> Result<Counts, Failure> {
        println!("$ {self}");
        let mut counts = Counts::default();
        let ended = self.run(Stdio::inherit(), &mut |line| {
            println!("{line}");
            counts += Counts::of_line(line).unwrap_or_default();
        });
        match ended {
            Ok(()) => Ok(counts),
            Err((ending, said)) => Err(self.failure(ending, said, counts)),
        }
    }

    /// As [`Call::show`], for a test runner: a run without a single test is a failure.
    pub(crate) fn show_tests(&self) -> Result<Counts, Failure> {
        let counts = self.show()?;
        if counts.passed == 0 {
            return Err(self.failure(Ending::NoTests, String::new(), counts));
        }
        Ok(counts)
    }

    /// Runs the command out of sight and returns its stdout; its stderr is part of the failure.
    pub(crate) fn capture(&self) -> Result<String, Failure> {
        let (output, ended) = self.captured();
        match ended {
            Ok(()) => Ok(output),
            Err((ending, said)) => Err(self.failure(ending, said, Counts::default())),
        }
    }

    /// As [`Call::capture`], for a command whose stdout counts also when it exits with a failure: with that status.
    pub(crate) fn capture_whatever(&self) -> Result<(String, Option<ExitStatus>), Failure> {
        let (output, ended) = self.captured();
        match ended {
            Ok(()) => Ok((output, None)),
            Err((Ending::Exit(status), _)) => Ok((output, Some(status))),
            Err((ending, said)) => Err(self.failure(ending, said, Counts::default())),
        }
    }

    fn captured(&self) -> (String, Result<(), (Ending, String)>) {
        let mut output = String::new();
        let ended = self.run(Stdio::piped(), &mut |line| {
            output.push_str(line);
            output.push('\n');
        });
        (output, ended)
    }

    /// What this command printed is not what was asked for.
    pub(crate) fn unreadable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Failure {
        self.failure(
            Ending::Unreadable(source.into()),
            String::new(),
            Counts::default(),
        )
    }

    /// Starts the command, hands on each line of its stdout, and waits for its end. With the failure comes what was
    /// piped from its stderr.
    fn run(&self, stderr: Stdio, on_line: &mut dyn FnMut(&str)) -> Result<(), (Ending, String)> {
        let unsaid = |ending| (ending, String::new());
        let mut child = self
            .command(stderr)
            .spawn()
            .map_err(|error| unsaid(Ending::NotStarted(error)))?;
        let stdout = child.stdout.take().map(lines_of);
        let stderr = child.stderr.take().map(lines_of);
        let ended = self.follow(&mut child, stdout.as_ref(), on_line);
        let said = stderr.map(|lines| last_lines(&lines)).unwrap_or_default();
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err((Ending::Exit(status), said)),
            Err(ending) => Err((ending, said)),
        }
    }

    fn command(&self, stderr: Stdio) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        // `cargo run` describes xtask itself to its children: build scripts that watch these would run again and again.
        OF_CARGO_RUN.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        command
    }

    fn follow(
        &self,
        child: &mut Child,
        stdout: Option<&Receiver<String>>,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<ExitStatus, Ending> {
        let deadline = Instant::now() + self.limit;
        let mut open = stdout;
        let mut ended = None;
        loop {
            match open.map(|lines| lines.recv_timeout(TICK)) {
                Some(Ok(line)) => on_line(&line),
                Some(Err(RecvTimeoutError::Disconnected)) => open = None,
                // A process that outlives the command may still hold its stdout: nobody waits for it.
                Some(Err(RecvTimeoutError::Timeout)) if ended.is_some() => open = None,
                Some(Err(RecvTimeoutError::Timeout)) => {}
                None => thread::sleep(TICK),
            }
            if ended.is_none() {
                ended = child.try_wait().map_err(Ending::NotStarted)?;
            }
            match ended {
                Some(status) if open.is_none() => return Ok(status),
                None if Instant::now() >= deadline => {
                    end(child);
                    return Err(Ending::TimedOut(self.limit));
                }
                _ => {}
            }
        }
    }

    fn failure(&self, ending: Ending, said: String, counts: Counts) -> Failure {
        Failure::Command {
            command: self.to_string(),
            ending,
            said,
            counts,
        }
    }
}

impl fmt::Display for Call {
    /// The command as a person types it into a POSIX shell at the root of the workspace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.envs {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(&self.program))?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// So many minutes.
pub(crate) const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Reads lines in a thread of their own, so that waiting for one can have a limit.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            if sender
                .send(text.trim_end_matches(['\r', '\n']).to_owned())
                .is_err()
            {
                return;
            }
            line.clear();
        }
    });
    lines
}

/// The end of what a finished command wrote to stderr: the cause stands there.
fn last_lines(lines: &Receiver<String>) -> String {
    let mut kept = Vec::new();
    while let Ok(line) = lines.recv_timeout(TICK) {
        kept.push(line);
    }
    kept[kept.len().saturating_sub(SAID_LINES)..].join("\n")
}

/// Ends the child and everything it started. Cargo's own children would otherwise outlive it.
fn end(child: &mut Child) {
    let mut doomed = vec![child.id()];
    let mut next = 0;
    while let Some(&parent) = doomed.get(next) {
        doomed.extend(children_of(parent));
        next += 1;
    }
    if cfg!(unix) {
        let ids = doomed.iter().map(u32::to_string);
        let kill = ["-c", "kill -KILL \"$@\" 2>/dev/null", "sh"].map(str::to_owned);
        // Best effort: what ended by itself meanwhile cannot be ended again.
        drop(
            Command::new("sh")
                .args(kill.into_iter().chain(ids))
                .stdin(Stdio::null())
                .status(),
        );
    }
    drop(child.kill());
    drop(child.wait());
}

/// The processes whose parent is `parent`, by Linux's `/proc`; none where that does not exist.
fn children_of(parent: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            std::fs::read_to_string(format!("/proc/{id}/stat"))
                .is_ok_and(|stat| parent_in(&stat) == Some(parent))
        })
        .collect()
}

/// The parent in a line of `/proc/<id>/stat`: `id (name) state parent …`, where the name may hold blanks and brackets.
fn parent_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// How often a wait looks at its other conditions.
const TICK: Duration = Duration::from_millis(100);

/// How many lines of a command's stderr a failure repeats.
const SAID_LINES: usize = 40;

/// What `cargo run` sets for the program it runs.
const OF_CARGO_RUN: &[&str] = &[
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Call {
        Call::new("sh", Path::new(".")).args(["-c", script])
    }

    fn ending(failure: Failure) -> (Ending, String) {
        match failure {
            Failure::Command { ending, said, .. } => (ending, said),
            other => panic!("not a failed command: {other}"),
        }
    }

    #[test]
    fn stdout_is_returned_and_stdin_is_at_its_end() {
        let output = shell("cat; echo one; printf two").capture().unwrap();
        assert_eq!(output, "one\ntwo\n");
    }

    #[test]
    fn what_a_failing_command_printed_can_be_had() {
        let (output, status) = shell("echo figures; exit 3").capture_whatever().unwrap();
        assert_eq!(output, "figures\n");
        assert_eq!(status.and_then(|status| status.code()), Some(3));
        let (_, status) = shell("true").capture_whatever().unwrap();
        assert_eq!(status, None);
    }

    #[test]
    fn a_failing_command_brings_its_status_and_what_it_said() {
        let (ending, said) = ending(shell("echo nonsense >&2; exit 3").capture().unwrap_err());
        assert!(matches!(ending, Ending::Exit(status) if status.code() == Some(3)));
        assert_eq!(said, "nonsense");
    }

    #[test]
    fn a_command_that_does_not_exist_is_named() {
        let failure = Call::new("no-such-program", Path::new("."))
            .capture()
            .unwrap_err();
        assert!(
            failure
                .to_string()
                .contains("`no-such-program` could not be started")
        );
    }

    #[test]
    fn tests_are_counted_over_binaries_also_when_the_runner_fails() {
        let lines = "echo 'test result: ok. 2 passed; 0 failed; 1 ignored'
            echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored'; ";
        let expected = Counts {
            passed: 5,
            failed: 1,
            skipped: 1,
        };
        assert_eq!(shell(lines).show_tests().unwrap(), expected);
        let failed = shell(&format!("{lines} exit 1")).show_tests().unwrap_err();
        assert_eq!(failed.counts(), expected);
    }

    #[test]
    fn a_runner_without_a_test_fails() {
        let failure = shell("echo 'test result: ok. 0 passed; 0 failed; 0 ignored'").show_tests();
        assert!(matches!(ending(failure.unwrap_err()).0, Ending::NoTests));
    }

    #[test]
    fn past_its_limit_a_command_ends_with_everything_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let failure = Call::new("sh", folder.path())
            .args(["-c", "sleep 600 & echo $! > grandchild; wait"])
            .limit(Duration::from_millis(500))
            .capture()
            .unwrap_err();
        assert!(matches!(ending(failure).0, Ending::TimedOut(_)));
        assert!(started.elapsed() < minutes(2));
        let grandchild = std::fs::read_to_string(folder.path().join("grandchild")).unwrap();
        let stat = format!("/proc/{}/stat", grandchild.trim());
        // Gone, or dead and waiting for init to collect it.
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let deadline = Instant::now() + minutes(1);
        while alive() && Instant::now() < deadline {
            thread::sleep(TICK);
        }
        assert!(!alive(), "the grandchild outlived its limit");
    }

    #[test]
    fn a_process_left_behind_does_not_hold_up_the_answer() {
        let started = Instant::now();
        let output = shell("sleep 30 2>/dev/null & echo done").capture().unwrap();
        assert_eq!(output, "done\n");
        assert!(started.elapsed() < Duration::from_secs(25));
    }

    #[test]
    fn a_call_prints_as_it_is_typed() {
        let call = shell("echo it's").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            call.to_string(),
            r"RUSTDOCFLAGS='-D warnings' sh -c 'echo it'\''s'"
        );
    }

    #[test]
    fn a_parent_is_read_behind_any_process_name() {
        assert_eq!(parent_in("77 (a ) b) S 12 77 77 0"), Some(12));
        assert_eq!(parent_in("no process"), None);
    }
}
