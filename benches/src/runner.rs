//! One child process, measured: wall time, processor time and the peak of its memory.
//!
//! The kernel counts the pages of whoever forks into the peak of the child, so a tiny program between us and the child
//! (`bench-runner`) starts it and waits for it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::{BoxError, Context};

/// A program to be started. Of our environment it gets `PATH` alone.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    stdin: Vec<u8>,
    limit: Duration,
    any_status: bool,
}

/// What a process used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time in its own code.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// The most memory that it held at once, in bytes.
    pub peak: u64,
}

/// A process that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it used.
    pub usage: Usage,
    /// Its exit code, or -1 after a signal.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl Invocation {
    /// The same of another program.
    pub fn of(self, program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            ..self
        }
    }

    /// The same, started by another program, whose arguments are those and then what it starts.
    pub fn under(
        self,
        program: impl Into<PathBuf>,
        words: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut args: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        args.push(self.program.into());
        args.extend(self.args);
        Self {
            program: program.into(),
            args,
            ..self
        }
    }

    /// A program without arguments, limited to a minute.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            folder: None,
            stdin: Vec::new(),
            limit: LIMIT,
            any_status: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// What it reads from stdin; nothing by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A failing exit code is an answer as well, for the caller to judge.
    #[must_use]
    pub fn any_status(mut self) -> Self {
        self.any_status = true;
        self
    }
}

impl Usage {
    /// All processor time.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }

    /// The time that it took, in seconds.
    #[must_use]
    pub fn wall_seconds(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    /// All processor time, in seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.cpu().as_secs_f64()
    }

    /// The peak of its memory, in bytes.
    #[expect(
        clippy::cast_precision_loss,
        reason = "no process has that much memory"
    )]
    #[must_use]
    pub fn peak_bytes(&self) -> f64 {
        self.peak as f64
    }
}

/// Runs a program to its end.
///
/// # Errors
/// If it cannot be started, exits with a failure (what it wrote to stderr is part of the error) or takes too long; then
/// it is ended with whatever it started.
pub async fn measure(context: &Context, invocation: &Invocation) -> Result<Ended, BoxError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let note = context.folder("runner")?.join(number.to_string());
    let child = command(context, invocation, &note)?.spawn()?;
    let mut group = Group::of(&child);
    let output = tokio::time::timeout(invocation.limit, finish(child, &invocation.stdin)).await;
    let named = || {
        invocation
            .program
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
    };
    let output =
        output.map_err(|_| format!("{} took longer than {:?}", named(), invocation.limit))??;
    group.has_ended();
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let note = std::fs::read_to_string(&note)
        .map_err(|_| format!("{} did not start: {}", named(), said()))?;
    let (code, usage) = read_note(&note).ok_or_else(|| format!("the runner noted {note:?}"))?;
    if code != 0 && !invocation.any_status {
        return Err(format!("{} ended with {code}: {}", named(), said()).into());
    }
    Ok(Ended {
        usage,
        code,
        stdout: output.stdout,
        stderr: output.stderr,
    })
}

fn command(context: &Context, invocation: &Invocation, note: &Path) -> Result<Command, BoxError> {
    let mut command = Command::new(context.program("bench-runner")?);
    command
        .arg(note)
        .arg(&invocation.program)
        .args(&invocation.args)
        .env_clear()
        .env("PATH", context.search_path())
        .envs(invocation.envs.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    if let Some(folder) = &invocation.folder {
        command.current_dir(folder);
    }
    Ok(command)
}

async fn finish(mut child: Child, stdin: &[u8]) -> Result<std::process::Output, BoxError> {
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read all of it is no failure.
        drop(pipe.write_all(stdin).await);
    }
    Ok(child.wait_with_output().await?)
}

/// The process group of a runner: who is still in it when this is dropped is ended.
struct Group {
    #[cfg(unix)]
    leader: Option<Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: leader.and_then(Pid::from_raw),
        }
    }

    #[cfg(not(unix))]
    fn of(_child: &Child) -> Self {
        Self {}
    }

    fn has_ended(&mut self) {
        #[cfg(unix)]
        {
            self.leader = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // It may have ended in this moment.
            let _ended = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// What `bench-runner` writes: exit code, nanoseconds of wall, user and system time, bytes.
fn read_note(note: &str) -> Option<(i32, Usage)> {
    let mut words = note.split_whitespace();
    let code = words.next()?.parse().ok()?;
    let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [wall, user, system, peak] = numbers[..] else {
        return None;
    };
    let [wall, user, system] = [wall, user, system].map(Duration::from_nanos);
    Some((
        code,
        Usage {
            wall,
            user,
            system,
            peak,
        },
    ))
}

const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_the_runner_is_read_whole_or_not_at_all() {
        let (code, usage) = read_note("0 1500 1000 200 4096\n").unwrap();
        assert_eq!(
            (code, usage.wall, usage.peak),
            (0, Duration::from_nanos(1500), 4096)
        );
        assert_eq!(usage.cpu(), Duration::from_nanos(1200));
        for broken in ["", "0", "0 1 2 3", "0 1 2 3 x", "0 1 2 3 4 5"] {
            assert_eq!(read_note(broken), None, "{broken}");
        }
    }
}
