//! Files that are replaced under a session, and programs that are run again.

#[cfg(unix)]
mod programs;

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
