//! Programs that print the value of a header.

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
