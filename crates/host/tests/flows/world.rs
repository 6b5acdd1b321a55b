//! An authorization server and an MCP server on different origins behind a private CA, and the program
//! with a home of its own.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, CertificateAuthority, McpServer,
    McpServerBuilder, Recorder, SigningAlgorithm, SigningKey,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) authority: CertificateAuthority,
    pub(crate) recorder: Recorder,
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
    pub(crate) async fn start(
        authority: CertificateAuthority,
        authorization: AuthorizationServerBuilder,
        mcp: McpServerBuilder,
    ) -> Self {
        let recorder = Recorder::new();
        let authorization = authorization.tls(&authority).recorder(&recorder);
        let authorization = authorization.start().await.unwrap();
        let mcp = mcp
            .tls(&authority)
            .authorization(&authorization)
            .recorder(&recorder);
        let mcp = mcp.start().await.unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self {
            folder,
            authority,
            recorder,
            authorization,
            mcp,
            variables: Vec::new(),
        }
    }

    /// Writes the configuration of `one`: these lines below its `oauth`, where `ISSUER` is the
    /// authorization server.
    pub(crate) fn configure(&self, oauth: &str) {
        let oauth = oauth.replace("ISSUER", &self.authorization.issuer());
        let config = format!(
            "[mcp_servers.one]\nurl = \"{}\"\n[mcp_servers.one.oauth]\n{oauth}\n",
            self.mcp.url()
        );
        fs::write(self.folder.path().join("config.toml"), config).unwrap();
    }

    /// With a variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file into the home.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("DOORKEY_HOME", self.folder.path())
            .env("DOORKEY_CA_CERTIFICATE", self.folder.path().join("ca.pem"))
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

    /// The login of `one`, as `list` has it.
    pub(crate) async fn status(&self) -> Value {
        let list = self.run(&["list", "--json"]).await.expect(0, &[]);
        serde_json::from_str::<Value>(&list.out).unwrap()[0]["auth"].clone()
    }

    /// `one`, as `get` has it.
    pub(crate) async fn shown(&self) -> Value {
        let get = self.run(&["get", "one", "--json"]).await.expect(0, &[]);
        serde_json::from_str(&get.out).unwrap()
    }

    /// Whether no server had to refuse anything.
    #[track_caller]
    pub(crate) fn spotless(&self) {
        let refusals = self.authorization.refusals();
        assert!(refusals.is_empty(), "{refusals:?}");
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

    /// Whether a text is nowhere in what was said.
    #[track_caller]
    pub(crate) fn without(self, text: &str) -> Self {
        let there = self.out.contains(text) || self.err.contains(text);
        assert!(
            !there,
            "{text:?} is in\nout: {}\nerr: {}",
            self.out, self.err
        );
        self
    }
}

pub(crate) fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap()
}

/// A JWT that a platform gives a workload.
pub(crate) fn workload_jwt(key: &SigningKey, audience: &str, lives: i64) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(since.unwrap().as_secs()).unwrap();
    let claims = json!({
        "iss": PLATFORM, "sub": "system:serviceaccount:agents:builder", "aud": audience,
        "iat": now - 60, "exp": now + lives,
    });
    let header = json!({ "alg": key.algorithm().as_str(), "typ": "JWT" });
    key.sign(&header, &claims).unwrap()
}

pub(crate) const PLATFORM: &str = "https://platform.example";
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
