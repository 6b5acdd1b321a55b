//! Processes that do one thing: ask a [`TokenSource`](doorkey_oauth::TokenSource) for a token, when they are told to.
//!
//! A [`Worker`] is a real process (`integration-worker`) on a [`Place`], which may stop at a named [`Step`] of the refresh to
//! be killed there. A [`Site`] is what it works against: two servers, somebody signed in, and a store to look into.

pub mod child;
mod kills;
mod moment;
mod site;

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
};

use doorkey_store::{FileBackend, KeySource, Store};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

pub use kills::{Tally, kills};
pub use moment::{Moment, kill_before_waiting};
pub use site::Site;

use crate::LIMIT;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder of files in the clear.
    File(PathBuf),
    /// A folder of encrypted files, its key beside it.
    Encrypted(PathBuf),
}

impl Place {
    /// The folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::File(folder) | Self::Encrypted(folder) => folder,
        }
    }

    /// The file with the key of an encrypted store.
    fn key(folder: &Path) -> PathBuf {
        folder.with_extension("key")
    }

    /// Opens it, as a new process does.
    ///
    /// # Panics
    /// When the store cannot be opened.
    pub fn open(&self) -> Store {
        Store::new(self.backend())
    }

    pub(crate) fn backend(&self) -> FileBackend {
        let backend = match self {
            Self::File(folder) => FileBackend::new(folder),
            Self::Encrypted(folder) => {
                FileBackend::encrypted(folder, KeySource::KeyFile(Self::key(folder)))
            }
        };
        backend.expect("a folder")
    }

    /// What the command line of a worker says of it.
    fn argument(&self) -> String {
        let kind = match self {
            Self::File(_) => "file",
            Self::Encrypted(_) => "encrypted",
        };
        format!("{kind}:{}", self.folder().display())
    }

    pub(crate) fn parse(argument: &str) -> Option<Self> {
        let (kind, folder) = argument.split_once(':')?;
        match kind {
            "file" => Some(Self::File(folder.into())),
            "encrypted" => Some(Self::Encrypted(folder.into())),
            _ => None,
        }
    }
}

/// A step of the refresh at which a worker stops for good, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before it takes the lock.
    BeforeLock,
    /// With the lock, before it reads again.
    Locked,
    /// The intent is saved, nothing is sent.
    IntentSaved,
    /// The whole answer has arrived, nobody has looked at it.
    AnswerRead,
    /// The new tokens are about to be saved.
    BeforeSave,
    /// They are saved, nobody else knows.
    Saved,
    /// Whoever asked has the new token.
    Published,
}

impl Step {
    /// Every one, in order.
    pub const ALL: [Self; 7] = [
        Self::BeforeLock,
        Self::Locked,
        Self::IntentSaved,
        Self::AnswerRead,
        Self::BeforeSave,
        Self::Saved,
        Self::Published,
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|step| format!("{step:?}") == name)
    }
}

/// What a worker said of its attempt to get a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has one.
    Token,
    /// A person has to sign in, for this reason.
    Login(String),
    /// It has none, and nothing is lost.
    Failed(String),
    /// It ended without a word.
    Nothing,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("has a token"),
            Self::Login(why) => write!(f, "login required: {why}"),
            Self::Failed(why) => write!(f, "{why}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// A process that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Nobody else's, and empty: the store is all that processes share.
    home: TempDir,
}

impl Worker {
    /// Starts one that waits to be told to go.
    ///
    /// # Panics
    /// When it is not built or does not start.
    pub async fn start(site: &Site, stop: Option<Step>) -> Self {
        Self::start_with(site, stop, 0).await
    }

    /// The same, whose clock is so many seconds ahead or, negative, behind.
    ///
    /// # Panics
    /// When it is not built or does not start.
    pub async fn start_with(site: &Site, stop: Option<Step>, ahead: i64) -> Self {
        Self::of(&[], site, (stop, ahead)).await
    }

    /// One that may write only where the permissions let its user: root gives up its privileges.
    ///
    /// # Panics
    /// When it is not built or does not start.
    pub async fn start_unprivileged(site: &Site) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let owner = std::fs::metadata(site.folder()).expect("a folder").uid();
        let first: &[&str] = match owner {
            0 => &["setpriv", "--inh-caps=-all", "--bounding-set=-all"],
            _ => &[],
        };
        Self::of(first, site, (None, 0)).await
    }

    /// `first` is what starts it.
    async fn of(first: &[&str], site: &Site, (stop, ahead): (Option<Step>, i64)) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut words = first
            .iter()
            .map(OsStr::new)
            .chain([site.program.as_os_str()]);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .args([&site.argument, &site.world.mcp.url()])
            .arg(stop.map_or_else(|| "-".to_owned(), |step| format!("{step:?}")))
            .arg(ahead.to_string())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", home.path())
            .env("DOORKEY_HOME", home.path())
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("a program that starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut worker = Self {
            child,
            input,
            output,
            home,
        };
        assert_eq!(worker.line().await.as_deref(), Some("ready"));
        worker
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn id(&self) -> u32 {
        self.child.id().expect("a process that runs")
    }

    /// Tells it to go.
    pub async fn go(&mut self) {
        // One that was killed does not listen, which shows in what it says.
        drop(self.input.write_all(b"go\n").await);
    }

    /// What came of it.
    pub async fn said(&mut self) -> Said {
        let Some(line) = self.news().await else {
            return Said::Nothing;
        };
        match line.split_once(' ') {
            Some(("login", why)) => Said::Login(why.to_owned()),
            Some(("failed", why)) => Said::Failed(why.to_owned()),
            _ if line == "token" => Said::Token,
            _ => unreachable!("{line}"),
        }
    }

    /// Waits until it has stopped where it was told to.
    ///
    /// # Panics
    /// When it goes on instead.
    pub async fn stopped(&mut self) {
        assert_eq!(self.news().await.as_deref(), Some("stopped"));
    }

    /// Waits until it has waited for a lock for a while that another one holds.
    ///
    /// # Panics
    /// When it gets the lock instead.
    pub async fn waits(&mut self) {
        assert_eq!(self.line().await.as_deref(), Some(child::WAITS));
    }

    /// SIGKILL: nothing of the process runs any more.
    ///
    /// # Panics
    /// When there is nothing to kill.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a process to kill");
    }

    /// Sends SIGKILL and does not wait.
    pub fn shoot(&mut self) {
        drop(self.child.start_kill());
    }

    /// Lets it save what is left to save and end; says what could not be saved.
    ///
    /// # Panics
    /// When it left something in its home: what it kept there others would not have.
    pub async fn end(mut self) -> Option<String> {
        drop(self.input.write_all(b"end\n").await);
        let line = self.news().await.unwrap_or_default();
        drop(self.child.wait().await);
        let mut left = std::fs::read_dir(self.home.path()).expect("a folder");
        assert!(
            left.next().is_none(),
            "it shares the store and nothing else"
        );
        line.strip_prefix("unsaved ").map(str::to_owned)
    }

    /// The next line about something else than its waiting.
    async fn news(&mut self) -> Option<String> {
        loop {
            let line = self.line().await;
            if line.as_deref() != Some(child::WAITS) {
                return line;
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let reading = self.output.read_line(&mut line);
        let read = tokio::time::timeout(LIMIT, reading).await;
        let read = read.expect("a worker that says something in time");
        (read.expect("a pipe") > 0).then(|| line.trim_end().to_owned())
    }
}
