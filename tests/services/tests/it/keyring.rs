//! The keyring store against GNOME's Secret Service: the laws of every store, and the ways in which a keyring cannot be used.
//!
//! The session of a keyring is found through the environment, so that each test asks it from a process of its own.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doorkey_store::keyring::{KeyringError, probe};
use doorkey_store::{
    Backend as _, BoxFuture, Error, FileBackend, KeySource, KeyringBackend, KeyringOptions,
};
use services::{Keyring, KeyringState, Process, say, told};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::conformance::{Fixture, grant, json, number};

#[test]
fn the_laws_of_every_store_hold_over_a_real_keyring() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    let process = start(&keyring, "laws", Path::new(""));
    for name in laws().keys() {
        assert_eq!(process.said(), format!("kept {name}"));
    }
    process.passed();
}

#[test]
fn a_probe_writes_and_reads_an_unlocked_keyring_and_leaves_nothing_behind() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    assert_eq!(probed(&keyring), "usable");
    assert_eq!(items(&keyring), 0);
}

#[test]
fn a_probe_of_a_locked_keyring_says_so_and_asks_nobody() {
    let mut keyring = Keyring::start(KeyringState::Locked);
    let watch = Watch::start(&keyring);
    assert_eq!(probed(&keyring), "Locked false");
    assert_eq!(watch.questions(&keyring), Vec::<String>::new());
    keyring.change(KeyringState::Unlocked);
    assert_eq!(probed(&keyring), "usable");
}

#[test]
fn a_probe_where_no_keyring_is_says_so() {
    let mut keyring = Keyring::start(KeyringState::Absent);
    assert_eq!(probed(&keyring), "Absent false");
    // Nor where there is no session at all.
    let nowhere = [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")];
    let process = Process::start_with(CHILD, [("role", "probe")], nowhere);
    assert_eq!(process.said(), "Absent false");
    keyring.change(KeyringState::Unlocked);
    assert_eq!(probed(&keyring), "usable");
}

#[test]
fn a_probe_of_a_keyring_that_does_not_answer_ends_at_its_limit() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    keyring.pause();
    assert_eq!(probed(&keyring), "Silent { limit: 2s } true");
    keyring.resume();
    assert_eq!(probed(&keyring), "usable");
}

#[test]
fn a_record_is_one_item_however_often_it_is_saved_and_gone_when_it_is_removed() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    let locks = tempfile::tempdir().unwrap();
    let process = start(&keyring, "save often", locks.path());
    assert_eq!(process.said(), "saved 30 times");
    assert_eq!(items(&keyring), 2, "the record and the index");
    assert_eq!(process.said(), "saved a large one");
    process.passed();
    assert_eq!(items(&keyring), 1, "the index");
}

#[test]
fn a_keyring_that_dies_and_comes_back_in_mid_use_is_found_again_and_has_what_was_saved() {
    let mut keyring = Keyring::start(KeyringState::Unlocked);
    let locks = tempfile::tempdir().unwrap();
    let process = start(&keyring, "count", locks.path());
    while process.said() != "saved 5" {}
    keyring.kill();
    let failed = loop {
        let said = process.said();
        if !said.starts_with("saved ") {
            break said;
        }
    };
    // The word of a daemon that is killed may be that it is gone or that the connection broke; never that there is no record.
    assert!(
        failed.starts_with("failed Absent") || failed.starts_with("failed Failed"),
        "{failed}"
    );
    keyring.change(KeyringState::Unlocked);
    let saved = loop {
        if let Some(saved) = process.said().strip_prefix("saved ") {
            break saved.parse::<u64>().unwrap();
        }
    };
    assert!(saved > 5);
    drop(process);
    let process = start(&keyring, "load", locks.path());
    let loaded: u64 = process.said().parse().unwrap();
    assert!(loaded >= saved, "{loaded} is less than {saved}");
}

