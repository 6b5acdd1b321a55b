//! The third-party servers: started, told what to do, and asked what they saw.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use doorkey_testkit::CertificateAuthority;
use serde_json::{Value, json};
use tempfile::TempDir;

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
    /// Of its `Authorization`; empty without one.
    pub(crate) scheme: String,
    /// What followed the scheme.
    pub(crate) credential: String,
    /// Those of MCP and of its content.
    pub(crate) headers: Value,
    /// The claims of its DPoP proof; null without one.
    pub(crate) proof: Value,
    /// The program sent it, not the browser (nor a server asking the other one for keys).
    pub(crate) by_program: bool,
    pub(crate) answer: Answer,
}

/// What a request was answered.
pub(crate) struct Answer {
    pub(crate) status: u64,
    /// The members of a JSON body of the authorization server.
    pub(crate) members: Value,
    /// The `WWW-Authenticate` of the MCP server.
    pub(crate) challenge: String,
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

    /// Every value of a parameter.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        self.parameters()
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect()
    }

    /// The client that it says it is from, in its form or by HTTP Basic.
    pub(crate) fn client_id(&self) -> String {
        if self.scheme == "Basic" {
            let pair = STANDARD.decode(&self.credential).unwrap_or_default();
            let pair = String::from_utf8_lossy(&pair).into_owned();
            return pair.split(':').next().unwrap_or_default().to_owned();
        }
        self.values("client_id").concat()
    }

    pub(crate) fn succeeded(&self) -> bool {
        (200..300).contains(&self.answer.status)
    }
}

impl Servers {
    pub(crate) fn start() -> Self {
        Self::with(&json!({}))
    }

    /// With clients that were registered beforehand, as `servers/machines.mjs` has them.
    pub(crate) fn with_machines() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = json!({ "machines": folder.path() });
        Self::start_in(folder, &options)
    }

    /// With options, which `servers/*.mjs` list.
    pub(crate) fn with(options: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, options)
    }

    fn start_in(folder: TempDir, options: &Value) -> Self {
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
        let said = std::fs::File::create(folder.path().join("said")).expect("a writable folder");
        let mut process = node(folder.path(), "servers/main.mjs")
            .env("TLS_CERT", folder.path().join("cert.pem"))
            .env("TLS_KEY", folder.path().join("key.pem"))
            .env("REQUEST_LOG", folder.path().join("requests.log"))
            .env("OPTIONS", options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
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

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A file that the servers left: what a client shows for itself.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ca_certificate(&self) -> PathBuf {
        self.file("ca.pem")
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
        let entries = self.entries().into_iter();
        entries
            .filter(|entry| entry["event"].is_null())
            .map(|entry| request(&entry))
            .collect()
    }

    /// How often the authorization server said that something happened.
    pub(crate) fn events(&self, name: &str) -> usize {
        let entries = self.entries().into_iter();
        entries.filter(|entry| entry["event"] == name).count()
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

    /// Does what somebody with a stolen token would do; `servers/thief.mjs` has the terms.
    pub(crate) fn thief(&self, deed: &Value) -> Value {
        let output = node(self.folder.path(), "servers/thief.mjs")
            .arg(deed.to_string())
            .output()
            .expect("node runs");
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    fn entries(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.log()).expect("a readable log");
        // A line without its end is still being written.
        log.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn log(&self) -> PathBuf {
        self.file("requests.log")
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the servers answer");
        serde_json::from_str(&line).unwrap_or_else(|error| {
            let said = std::fs::read_to_string(self.file("said")).unwrap_or_default();
            panic!("the servers said {line:?}: {error} (is `npm ci` done? `cargo xtask interop` does it)\n{said}")
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

/// The header and the claims of a JWT.
pub(crate) fn jwt(text: &str) -> (Value, Value) {
    let mut parts = text.split('.').map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&json).unwrap_or_default()
    });
    let mut next = || parts.next().unwrap_or_default();
    (next(), next())
}

fn request(logged: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Request {
        method: text(&logged["method"]),
        url: text(&logged["url"]),
        body: text(&logged["body"]),
        scheme: text(&logged["scheme"]),
        credential: text(&logged["credential"]),
        headers: logged["content"].clone(),
        proof: logged["proof"].clone(),
        by_program: text(&logged["agent"]).starts_with("doorkey/"),
        answer: Answer {
            status: logged["answer"]["status"].as_u64().unwrap_or_default(),
            members: logged["answer"]["members"].clone(),
            challenge: text(&logged["answer"]["challenge"]),
        },
    }
}
