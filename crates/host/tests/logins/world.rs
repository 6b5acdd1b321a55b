//! An authorization server and an MCP server on different origins behind a private CA, and the program with a
//! home of its own, without the session bus (and so without the keyring) of whoever runs the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, Browser, CertificateAuthority, Leg, McpServer, Recorder,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    authority: CertificateAuthority,
    recorder: Recorder,
    pub(crate) authorization: AuthorizationServer,
    pub(crate) mcp: McpServer,
    variables: Vec<(String, String)>,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// Servers, and a home with this configuration, where `URL` is the MCP server.
    pub(crate) async fn start(config: &str) -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let recorder = Recorder::new();
        let authorization = AuthorizationServer::builder()
            .tls(&authority)
            .recorder(&recorder);
        let authorization = authorization.start().await.unwrap();
        let mcp = McpServer::builder()
            .tls(&authority)
            .authorization(&authorization)
            .recorder(&recorder);
        let mcp = mcp.start().await.unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let world = Self {
            folder,
            authority,
            recorder,
            authorization,
            mcp,
            variables: Vec::new(),
        };
        world.configure(config);
        world
    }

    /// Writes the configuration, where `URL` is the MCP server.
    pub(crate) fn configure(&self, config: &str) {
        let config = config.replace("URL", &self.mcp.url());
        fs::write(self.home().join("config.toml"), config).unwrap();
    }

    /// With a variable set, in place of one of the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many tokens the authorization server was asked to revoke.
    pub(crate) fn revocations(&self) -> usize {
        self.recorder.count(Leg::Revocation)
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("DOORKEY_HOME", self.home())
            .env("DOORKEY_CA_CERTIFICATE", self.home().join("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let output = tokio::time::timeout(LIMIT, self.command(arguments).output());
        let output = output.await.unwrap().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same on a terminal, which shows data and messages together.
    #[cfg(target_os = "linux")]
    pub(crate) async fn run_on_terminal(&self, arguments: &[&str]) -> Ran {
        let program = self.command(arguments);
        let program = program.as_std();
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let words = words.map(|word| format!("'{}'", word.to_str().unwrap()));
        let line = words.collect::<Vec<_>>().join(" ");
        let mut command = Command::new("/usr/bin/script");
        let output = command
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output();
        let output = tokio::time::timeout(LIMIT, output).await.unwrap().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout)
                .unwrap()
                .replace("\r\n", "\n"),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `login one` with these arguments, as a person does who copies the page's address from the terminal.
    pub(crate) async fn login(&self, arguments: &[&str]) -> Ran {
        let login = async {
            let arguments = [&["login", "one", "--no-browser"], arguments].concat();
            let mut child = self.command(&arguments).spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut err = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("  https://") {
                    self.person().open(line.trim()).await.unwrap();
                }
                err.push_str(&line);
                err.push('\n');
            }
            let code = child.wait().await.unwrap().code().unwrap();
            Ran {
                code,
                out: String::new(),
                err,
            }
        };
        tokio::time::timeout(LIMIT, login).await.unwrap()
    }

    pub(crate) fn person(&self) -> Browser {
        Browser::new().trusting(&self.authority)
    }

    /// `list --json` of the first server.
    pub(crate) async fn listed(&self) -> Value {
        let list = self.run(&["list", "--json"]).await.expect(0, &[]);
        serde_json::from_str::<Value>(&list.out).unwrap()[0].clone()
    }

    /// The tokens that the MCP server has seen since this was last asked.
    pub(crate) fn tokens_sent(&self) -> BTreeSet<String> {
        let sent = self.recorder.requests();
        let sent = sent
            .iter()
            .filter(|request| request.leg == Leg::Resource)
            .filter_map(|request| request.headers.get("authorization"))
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        self.recorder.clear();
        sent
    }

    /// The requests that the servers have seen since [`World::tokens_sent`] was last asked.
    pub(crate) fn requests(&self, leg: Leg) -> usize {
        self.recorder.of(leg).len()
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(self, code: i32, said: &[&str]) -> Self {
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
}

pub(crate) const ONE: &str = "[mcp_servers.one]\nurl = \"URL\"\n";
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
