//! The third-party servers: started, told what to do, and asked what they saw.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use doorkey_testkit::CertificateAuthority;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

/// Both servers, in one Node process that ends with this value.
pub(crate) struct Servers {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
    mcp: String,
    issuer: String,
}

/// One request as a server logged it.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) has_bearer: bool,
    /// The scripted browser sent it, not the program (nor a server asking the other one for keys).
    pub(crate) by_browser: bool,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// The query of a GET, the form of a POST.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let text = if self.method == "GET" {
            query
        } else {
            self.body.as_str()
        };
        url::form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect()
    }
}

impl Servers {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = CertificateAuthority::new().expect("a private CA");
        let identity = authority
            .issue_server(&["localhost", "127.0.0.1"])
            .expect("a certificate");
        let write = |name: &str, pem: &str| {
            std::fs::write(folder.path().join(name), pem).expect("a writable folder");
        };
        write("ca.pem", &authority.pem());
        write("cert.pem", identity.certificate_pem());
        write("key.pem", identity.key_pem());
        write("requests.log", "");
        let mut process = node(folder.path(), "servers/main.mjs")
            .env("TLS_CERT", folder.path().join("cert.pem"))
            .env("TLS_KEY", folder.path().join("key.pem"))
            .env("REQUEST_LOG", folder.path().join("requests.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts: `cargo xtask setup` installs it");
        let commands = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut servers = Self {
            process,
            commands,
            answers,
            folder,
            mcp: String::new(),
            issuer: String::new(),
        };
        let addresses = servers.answer();
        addresses["mcp"]
            .as_str()
            .expect("an address")
            .clone_into(&mut servers.mcp);
        addresses["issuer"]
            .as_str()
            .expect("an address")
            .clone_into(&mut servers.issuer);
        servers
    }

    pub(crate) fn mcp(&self) -> &str {
        &self.mcp
    }

    pub(crate) fn ca_certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Access tokens issued from now on live so many seconds.
    pub(crate) fn set_token_lifetime(&mut self, seconds: u64) {
        let commands = self.commands.as_mut().expect("the servers run");
        writeln!(commands, "{}", json!({ "ttl": seconds })).expect("the servers listen");
        assert_eq!(self.answer()["ttl"], json!(seconds));
    }

    pub(crate) fn forget_requests(&self) {
        std::fs::write(self.log(), "").expect("a writable log");
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        let log = std::fs::read_to_string(self.log()).expect("a readable log");
        log.lines()
            .map(|line| request(&serde_json::from_str(line).expect("JSON")))
            .collect()
    }

    pub(crate) fn requests_to(&self, path: &str) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.path() == path)
            .collect()
    }

    pub(crate) fn authorization_pages(&self) -> Vec<Request> {
        self.requests_to("/auth")
    }

    pub(crate) fn token_requests(&self, grant_type: &str) -> Vec<Request> {
        let wanted = ("grant_type".to_owned(), grant_type.to_owned());
        let of_type = |request: &Request| request.parameters().contains(&wanted);
        self.requests_to("/token")
            .into_iter()
            .filter(of_type)
            .collect()
    }

    pub(crate) fn refreshes(&self) -> Vec<Request> {
        self.token_requests("refresh_token")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("requests.log")
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the servers answer");
        serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("the servers said {line:?}: {error} (is `npm ci` done? `cargo xtask interop` does it)")
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // They end when their input closes; a server that hangs is ended by its id.
        drop(self.commands.take());
        for _ in 0..50 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A Node command for a script of this package, trusting the private CA in `folder`.
pub(crate) fn node(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .env("NODE_EXTRA_CA_CERTS", folder.join("ca.pem"));
    command
}

fn request(logged: &Value) -> Request {
    let text = |name: &str| logged[name].as_str().unwrap_or_default().to_owned();
    let agent = text("agent");
    // A server that keeps full URLs and one that keeps paths are read alike.
    let url = Url::parse(&text("url")).map_or_else(|_| text("url"), |url| url.path().to_owned());
    Request {
        method: text("method"),
        url,
        body: text("body"),
        has_bearer: logged["bearer"] == json!(true),
        by_browser: agent == "node" || agent.is_empty() || agent.contains("jose"),
    }
}
