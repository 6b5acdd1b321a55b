//! The network between host and server is cut at the worst moment: after the server did what it was asked, before it could say so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doorkey_store::{Backend as _, Defect, PostgresBackend};
use services::{Database, Postgres};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::{chain, connect, options_of};
use crate::conformance::{grant, json, number};

#[tokio::test]
async fn a_save_whose_answer_is_lost_counts_once() {
    let (network, store) = store().await;
    let id = grant("a");
    network.cut(Cut::Answer, "INSERT INTO \"doorkey\".records");
    let first = store.save(&id, json(1), None).await.unwrap();
    network.cut(Cut::Answer, "UPDATE \"doorkey\".records");
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    assert_eq!(second, first.next());
    network.was_cut(2);
    let stored = store.load(&id).await.unwrap().unwrap();
    assert_eq!((stored.generation, number(&stored.bytes)), (second, 2));
}

#[tokio::test]
async fn a_save_that_did_not_reach_the_server_is_sent_again() {
    let (network, store) = store().await;
    let id = grant("a");
    network.cut(Cut::Question, "INSERT INTO \"doorkey\".records");
    let first = store.save(&id, json(1), None).await.unwrap();
    network.cut(Cut::Question, "UPDATE \"doorkey\".records");
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    network.was_cut(2);
    let stored = store.load(&id).await.unwrap().unwrap();
    assert_eq!((stored.generation, number(&stored.bytes)), (second, 2));
}

#[tokio::test]
async fn a_lost_answer_does_not_hide_that_somebody_else_saved() {
    let (network, store) = store().await;
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    for cut in [Cut::Answer, Cut::Question] {
        network.cut(cut, "UPDATE \"doorkey\".records");
        let error = store.save(&id, json(3), Some(first)).await.unwrap_err();
        assert!(error.is_conflict(), "{}", chain(&error));
        network.cut(cut, "INSERT INTO \"doorkey\".records");
        let error = store.save(&id, json(3), None).await.unwrap_err();
        assert!(error.is_conflict(), "{}", chain(&error));
        network.cut(cut, "DELETE FROM \"doorkey\".records");
        let error = store.remove(&id, first).await.unwrap_err();
        assert!(error.is_conflict(), "{}", chain(&error));
    }
    network.was_cut(6);
    let stored = store.load(&id).await.unwrap().unwrap();
    assert_eq!((stored.generation, number(&stored.bytes)), (second, 2));
}

