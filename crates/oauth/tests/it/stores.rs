//! A store that fails, counts and is changed by others when a test says so.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{AccessToken, Challenges, Error, TokenSource};
use doorkey_store::{
    Backend, BoxFuture, Defect, Error as StoreError, Generation, Listing, LockGuard, MemoryBackend,
    Problem, Proof, RawRecord, RecordId, RecordKind, Store, StoreDescription,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::browser::Browser;
use crate::world::{LIMIT, World};

/// Memory whose saves can be made to fail.
#[derive(Clone, Default)]
pub(crate) struct Fickle(Arc<State>);

#[derive(Default)]
struct State {
    memory: MemoryBackend,
    failing: AtomicBool,
    /// How many saves still succeed before the failure sets in.
    grace: AtomicUsize,
    locks_fail: AtomicBool,
    loads_fail: AtomicBool,
    saves: AtomicUsize,
    /// The next record that is read is delivered only after a while.
    late: Mutex<Option<Gate>>,
    slow_removes: AtomicBool,
    /// Whether somebody else is a little faster with each removal.
    lost_removes: AtomicBool,
    slow_saves: AtomicBool,
}

/// Tells that it was reached, and opens when it is told to.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) reached: Arc<Notify>,
    pub(crate) open: Arc<Notify>,
}

impl Fickle {
    pub(crate) fn fail_after(&self, saves: usize) {
        self.0.grace.store(saves, Ordering::SeqCst);
        self.0.failing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.0.failing.store(false, Ordering::SeqCst);
    }

    /// How many saves succeeded.
    pub(crate) fn saves(&self) -> usize {
        self.0.saves.load(Ordering::SeqCst)
    }

    pub(crate) fn fail_loads(&self, fail: bool) {
        self.0.loads_fail.store(fail, Ordering::SeqCst);
    }

    /// Makes the next record that is read arrive when the gate opens: out of date by then.
    pub(crate) fn deliver_late(&self) -> Gate {
        let gate = Gate::default();
        *self.0.late.lock().unwrap() = Some(gate.clone());
        gate
    }

    pub(crate) fn remove_slowly(&self) {
        self.0.slow_removes.store(true, Ordering::SeqCst);
    }

    pub(crate) fn lose_removes(&self) {
        self.0.lost_removes.store(true, Ordering::SeqCst);
    }

    pub(crate) fn save_slowly(&self) {
        self.0.slow_saves.store(true, Ordering::SeqCst);
    }

    fn refuses(&self) -> bool {
        self.0.failing.load(Ordering::SeqCst)
            && self
                .0
                .grace
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_err()
    }
}

impl fmt::Debug for Fickle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fickle")
    }
}

fn broken(action: &'static str) -> StoreError {
    StoreError::Backend {
        store: "fickle",
        action,
        transient: false,
        source: "the disk is full".into(),
    }
}

