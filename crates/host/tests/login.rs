//! Login, use, expiry and logout through the program, each command a process of its own, against an
//! authorization server and a resource-bound MCP server on different origins behind a private CA.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Browser, CertificateAuthority, Leg, McpServer,
    McpServerBuilder, Recorder, Visit, Wire,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(60);

struct World {
    folder: TempDir,
    authority: CertificateAuthority,
    recorder: Recorder,
    authorization: AuthorizationServer,
    mcp: McpServer,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|authorization| authorization, |mcp| mcp).await
    }

    async fn start_with(
        authorization: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let recorder = Recorder::new();
        let builder = AuthorizationServer::builder()
            .tls(&authority)
            .recorder(&recorder);
        let authorization = authorization(builder).start().await.unwrap();
        let builder = McpServer::builder()
            .tls(&authority)
            .authorization(&authorization)
            .recorder(&recorder);
        let mcp = mcp(builder).start().await.unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let config = format!("[mcp_servers.one]\nurl = \"{}\"\n", mcp.url());
        fs::write(folder.path().join("config.toml"), config).unwrap();
        Self {
            folder,
            authority,
            recorder,
            authorization,
            mcp,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
        command
            .args(arguments)
            .env_clear()
            .env("DOORKEY_HOME", self.folder.path())
            .env("DOORKEY_CA_CERTIFICATE", self.folder.path().join("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let output = tokio::time::timeout(LIMIT, self.command(arguments).output());
        let output = output.await.unwrap().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Logs in as a person does who copies the page's address from the terminal.
    async fn login(&self, person: Browser) -> (Ran, Option<Visit>) {
        let login = async {
            let mut child = self
                .command(&["login", "one", "--no-browser"])
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let (mut err, mut visit) = (String::new(), None);
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("  https://") {
                    let url = format!("https://{url}");
                    visit = Some(person.open(&url).await.unwrap());
                }
                err.push_str(&line);
                err.push('\n');
            }
            let mut out = String::new();
            child
                .stdout
                .take()
                .unwrap()
                .read_to_string(&mut out)
                .await
                .unwrap();
            let code = child.wait().await.unwrap().code().unwrap();
            (Ran { code, out, err }, visit)
        };
        tokio::time::timeout(LIMIT, login).await.unwrap()
    }

    fn person(&self) -> Browser {
        Browser::new().trusting(&self.authority)
    }

    async fn status(&self) -> Value {
        let list = self.run(&["list", "--json"]).await.expect(0, &[]);
        serde_json::from_str::<Value>(&list.out).unwrap()[0]["auth"].clone()
    }
}

impl Ran {
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_proven_kept_refreshed_and_revoked() {
    let world = World::start().await;
    world
        .run(&["tools", "one"])
        .await
        .expect(3, &["next: doorkey login one"]);
    assert_eq!(world.status().await["status"], "login_required");

    let (ran, visit) = world.login(world.person()).await;
    let host = world
        .authorization
        .url()
        .trim_start_matches("https://")
        .to_owned();
    let ran = ran.expect(
        0,
        &[
            "takes the token",
            "5 minutes",
            &format!("sends you to {host}"),
        ],
    );
    assert!(ran.out.is_empty(), "{}", ran.out);
    let named = ran.err.find("sends you to").unwrap();
    assert!(
        named < ran.err.find("  https://").unwrap(),
        "the host is named first"
    );
    let page = visit.unwrap().page.unwrap();
    assert_eq!(page.status, 200);
    let status = world.status().await;
    assert_eq!(status["status"], "logged_in");
    assert_eq!(status["proof"], "accepted");
    assert_eq!(status["resource"], world.mcp.resource());
    assert_eq!(status["issuer"], world.authorization.issuer());

    world.recorder.clear();
    world.run(&["tools", "one"]).await.expect(0, &["echo"]);
    let asked = world.recorder.requests();
    assert!(
        asked.iter().all(|request| request.leg == Leg::Resource),
        "{asked:?}"
    );

    world.authorization.expire_access_tokens();
    world
        .run(&["call", "one", "echo", "--args", "{\"text\":\"hi\"}"])
        .await
        .expect(0, &["hi"]);
    assert_eq!(world.authorization.refreshes(), 1);
    world.run(&["call", "one", "fail"]).await.expect(8, &[]);
    world
        .run(&["resources", "one"])
        .await
        .expect(0, &["one lists no resources"]);

    world.run(&["logout", "one"]).await.expect(0, &["removed"]);
    assert_eq!(world.recorder.count(Leg::Revocation), 2);
    assert_eq!(world.status().await["status"], "login_required");
    world.run(&["tools", "one"]).await.expect(3, &[]);
    assert!(
        world.authorization.refusals().is_empty(),
        "{:?}",
        world.authorization.refusals()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_denies_ends_the_login_with_4() {
    let world = World::start_with(
        |authorization| authorization.consent(doorkey_testkit::Consent::Page),
        |mcp| mcp,
    )
    .await;
    let (ran, visit) = world.login(world.person().denying()).await;
    ran.expect(
        4,
        &[
            "error[login-denied]: ",
            "access_denied",
            "\nnext: doorkey login one",
        ],
    );
    let page = visit.unwrap().page.unwrap();
    assert_eq!(page.status, 200);
    assert_eq!(world.authorization.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_callback_does_not_end_the_login() {
    let world = World::start().await;
    let mut child = world
        .command(&["login", "one", "--no-browser"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut url = None;
    while url.is_none() {
        let line = tokio::time::timeout(LIMIT, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        url = line
            .strip_prefix("  https://")
            .map(|rest| format!("https://{rest}"));
    }
    let url = url.unwrap();
    let parsed = url::Url::parse(&url).unwrap();
    let redirect = parsed
        .query_pairs()
        .find(|(name, _)| name == "redirect_uri")
        .unwrap()
        .1;
    for query in [
        "code=x",
        "code=x&state=foreign",
        "error=access_denied",
        "error=access_denied&state=x",
    ] {
        let page = doorkey_testkit::Client::new()
            .get(&format!("{redirect}?{query}"))
            .await
            .unwrap();
        assert_eq!(page.status, 400, "{query}");
        assert!(page.text().contains("still waiting"), "{}", page.text());
    }
    world.person().open(&url).await.unwrap();
    let status = tokio::time::timeout(LIMIT, child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_server_does_not_take_is_kept_marked_and_no_success() {
    let world = World::start().await;
    world.mcp.reject_tokens(true);
    let (ran, _) = world.login(world.person()).await;
    ran.expect(3, &["does not accept the token", "marked as rejected"]);
    let status = world.status().await;
    assert_eq!(status["status"], "login_required");
    assert_eq!(status["proof"], "rejected");
    assert!(status["last_error"].is_string(), "{status}");
    assert_eq!(
        status["issuer"],
        world.authorization.issuer(),
        "the login is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_certificate_is_told_with_what_to_set() {
    let world = World::start().await;
    let mut command = world.command(&["tools", "one"]);
    let output = command
        .env_remove("DOORKEY_CA_CERTIFICATE")
        .output()
        .await
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("DOORKEY_CA_CERTIFICATE") && err.contains("ertificate"),
        "{err}"
    );
    assert!(!err.contains("doorkey login"), "{err}");
    assert_eq!(
        output.status.code(),
        Some(9),
        "trying again cannot help: {err}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_can_see_ends_at_once_and_says_how_it_is_done_in_two_halves() {
    let world = World::start().await;
    let mut command = world.command(&["login", "one"]);
    command.env("BROWSER", "/nonexistent/browser");
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .unwrap()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    // The page was told while it was of use, before the browser failed; the error does not lead to it any more.
    let (_, error) = err.split_once("error[nobody-to-ask]: ").expect(&err);
    assert!(
        error.contains("next: doorkey login one --start, ") && !error.contains("/authorize?"),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_port_that_is_taken_is_named_before_anybody_is_asked() {
    let world = World::start().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = world.folder.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        format!("{text}[mcp_servers.one.oauth]\ncallback_port = {port}\n"),
    )
    .unwrap();
    let (ran, visit) = world.login(world.person()).await;
    // Who holds it is known where the system tells its users.
    let holder = match cfg!(target_os = "linux") {
        true => format!("(process {})", std::process::id()),
        false => "another program".to_owned(),
    };
    let next = "next: doorkey login one --callback-port ";
    let setting = "or callback_port of [mcp_servers.one.oauth] for good";
    ran.expect(9, &[&port.to_string(), "in use", &holder, next, setting]);
    assert!(visit.is_none());

    fs::write(
        &config,
        format!("{text}[mcp_servers.one.oauth]\ncallback_url = \"https://dev.example/cb\"\n"),
    )
    .unwrap();
    let (ran, visit) = world.login(world.person()).await;
    ran.expect(9, &["not on loopback", "next: write callback_port = "]);
    assert!(visit.is_none());
}

#[cfg(feature = "demo")]
#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_shows_every_step() {
    let world = World::start().await;
    let ran = world.run(&["demo"]).await.expect(0, &[]);
    for step in [
        "add",
        "login",
        "tools",
        "call",
        "tools, token expired",
        "logout",
    ] {
        assert!(
            ran.out.lines().any(|line| line.starts_with(step)),
            "{step}: {}",
            ran.out
        );
    }
    assert!(!ran.out.contains("FAILED"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changed_its_wire_is_asked_anew() {
    let folder = TempDir::new().unwrap();
    let mut port = 0;
    for wire in [
        Wire::Stateful2025_11_25,
        Wire::Stateless2026_07_28,
        Wire::Stateful2025_11_25,
    ] {
        let mcp = tokio::time::timeout(LIMIT, open_at(port, wire))
            .await
            .unwrap();
        port = mcp.addr().port();
        let config = format!("[mcp_servers.one]\nurl = \"{}\"\n", mcp.url());
        fs::write(folder.path().join("config.toml"), config).unwrap();
        for _ in 0..2 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
            command
                .args(["tools", "one"])
                .env_clear()
                .env("DOORKEY_HOME", folder.path());
            let output = tokio::time::timeout(LIMIT, command.output())
                .await
                .unwrap()
                .unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{wire:?}: {err}");
            assert!(String::from_utf8(output.stdout).unwrap().contains("echo"));
        }
        mcp.stop().await;
    }
}

/// An open server at `port`. A process that another test starts may hold the port a moment longer than its server did.
async fn open_at(port: u16, wire: Wire) -> McpServer {
    loop {
        let listen = doorkey_testkit::Listen::new().port(port);
        let server = McpServer::builder().open().wire(wire).listen(listen);
        match server.start().await {
            Err(doorkey_testkit::Error::Listen { .. }) if port != 0 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            started => return started.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_authority_may_be_named_in_every_way_that_is_documented() {
    let world = World::start().await;
    let bundle = world.folder.path().join("ca.pem");
    let certificates = world.folder.path().join("certs");
    fs::create_dir(&certificates).unwrap();
    fs::copy(&bundle, certificates.join("0a1b2c3d.0")).unwrap();
    fs::write(certificates.join("README"), "no certificate").unwrap();
    let config = world.folder.path().join("config.toml");
    let plain = fs::read_to_string(&config).unwrap();
    let ways = [
        (Some(("SSL_CERT_FILE", &bundle)), ""),
        (Some(("SSL_CERT_DIR", &certificates)), ""),
        (Some(("DOORKEY_CA_CERTIFICATE", &bundle)), ""),
        (None, "[network]\nca_certificates = [\"ca.pem\"]\n"),
        (
            None,
            "[mcp_servers.one.network]\nca_certificates = [\"certs/0a1b2c3d.0\"]\n",
        ),
    ];
    for (variable, added) in ways {
        fs::write(&config, format!("{plain}{added}")).unwrap();
        let mut command = world.command(&["tools", "one"]);
        command.env_remove("DOORKEY_CA_CERTIFICATE");
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        let output = tokio::time::timeout(LIMIT, command.output())
            .await
            .unwrap()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        // The server was reached, and wants a login.
        assert_eq!(output.status.code(), Some(3), "{variable:?} {added}: {err}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_login_ends_with_4_and_leaves_nothing_half_done() {
    let world = World::start().await;
    let mut child = world
        .command(&["login", "one", "--no-browser"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = tokio::time::timeout(LIMIT, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if line.starts_with("  https://") {
            break;
        }
    }
    let kill = format!("kill -INT {}", child.id().unwrap());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .await
            .unwrap()
            .success()
    );
    let status = tokio::time::timeout(LIMIT, child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(4));
    assert_eq!(world.status().await["status"], "login_required");
    let (ran, _) = world.login(world.person()).await;
    ran.expect(0, &["takes the token"]);
    assert_eq!(
        world.authorization.registrations(),
        1,
        "the registration is used again"
    );
}
