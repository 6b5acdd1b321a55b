//! The program, run as a person runs it: with a home of its own, the private CA, and a scripted browser in `$BROWSER`.

use std::{
    fmt,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::servers::{Servers, node};

const LIMIT: Duration = Duration::from_secs(60);

/// Somebody with an empty home.
pub(crate) struct Person {
    home: TempDir,
    ca_certificate: PathBuf,
}

/// A run of the program that has not come to its end; it ends with this value.
pub(crate) struct Running {
    child: Child,
    what: String,
    started: Instant,
    output: TempDir,
}

/// What one run of the program came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Person {
    pub(crate) fn new(servers: &Servers) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let person = Self {
            home,
            ca_certificate: servers.ca_certificate(),
        };
        person.write_browser();
        person
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it takes longer than a minute.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).finish()
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let output = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| std::fs::File::create(output.path().join(name)).expect("a file");
        let child = Command::new(program())
            .args(arguments)
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.home.path())
            .env("DOORKEY_HOME", self.home.path().join("doorkey"))
            .env("DOORKEY_CA_CERTIFICATE", &self.ca_certificate)
            .env("BROWSER", self.browser())
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("the program is built: `cargo build -p doorkey`");
        Running {
            child,
            what: format!("doorkey {arguments:?}"),
            started: Instant::now(),
            output,
        }
    }

    /// How many pages the browser opened whose URL contains `part`.
    pub(crate) fn browser_visits(&self, part: &str) -> usize {
        let log = std::fs::read_to_string(self.home.path().join("visits")).unwrap_or_default();
        log.lines().filter(|url| url.contains(part)).count()
    }

    /// The last page the browser opened.
    pub(crate) fn last_visit(&self) -> String {
        let log = std::fs::read_to_string(self.home.path().join("visits")).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// Opens a page in the browser without the program.
    pub(crate) fn browse(&self, arguments: &[&str]) -> Output {
        let mut browser = Command::new(self.browser());
        browser.args(arguments).env_clear().env("PATH", path());
        browser.output().expect("a browser that runs")
    }

    /// Writes the configuration of the server `work`: the table `oauth` has these lines.
    pub(crate) fn configure(&self, servers: &Servers, oauth: &str) {
        let folder = self.home.path().join("doorkey");
        std::fs::create_dir_all(&folder).expect("a writable home");
        let url = servers.mcp();
        let text =
            format!("[mcp_servers.work]\nurl = {url:?}\n\n[mcp_servers.work.oauth]\n{oauth}\n");
        std::fs::write(folder.join("config.toml"), text).expect("a writable home");
    }

    /// Edits the configuration as a person with an editor would.
    pub(crate) fn set_protocol(&self, name: &str, protocol: &str) {
        let file = self.home.path().join("doorkey/config.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        let header = format!("[mcp_servers.{name}]\n");
        let kept: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("protocol = "))
            .collect();
        let text = format!("{}\n", kept.join("\n"));
        assert!(text.contains(&header), "{text}");
        let edited = text.replace(&header, &format!("{header}protocol = \"{protocol}\"\n"));
        std::fs::write(&file, edited).expect("a writable configuration");
    }

    fn browser(&self) -> PathBuf {
        self.home.path().join("browser")
    }

    fn write_browser(&self) {
        let folder = self.ca_certificate.parent().expect("a folder");
        let command = node(folder, "servers/browser.mjs");
        let script = command
            .get_args()
            .next()
            .expect("a script")
            .to_string_lossy()
            .into_owned();
        let text = format!(
            "#!/bin/sh\nNODE_EXTRA_CA_CERTS='{}' BROWSER_LOG='{}' exec node '{script}' \"$@\"\n",
            self.ca_certificate.display(),
            self.home.path().join("visits").display(),
        );
        std::fs::write(self.browser(), text).expect("a writable home");
        let owner_runs = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(self.browser(), owner_runs).expect("a script that runs");
    }
}

impl Running {
    /// Waits until there is something, which may be in what the program has written to standard error.
    pub(crate) fn until<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&self.read("err")) {
                return found;
            }
            assert!(self.ended().is_none(), "it ended: {}", self.read("err"));
            self.pause();
        }
    }

    pub(crate) fn finish(mut self) -> Run {
        loop {
            if let Some(code) = self.ended() {
                return Run {
                    code,
                    stdout: self.read("out"),
                    stderr: self.read("err"),
                };
            }
            self.pause();
        }
    }

    fn pause(&self) {
        let so_long = self.started.elapsed() < LIMIT;
        assert!(so_long, "{} took longer than {LIMIT:?}", self.what);
        std::thread::sleep(Duration::from_millis(10));
    }

    fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("a child to wait for");
        status.map(|status| status.code().unwrap_or(-1))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).expect("UTF-8 output")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Run {
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            out,
            "exit code {code}\n-- stdout\n{stdout}\n-- stderr\n{stderr}"
        )
    }
}

/// The program beside this test: Cargo puts both below the same profile's folder.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<test>");
    profile.join("doorkey")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program and the browser need what this test was given"
)]
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("a PATH")
}