impl Backend for Fickle {
    fn load<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<RawRecord>, StoreError>> {
        if self.0.loads_fail.load(Ordering::SeqCst) {
            return Box::pin(async { Err(broken("load")) });
        }
        Box::pin(async move {
            let record = self.0.memory.load(id).await;
            let late = self.0.late.lock().unwrap().take();
            if let Some(gate) = late {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            record
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, StoreError>> {
        if self.refuses() {
            return Box::pin(async { Err(broken("save")) });
        }
        self.0.saves.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if self.0.slow_saves.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.0.memory.save(id, bytes, expected).await
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.0.slow_removes.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if self.0.lost_removes.load(Ordering::SeqCst) {
                self.0.memory.remove(id, expected).await?;
            }
            self.0.memory.remove(id, expected).await
        })
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, StoreError>> {
        self.0.memory.list(kind)
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, StoreError>> {
        if self.0.locks_fail.load(Ordering::SeqCst) {
            return Box::pin(async { Err(broken("lock")) });
        }
        self.0.memory.lock(id, limit)
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.memory.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.0.memory.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.0.memory.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.0.memory.describe()
    }
}

#[tokio::test]
async fn a_refreshed_token_that_cannot_be_saved_is_used_and_the_trouble_reported() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    // The intent is saved, the result is not.
    backend.fail_after(1);
    let token = source.token().await.unwrap().unwrap();
    assert!(matches!(source.store_problem(), Some(Error::Store(_))));
    assert_eq!(source.token().await.unwrap().unwrap(), token);
    assert_eq!(world.seen(Leg::Token).len(), 1);

    // The next refresh starts from what only memory has, and drain saves it at last.
    world.clock().advance(3600);
    let next = source.token().await.unwrap().unwrap();
    assert_ne!(next, token);
    assert_eq!(
        world.seen(Leg::Token)[1].form("refresh_token"),
        ["refresh-3"]
    );
    backend.heal();
    source.drain(LIMIT).await.unwrap();
    assert!(source.store_problem().is_none());
    let stored = source.grant().await.unwrap().unwrap().value;
    assert_eq!(stored.refresh_token.unwrap().expose_secret(), "refresh-4");
    assert_eq!(world.source(&store).token().await.unwrap().unwrap(), next);
}

#[tokio::test]
async fn a_refreshed_token_that_was_not_saved_is_saved_with_a_later_use_long_before_the_next_refresh_ref_04()
 {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    backend.fail_after(1);
    let token = source.token().await.unwrap().unwrap();
    assert!(source.store_problem().is_some());
    backend.heal();
    world.clock().advance(1);
    assert_eq!(source.token().await.unwrap().unwrap(), token);
    let key = world.config().grant_key();
    let stored = async || {
        let grant = store.grant(&key).await.unwrap().unwrap().value;
        grant.refresh_token.unwrap().expose_secret().to_owned()
    };
    tokio::time::timeout(LIMIT, async {
        while stored().await != "refresh-3" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    // No drain: the process is gone, and another one has the login.
    drop(source);
    assert_eq!(world.source(&store).token().await.unwrap().unwrap(), token);
    assert_eq!(world.seen(Leg::Token).len(), 1);
}

#[tokio::test]
async fn a_login_that_was_not_saved_is_saved_with_a_later_use_tok_21() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source(&store);
    backend.fail_after(2);
    let login = source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await;
    assert!(matches!(login, Err(Error::Store(_))));
    backend.heal();
    world.clock().advance(1);
    assert!(source.token().await.unwrap().is_some());
    tokio::time::timeout(LIMIT, async {
        while source.grant().await.unwrap().is_none() || source.store_problem().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn nothing_is_refreshed_early_when_the_result_could_not_be_saved() {
    let world = World::new();
    let backend = Fickle::default();
    let source = world.source(&Store::new(backend.clone()));
    world.signed_in(&source).await;
    let token = source.token().await.unwrap();
    world.clock().advance(3590);
    backend.fail_after(0);
    assert_eq!(source.token().await.unwrap(), token);
    assert!(world.all().is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_found_before_the_browser_opens() {
    let world = World::new();
    let backend = Fickle::default();
    backend.0.locks_fail.store(true, Ordering::SeqCst);
    let source = world.source(&Store::new(backend));
    let browser = Arc::new(Browser::new(&world));
    let error = source
        .login(&Challenges::default(), browser.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store(_)));
    assert!(browser.prompts().is_empty() && world.all().is_empty());
}

#[tokio::test]
async fn a_login_that_cannot_be_saved_says_so_and_still_works_here() {
    let world = World::new();
    let backend = Fickle::default();
    let source = world.source(&Store::new(backend.clone()));
    // The start of the login and the registration are saved, the grant is not.
    backend.fail_after(2);
    let error = source
        .login(&Challenges::default(), Arc::new(Browser::new(&world)))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store(_)));
    assert!(source.token().await.unwrap().is_some());
    backend.heal();
    source.drain(LIMIT).await.unwrap();
    assert!(source.grant().await.unwrap().is_some());
}

/// A source whose rotated refresh token is in memory only, its access token, and the stored grant
/// with the spent one.
async fn with_an_unsaved_refresh(world: &World) -> (Store, TokenSource, AccessToken) {
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    backend.fail_after(1);
    let token = source.token().await.unwrap().unwrap();
    assert!(source.store_problem().is_some());
    backend.heal();
    source.accepted(&token);
    world.clock().advance(100);
    (store, source, token)
}

fn refresh_tokens_sent(world: &World) -> Vec<String> {
    let seen = world.seen(Leg::Token);
    seen.iter()
        .map(|request| request.form("refresh_token").concat())
        .collect()
}

#[tokio::test]
async fn a_rotated_token_that_only_memory_has_outlives_a_note_of_another_process_ref_04() {
    let world = World::new();
    let (store, source, token) = with_an_unsaved_refresh(&world).await;
    let key = world.config().grant_key();
    let stored = store.grant(&key).await.unwrap().unwrap();
    let mut noted = stored.value;
    noted.proof = Proof::Rejected;
    let saved = store.save_grant(&key, &noted, Some(stored.generation));
    saved.await.unwrap();

    world.set().forget_access_tokens();
    let next = source.rejected(Some(&token), &Challenges::default()).await;
    assert_ne!(next.unwrap(), token);
    assert_eq!(refresh_tokens_sent(&world), ["refresh-2", "refresh-3"]);
    let grant = store.grant(&key).await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-4");
    assert!(source.store_problem().is_none());
}

#[tokio::test]
async fn a_note_on_a_token_that_only_memory_has_saves_it_ref_04() {
    let world = World::new();
    let (store, source, token) = with_an_unsaved_refresh(&world).await;
    source.record_proof(Proof::Accepted, None).await.unwrap();
    assert!(source.store_problem().is_none());
    let grant = source.grant().await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "refresh-3");
    assert_eq!(grant.proof, Proof::Accepted);
    assert_eq!(world.source(&store).token().await.unwrap(), Some(token));
}

#[tokio::test]
async fn a_login_of_another_process_counts_more_than_an_unsaved_refresh() {
    let world = World::new();
    let (store, source, token) = with_an_unsaved_refresh(&world).await;
    let other = world.source(&store);
    world.signed_in(&other).await;
    let next = source.rejected(Some(&token), &Challenges::default()).await;
    assert_eq!(Some(next.unwrap()), other.token().await.unwrap());
    assert!(world.seen(Leg::Token).is_empty());
}

#[tokio::test]
async fn a_verdict_on_one_token_is_not_noted_on_that_of_another_login_law_6() {
    let world = World::new();
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let other = world.source(&store);
    world.signed_in(&other).await;
    let before = store.grant(&world.config().grant_key()).await.unwrap();
    source.record_proof(Proof::Rejected, None).await.unwrap();
    let after = source.grant().await.unwrap().unwrap();
    assert_eq!(after.value.proof, Proof::Unproven);
    assert_eq!(after.generation, before.unwrap().generation, "not touched");
    // It is the current one now.
    assert_eq!(source.token().await.unwrap(), other.token().await.unwrap());
}

#[tokio::test]
async fn a_rejection_is_not_noted_on_a_login_that_came_in_while_it_waited_law_6() {
    let world = World::new();
    world.set().issues_refresh_tokens = false;
    let store = Store::memory();
    let source = world.source(&store);
    world.signed_in(&source).await;
    let sent = source.token().await.unwrap().unwrap();
    source.accepted(&sent);
    let key = world.config().grant_key();
    let lock = store.lock_grant(&key, LIMIT).await.unwrap();
    let challenges = Challenges::default();
    let rejected = source.rejected(Some(&sent), &challenges);
    let signed_in = async {
        // The rejection waits for the lock by now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let stored = store.grant(&key).await.unwrap().unwrap();
        let mut grant = stored.value;
        grant.access_token = Some("another-login".into());
        let saved = store.save_grant(&key, &grant, Some(stored.generation));
        let generation = saved.await.unwrap();
        drop(lock);
        generation
    };
    let (_, generation) = tokio::join!(rejected, signed_in);
    let stored = store.grant(&key).await.unwrap().unwrap();
    assert_eq!(stored.value.proof, Proof::Unproven);
    assert_eq!(stored.generation, generation);
    let token = source.token().await.unwrap().unwrap();
    assert_eq!(token.header_value().unwrap(), "Bearer another-login");
}

#[tokio::test]
async fn a_login_in_the_same_second_counts_more_than_an_unsaved_refresh_law_6() {
    let world = World::new();
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let source = world.source(&store);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    backend.fail_after(1);
    source.token().await.unwrap().unwrap();
    backend.heal();
    // The clock stands still, as clocks of two machines may differ by more than this takes.
    let other = world.source(&store);
    world.signed_in(&other).await;
    source.drain(LIMIT).await.unwrap();
    assert!(source.store_problem().is_none());
    let stored = store.grant(&world.config().grant_key()).await.unwrap();
    let token = stored.unwrap().value.access_token.unwrap();
    let theirs = other.token().await.unwrap().unwrap();
    let header = theirs.header_value().unwrap();
    assert_eq!(header, format!("Bearer {}", token.expose_secret()).as_str());
}

#[tokio::test]
async fn a_refresh_token_of_a_downgraded_refresh_is_saved_when_the_store_works_again_dp_16_ref_04()
{
    const BOUND: &str = r#"{"access_token":"bound-1","token_type":"DPoP","expires_in":3600,"refresh_token":"first"}"#;
    const BEARER: &str = r#"{"access_token":"bearer-1","token_type":"Bearer","expires_in":3600,"refresh_token":"second"}"#;
    let world = World::new();
    let algorithms = serde_json::json!(["ES256"]);
    world.set().metadata["dpop_signing_alg_values_supported"] = algorithms;
    let backend = Fickle::default();
    let store = Store::new(backend.clone());
    let mut config = world.config();
    config.dpop = doorkey_oauth::DpopChoice::Require;
    let source = world.source_with(config, &store);
    world.script(Leg::Token, 200, BOUND);
    world.signed_in(&source).await;
    world.clock().advance(3600);
    world.script(Leg::Token, 200, BEARER);
    // The intent is saved, what came of it is not.
    backend.fail_after(1);
    let error = source.token().await.unwrap_err();
    assert!(matches!(error, Error::TokenNotBound { .. }), "{error:?}");
    assert!(source.store_problem().is_some());
    backend.heal();
    // Another process makes a note meanwhile, about the same access token.
    let key = world.config().grant_key();
    let stored = store.grant(&key).await.unwrap().unwrap();
    let mut noted = stored.value;
    noted.proof = Proof::Accepted;
    let saved = store.save_grant(&key, &noted, Some(stored.generation));
    saved.await.unwrap();
    source.drain(LIMIT).await.unwrap();
    assert!(source.store_problem().is_none());
    let grant = store.grant(&key).await.unwrap().unwrap().value;
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "second");
    assert_eq!(grant.token_type, "DPoP");
}
