//! A private D-Bus session with GNOME's Secret Service on it.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::LIMIT;
use crate::daemon::{Daemon, find, send};

/// How the Secret Service of a [`Keyring`] is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringState {
    /// It runs, and its default collection is open.
    Unlocked,
    /// It runs, and its default collection, which exists, is locked. There is no display to ask for the password on.
    Locked,
    /// The session is there, and nobody in it offers the service.
    Absent,
}

/// A D-Bus session, and `gnome-keyring-daemon` with a home of its own. Both end when the value is dropped.
///
/// A test reaches it from a child process ([`Process`](crate::Process)) with [`envs`](Self::envs) set.
#[derive(Debug)]
pub struct Keyring {
    // Dropped in this order: the service leaves the session before the session ends.
    service: Option<Daemon>,
    _session: Daemon,
    program: PathBuf,
    folder: TempDir,
}

impl Keyring {
    /// A new session with a fresh home whose service is in that state.
    ///
    /// # Panics
    /// If D-Bus or GNOME Keyring is not installed or does not start; the text says what to do.
    #[must_use]
    pub fn start(state: KeyringState) -> Self {
        let dbus = find("dbus-daemon", &[], "dbus-daemon");
        let program = find("gnome-keyring-daemon", &[], "gnome-keyring");
        let folder = tempfile::Builder::new()
            .prefix("doorkey-keyring-")
            .tempdir()
            .expect("a temporary folder can be made");
        for name in ["home", "run"] {
            fs::create_dir(folder.path().join(name)).expect("the folder is ours");
        }
        let session = session(&dbus, folder.path());
        let mut keyring = Self {
            service: None,
            _session: session,
            program,
            folder,
        };
        if state == KeyringState::Locked {
            // Only what was once made can be locked.
            keyring.change(KeyringState::Unlocked);
        }
        keyring.change(state);
        keyring
    }

    /// Ends the service if it runs, and starts it in that state, with the secrets that it had.
    ///
    /// # Panics
    /// If it does not start.
    pub fn change(&mut self, state: KeyringState) {
        if let Some(mut service) = self.service.take() {
            service.end_by("TERM", LIMIT);
        }
        let unlocked = match state {
            KeyringState::Absent => return,
            KeyringState::Locked => false,
            KeyringState::Unlocked => true,
        };
        let mut command = Command::new(&self.program);
        command
            .args(["--foreground", "--components=secrets"])
            .arg("--control-directory")
            .arg(self.folder.path().join("run/keyring"))
            .env_clear()
            .envs(self.envs())
            .stdin(Stdio::null());
        if unlocked {
            command.arg("--unlock").stdin(Stdio::piped());
        }
        let mut service = Daemon::start(&mut command, &self.folder.path().join("service.log"));
        if let Some(mut stdin) = service.stdin() {
            stdin
                .write_all(PASSWORD)
                .expect("the service reads its password");
        }
        let is_ready = |_| self.is_offered() && (!unlocked || self.is_unlocked());
        assert!(
            service.wait_until(is_ready),
            "gnome-keyring-daemon does not start:\n{}",
            service.said()
        );
        self.service = Some(service);
    }

    /// Kills the service in the middle of whatever it does. [`change`](Self::change) starts it again.
    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill();
        }
    }

    /// Stops the service where it is: it answers nothing until it is [`resume`](Self::resume)d, or killed.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets the service go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        if let Some(service) = &self.service {
            send(signal, &[service.id()]);
        }
    }

    /// The environment of a process in this session, which needs nothing else but `PATH`.
    #[must_use]
    pub fn envs(&self) -> Vec<(&'static str, OsString)> {
        let at = |name: &str| self.folder.path().join(name).into_os_string();
        let mut address = OsString::from("unix:path=");
        address.push(at("bus"));
        vec![
            ("DBUS_SESSION_BUS_ADDRESS", address),
            ("HOME", at("home")),
            ("XDG_DATA_HOME", at("home/.local/share")),
            ("XDG_RUNTIME_DIR", at("run")),
        ]
    }

    /// The folder in which the service keeps its files, which are encrypted with its password.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("home/.local/share/keyrings")
    }

    fn is_offered(&self) -> bool {
        self.ask(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            &[
                "org.freedesktop.DBus.NameHasOwner",
                "string:org.freedesktop.secrets",
            ],
        )
        .contains("boolean true")
    }

    fn is_unlocked(&self) -> bool {
        self.ask(
            "org.freedesktop.secrets",
            "/org/freedesktop/secrets/aliases/default",
            &[
                "org.freedesktop.DBus.Properties.Get",
                "string:org.freedesktop.Secret.Collection",
                "string:Locked",
            ],
        )
        .contains("boolean false")
    }

    fn ask(&self, whom: &str, object: &str, what: &[&str]) -> String {
        let output = Command::new(find("dbus-send", &[], "dbus-bin"))
            .args(["--session", "--print-reply", "--reply-timeout=5000"])
            .arg(format!("--dest={whom}"))
            .arg(object)
            .args(what)
            .envs(self.envs())
            .output()
            .expect("dbus-send can be started");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A session that knows no services to start by itself: only what is started here is ever found in it.
fn session(dbus: &Path, folder: &Path) -> Daemon {
    let socket = folder.join("bus");
    let settings = folder.join("session.conf");
    let content = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display()
    );
    fs::write(&settings, content).expect("the folder is ours");
    let mut command = Command::new(dbus);
    command
        .arg("--config-file")
        .arg(&settings)
        .args(["--nofork", "--nopidfile"])
        .stdin(Stdio::null());
    let mut session = Daemon::start(&mut command, &folder.join("session.log"));
    assert!(
        session.wait_until(|_| UnixStream::connect(&socket).is_ok()),
        "dbus-daemon does not start:\n{}",
        session.said()
    );
    session
}

/// Only of a private keyring with nothing but the secrets of a test in it.
const PASSWORD: &[u8] = b"only-for-this-test";