#[tokio::test]
async fn a_remove_and_a_setting_aside_whose_answers_are_lost_are_done_once() {
    let (network, store) = store().await;
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    network.cut(Cut::Answer, "DELETE FROM \"doorkey\".records");
    store.remove(&id, first).await.unwrap();
    assert!(store.load(&id).await.unwrap().is_none());
    let second = store.save(&id, json(2), None).await.unwrap();
    network.cut(Cut::Answer, "WITH moved");
    let defect = Defect::NotAnObject;
    store.set_aside(&id, second, defect).await.unwrap();
    network.was_cut(2);
    assert_eq!(store.discard_set_aside(&id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_lock_whose_answer_is_lost_is_held_by_who_asked_and_by_nobody_else() {
    let (network, store) = store().await;
    let id = grant("a");
    network.cut(Cut::Answer, "INSERT INTO \"doorkey\".locks");
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    network.was_cut(1);
    assert!(lock.is_held());
    let short = Duration::from_millis(100);
    drop(store.lock(&id, short).await.unwrap_err());
    lock.release().await;
    store.lock(&id, short).await.unwrap().release().await;
}

#[tokio::test]
async fn a_lock_that_was_given_to_somebody_who_gave_up_is_free_long_before_its_lease_ends() {
    let (network, store) = store().await;
    let id = grant("a");
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    lock.release().await;
    network.cut(Cut::SilentAnswer, "INSERT INTO \"doorkey\".locks");
    let waiting = store.lock(&id, services::LIMIT);
    let gave_up = tokio::time::timeout(Duration::from_millis(500), waiting).await;
    assert!(gave_up.is_err(), "no answer came: {gave_up:?}");
    network.was_cut(1);
    // The lease is 15 seconds, and the server gave it.
    let started = Instant::now();
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    lock.release().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_no_more_than_the_limit() {
    let (network, store) = store().await;
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    // More often than there is time for: every attempt meets a silent server, and takes as long as it may.
    for _ in 0..10 {
        network.cut(Cut::Silence, "UPDATE \"doorkey\".records");
    }
    let started = Instant::now();
    let error = store.save(&id, json(2), Some(first)).await.unwrap_err();
    assert!(error.is_transient(), "{}", chain(&error));
    assert!(started.elapsed() < 2 * OPERATION, "{:?}", started.elapsed());
    let attempts = network.state.lock().unwrap().done;
    assert!(attempts > 1, "it was tried again");
    assert!(store.load(&id).await.unwrap().is_some(), "others go on");
}

#[tokio::test]
async fn who_wants_a_lock_of_a_silent_server_waits_no_longer_than_asked() {
    let (network, store) = store_within(Duration::from_secs(60)).await;
    network.cut(Cut::Silence, "INSERT INTO \"doorkey\".locks");
    let started = Instant::now();
    let short = Duration::from_millis(100);
    let error = store.lock(&grant("a"), short).await.unwrap_err();
    network.was_cut(1);
    assert!(error.is_transient(), "{}", chain(&error));
    // One attempt of any other operation may take 20 s here.
    assert!(started.elapsed() < OPERATION, "{:?}", started.elapsed());
}

/// A store that reaches its server through a network that can be cut.
async fn store() -> (Network, PostgresBackend) {
    store_within(OPERATION).await
}

async fn store_within(limit: Duration) -> (Network, PostgresBackend) {
    let database = Postgres::shared().database();
    let network = Network::to(&database);
    let connection = database.connection_string().replace(
        &database.server().socket_folder().display().to_string(),
        &network.folder.path().display().to_string(),
    );
    let options = options_of(connection).limit(limit);
    let store = connect(options).await.unwrap();
    (network, store)
}

/// What happens to a connection on which a statement is seen that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It breaks before the statement reaches the server.
    Question,
    /// It breaks when the server has answered, before the answer reaches the host.
    Answer,
    /// The statement does not come through, nor anything after it, and nobody is told.
    Silence,
    /// The server does what it is asked; then nothing comes through any more, and nobody is told.
    SilentAnswer,
}

/// A socket in front of the server's, which passes everything on until it is told to cut.
struct Network {
    folder: TempDir,
    state: Arc<Mutex<Cuts>>,
    _database: Database,
}

#[derive(Default)]
struct Cuts {
    waiting: Vec<(Cut, &'static str)>,
    done: usize,
}

impl Network {
    fn to(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = ".s.PGSQL.5432";
        let listener = UnixListener::bind(folder.path().join(name)).unwrap();
        let server = database.server().socket_folder().join(name);
        let state = Arc::<Mutex<Cuts>>::default();
        tokio::spawn(serve(listener, server, Arc::clone(&state)));
        Self {
            folder,
            state,
            _database: database.clone(),
        }
    }

    /// Cuts the next connection that carries a statement which begins like that.
    fn cut(&self, cut: Cut, statement: &'static str) {
        self.state.lock().unwrap().waiting.push((cut, statement));
    }

    /// That so many connections were cut by now, so that the test tests something.
    #[track_caller]
    fn was_cut(&self, times: usize) {
        let state = self.state.lock().unwrap();
        assert_eq!((state.done, state.waiting.len()), (times, 0));
    }
}

async fn serve(listener: UnixListener, server: PathBuf, state: Arc<Mutex<Cuts>>) {
    while let Ok((host, _)) = listener.accept().await {
        let (server, state) = (server.clone(), Arc::clone(&state));
        tokio::spawn(async move { drop(pass(host, &server, &state).await) });
    }
}

async fn pass(mut host: UnixStream, server: &Path, state: &Mutex<Cuts>) -> std::io::Result<()> {
    let mut server = UnixStream::connect(server).await?;
    let (mut asked, mut said) = (vec![0; 65536], vec![0; 65536]);
    let mut cut = None;
    loop {
        let is_over = tokio::select! {
            read = host.read(&mut asked) => {
                let asked = &asked[..read?];
                cut = cut.or(state.lock().unwrap().cut_for(asked));
                match cut {
                    Some(Cut::Question) => true,
                    Some(Cut::Silence) => silence().await,
                    _ => on(asked, &mut server).await?,
                }
            }
            read = server.read(&mut said) => match cut {
                Some(Cut::Answer) => true,
                Some(Cut::SilentAnswer) => silence().await,
                _ => on(&said[..read?], &mut host).await?,
            }
        };
        if is_over {
            return Ok(());
        }
    }
}

/// Passes bytes on; without any the other end is gone, and it is over.
async fn on(bytes: &[u8], to: &mut UnixStream) -> std::io::Result<bool> {
    to.write_all(bytes).await?;
    Ok(bytes.is_empty())
}

async fn silence() -> bool {
    tokio::time::sleep(services::LIMIT).await;
    true
}

impl Cuts {
    fn cut_for(&mut self, asked: &[u8]) -> Option<Cut> {
        let is_in = |statement: &str| {
            let windows = asked.windows(statement.len());
            windows
                .into_iter()
                .any(|window| window == statement.as_bytes())
        };
        let index = self
            .waiting
            .iter()
            .position(|(_, statement)| is_in(statement))?;
        self.done += 1;
        Some(self.waiting.remove(index).0)
    }
}

/// How long an operation of the store may take.
const OPERATION: Duration = Duration::from_secs(6);
