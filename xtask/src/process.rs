//! Child processes: stdin closed, a limit on every wait, and nothing is ended but what was started here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
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

/// What becomes of what a command writes to stderr.
#[derive(Debug, Clone, Copy)]
enum Stderr {
    /// The person sees it as it comes.
    Shown,
    /// It is part of a failure.
    Kept,
    /// It comes in line with what goes to stdout.
    WithStdout,
}

/// Lines as they come, until nobody can write any more.
type Lines = Receiver<String>;

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

    /// Runs the command in sight of the person.
    pub(crate) fn show(&self) -> Result<(), Failure> {
        println!("$ {self}");
        let ended = self.run(Stderr::Shown, &mut |line| println!("{line}"));
        ended.map_err(|(ending, said)| self.failure(ending, said, Counts::default()))
    }

    /// As [`Call::show`], for a test runner, whose tests are counted: a run without a single one is a failure. `heard`
    /// gets each line of stdout and stderr in the order in which they were written.
    pub(crate) fn show_tests(&self, heard: &mut dyn FnMut(&str)) -> Result<Counts, Failure> {
        println!("$ {self}");
        let mut counts = Counts::default();
        let ended = self.run(Stderr::WithStdout, &mut |line| {
            println!("{line}");
            heard(line);
            counts += Counts::of_line(line).unwrap_or_default();
        });
        match ended {
            Err((ending, said)) => Err(self.failure(ending, said, counts)),
            Ok(()) if counts.passed == 0 => {
                Err(self.failure(Ending::NoTests, String::new(), counts))
            }
            Ok(()) => Ok(counts),
        }
    }

    /// Runs the command out of sight; `heard` gets each line of stdout and stderr in the order in which they were written.
    pub(crate) fn hear(&self, heard: &mut dyn FnMut(&str)) -> Result<(), Failure> {
        self.run(Stderr::WithStdout, heard)
            .map_err(|(ending, said)| self.failure(ending, said, Counts::default()))
    }

    /// Returns the command's stdout and leaves its stderr in sight of the person.
    pub(crate) fn show_stderr(&self) -> Result<String, Failure> {
        println!("$ {self}");
        let (output, ended) = self.captured(Stderr::Shown);
        match ended {
            Ok(()) => Ok(output),
            Err((ending, said)) => Err(self.failure(ending, said, Counts::default())),
        }
    }

    /// Runs the command out of sight and returns its stdout; its stderr is part of the failure.
    pub(crate) fn capture(&self) -> Result<String, Failure> {
        let (output, ended) = self.captured(Stderr::Kept);
        match ended {
            Ok(()) => Ok(output),
            Err((ending, said)) => Err(self.failure(ending, said, Counts::default())),
        }
    }

    /// As [`Call::capture`], for a command whose stdout counts also when it exits with a failure: with that status.
    pub(crate) fn capture_whatever(&self) -> Result<(String, Option<ExitStatus>), Failure> {
        let (output, ended) = self.captured(Stderr::Kept);
        match ended {
            Ok(()) => Ok((output, None)),
            Err((Ending::Exit(status), _)) => Ok((output, Some(status))),
            Err((ending, said)) => Err(self.failure(ending, said, Counts::default())),
        }
    }

    fn captured(&self, stderr: Stderr) -> (String, Result<(), (Ending, String)>) {
        let mut output = String::new();
        let ended = self.run(stderr, &mut |line| {
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
    /// kept of its stderr.
    fn run(&self, stderr: Stderr, on_line: &mut dyn FnMut(&str)) -> Result<(), (Ending, String)> {
        let (mut child, stdout, stderr) = self
            .start(stderr)
            .map_err(|error| (Ending::NotStarted(error), String::new()))?;
        let ended = self.follow(&mut child, stdout.as_ref(), on_line);
        let said = stderr.map(|lines| last_lines(&lines)).unwrap_or_default();
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err((Ending::Exit(status), said)),
            Err(ending) => Err((ending, said)),
        }
    }

    /// The child, and the lines of its stdout and stderr that are to be read.
    fn start(&self, stderr: Stderr) -> io::Result<(Child, Option<Lines>, Option<Lines>)> {
        let mut command = self.command();
        match stderr {
            Stderr::Shown => {
                command.stderr(Stdio::inherit());
            }
            Stderr::Kept => {
                command.stderr(Stdio::piped());
            }
            Stderr::WithStdout => {
                let (reader, writer) = io::pipe()?;
                command.stdout(writer.try_clone()?).stderr(writer);
                let child = command.spawn()?;
                // It holds the writing end, and the lines end only when nobody does.
                drop(command);
                return Ok((child, Some(lines_of(reader)), None));
            }
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().map(lines_of);
        let stderr = child.stderr.take().map(lines_of);
        Ok((child, stdout, stderr))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.folder);
        command.stdin(Stdio::null());
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
        stdout: Option<&Lines>,
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
fn lines_of(pipe: impl Read + Send + 'static) -> Lines {
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
fn last_lines(lines: &Lines) -> String {
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
mod tests;
