//! A store that fails, counts and is changed by others when a test says so.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use doorkey_http::Leg;
use doorkey_oauth::{Challenges, Error};
use doorkey_store::{
    Backend, BoxFuture, Defect, Error as StoreError, Generation, Listing, LockGuard, MemoryBackend,
    Problem, RawRecord, RecordId, RecordKind, Store, StoreDescription,
};
use secrecy::ExposeSecret as _;
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
    saves: AtomicUsize,
}

impl Fickle {
    pub(crate) fn fail_after(&self, saves: usize) {
        self.0.grace.store(saves, Ordering::SeqCst);
        self.0.failing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.0.failing.store(false, Ordering::SeqCst);
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
        self.0.memory.load(id)
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
        self.0.memory.save(id, bytes, expected)
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.memory.remove(id, expected)
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
    // The registration is saved, the grant is not.
    backend.fail_after(1);
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
