//! Files shared by real processes, which may be killed at any moment (ST-06).
//!
//! The test binary starts itself again, as the test `child` below, with its role and folder in the environment.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use doorkey_store::{Backend as _, Defect, Error, FileBackend, Problem, ProblemKind, RecordKind};
use zeroize::Zeroizing;

use crate::conformance::{grant, json, number};
use crate::file::{entries, folder, only_record};

#[tokio::test]
async fn eight_processes_that_count_under_the_lock_lose_no_update() {
    count_with_eight_processes("count-locked").await;
}

#[tokio::test]
async fn eight_processes_that_count_by_retrying_on_conflict_lose_no_update() {
    count_with_eight_processes("count-retrying").await;
}

async fn count_with_eight_processes(role: &str) {
    let (_temp, folder) = folder();
    let mut children: Vec<_> = (0..8).map(|_| Process::start(role, &folder)).collect();
    for child in &mut children {
        assert_eq!(child.said(), format!("counted {ROUNDS}"));
        assert!(child.process.wait().unwrap().success());
    }
    let stored = FileBackend::new(&folder)
        .unwrap()
        .load(&grant("a"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(number(&stored.bytes), 8 * ROUNDS);
    // No file but the record: neither a broken nor a half-written one.
    assert_eq!(entries(&folder, "").len(), 2, "{:?}", entries(&folder, ""));
}

/// Each would make another key, because each draws another salt for the passphrase: the first one's counts.
#[cfg(feature = "encrypted")]
#[tokio::test]
async fn eight_processes_that_make_an_encrypted_store_at_once_agree_on_one_key() {
    let (_temp, folder) = folder();
    let role = format!("{ENCRYPTED}count-locked");
    let mut children: Vec<_> = (0..8).map(|_| Process::start(&role, &folder)).collect();
    for child in &mut children {
        assert_eq!(child.said(), format!("counted {ROUNDS}"));
        assert!(child.process.wait().unwrap().success());
    }
    let store = encrypted(&folder);
    let stored = store.load(&grant("a")).await.unwrap().unwrap();
    assert_eq!(number(&stored.bytes), 8 * ROUNDS);
    let listing = store.list(RecordKind::Grant).await.unwrap();
    assert_eq!((listing.entries.len(), listing.problems.len()), (1, 0));
}

#[cfg(feature = "encrypted")]
#[tokio::test]
async fn killing_a_writer_of_an_encrypted_store_leaves_the_old_or_the_new_record_whole() {
    let (_temp, folder) = folder();
    let store = encrypted(&folder);
    let id = grant("a");
    for round in 0..10_u64 {
        let mut writer = Process::start(&format!("{ENCRYPTED}write"), &folder);
        let mut at_least = reported(&writer.said());
        let reading = Instant::now();
        while reading.elapsed() < Duration::from_millis(round * 7 % 23) {
            let record = store.load(&id).await.unwrap().unwrap();
            assert_eq!(*record.bytes, *padded(number(&record.bytes)));
        }
        writer.kill();
        for line in writer.rest() {
            at_least = at_least.max(reported(&line));
        }
        let record = store.load(&id).await.unwrap().unwrap();
        let stored = number(&record.bytes);
        assert!((at_least..=at_least + 1).contains(&stored), "{round}");
        assert_eq!(*record.bytes, *padded(stored), "{round}");
    }
    assert!(store.problems().is_empty(), "{:?}", store.problems());
}

#[cfg(feature = "encrypted")]
fn encrypted(folder: &Path) -> FileBackend {
    let key = doorkey_store::KeySource::Passphrase("correct horse".into());
    FileBackend::encrypted(folder, key).unwrap()
}

#[tokio::test]
async fn killing_the_process_that_holds_a_lock_frees_it() {
    let (_temp, folder) = folder();
    let mut holder = Process::start("hold", &folder);
    assert_eq!(holder.said(), "held");
    let store = FileBackend::new(&folder).unwrap();
    let error = store
        .lock(&grant("a"), Duration::from_millis(200))
        .await
        .unwrap_err();
    let Error::LockTimeout { location, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        Path::new(location).starts_with(&folder) && Path::new(location).is_file(),
        "{error}"
    );

    let waiter = {
        let store = store.clone();
        tokio::spawn(async move { store.lock(&grant("a"), LIMIT).await })
    };
    holder.kill();
    drop(waiter.await.unwrap().unwrap());
}

#[tokio::test]
async fn killing_a_writer_leaves_the_old_or_the_new_record_whole_and_all_that_it_was_told_is_saved()
{
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let mut at_least = 0;
    for round in 0..25_u64 {
        let mut writer = Process::start("write", &folder);
        at_least = reported(&writer.said()).max(at_least);
        // Readers never see a record half-written either.
        let reading = Instant::now();
        while reading.elapsed() < Duration::from_millis(round * 7 % 23) {
            let record = store.load(&id).await.unwrap().unwrap();
            assert_eq!(
                *record.bytes,
                *padded(number(&record.bytes)),
                "round {round}: torn"
            );
        }
        writer.kill();
        at_least = writer
            .rest()
            .iter()
            .map(|line| reported(line))
            .max()
            .unwrap_or(0)
            .max(at_least);

        let record = FileBackend::new(&folder)
            .unwrap()
            .load(&id)
            .await
            .unwrap()
            .unwrap();
        let stored = number(&record.bytes);
        assert!(
            (at_least..=at_least + 1).contains(&stored),
            "round {round}: {stored} is not {at_least} or one more"
        );
        assert_eq!(
            *record.bytes,
            *padded(stored),
            "round {round}: a torn record"
        );
        // Neither what it left behind nor its lock is in the way.
        at_least = stored + 1;
        store
            .save(&id, padded(at_least), Some(record.generation))
            .await
            .unwrap();
    }
    assert_eq!(store.problems(), []);
    assert_eq!(entries(&folder, "").len(), 2, "{:?}", entries(&folder, ""));
}

#[tokio::test]
async fn where_nothing_can_be_written_records_are_read_and_broken_ones_reported_in_place() {
    let (temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    let broken = only_record(&folder);
    fs::write(&broken, "broken").unwrap();
    fs::set_permissions(&broken, Permissions::from_mode(0o600)).unwrap();
    store.save(&grant("b"), json(2), None).await.unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(folder.join("locks"), Permissions::from_mode(0o500)).unwrap();

    // Permissions do not bind the superuser, so that the process must be another user's; and that user may not see
    // where these tests were built.
    let program = temp.path().join("reader");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let user = give_away(temp.path());
    let mut reader = Process::start_as("read-only", &folder, &program, user);
    assert_eq!(reader.said(), "read");
    assert!(reader.process.wait().unwrap().success());
    assert_eq!(fs::read_to_string(&broken).unwrap(), "broken");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
}

/// Gives all that is in the folder to another user, and says to whom; where that cannot be done, the user is bound by permissions.
fn give_away(folder: &Path) -> Option<u32> {
    chown(folder, Some(OTHER_USER), None).ok()?;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        chown(&path, Some(OTHER_USER), None).unwrap();
        if path.is_dir() {
            give_away(&path).unwrap();
        }
    }
    Some(OTHER_USER)
}

/// What the processes above do. It is no test of its own: without a role it does nothing.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own process is told its role this way"
)]
fn child() {
    let (Ok(role), Some(folder)) = (std::env::var(ROLE), std::env::var_os(FOLDER)) else {
        return;
    };
    #[cfg(feature = "encrypted")]
    let (role, store) = match role.strip_prefix(ENCRYPTED) {
        Some(role) => (role.to_owned(), encrypted(Path::new(&folder))),
        None => (role, FileBackend::new(folder).unwrap()),
    };
    #[cfg(not(feature = "encrypted"))]
    let store = FileBackend::new(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "count-locked" => count_locked(&store).await,
            "count-retrying" => count_retrying(&store).await,
            "hold" => hold(&store).await,
            "write" => write(&store).await,
            "read-only" => read_only(&store).await,
            other => panic!("no role {other}"),
        }
    });
}

