//! Files that are replaced under a session, and programs that are run again.

use std::fs;
use std::path::PathBuf;

use doorkey_http::Roots;
use doorkey_testkit::CertificateAuthority;
use tempfile::TempDir;

use super::*;
use crate::{Config, Home};

struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn network(&self, settings: &str) -> NetworkInForce {
        let text = format!("[mcp_servers.a]\nurl = \"https://mcp.example/mcp\"\n{settings}");
        let config = Config::parse(&Home::at(self.folder.path()), &text).expect("a configuration");
        let environment = Environment::default();
        NetworkInForce::of(&environment, config.network(), &config.servers()[0])
    }

    /// A source that looks at its files whenever it is asked.
    fn open(&self, settings: &str) -> (HttpProfile, Reload) {
        self.open_with(settings, EAGER)
    }

    fn open_with(&self, settings: &str, pauses: Pauses) -> (HttpProfile, Reload) {
        let network = self.network(settings);
        let opened = opened(network, &Environment::default(), pauses);
        let (profile, reload) = opened.expect("settings that can be used");
        (profile, reload.expect("something to watch"))
    }
}

/// Files are looked at, and programs run again that failed, whenever a request comes.
const EAGER: Pauses = Pauses {
    look: Duration::ZERO,
    patience: Duration::from_secs(60),
    slow: Duration::ZERO,
    again: Duration::ZERO,
    failed: Duration::ZERO,
};

async fn told_of_files(reload: &Reload) -> Option<String> {
    let state = reload.state.lock().await;
    state.files.trouble().0.map(str::to_owned)
}

async fn asked(reload: &Reload) -> Option<HttpProfile> {
    reload.changed().await.expect("no failure")
}

fn roots(profile: &HttpProfile) -> usize {
    match &profile.roots {
        Roots::Only(roots) => roots.len(),
        other => panic!("{other:?}"),
    }
}

fn pem() -> String {
    CertificateAuthority::new().expect("an authority").pem()
}

const OWN_ROOTS: &str = "[network]\nca_certificates = [\"ca.pem\"]\nsystem_roots = false\n";

