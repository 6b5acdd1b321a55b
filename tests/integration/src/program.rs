//! The program, as a person runs it.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

use crate::{Home, LIMIT, World, text};

/// What one run of the program came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The data.
    pub stdout: String,
    /// The messages.
    pub stderr: String,
}

impl Home {
    /// Runs the program on this home to its end, with nothing but this home in its environment.
    ///
    /// # Panics
    /// When the program is not built, or takes longer than [`LIMIT`].
    pub async fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[]).await
    }

    /// The same with more variables.
    ///
    /// # Panics
    /// When the program is not built, or takes longer than [`LIMIT`].
    pub async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = self.command();
        command.args(arguments).envs(variables.iter().copied());
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output
            .unwrap_or_else(|_| panic!("doorkey {arguments:?} took longer than {LIMIT:?}"))
            .expect("a program that starts");
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }

    /// The program on this home, yet to be started. It is killed when dropped.
    ///
    /// # Panics
    /// When the program is not built.
    pub fn command(&self) -> Command {
        let mut command = Command::new(beside_the_test("doorkey", "cargo build -p doorkey"));
        let browser = Self::browser();
        command
            .env_clear()
            .envs(self.variables())
            .env("HOME", self.path())
            .env("BROWSER", browser)
            .env("INTEGRATION_BROWSER", self.desk.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// What stands in `$BROWSER`.
    ///
    /// # Panics
    /// When it is not built.
    pub fn browser() -> PathBuf {
        beside_the_test("integration-browser", "cargo build -p integration")
    }

    /// Opens a page as somebody does who was shown its address.
    ///
    /// # Panics
    /// When the person cannot be reached.
    pub async fn open(&self, page: &str) {
        let mut browser = Command::new(Self::browser());
        browser
            .arg(page)
            .env("INTEGRATION_BROWSER", self.desk.to_string())
            .kill_on_drop(true);
        let status = tokio::time::timeout(LIMIT, browser.status()).await;
        let status = status.expect("in time").expect("a browser that starts");
        assert!(status.success(), "the browser ended with {status}");
    }
}

impl Run {
    /// The same run, if its exit code is 0.
    ///
    /// # Panics
    /// When it is another, showing everything.
    pub fn succeeded(self) -> Self {
        self.ended_with(0)
    }

    /// The same run, if its exit code is `code`.
    ///
    /// # Panics
    /// When it is another, showing everything.
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// The data as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// What the person read, the same in every run: exit code and messages, without ports, paths and random values.
    pub fn told(&self, world: &World, home: &Home) -> String {
        let text = world.anonymous(&self.stderr);
        let text = text.replace(&home.path().display().to_string(), "$DOORKEY_HOME");
        format!("exit code {}\n{}", self.code, text::settled(&text))
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

/// A program of this workspace: Cargo puts it into the folder of the same profile, above the tests' own.
pub(crate) fn beside_the_test(name: &str, build: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let folders = this.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(&name))
        .find(|path| is_file(path));
    found.unwrap_or_else(|| panic!("{name} is not built beside {}: {build}", this.display()))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
