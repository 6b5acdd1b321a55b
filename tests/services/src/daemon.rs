//! One process that stays, and the processes that it starts: found, watched, and ended wholly.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::LIMIT;

/// A running daemon. Dropping it kills it with all that it started.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a command whose output goes to the end of that file. `stdin` stays what the caller made of it.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let output = || {
            File::options()
                .create(true)
                .append(true)
                .open(log)
                .expect("the log of a daemon can be written")
        };
        let child = command
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until it is ready; `false` if it ended instead. What it says is part of the failure when it takes too long.
    pub(crate) fn wait_until(&mut self, mut is_ready: impl FnMut(u32) -> bool) -> bool {
        let started = Instant::now();
        while !is_ready(self.child.id()) {
            if self.child.try_wait().expect("a child's state").is_some() {
                return false;
            }
            assert!(
                started.elapsed() < LIMIT,
                "a daemon is not ready after {LIMIT:?}:\n{}",
                self.said()
            );
            thread::sleep(TICK);
        }
        true
    }

    /// What it wrote so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal by name and waits for its end, for which it must be made: `false` if it does not end in time.
    pub(crate) fn end_by(&mut self, signal: &str, limit: Duration) -> bool {
        send(signal, &[self.child.id()]);
        let started = Instant::now();
        while started.elapsed() < limit {
            if self.child.try_wait().expect("a child's state").is_some() {
                return true;
            }
            thread::sleep(TICK);
        }
        false
    }

    /// Ends it and all that it started at one moment, as a crash of the machine would, and waits until they are gone.
    pub(crate) fn kill(&mut self) {
        let mut doomed = descendants(self.child.id());
        doomed.insert(0, self.child.id());
        send("KILL", &doomed);
        drop(self.child.wait());
        let started = Instant::now();
        while doomed.iter().any(|id| is_alive(*id)) && started.elapsed() < LIMIT {
            thread::sleep(TICK);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Sends a signal to processes. What has ended by itself meanwhile cannot be reached any more, and need not be.
pub(crate) fn send(signal: &str, ids: &[u32]) {
    let kill = ["-c", "kill -\"$0\" \"$@\" 2>/dev/null"].map(str::to_owned);
    let ids = ids.iter().map(u32::to_string);
    drop(
        Command::new("sh")
            .args(kill.into_iter().chain([signal.to_owned()]).chain(ids))
            .stdin(Stdio::null())
            .status(),
    );
}

/// The processes that a process started, and those that they started, by Linux's `/proc`.
fn descendants(of: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, stat(id)?.1)))
        .collect();
    let mut found = Vec::new();
    let mut next = vec![of];
    while let Some(parent) = next.pop() {
        let children = parents.iter().filter(|(_, its)| *its == parent);
        for (child, _) in children {
            found.push(*child);
            next.push(*child);
        }
    }
    found
}

/// Whether a process still runs. One that nobody has waited for yet has ended all the same.
fn is_alive(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// State and parent in `/proc/<id>/stat`: `id (name) state parent …`, where the name may hold blanks and brackets.
fn stat(id: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Whom a daemon runs as that refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    /// User and group id, where we are root and it must be another one.
    ids: Option<(u32, u32)>,
}

impl User {
    /// The user who runs the tests or, where that is root, the one that Debian made for PostgreSQL, else `nobody`.
    pub(crate) fn unprivileged() -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let own = tempfile::tempfile()
            .and_then(|file| file.metadata())
            .expect("a temporary file can be made");
        if own.uid() != 0 {
            return Self { ids: None };
        }
        let users = fs::read_to_string("/etc/passwd").expect("there are users");
        let ids = ["postgres", "nobody"].into_iter().find_map(|name| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        let ids = ids.expect("a user `postgres` or `nobody` to run what does not run as root");
        Self { ids: Some(ids) }
    }

    /// A command that runs as that user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Gives the user a file or folder that we made.
    pub(crate) fn give(self, path: &Path) {
        if let Some((user, group)) = self.ids {
            chown(path, Some(user), Some(group)).expect("root can give a file away");
        }
    }

    /// Writes a file that only the user can read.
    pub(crate) fn write(self, path: &Path, content: &str) {
        fs::write(path, content).expect("a file in a temporary folder can be written");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
        self.give(path);
    }
}

/// The newest program of that name in the folders, whose last part but one may be `*`; in the folders of `$PATH` besides.
pub(crate) fn find(program: &str, folders: &[&str], package: &str) -> PathBuf {
    let on_path = path().into_iter().map(|folder| folder.join(program));
    let beside = folders
        .iter()
        .flat_map(|pattern| expanded(pattern))
        .map(|folder| folder.join(program));
    beside
        .chain(on_path)
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{program} is not installed: run `cargo xtask setup`, or `sudo apt-get install --yes {package}`"
            )
        })
}

/// The folders of a pattern with one `*`, the highest number first.
fn expanded(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return vec![PathBuf::from(pattern)];
    };
    let entries = fs::read_dir(before).into_iter().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.parse::<u32>().unwrap_or(0)));
    names
        .into_iter()
        .map(|name| Path::new(before).join(name).join(after))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests find programs as a person does"
)]
fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    // Where Debian puts daemons; it is not on everybody's path.
    folders.push("/usr/sbin".into());
    folders
}

/// How often a wait looks.
pub(crate) const TICK: Duration = Duration::from_millis(10);