#[tokio::test]
async fn without_files_the_systems_certificates_are_watched_where_they_are_files() {
    let scene = Scene::new();
    let network = scene.network("http_headers = { X-Team = \"a\" }\n");
    let places = doorkey_http::system_root_places();
    let places: Vec<_> = places.into_iter().map(Watched::File).collect();
    assert_eq!(network.watched(), places);
    let (_, source) = open(network, &Environment::default()).expect("settings");
    assert_eq!(source.is_none(), places.is_empty());
    scene.write("ca.pem", pem());
    let own = scene.network(OWN_ROOTS).watched();
    assert_eq!(own, [Watched::File(scene.path("ca.pem"))]);
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_and_one_that_stays_is_not() {
    let scene = Scene::new();
    scene.write("ca.pem", pem());
    let (profile, reload) = scene.open(OWN_ROOTS);
    assert_eq!(roots(&profile), 1);
    assert!(asked(&reload).await.is_none());
    scene.write("new.pem", format!("{}{}", pem(), pem()));
    fs::rename(scene.path("new.pem"), scene.path("ca.pem")).expect("replaced");
    assert_eq!(roots(&asked(&reload).await.expect("another profile")), 2);
    assert!(asked(&reload).await.is_none());
}

#[tokio::test]
async fn a_file_that_is_half_written_gone_or_broken_leaves_what_was_in_use() {
    let scene = Scene::new();
    let first = pem();
    scene.write("ca.pem", &first);
    let (_, reload) = scene.open(OWN_ROOTS);
    for broken in [&first[..first.len() / 2], "", "no certificate"] {
        scene.write("ca.pem", broken);
        assert!(asked(&reload).await.is_none(), "{broken}");
        assert!(told_of_files(&reload).await.is_some(), "{broken}");
    }
    fs::remove_file(scene.path("ca.pem")).expect("removed");
    assert!(asked(&reload).await.is_none());
    scene.write("ca.pem", format!("{first}{}", pem()));
    assert_eq!(roots(&asked(&reload).await.expect("whole again")), 2);
    assert!(told_of_files(&reload).await.is_none());
}

#[tokio::test]
async fn trouble_that_lasts_is_told_once() {
    let scene = Scene::new();
    scene.write("ca.pem", pem());
    let (_, reload) = scene.open(OWN_ROOTS);
    scene.write("ca.pem", "no certificate");
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(logs.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for _ in 0..3 {
        assert!(asked(&reload).await.is_none());
    }
    let told = logs.text();
    assert_eq!(told.matches("WARN").count(), 1, "{told}");
    assert!(told.contains("ca.pem"), "{told}");
}

#[tokio::test]
async fn a_renewed_certificate_waits_for_its_key() {
    let scene = Scene::new();
    let authority = CertificateAuthority::new().expect("an authority");
    let [one, two] = [(); 2].map(|()| authority.issue_client("me").expect("a certificate"));
    scene.write("me.pem", one.certificate_pem());
    scene.write("me-key.pem", one.key_pem());
    let (profile, reload) =
        scene.open("[network]\nclient_certificate = \"me.pem\"\nclient_key = \"me-key.pem\"\n");
    let shown = |profile: &HttpProfile| {
        let identity = profile.client_identity.as_ref().expect("a certificate");
        identity.chain().next().expect("a chain").to_vec()
    };
    scene.write("me.pem", two.certificate_pem());
    assert!(asked(&reload).await.is_none(), "the key is the old one");
    scene.write("me-key.pem", two.key_pem());
    let renewed = asked(&reload).await.expect("the new pair");
    assert_ne!(shown(&renewed), shown(&profile));
}

#[tokio::test]
async fn the_file_of_a_header_is_read_again_and_an_empty_one_is_not_used() {
    let scene = Scene::new();
    scene.write("key", " one \n");
    let (profile, reload) = scene.open("http_headers = { X-Key = { file = \"key\" } }\n");
    assert_eq!(profile.resource_headers["x-key"], "one");
    assert!(profile.resource_headers["x-key"].is_sensitive());
    scene.write("key", "\n");
    assert!(asked(&reload).await.is_none());
    scene.write("key", "two");
    let changed = asked(&reload).await.expect("another value");
    assert_eq!(changed.resource_headers["x-key"], "two");
}

#[tokio::test]
async fn a_folder_of_certificates_is_watched_with_what_is_in_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("certs")).expect("a folder");
    scene.write("certs/a.pem", pem());
    let environment = Environment::new([("SSL_CERT_DIR", scene.path("certs"))]);
    let config = "[mcp_servers.a]\nurl = \"https://mcp.example/mcp\"\n";
    let config = Config::parse(&Home::at(scene.folder.path()), config).expect("a configuration");
    let network = NetworkInForce::of(&environment, config.network(), &config.servers()[0]);
    let opened = opened(network, &environment, EAGER).expect("settings");
    let reload = opened.1.expect("something to watch");
    scene.write("certs/b.pem", pem());
    assert_eq!(roots(&asked(&reload).await.expect("one more")), 2);
    scene.write("certs/b.pem", format!("{}{}", pem(), pem()));
    assert_eq!(roots(&asked(&reload).await.expect("two in one")), 3);
}

#[tokio::test]
async fn files_are_looked_at_once_a_second_and_no_more() {
    let scene = Scene::new();
    scene.write("ca.pem", pem());
    let (_, reload) = scene.open_with(OWN_ROOTS, PAUSES);
    // Asked early, as before the first request, it looks at nothing.
    scene.write("ca.pem", format!("{}{}", pem(), pem()));
    let early = reload.changed().await.expect("no failure");
    if reload.began.elapsed() < PAUSES.look {
        assert!(early.is_none() && !reload.is_due());
    }
    assert_eq!(PAUSES.look, Duration::from_secs(1));
}

#[tokio::test]
async fn files_that_hang_hold_up_one_request_for_a_moment_and_are_taken_when_they_answer() {
    let scene = Scene::new();
    scene.write("ca.pem", pem());
    let pauses = Pauses {
        patience: Duration::from_millis(50),
        slow: Duration::from_secs(3600),
        ..EAGER
    };
    let (_, reload) = scene.open_with(OWN_ROOTS, pauses);
    let answer = reload.state.lock().await.files.hang();
    assert!(asked(&reload).await.is_none());
    let told = told_of_files(&reload).await.expect("a warning");
    assert_eq!(told, "they do not answer within 0.05 s");
    assert!(!reload.is_due(), "nobody waits again so soon");

    let profile = {
        scene.write("ca.pem", format!("{}{}", pem(), pem()));
        scene.network(OWN_ROOTS).profile(&[]).expect("a profile")
    };
    let stamps = Watched::stamps(&scene.network(OWN_ROOTS).watched());
    let read = Some(Ok((Vec::new(), profile)));
    assert!(
        answer.send(Look { stamps, read }).is_ok(),
        "it is waited for"
    );
    reload.state.lock().await.files.look_now();
    assert_eq!(roots(&asked(&reload).await.expect("late")), 2);
    assert!(told_of_files(&reload).await.is_none());
}

