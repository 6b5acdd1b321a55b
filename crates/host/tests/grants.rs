//! Logins that are stored already, and what the commands make of them when the configuration or the
//! store is not what it was.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its scene has failed"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use doorkey::store::{Grant, GrantKey, Store};
use serde_json::Value;
use tempfile::TempDir;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Nothing listens there.
const URL: &str = "http://127.0.0.1:9/mcp";

/// A home with one grant for [`URL`], given by a server that revokes.
struct Scene {
    folder: TempDir,
    authorization: MockServer,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Scene {
    async fn new(config: &str) -> Self {
        let authorization = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/revoke"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&authorization)
            .await;
        let scene = Self {
            folder: TempDir::new().unwrap(),
            authorization,
        };
        scene.configure(config);
        scene.sign_in(URL).await;
        scene
    }

    fn configure(&self, config: &str) {
        fs::write(self.folder.path().join("config.toml"), config).unwrap();
    }

    fn store(&self) -> Store {
        Store::file(self.folder.path().join("state")).unwrap()
    }

    async fn sign_in(&self, url: &str) {
        let issuer = self.authorization.uri();
        let mut grant = Grant::new(&issuer, "client", format!("{issuer}/token"));
        grant.revocation_endpoint = Some(format!("{issuer}/revoke"));
        grant.access_token = Some("access".to_owned().into());
        grant.refresh_token = Some("refresh".to_owned().into());
        grant.resource = Some(url.to_owned());
        let key = GrantKey::new(url, "default");
        self.store().save_grant(&key, &grant, None).await.unwrap();
    }

    async fn is_signed_in(&self) -> bool {
        let key = GrantKey::new(URL, "default");
        self.store().grant(&key).await.unwrap().is_some()
    }

    fn grant_file(&self, host: &str) -> PathBuf {
        let entries = fs::read_dir(self.folder.path().join("state")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        let wanted = format!("grant-{host}-");
        paths
            .find(|path| path.to_str().unwrap().contains(&wanted))
            .unwrap()
    }

    async fn revocations(&self) -> usize {
        let requests = self.authorization.received_requests().await;
        requests.unwrap_or_default().len()
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorkey"));
        command
            .args(arguments)
            .env_clear()
            .env("DOORKEY_HOME", self.folder.path())
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The login of the first server, as `list` has it.
    async fn status(&self) -> Value {
        let ran = self.run(&["list", "--json"]).await.expect(0, &[]);
        serde_json::from_str::<Value>(&ran.out).unwrap()[0]["auth"].clone()
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

fn one(rest: &str) -> String {
    format!("[mcp_servers.one]\nurl = \"{URL}\"\n{rest}")
}

/// The ways to give a server a bearer token; none of the variables is set.
const BEARERS: [&str; 3] = [
    "bearer_token_env_var = \"TOKEN\"\n",
    "http_headers = { Authorization = \"Bearer t0ken\" }\n",
    "env_http_headers = { Authorization = \"TOKEN\" }\n",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_login_from_before_a_bearer_token_is_revoked_and_removed() {
    for bearer in BEARERS {
        for command in ["logout", "remove"] {
            let scene = Scene::new(&one(bearer)).await;
            scene
                .run(&[command, "one"])
                .await
                .expect(0, &["refresh token at the server: removed"]);
            assert_eq!(scene.revocations().await, 2, "{bearer} {command}");
            assert!(!scene.is_signed_in().await, "{bearer} {command}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stored_login_a_server_with_a_bearer_token_has_nothing_to_sign_out_of() {
    for bearer in BEARERS {
        let scene = Scene::new(&one("")).await;
        scene.run(&["logout", "one"]).await.expect(0, &[]);
        scene.configure(&one(bearer));
        let key = bearer.split_once(' ').unwrap().0;
        let next = format!("take {key} out of [mcp_servers.one]");
        let ran = scene.run(&["logout", "one"]).await;
        ran.expect(9, &["there is no login for it", "next: ", &next]);
        scene
            .run(&["remove", "one"])
            .await
            .expect(0, &["removed one"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_entry_shows_nothing_of_a_login() {
    for bearer in BEARERS {
        let status = Scene::new(&one(bearer)).await.status().await;
        assert_eq!(status["status"], "bearer_env");
        for field in ["expires_at", "issuer", "resource", "client_id", "proof"] {
            assert!(status[field].is_null(), "{field}: {status}");
        }
        assert_eq!(status["refreshable"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_configuration_cannot_use_wants_another() {
    let scene = Scene::new(&one("")).await;
    for (rest, reason) in [
        ("", None),
        ("oauth_resource = \"http://127.0.0.1:9/mcp\"\n", None),
        (
            "oauth_resource = \"https://other.example\"\n",
            Some("another resource"),
        ),
        ("oauth_resource = \"omit\"\n", Some("another resource")),
        ("[mcp_servers.one.oauth]\nclient_id = \"client\"\n", None),
        // What cannot be read has no say in what the login is.
        (
            "[mcp_servers.one.oauth]\nclient_id = \"client\"\nclient_secret_env = \"UNSET\"\n",
            None,
        ),
        (
            "[mcp_servers.one.oauth]\nclient_id = \"other\"\n",
            Some("another client"),
        ),
        (
            "[mcp_servers.one.oauth]\nclient_id = \"client\"\nissuer = \"https://as.example\"\n",
            Some("authorization server"),
        ),
    ] {
        scene.configure(&one(rest));
        let status = scene.status().await;
        let expected = match reason {
            None => "logged_in",
            Some(_) => "login_required",
        };
        assert_eq!(status["status"], expected, "{rest}: {status}");
        match reason {
            None => assert!(status["reason"].is_null(), "{status}"),
            Some(reason) => {
                let told = status["reason"].as_str().unwrap();
                assert!(told.contains(reason), "{rest}: {told}");
                scene
                    .run(&["get", "one", "--table"])
                    .await
                    .expect(0, &[reason]);
            }
        }
    }
}

const TWO: &str = "[mcp_servers.one]\nurl = \"http://127.0.0.1:9/mcp\"\n\
     [mcp_servers.two]\nurl = \"http://127.0.0.1:9/mcp\"\n\
     [mcp_servers.token]\nurl = \"http://127.0.0.1:9/mcp\"\nbearer_token_env_var = \"TOKEN\"\n\
     [mcp_servers.work]\nurl = \"http://127.0.0.1:9/mcp\"\naccount = \"work\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_stays_while_another_server_uses_it() {
    let scene = Scene::new(TWO).await;
    let ran = scene.run(&["remove", "one"]).await;
    ran.expect(0, &["kept the login: two uses it too", "removed one"]);
    assert!(scene.is_signed_in().await);
    let ran = scene.run(&["remove", "two"]).await;
    ran.expect(0, &["refresh token at the server: removed", "removed two"]);
    assert!(!scene.is_signed_in().await);
    assert_eq!(scene.revocations().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_names_the_other_servers_it_concerns() {
    let scene = Scene::new(TWO).await;
    let ran = scene.run(&["logout", "one"]).await;
    let ran = ran.expect(0, &["two: had the same login"]);
    assert!(
        !ran.err.contains("token:") && !ran.err.contains("work:"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_of_the_store_gives_its_advice_once() {
    let scene = Scene::new(&one("")).await;
    fs::write(scene.grant_file("127.0.0.1"), "{").unwrap();
    let ran = scene
        .run(&["list", "--table"])
        .await
        .expect(0, &["not tried yet", "warning:"]);
    assert_eq!(ran.err.matches("log in again").count(), 1, "{}", ran.err);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_does_not_hide_the_others() {
    let scene = Scene::new(&format!(
        "{}[mcp_servers.two]\nurl = \"https://two.example/mcp\"\n",
        one("")
    ))
    .await;
    scene.sign_in("https://two.example/mcp").await;
    let link = scene.grant_file("127.0.0.1");
    let target = scene.folder.path().join("elsewhere.json");
    fs::rename(&link, &target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();

    let delete = format!("delete the link {}", link.display());
    let ran = scene.run(&["list", "--json"]).await;
    let ran = ran.expect(0, &["warning: one:", &delete]);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(rows[0]["auth"]["status"], "unknown");
    assert!(rows[0]["auth"]["code"].is_string(), "{}", rows[0]);
    assert_eq!(rows[1]["auth"]["status"], "logged_in");
    scene
        .run(&["get", "one", "--table"])
        .await
        .expect(0, &["cannot be read", &delete]);
    let ran = scene.run(&["tools", "one"]).await;
    ran.expect(9, &[&format!("next: {delete}")]);

    let ran = scene.run(&["logout", "one"]).await;
    ran.expect(0, &["removed the link", "nothing was revoked"]);
    assert!(fs::symlink_metadata(&link).is_err());
    assert!(target.is_file(), "what it points to stays");
    assert_eq!(scene.status().await["status"], "unknown");
    scene.run(&["logout", "one"]).await.expect(0, &["no login"]);
}
