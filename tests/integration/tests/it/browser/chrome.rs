//! A Chromium of its own, without a window, driven over WebDriver.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use integration::LIMIT;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use url::Url;

/// A browser with an empty profile and nothing but this machine to talk to. Both of its programs are children of the
/// test and are killed when it is dropped, also by a panic.
pub(super) struct Chrome {
    pub(super) client: Client,
    driver: Child,
    browser: Child,
    _profile: TempDir,
}

impl Chrome {
    /// Starts one.
    ///
    /// # Panics
    /// When one of the programs is missing or does not start, with what it said.
    pub(super) async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut browser = start_browser(profile.path());
        let debugger = debugger(profile.path(), &mut browser).await;
        let (driver, port) = start_driver().await;
        let capabilities = json!({
            "goog:chromeOptions": { "debuggerAddress": debugger },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().expect("an object").clone());
        let address = format!("http://127.0.0.1:{port}");
        let connected = tokio::time::timeout(LIMIT, builder.connect(&address)).await;
        let client = connected
            .expect("chromedriver takes too long to find the browser")
            .unwrap_or_else(|error| panic!("chromedriver does not find the browser: {error}"));
        Self {
            client,
            driver,
            browser,
            _profile: profile,
        }
    }

    /// What Chromium would show in its console since this was last asked: `(level, message)`.
    pub(super) async fn console(&self) -> Vec<(String, String)> {
        let entries = self.log("browser").await;
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        entries
            .iter()
            .map(|entry| (text(entry, "level"), text(entry, "message")))
            .collect()
    }

    /// The URLs of all requests since this was last asked, but for those that are no requests to anybody.
    pub(super) async fn requested(&self) -> Vec<Url> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            let url = message["params"]["request"]["url"].as_str()?;
            is_request.then(|| url.parse::<Url>().expect("a URL"))
        });
        messages
            .filter(|url| matches!(url.scheme(), "http" | "https" | "ws" | "wss"))
            .collect()
    }

    /// A command of the DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", body).await
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", json!({ "type": kind })).await;
        entries.as_array().expect("a list").clone()
    }

    async fn post(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(Post { path, body }).await;
        answer.unwrap_or_else(|error| panic!("chromedriver refuses {path}: {error}"))
    }
}

impl Drop for Chrome {
    /// Ends both programs, and sees them end before their profile is taken away.
    fn drop(&mut self) {
        let started = Instant::now();
        for child in [&mut self.driver, &mut self.browser] {
            // It may have ended by itself.
            drop(child.start_kill());
            while matches!(child.try_wait(), Ok(None)) && started.elapsed() < Duration::from_secs(5)
            {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// A command that the WebDriver standard does not have.
#[derive(Debug)]
struct Post {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

fn start_browser(profile: &Path) -> Child {
    let mut command = Command::new(CHROMIUM);
    command
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if is_root() {
        // Chromium does not start for root with its sandbox.
        command.arg("--no-sandbox");
    }
    command.spawn().unwrap_or_else(|error| {
        panic!("cannot start {CHROMIUM} ({error}); install it: apt-get install --yes chromium")
    })
}

/// Where the browser takes commands, which it writes into its profile once it does.
async fn debugger(profile: &Path, browser: &mut Child) -> String {
    let file = profile.join("DevToolsActivePort");
    let started = Instant::now();
    loop {
        let port = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some((port, _)) = port.split_once('\n') {
            return format!("127.0.0.1:{port}");
        }
        let ended = browser.try_wait().expect("a child");
        assert!(
            ended.is_none(),
            "{CHROMIUM} ended at once with {ended:?}; run it by hand to see why: {CHROMIUM} {FLAGS:?}"
        );
        assert!(
            started.elapsed() < LIMIT,
            "{CHROMIUM} takes no commands after {LIMIT:?}; run it by hand to see why: {CHROMIUM} {FLAGS:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The driver, and the port that it took. It wants one on two address families, and gives up when another process has
/// it on one of them.
async fn start_driver() -> (Child, u16) {
    let mut said = Vec::new();
    for _ in 0..DRIVER_ATTEMPTS {
        let mut driver = Command::new(CHROMEDRIVER)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {CHROMEDRIVER} ({error}); install it: apt-get install --yes chromium-driver")
            });
        let stdout = driver.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let port = tokio::time::timeout(LIMIT, port(&mut lines, &mut said)).await;
        if let Ok(Some(port)) = port {
            // It must not fail for want of somebody to talk to.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (driver, port);
        }
    }
    panic!("{CHROMEDRIVER} names no port: {said:#?}")
}

async fn port(lines: &mut Lines<BufReader<ChildStdout>>, said: &mut Vec<String>) -> Option<u16> {
    while let Ok(Some(line)) = lines.next_line().await {
        let port = line.trim_end_matches('.').rsplit_once(" port ");
        let port = port.and_then(|(_, port)| port.parse().ok());
        // The first it says is which one it was asked for.
        if let Some(port) = port.filter(|port| *port != 0) {
            return Some(port);
        }
        said.push(line);
    }
    None
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

const CHROMIUM: &str = "chromium";
const CHROMEDRIVER: &str = "chromedriver";
const DRIVER_ATTEMPTS: usize = 10;
const FLAGS: &[&str] = &[
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    // The servers' certificates are signed by an authority of the test.
    "--ignore-certificate-errors",
    // Whatever else it may want to talk to is not there.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-port=0",
    "about:blank",
];