#[test]
fn a_keyring_that_is_locked_in_mid_use_keeps_the_record_and_says_that_it_is_locked() {
    let mut keyring = Keyring::start(KeyringState::Unlocked);
    let locks = tempfile::tempdir().unwrap();
    let process = start(&keyring, "count", locks.path());
    while process.said() != "saved 3" {}
    let collection = "array:objpath:/org/freedesktop/secrets/aliases/default";
    asked(&keyring, "Service.Lock", collection);
    // The process goes on with the connection that it has.
    let failed = loop {
        let said = process.said();
        if !said.starts_with("saved ") {
            break said;
        }
    };
    assert_eq!(failed, "failed Locked false");
    keyring.change(KeyringState::Unlocked);
    let saved = loop {
        if let Some(saved) = process.said().strip_prefix("saved ") {
            break saved.parse::<u64>().unwrap();
        }
    };
    assert!(saved > 3, "it counts on from where it was: {saved}");
}

#[test]
fn the_key_of_an_encrypted_store_is_kept_by_a_real_keyring() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    let folder = tempfile::tempdir().unwrap();
    for expected in ["1", "2"] {
        let process = start(&keyring, "encrypted", folder.path());
        assert_eq!(process.said(), expected);
        process.passed();
    }
    assert_eq!(items(&keyring), 1, "the key and no record");
}

/// What the processes above do. It is no test of its own: without a role it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(role) = told("role") else { return };
    let folder = told("folder").unwrap_or_default();
    let open = || KeyringBackend::new(&folder, options()).unwrap();
    match role.as_str() {
        "laws" => {
            for (name, law) in laws() {
                law(fixture()).await;
                say(&format!("kept {name}"));
            }
        }
        "probe" => match probe(&KeyringOptions::new(SERVICE), PROBE_LIMIT).await {
            Ok(()) => say("usable"),
            Err(error) => say(&fault(&error)),
        },
        "save often" => save_often(&open()).await,
        "count" => count(&open()).await,
        "load" => match open().load(&grant("a")).await {
            Ok(found) => say(&number(&found.unwrap().bytes).to_string()),
            Err(error) => say(&format!("failed {}", fault(&error))),
        },
        "encrypted" => {
            let store = FileBackend::encrypted(&folder, KeySource::Keyring(options())).unwrap();
            let found = store.load(&grant("a")).await.unwrap();
            let next = found.as_ref().map_or(1, |found| number(&found.bytes) + 1);
            let expected = found.map(|found| found.generation);
            store.save(&grant("a"), json(next), expected).await.unwrap();
            say(&next.to_string());
        }
        other => panic!("{other}"),
    }
}

async fn save_often(store: &KeyringBackend) {
    let id = grant("a");
    let mut generation = None;
    for number in 0..30 {
        generation = Some(store.save(&id, json(number), generation).await.unwrap());
    }
    say("saved 30 times");
    // Larger than an item of ours may be, and than most messages are.
    let large = serde_json::json!({"text": "\u{1f511}".repeat(150_000)}).to_string();
    let large = Zeroizing::new(large.into_bytes());
    let generation = store.save(&id, large.clone(), generation).await.unwrap();
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *large);
    say("saved a large one");
    store.remove(&id, generation).await.unwrap();
}