#[tokio::test]
async fn files_that_were_refused_are_read_again_when_they_change_or_after_a_while() {
    let scene = Scene::new();
    scene.write("ca.pem", pem());
    let pauses = |again| Pauses {
        again: Duration::from_secs(again),
        ..EAGER
    };
    let refused = async |reload: &Reload| {
        assert!(asked(reload).await.is_none());
        let state = reload.state.lock().await;
        state.files.trouble().1.expect("it was refused")
    };
    for (again, is_read_again) in [(3600, false), (0, true)] {
        scene.write("ca.pem", pem());
        let (_, reload) = scene.open_with(OWN_ROOTS, pauses(again));
        scene.write("ca.pem", "no certificate");
        let first = refused(&reload).await;
        assert_eq!(refused(&reload).await != first, is_read_again, "{again}");
        scene.write("ca.pem", "neither is this");
        assert_ne!(refused(&reload).await, first, "{again}");
    }
}

#[derive(Clone, Default)]
struct Logs(Arc<std::sync::Mutex<Vec<u8>>>);

impl Logs {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(unix)]
mod programs {
    use super::*;

    impl Scene {
        /// The program that prints the value of `X-Key`. A shell reads it, because a file that was just
        /// written cannot be run while another test starts a program.
        fn program(&self, text: &str) {
            self.write("new", text);
            fs::rename(self.path("new"), self.path("print")).expect("replaced");
        }

        /// The settings of that header, with these about its command and the others.
        fn open_command(&self, refresh: &str, others: &str) -> (HttpProfile, Reload) {
            let path = self.path("print");
            let path = path.display();
            let command = format!("command = [\"/bin/sh\", \"{path}\"]{refresh}");
            self.open(&format!(
                "http_headers = {{ X-Key = {{ {command} }} }}\n{others}"
            ))
        }
    }