async fn count_locked(store: &FileBackend) {
    let id = grant("a");
    for _ in 0..ROUNDS {
        let lock = store.lock(&id, LIMIT).await.unwrap();
        let current = store.load(&id).await.unwrap();
        let count = current.as_ref().map_or(0, |record| number(&record.bytes));
        store
            .save(
                &id,
                json(count + 1),
                current.map(|record| record.generation),
            )
            .await
            .unwrap();
        drop(lock);
    }
    say(&format!("counted {ROUNDS}"));
}

async fn count_retrying(store: &FileBackend) {
    let id = grant("a");
    let mut counted = 0;
    while counted < ROUNDS {
        let current = store.load(&id).await.unwrap();
        let count = current.as_ref().map_or(0, |record| number(&record.bytes));
        match store
            .save(
                &id,
                json(count + 1),
                current.map(|record| record.generation),
            )
            .await
        {
            Ok(_) => counted += 1,
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
    say(&format!("counted {ROUNDS}"));
}

async fn hold(store: &FileBackend) {
    let _lock = store.lock(&grant("a"), LIMIT).await.unwrap();
    say("held");
    tokio::time::sleep(LIMIT).await;
}

async fn read_only(store: &FileBackend) {
    let listing = store.list(RecordKind::Grant).await.unwrap();
    assert_eq!(listing.entries, [grant("b")]);
    assert!(
        matches!(listing.problems[0].kind, ProblemKind::Unusable { .. }),
        "{listing:?}"
    );
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    let unusable = |problem: &Problem| matches!(problem.kind, ProblemKind::Unusable { .. });
    assert!(
        store.problems().iter().all(unusable),
        "{:?}",
        store.problems()
    );
    let sound = store.load(&grant("b")).await.unwrap().unwrap();
    // A record that means nothing is reported as well.
    store
        .set_aside(&grant("b"), sound.generation, Defect::NotAnObject)
        .await
        .unwrap();
    for error in [
        store.save(&grant("a"), json(3), None).await.unwrap_err(),
        store
            .save(&grant("b"), json(3), Some(sound.generation))
            .await
            .unwrap_err(),
        store
            .remove(&grant("b"), sound.generation)
            .await
            .unwrap_err(),
        store.lock(&grant("c"), LIMIT).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
    say("read");
}

async fn write(store: &FileBackend) {
    let id = grant("a");
    let current = store.load(&id).await.unwrap();
    let mut count = current.as_ref().map_or(0, |record| number(&record.bytes));
    let mut generation = current.map(|record| record.generation);
    // A limit, should nobody kill it.
    for _ in 0..100_000 {
        count += 1;
        generation = Some(store.save(&id, padded(count), generation).await.unwrap());
        say(&format!("saved {count}"));
    }
}

/// A record that shows whether it is whole: tens of kilobytes, all of them told by its number.
fn padded(number: u64) -> Zeroizing<Vec<u8>> {
    let padding = format!("{number}.").repeat(10_000);
    Zeroizing::new(format!("{{\"n\":{number},\"padding\":\"{padding}\"}}").into_bytes())
}

fn reported(line: &str) -> u64 {
    line.strip_prefix("saved ")
        .unwrap_or_else(|| panic!("{line}"))
        .parse()
        .unwrap()
}

/// Tells the parent something, past the lines of the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{MARK}{line}").unwrap();
    out.flush().unwrap();
}

/// A process of ours. It is killed with the test.
struct Process {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        Self::start_as(role, folder, &program, None)
    }

    /// As a user of that id, or as the one who runs the tests; `program` is these tests.
    fn start_as(role: &str, folder: &Path, program: &Path, user: Option<u32>) -> Self {
        let mut command = Command::new(program);
        if let Some(user) = user {
            command.uid(user);
        }
        let mut process = command
            .args([
                "--exact",
                "processes::child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// The next thing it says. Ends, since each role does.
    fn said(&mut self) -> String {
        self.next()
            .unwrap_or_else(|| panic!("the process ended without a word"))
    }

    /// All that it said, of one that ended.
    fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            // A line without its end was cut off by the kill.
            let line = line.strip_suffix('\n')?;
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

const ROLE: &str = "DOORKEY_STORE_TEST_ROLE";
const FOLDER: &str = "DOORKEY_STORE_TEST_FOLDER";
/// A user id that nobody here has.
const OTHER_USER: u32 = 54_321;
/// Before the role of a process whose store is encrypted.
#[cfg(feature = "encrypted")]
const ENCRYPTED: &str = "encrypted ";
const MARK: &str = "@ ";
const ROUNDS: u64 = 25;
/// A wait that is never reached where all is well.
const LIMIT: Duration = Duration::from_secs(60);
