//! What a case is made of: servers, a home, and the run of the program on them.

use std::sync::Arc;

use doorkey::doctor::{Class, Severity, faults};
use doorkey_testkit::{AuthorizationServerBuilder, McpServerBuilder};
use integration::{Home, Run, World};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::login;

/// Servers, a home, and what is run there.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) home: Home,
    target: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// Where [`socket`](Self::socket) listens.
    address: Option<String>,
    /// Whatever has to live as long as the run.
    kept: Vec<Box<dyn Send>>,
}

impl Bench {
    /// Servers that are in order; nobody has signed in.
    pub(crate) async fn new() -> Self {
        Self::with(|auth| auth, |mcp| mcp).await
    }

    /// The same, and somebody has signed in.
    pub(crate) async fn signed_in() -> Self {
        Self::signed_in_with(|auth| auth, |mcp| mcp).await
    }

    /// Servers that differ in what `auth` and `mcp` say; nobody has signed in.
    pub(crate) async fn with(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        Self::of(World::with(auth, mcp).await)
    }

    /// The same, and somebody has signed in.
    pub(crate) async fn signed_in_with(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        let bench = Self::with(auth, mcp).await;
        login(&bench.world, &bench.home).await;
        bench
    }

    /// A home with these servers.
    pub(crate) fn of(world: World) -> Self {
        let home = Home::new(&world, "");
        Self {
            world,
            home,
            target: Home::SERVER.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            address: None,
            kept: Vec::new(),
        }
    }

    /// Plain http on this machine: every connection is answered with what `answer` makes of the head of its request,
    /// and closed. `it` is the server there, at `/mcp`.
    pub(crate) async fn socket(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = Arc::new(answer);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let mut head = vec![0; 16 * 1024];
                    let read = stream.read(&mut head).await.unwrap_or_default();
                    let head = String::from_utf8_lossy(&head[..read]).into_owned();
                    // Whoever went away meanwhile wants no answer.
                    drop(stream.write_all(&answer(&head)).await);
                    drop(stream.shutdown().await);
                });
            }
        });
        let mut bench = Self::new().await;
        bench.kept.push(Box::new(Serving(serving)));
        bench.address = Some(address.to_string());
        let table = format!(
            "[mcp_servers.{}]\nurl = \"http://{address}/mcp\"\n",
            Home::SERVER
        );
        bench.config(&table)
    }

    /// Rewrites the table of the server in `config.toml`, all but its URL; further tables may follow.
    pub(crate) fn settings(self, settings: &str) -> Self {
        self.home.configure(settings);
        self
    }

    /// Rewrites `config.toml`.
    pub(crate) fn config(self, text: &str) -> Self {
        self.home.write("config.toml", text.as_bytes());
        self
    }

    /// Sets a variable for the run.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an argument to the run.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Another name or URL in place of `it`.
    pub(crate) fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Keeps something for as long as the case lasts, such as a further server.
    pub(crate) fn keeping(mut self, kept: impl Send + 'static) -> Self {
        self.kept.push(Box::new(kept));
        self
    }

    /// Where the [`socket`](Self::socket) listens.
    pub(crate) fn address(&self) -> &str {
        self.address.as_deref().expect("a socket")
    }

    /// `text` with a name in place of the address of the [`socket`](Self::socket).
    pub(crate) fn anonymous(&self, text: &str) -> String {
        match &self.address {
            Some(address) => text.replace(address, "mcp.test"),
            None => text.to_owned(),
        }
    }

    /// Runs `doorkey doctor` with further arguments.
    pub(crate) async fn run(&self, further: &[&str]) -> Run {
        let mut arguments = vec!["doctor", &self.target];
        arguments.extend(self.arguments.iter().map(String::as_str));
        arguments.extend(further);
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.home.run_with(&arguments, &variables).await
    }
}

struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs the doctor and holds what it says to the row of the table.
pub(crate) async fn check(name: &str, leg: Option<&str>, bench: &Bench) {
    let id = name.replace('_', "-");
    let row = faults().find(|fault| fault.id == id);
    let row = row.unwrap_or_else(|| panic!("no row of the table is named {id}"));
    let run = bench.run(&["--json"]).await;
    let diagnosis = run.json();
    let found = ids(&diagnosis).iter().position(|it| *it == id);
    let found = found.unwrap_or_else(|| panic!("{id} is not found: {run}"));
    if row.severity == Severity::Error {
        assert_eq!(found, 0, "the first finding: {run}");
    }
    let finding = &diagnosis["findings"][found];
    let line = in_short(&run, &diagnosis, finding);
    let start = format!("{id} | ");
    let expected = EXPECTED.lines().find(|line| line.starts_with(&start));
    assert_eq!(Some(line.as_str()), expected, "{run}");
    assert_eq!(
        finding["section"].as_str().unwrap_or_default(),
        row.section,
        "{run}"
    );
    assert_eq!(finding["title"], row.title, "{run}");
    assert_eq!(finding["rule"], row.rule, "{run}");
    let severity = match row.severity {
        Severity::Error => "error",
        _ => "warning",
    };
    assert_eq!(finding["severity"], severity, "{run}");
    assert_eq!(
        finding["evidence"]["leg"].as_str(),
        leg,
        "the leg of the evidence: {run}"
    );
    if leg.is_some() {
        assert!(finding["evidence"]["url"].is_string(), "{run}");
    }
    hold_the_mend(finding, &run);
    let step = &finding["step"];
    let mut steps = diagnosis["steps"].as_array().expect("steps").iter();
    let of_step = steps.find(|it| it["step"] == *step).expect("the step");
    assert!(
        of_step["status"] != "ok" && of_step["status"] != "skipped",
        "{run}"
    );
    if row.severity == Severity::Error {
        assert_eq!(run.code, code(row.class), "{run}");
    }
}

/// Something to do that can be done: no hole of a template is left in it.
fn hold_the_mend(finding: &Value, run: &Run) {
    let mend = &finding["mend"];
    assert!(
        !mend["text"].as_str().unwrap_or_default().is_empty(),
        "{run}"
    );
    let can = ["command", "config", "message"];
    assert!(can.iter().any(|way| mend[way].is_string()), "{run}");
    for text in [
        &finding["means"],
        &mend["command"],
        &mend["config"],
        &mend["message"],
    ] {
        let text = text.as_str().unwrap_or_default();
        let holes = [
            "{name}", "{login}", "{url}", "{at}", "{origin}", "{status}", "{value}", "{issuer}",
        ];
        assert!(
            !holes.iter().any(|hole| text.contains(hole)),
            "{text}: {run}"
        );
    }
}

/// What has to come of each case, independent of the table: `id | exit code | class | evidence | all findings`.
const EXPECTED: &str = include_str!("expected.txt");

fn in_short(run: &Run, diagnosis: &Value, finding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let evidence = &finding["evidence"];
    let status = evidence["status"].as_u64();
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    format!(
        "{} | {} | {} | {} {status} | {}",
        text(&finding["id"]),
        run.code,
        text(&finding["class"]),
        text(&evidence["leg"]),
        ids(diagnosis).join(" ")
    )
}

/// The ids of the findings.
pub(crate) fn ids(diagnosis: &Value) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().expect("findings");
    let ids = findings
        .iter()
        .map(|it| it["id"].as_str().unwrap_or_default());
    ids.map(str::to_owned).collect()
}

fn code(class: Class) -> i32 {
    match class {
        Class::Configuration => 9,
        Class::Login => 3,
        Class::Forbidden => 5,
        Class::Temporary => 6,
        Class::Mcp => 7,
        _ => 1,
    }
}
