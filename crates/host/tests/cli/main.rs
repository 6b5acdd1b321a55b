//! The program as a person runs it: arguments, configuration, exit codes.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

mod client_metadata;
mod configuration;
mod contents;
mod errors;
mod field_notes;
mod import;
mod lists;
mod manner;
mod network;
mod secrets;
mod servers;
mod shells;
mod switch;
mod text;
mod usage;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Scene {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Scene {
    fn new(config: &str) -> Self {
        let scene = Self {
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        };
        if !config.is_empty() {
            fs::write(scene.config(), config).unwrap();
        }
        scene
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn config_text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).stdin(Stdio::null()).output();
        Ran::of(&output.unwrap())
    }

    /// The same with something on standard input.
    fn run_given(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever refuses the arguments does not read.
        let _written = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(&child.wait_with_output().unwrap())
    }

    /// The same on a terminal, which shows data and messages together. `script` has its own idea of the ends of lines.
    #[cfg(target_os = "linux")]
    fn run_on_terminal(&self, arguments: &[&str]) -> Ran {
        let quoted = arguments.iter().map(|word| format!(" '{word}'"));
        let line = format!(
            "'{}'{}",
            env!("CARGO_BIN_EXE_doorkey"),
            quoted.collect::<String>()
        );
        let output = Command::new("/usr/bin/script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .env_clear()
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .env("DOORKEY_HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut ran = Ran::of(&output);
        ran.out = ran.out.replace("\r\n", "\n");
        ran
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
        command
            .args(arguments)
            .env_clear()
            .env("DOORKEY_HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs beside an async test's servers, and is there for the next command.
    async fn run_kept(self, arguments: &'static [&'static str]) -> (Self, Ran) {
        let run = move || {
            let ran = self.run(arguments);
            (self, ran)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Runs beside an async test's servers.
    async fn run_async(self, arguments: &'static [&'static str]) -> Ran {
        tokio::task::spawn_blocking(move || self.run(arguments))
            .await
            .unwrap()
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    #[track_caller]
    fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        for text in said {
            let there = self.out.contains(text) || self.err.contains(text);
            assert!(
                there,
                "{text:?} is not in\nout: {}\nerr: {}",
                self.out, self.err
            );
        }
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

const ONE: &str = "# mine\n[mcp_servers.one]\nurl = \"https://one.example/mcp\" # here\n";