/// Counts in one record, for as long as it is let.
async fn count(store: &KeyringBackend) {
    let id = grant("a");
    loop {
        let step = async {
            let found = store.load(&id).await?;
            let next = found.as_ref().map_or(1, |found| number(&found.bytes) + 1);
            let expected = found.map(|found| found.generation);
            store.save(&id, json(next), expected).await.map(|_| next)
        };
        match step.await {
            Ok(next) => say(&format!("saved {next}")),
            Err(error) => say(&format!("failed {}", fault(&error))),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is wrong, and whether it may pass by itself.
fn fault(error: &Error) -> String {
    match error
        .source()
        .and_then(|source| source.downcast_ref::<KeyringError>())
    {
        Some(source) => format!("{:?} {}", source.fault(), error.is_transient()),
        None => panic!("{error:?}"),
    }
}

/// A store of its own for every law: another service in the same keyring.
fn fixture() -> Fixture {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let locks: TempDir = tempfile::tempdir().unwrap();
    let folder = locks.path().join("locks");
    let open = move || {
        let options = KeyringOptions::new(format!("{SERVICE}-{number}"));
        Arc::new(KeyringBackend::new(&folder, options).unwrap())
    };
    Fixture::new(open, locks)
}

/// A law as a value.
type Law = Box<dyn Fn(Fixture) -> BoxFuture<'static, ()>>;

/// All laws by name.
fn laws() -> BTreeMap<&'static str, Law> {
    macro_rules! table {
        (all => $($law:ident,)+) => {
            BTreeMap::from([$((
                stringify!($law),
                Box::new(|fixture| Box::pin(crate::conformance::$law(fixture)) as BoxFuture<'static, ()>) as Law,
            )),+])
        };
    }
    crate::conformance::laws! { table { all } }
}

fn options() -> KeyringOptions {
    KeyringOptions::new(SERVICE)
}

fn start(keyring: &Keyring, role: &str, folder: &Path) -> Process {
    let told = [("role", role), ("folder", folder.to_str().unwrap())];
    Process::start_with(CHILD, told, keyring.envs())
}

fn probed(keyring: &Keyring) -> String {
    start(keyring, "probe", Path::new("")).said()
}

/// How many items of ours are in the keyring, asked without our code.
fn items(keyring: &Keyring) -> usize {
    let wanted = format!("dict:string:string:service,{SERVICE}");
    let answer = asked(keyring, "Service.SearchItems", &wanted);
    answer.matches("object path").count()
}

/// What the Secret Service answers when it is asked without our code.
fn asked(keyring: &Keyring, method: &str, argument: &str) -> String {
    let output = Command::new("dbus-send")
        .args(["--session", "--print-reply", "--reply-timeout=5000"])
        .args(["--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"])
        .arg(format!("org.freedesktop.Secret.{method}"))
        .arg(argument)
        .envs(keyring.envs())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sees every call in a session that would make the Secret Service ask a person something.
struct Watch {
    monitor: Child,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    fn start(keyring: &Keyring) -> Self {
        let mut monitor = Command::new("dbus-monitor")
            .arg("--session")
            .arg("type='method_call',interface='org.freedesktop.Secret.Service',member='Unlock'")
            .arg("type='method_call',interface='org.freedesktop.Secret.Prompt'")
            .envs(keyring.envs())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
        let seen = Arc::new(Mutex::default());
        let watch = Self {
            monitor,
            seen: Arc::clone(&seen),
        };
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.lock().unwrap().push(line);
            }
        });
        watch.wait_for(keyring, "/watch/begins");
        watch
    }

    /// The calls since it was started, all of them: a call of our own, which is seen after them, shows that it still watches.
    fn questions(&self, keyring: &Keyring) -> Vec<String> {
        self.wait_for(keyring, "/watch/ends");
        let seen = self.seen.lock().unwrap();
        let last = |marker: &str| seen.iter().rposition(|line| line.contains(marker));
        let first = seen.iter().position(|line| line.contains("/watch/ends"));
        let between = &seen[last("/watch/begins").unwrap() + 1..first.unwrap()];
        let calls = between
            .iter()
            .filter(|line| line.starts_with("method call"));
        let mut calls: Vec<String> = calls.cloned().collect();
        // The line before the marker is the call that it is in.
        let ours = calls.pop().unwrap();
        assert!(ours.contains("member=Unlock"), "{ours}");
        calls
    }

    fn wait_for(&self, keyring: &Keyring, marker: &str) {
        let ends = Instant::now() + Duration::from_secs(30);
        while !self
            .seen
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(marker))
        {
            assert!(Instant::now() < ends, "dbus-monitor sees no {marker}");
            asked(
                keyring,
                "Service.Unlock",
                &format!("array:objpath:{marker}"),
            );
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.monitor.kill().unwrap();
        self.monitor.wait().unwrap();
    }
}

const CHILD: &str = "keyring::child";
const SERVICE: &str = "doorkey-test";
const PROBE_LIMIT: Duration = Duration::from_secs(2);