    fn told(error: &BoxError) -> String {
        let first: &(dyn std::error::Error + 'static) = &**error;
        let all = std::iter::successors(Some(first), |&error| error.source());
        all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    fn key(profile: Option<HttpProfile>) -> Option<String> {
        let profile = profile?;
        let value = &profile.resource_headers["x-key"];
        assert!(value.is_sensitive());
        Some(value.to_str().expect("text").to_owned())
    }

    #[tokio::test]
    async fn a_program_is_run_before_the_first_request_and_again_when_its_value_is_old() {
        let scene = Scene::new();
        let count = "echo >> count; wc -l < count";
        scene.program(&format!("cd '{}'\n{count}", scene.folder.path().display()));
        let (profile, reload) = scene.open_command(", refresh_sec = 1", "");
        assert!(profile.resource_headers.is_empty() && reload.is_due());
        assert_eq!(key(asked(&reload).await).as_deref(), Some("1"));
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(value) = key(asked(&reload).await) {
                assert_eq!(value, "2");
                break;
            }
            assert!(Instant::now() < limit, "it is not run again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn the_same_value_again_makes_no_new_client() {
        let scene = Scene::new();
        scene.program("echo same");
        let (_, reload) = scene.open_command(", refresh_sec = 0.001", "");
        assert_eq!(key(asked(&reload).await).as_deref(), Some("same"));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(reload.is_due() && asked(&reload).await.is_none());
    }

    #[tokio::test]
    async fn a_program_that_fails_fails_every_request_until_it_does_not() {
        let scene = Scene::new();
        scene.program("echo 'no such token: s3cret' >&2; echo s3cret; exit 3");
        let (_, reload) = scene.open_command("", "");
        for _ in 0..2 {
            let error = reload.changed().await.expect_err("it fails");
            let told = told(&error);
            for part in [
                "mcp_servers.a.http_headers.x-key",
                "/bin/sh ended with exit status: 3; run it by hand to see why",
            ] {
                assert!(told.contains(part), "{told}");
            }
            assert!(!format!("{told}{error:?}").contains("s3cret"), "{error:?}");
            assert!(reload.is_due() && reload.must_wait());
        }
        scene.program("echo good");
        assert_eq!(key(asked(&reload).await).as_deref(), Some("good"));
        assert!(!reload.must_wait());
    }

    #[tokio::test]
    async fn a_program_that_failed_is_left_in_peace_for_a_while_and_its_failure_repeated() {
        let scene = Scene::new();
        let runs = scene.path("runs");
        let runs = runs.display();
        scene.program(&format!("echo >> '{runs}'; exit 3"));
        let network = format!(
            "http_headers = {{ X-Key = {{ command = [\"/bin/sh\", \"{}\"] }} }}\n",
            scene.path("print").display()
        );
        let failed = Duration::from_secs(3600);
        let (_, reload) = scene.open_with(&network, Pauses { failed, ..EAGER });
        for _ in 0..3 {
            let error = reload.changed().await.expect_err("it fails");
            assert!(told(&error).contains("exit status: 3"), "{}", told(&error));
            let error = error.downcast::<NetworkError>().expect("of the settings");
            assert!(crate::Error::from(*error).remedy().is_some());
        }
        let runs = fs::read_to_string(scene.path("runs")).expect("it ran");
        assert_eq!(runs, "\n", "one run, three errors");
        assert_eq!(PAUSES.failed, Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_program_has_its_20_seconds_whatever_a_connection_has() {
        let scene = Scene::new();
        let (_, reload) = scene.open_command("", "[network]\nconnect_timeout_sec = 0.1\n");
        scene.program("sleep 0.3; echo late");
        assert!(reload.limit() > Some(program::LIMIT));
        assert_eq!(key(asked(&reload).await).as_deref(), Some("late"));
        assert_eq!(program::LIMIT, Duration::from_secs(20));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused_without_being_repeated() {
        let scene = Scene::new();
        let (_, reload) = scene.open_command("", "");
        for (script, expected) in [
            ("printf 's3cret\\ntwo lines'", "cannot carry"),
            ("printf '  \\n'", "holds nothing"),
            ("head -c 100000 /dev/zero", "more than 64 KiB"),
        ] {
            scene.program(script);
            let error = reload.changed().await.expect_err(script);
            let told = told(&error);
            assert!(
                told.contains(expected) && !told.contains("s3cret"),
                "{told}"
            );
        }
    }

    #[tokio::test]
    async fn a_slow_program_goes_on_and_serves_the_next_request() {
        let scene = Scene::new();
        let gate = scene.path("gate");
        scene.program(&format!(
            "echo >> '{}'\nwhile [ ! -e '{}' ]; do sleep 0.05; done; echo late",
            scene.path("runs").display(),
            gate.display()
        ));
        let (_, reload) = scene.open_command("", "");
        let short = Duration::from_millis(200);
        let gone = tokio::time::timeout(short, reload.changed()).await;
        assert!(gone.is_err(), "the request ended first");
        // Only then may a run end that could have been a second one.
        scene.write("gate", "");
        assert_eq!(key(asked(&reload).await).as_deref(), Some("late"));
        let runs = fs::read_to_string(scene.path("runs")).expect("it ran");
        assert_eq!(runs, "\n", "one run served both");
    }

    #[tokio::test]
    async fn a_new_value_and_a_broken_file_go_together() {
        let scene = Scene::new();
        scene.write("ca.pem", pem());
        scene.program("echo one");
        let (_, reload) = scene.open_command(", refresh_sec = 0.001", OWN_ROOTS);
        assert_eq!(key(asked(&reload).await).as_deref(), Some("one"));
        scene.write("ca.pem", "no certificate");
        scene.program("echo two");
        tokio::time::sleep(Duration::from_millis(5)).await;
        let changed = asked(&reload).await.expect("another value");
        assert_eq!(roots(&changed), 1);
        assert_eq!(key(Some(changed)).as_deref(), Some("two"));
    }

    #[test]
    fn what_goes_to_everyone_is_no_secret_wherever_it_comes_from() {
        let scene = Scene::new();
        scene.write("route", "north");
        let network =
            scene.network("[network]\ndefault_headers = { X-Route = { file = \"route\" } }\n");
        let values = network
            .known_values(&Environment::default())
            .expect("values");
        let profile = network.profile(&values).expect("a profile");
        assert_eq!(profile.default_headers["x-route"], "north");
        assert!(
            HttpClient::new(&profile).is_ok(),
            "it is not refused as a secret"
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let scene = Scene::new();
        scene.write("key", "s3cret");
        let (_, reload) = scene.open(
            "http_headers = { X-Key = { file = \"key\" }, X-Two = \"s3cret\", \
             X-Three = { command = [\"print\", \"s3cret\"] } }\n\
             [network]\nproxy = \"http://ada:s3cret@proxy.example\"\n",
        );
        let shown = format!("{reload:?}");
        assert!(
            shown.contains("x-three") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
