//! Moving a store: whenever it stops, each record is whole in one store or in both, and running it again goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error, Generation, Grant, GrantKey, HeldLock, IssuerFacts, Listing,
    LockGuard, Login, MemoryBackend, MigrateOptions, Migration, Newer, Problem, ProblemKind,
    RawRecord, RecordId, RecordKind, Registration, RegistrationKey, RegistrationKind, ServerFacts,
    Store, StoreDescription, copy_records, migrate,
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use zeroize::Zeroizing;

#[tokio::test]
async fn every_record_of_every_kind_moves_as_it_is_with_fields_that_nobody_here_knows() {
    let (from, to) = (Store::memory(), Store::memory());
    fill(&from).await;
    let done = migrate(&from, &to, quick()).await.unwrap();
    assert_eq!(
        (done.moved.len(), done.is_complete()),
        (6, true),
        "{done:?}"
    );
    for kind in RecordKind::ALL {
        assert!(done.moved.iter().any(|id| id.kind() == kind), "{kind}");
    }
    let stored = to.grant(&key("a")).await.unwrap().unwrap().value;
    assert_eq!(token(&stored), "token-1");
    assert_eq!(stored.extra["later"], json!({"kept": [1]}));
    assert_eq!(
        to.issuer_facts("https://as.example")
            .await
            .unwrap()
            .unwrap()
            .value
            .extra["x"],
        1
    );
    assert!(to.login(&key("a")).await.unwrap().is_some());
    assert!(from.grants().await.unwrap().entries.is_empty());
    assert!(from.facts("https://a.example/mcp").await.unwrap().is_none());
    // A second run finds nothing to do.
    let again = migrate(&from, &to, quick()).await.unwrap();
    assert_eq!(again, Migration::default());
}

#[cfg(feature = "encrypted")]
#[tokio::test]
async fn records_move_from_plain_files_to_encrypted_ones_and_back() {
    use doorkey_store::{KeySource, SealingKey};
    let temp = tempfile::tempdir().unwrap();
    let plain = Store::file(temp.path().join("plain")).unwrap();
    let key_source = KeySource::Key(SealingKey::generate().unwrap());
    let sealed = Store::encrypted_file(temp.path().join("sealed"), key_source).unwrap();
    fill(&plain).await;
    assert_eq!(
        migrate(&plain, &sealed, quick()).await.unwrap().moved.len(),
        6
    );
    assert!(plain.grants().await.unwrap().entries.is_empty());
    assert_eq!(
        token(&sealed.grant(&key("a")).await.unwrap().unwrap().value),
        "token-1"
    );
    assert_eq!(
        migrate(&sealed, &plain, quick()).await.unwrap().moved.len(),
        6
    );
    assert_eq!(plain.grants().await.unwrap().entries.len(), 2);

    let same = Store::file(temp.path().join("plain")).unwrap();
    let error = migrate(&plain, &same, quick()).await.unwrap_err();
    assert!(matches!(error, Error::SameStore { .. }), "{error:?}");
    assert_eq!(plain.grants().await.unwrap().entries.len(), 2);
}

#[tokio::test]
async fn stopped_at_any_step_nothing_is_lost_and_the_next_run_goes_on() {
    for step in 0.. {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let (source, target) = (
            Arc::new(MemoryBackend::new()),
            Arc::new(MemoryBackend::new()),
        );
        let open = |inner: &Arc<MemoryBackend>| {
            let (inner, left) = (Arc::clone(inner), Arc::clone(&left));
            Store::new(Failing {
                inner,
                left,
                dropped: Arc::default(),
            })
        };
        fill(&open(&source)).await;
        left.store(step, Ordering::Relaxed);
        let result = migrate(&open(&source), &open(&target), quick()).await;
        left.store(usize::MAX, Ordering::Relaxed);

        let (from, to) = (open(&source), open(&target));
        for name in ["a", "b"] {
            let copies = [
                from.grant(&key(name)).await.unwrap(),
                to.grant(&key(name)).await.unwrap(),
            ];
            let whole = copies.iter().flatten().map(|stored| token(&stored.value));
            assert!(
                whole.clone().count() > 0 && whole.clone().all(|token| token == "token-1"),
                "{step}"
            );
        }
        let again = migrate(&from, &to, quick()).await.unwrap();
        assert!(
            again.is_complete() && again.problems.is_empty(),
            "{step}: {again:?}"
        );
        assert_eq!(to.grants().await.unwrap().entries.len(), 2, "{step}");
        assert!(from.grants().await.unwrap().entries.is_empty(), "{step}");
        if result.is_ok() {
            assert!(step > 20, "there were steps");
            break;
        }
    }
}

/// The law of a move, as a program keeps it that remembers which store is in use: at whatever step it is killed, each login is whole in
/// the store that is remembered; and the next run finishes, also where a process refreshed in the old store meanwhile.
#[tokio::test]
async fn killed_at_any_step_every_login_is_usable_in_the_store_that_is_named_then() {
    for (step, refreshed) in (0..).flat_map(|step| [(step, false), (step, true)]) {
        let (source, target) = (
            Arc::new(MemoryBackend::new()),
            Arc::new(MemoryBackend::new()),
        );
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let open = |inner: &Arc<MemoryBackend>| {
            Store::new(Failing {
                inner: Arc::clone(inner),
                left: Arc::clone(&left),
                dropped: Arc::default(),
            })
        };
        let (from, to) = (open(&source), open(&target));
        fill(&from).await;
        left.store(step, Ordering::Relaxed);
        let mut named = &from;
        let outcome = async {
            let copies = copy_records(&from, &to, quick()).await?;
            assert!(copies.is_complete());
            if refreshed {
                let kept = left.swap(usize::MAX, Ordering::Relaxed);
                refresh(&from, "a", 2).await;
                left.store(kept, Ordering::Relaxed);
            }
            named = &to;
            copies.remove_originals().await
        }
        .await;
        left.store(usize::MAX, Ordering::Relaxed);
        // A refresh with the token that is stored: it is a whole login.
        for name in ["a", "b"] {
            refresh(named, name, 3).await;
        }

        let again = migrate(&from, &to, quick()).await.unwrap();
        assert!(again.is_complete(), "{step}: {again:?}");
        assert!(from.grants().await.unwrap().entries.is_empty(), "{step}");
        for name in ["a", "b"] {
            let stored = to.grant(&key(name)).await.unwrap().unwrap().value;
            assert_eq!((token(&stored), stored.issued_at), ("token-3", 3), "{step}");
        }
        if outcome.is_ok() && refreshed {
            assert!(step > 20, "there were steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_login_that_is_refreshed_between_copy_and_removal_is_moved_as_it_is_then() {
    let (from, to) = (Store::memory(), Store::memory());
    fill(&from).await;
    let copies = copy_records(&from, &to, quick()).await.unwrap();
    refresh(&from, "a", 1).await;
    let done = copies.remove_originals().await.unwrap();
    assert!(done.is_complete() && done.moved.len() == 6, "{done:?}");
    let stored = to.grant(&key("a")).await.unwrap().unwrap().value;
    // Even where both say the same second.
    assert_eq!((token(&stored), stored.issued_at), ("refreshed-1", 1));
    assert!(from.grants().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn of_two_states_of_one_login_in_one_second_that_of_the_store_in_use_counts() {
    for in_use in [None, Some(Newer::Source), Some(Newer::Target)] {
        let (from, to) = (Store::memory(), Store::memory());
        fill(&from).await;
        drop(copy_records(&from, &to, quick()).await.unwrap());
        refresh(&from, "a", 1).await;
        let mut options = quick();
        options.in_use = in_use;
        let done = migrate(&from, &to, options).await.unwrap();
        let stored = to.grant(&key("a")).await.unwrap().unwrap().value;
        let expected = match in_use {
            Some(Newer::Source) => "refreshed-1",
            _ => "token-1",
        };
        assert_eq!(token(&stored), expected, "{in_use:?}");
        assert_eq!(done.is_complete(), in_use.is_some(), "{in_use:?}");
    }
}

/// A refresh: another token of the same login.
async fn refresh(store: &Store, name: &str, issued_at: u64) {
    let stored = store.grant(&key(name)).await.unwrap().unwrap();
    let mut grant = stored.value;
    let token = match grant.issued_at < issued_at {
        true => format!("token-{issued_at}"),
        false => format!("refreshed-{issued_at}"),
    };
    grant.access_token = Some(token.into());
    grant.issued_at = issued_at;
    store
        .save_grant(&key(name), &grant, Some(stored.generation))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_record_that_differs_in_both_stores_is_reported_and_neither_is_touched() {
    for (source_at, target_at, newer) in [
        (2, 1, Some(Newer::Source)),
        (1, 2, Some(Newer::Target)),
        (1, 1, None),
    ] {
        let (from, to) = (Store::memory(), Store::memory());
        from.save_grant(&key("a"), &grant("old", source_at), None)
            .await
            .unwrap();
        to.save_grant(&key("a"), &grant("new", target_at), None)
            .await
            .unwrap();
        let done = migrate(&from, &to, quick()).await.unwrap();
        assert!(!done.is_complete() && done.moved.is_empty());
        assert_eq!(
            (&done.conflicts[0].id, done.conflicts[0].newer),
            (&key("a").record_id(), newer)
        );
        assert_eq!(
            token(&from.grant(&key("a")).await.unwrap().unwrap().value),
            "old"
        );
        assert_eq!(
            token(&to.grant(&key("a")).await.unwrap().unwrap().value),
            "new"
        );

        // Only who asks for it lets the newer one win; where none is, nothing is decided.
        let mut options = quick();
        options.newer_wins = true;
        let done = migrate(&from, &to, options).await.unwrap();
        let expected = if newer == Some(Newer::Source) {
            "old"
        } else {
            "new"
        };
        assert_eq!(
            token(&to.grant(&key("a")).await.unwrap().unwrap().value),
            expected
        );
        assert_eq!(
            from.grant(&key("a")).await.unwrap().is_some(),
            newer.is_none()
        );
        assert_eq!(done.is_complete(), newer.is_some());
    }
}

#[tokio::test]
async fn facts_that_the_target_has_too_give_way_without_a_word() {
    let (from, to) = (Store::memory(), Store::memory());
    for (store, wire) in [(&from, "2025-11-25"), (&to, "2026-07-28")] {
        let mut facts = ServerFacts::default();
        facts.wire = Some(wire.to_owned());
        store
            .save_facts("https://a.example", &facts, None)
            .await
            .unwrap();
    }
    let done = migrate(&from, &to, quick()).await.unwrap();
    assert_eq!((done.already_there.len(), done.is_complete()), (1, true));
    let facts = to.facts("https://a.example").await.unwrap().unwrap().value;
    assert_eq!(facts.wire.as_deref(), Some("2026-07-28"));
    assert!(from.facts("https://a.example").await.unwrap().is_none());
}

#[tokio::test]
async fn a_record_that_somebody_works_on_stays_and_is_moved_by_a_later_run() {
    for in_source in [true, false] {
        let (from, to) = (Store::memory(), Store::memory());
        fill(&from).await;
        let holder = if in_source { &from } else { &to };
        let lock = holder.lock_grant(&key("a"), LONG).await.unwrap();
        let mut options = quick();
        options.lock_limit = Duration::from_millis(30);
        let done = migrate(&from, &to, options).await.unwrap();
        assert_eq!(
            (done.busy.as_slice(), done.copied.len(), done.moved.len()),
            (&[key("a").record_id()][..], 5, 0)
        );
        assert_eq!(from.grants().await.unwrap().entries.len(), 2, "all stay");
        drop(lock);
        let done = migrate(&from, &to, options).await.unwrap();
        assert_eq!((done.moved.len(), done.already_there.len()), (1, 5));
        assert!(done.is_complete() && from.grants().await.unwrap().entries.is_empty());
    }
}

#[tokio::test]
async fn a_target_that_does_not_keep_what_it_is_given_gets_nothing_taken_away_for_it() {
    let from = Store::memory();
    fill(&from).await;
    let to = Store::new(Forgetful(MemoryBackend::new()));
    let error = migrate(&from, &to, quick()).await.unwrap_err();
    assert!(matches!(error, Error::NotKept { .. }), "{error:?}");
    assert_eq!(from.grants().await.unwrap().entries.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_used_or_is_newer_stays_and_is_reported() {
    let backend = Arc::new(MemoryBackend::new());
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let from = Store::new(Failing {
        inner: Arc::clone(&backend),
        left,
        dropped: Arc::default(),
    });
    let (newer, sound) = (key("newer").record_id(), key("sound"));
    let bytes = Zeroizing::new(br#"{"version":9,"access_token":"s3cret"}"#.to_vec());
    backend.save(&newer, bytes, None).await.unwrap();
    from.save_grant(&sound, &grant("token-1", 1), None)
        .await
        .unwrap();
    let to = Store::memory();
    let done = migrate(&from, &to, quick()).await.unwrap();
    assert_eq!(
        (done.copied.as_slice(), done.moved.len()),
        (&[sound.record_id()][..], 0)
    );
    assert!(from.grant(&sound).await.unwrap().is_some());
    let [problem] = done.problems.as_slice() else {
        panic!("{done:?}")
    };
    let defect = Defect::NewerVersion { found: 9, known: 1 };
    assert_eq!(
        (&problem.id, &problem.kind),
        (&Some(newer.clone()), &ProblemKind::LeftAlone { defect })
    );
    assert_eq!(done.left, std::slice::from_ref(&newer));
    assert!(!done.is_complete(), "a sound login stays behind");
    assert!(backend.load(&newer).await.unwrap().is_some());
    assert!(!format!("{done:?}").contains("s3cret"));
}

#[tokio::test]
async fn copies_that_were_set_aside_go_only_when_asked() {
    for discard in [false, true] {
        let to = Store::memory();
        let backend = Arc::new(MemoryBackend::new());
        let generation = backend
            .save(&key("a").record_id(), Zeroizing::new(b"{}".to_vec()), None)
            .await
            .unwrap();
        backend
            .set_aside(&key("a").record_id(), generation, Defect::NotAnObject)
            .await
            .unwrap();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let store = Store::new(Failing {
            inner: Arc::clone(&backend),
            left,
            dropped: Arc::default(),
        });
        store
            .save_grant(&key("a"), &grant("token-1", 1), None)
            .await
            .unwrap();
        let mut options = quick();
        options.discard_set_aside = discard;
        let done = migrate(&store, &to, options).await.unwrap();
        assert_eq!(
            (done.moved.len(), done.discarded),
            (1, usize::from(discard))
        );
        assert_eq!(
            store.discard_set_aside_grants(&key("a")).await.unwrap(),
            usize::from(!discard)
        );
    }
}

#[tokio::test]
async fn erasing_a_grant_leaves_no_copy_of_it_whatever_its_generation() {
    let backend = Arc::new(MemoryBackend::new());
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let store = Store::new(Failing {
        inner: Arc::clone(&backend),
        left,
        dropped: Arc::default(),
    });
    fill(&store).await;
    let id = key("a").record_id();
    let current = backend.load(&id).await.unwrap().unwrap();
    backend
        .set_aside(&id, current.generation, Defect::Torn)
        .await
        .unwrap();
    store
        .save_grant(&key("a"), &grant("token-2", 2), None)
        .await
        .unwrap();
    assert_eq!(
        store.erase_grant(&key("a"), LONG).await.unwrap(),
        3,
        "record, login, set aside"
    );
    assert!(store.grant(&key("a")).await.unwrap().is_none());
    assert!(store.login(&key("a")).await.unwrap().is_none());
    assert_eq!(store.discard_set_aside_grants(&key("a")).await.unwrap(), 0);
    assert!(
        store.grant(&key("b")).await.unwrap().is_some(),
        "and of no other"
    );
    assert_eq!(store.erase_grant(&key("a"), LONG).await.unwrap(), 0);

    let lock = store.lock_grant(&key("b"), LONG).await.unwrap();
    let error = store
        .erase_grant(&key("b"), Duration::from_millis(30))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::LockTimeout { .. }), "{error:?}");
    drop(lock);
}

#[tokio::test]
async fn whatever_becomes_of_a_record_its_locks_are_released() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let open = |inner: &Arc<MemoryBackend>| {
        Store::new(Failing {
            inner: Arc::clone(inner),
            left: Arc::new(AtomicUsize::new(usize::MAX)),
            dropped: Arc::clone(&dropped),
        })
    };
    let (source, target) = (
        Arc::new(MemoryBackend::new()),
        Arc::new(MemoryBackend::new()),
    );
    let (from, to) = (open(&source), open(&target));
    fill(&from).await;
    let newer = Zeroizing::new(br#"{"version":9}"#.to_vec());
    let id = key("newer").record_id();
    source.save(&id, newer, None).await.unwrap();
    to.save_grant(&key("b"), &grant("differs", 1), None)
        .await
        .unwrap();
    let lock = target.lock(&key("a").record_id(), LONG).await.unwrap();
    let mut options = quick();
    options.lock_limit = Duration::from_millis(30);
    let done = migrate(&from, &to, options).await.unwrap();
    assert_eq!(
        (done.busy.len(), done.conflicts.len(), done.left.len()),
        (1, 1, 1)
    );
    assert_eq!(dropped.load(Ordering::Relaxed), 0, "migrate");
    drop(lock);
    from.erase_grant(&key("newer"), LONG).await.unwrap_err();
    assert_eq!(dropped.load(Ordering::Relaxed), 0, "erase");
    drop(from.lock_grant(&key("a"), LONG).await.unwrap());
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "it counts");
}

/// Records of every kind, two of them grants.
async fn fill(store: &Store) {
    for name in ["a", "b"] {
        let mut grant = grant("token-1", 1);
        grant.login_id = Some(format!("login-{name}"));
        grant.extra.insert("later".to_owned(), json!({"kept": [1]}));
        store.save_grant(&key(name), &grant, None).await.unwrap();
    }
    let mut login = Login::default();
    login.recent_starts = vec![1, 2];
    store.save_login(&key("a"), &login, None).await.unwrap();
    let registration = Registration::new("client-1", RegistrationKind::Dynamic);
    let issuer = RegistrationKey::shared("https://as.example");
    store
        .save_registration(&issuer, &registration, None)
        .await
        .unwrap();
    let facts = ServerFacts::default();
    store
        .save_facts("https://a.example/mcp", &facts, None)
        .await
        .unwrap();
    let mut facts = IssuerFacts::default();
    facts.extra.insert("x".to_owned(), 1.into());
    store
        .save_issuer_facts("https://as.example", &facts, None)
        .await
        .unwrap();
}

fn grant(token: &str, issued_at: u64) -> Grant {
    let mut grant = Grant::new("https://as.example", "client-1", "https://as.example/token");
    grant.access_token = Some(token.into());
    grant.issued_at = issued_at;
    grant
}

fn token(grant: &Grant) -> &str {
    grant.access_token.as_ref().unwrap().expose_secret()
}

fn key(name: &str) -> GrantKey {
    GrantKey::new(format!("https://{name}.example/mcp"), "default")
}

fn quick() -> MigrateOptions {
    MigrateOptions::default()
}

/// A store that fails after that many operations, as one does whose process is killed.
#[derive(Debug)]
struct Failing {
    inner: Arc<MemoryBackend>,
    left: Arc<AtomicUsize>,
    /// How many of its locks were let go of without being released.
    dropped: Arc<AtomicUsize>,
}

impl Failing {
    async fn step<'a, T>(&'a self, work: BoxFuture<'a, Result<T, Error>>) -> Result<T, Error> {
        let take = |left: usize| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            let source = "gone".into();
            return Err(Error::Backend {
                store: "failing",
                action: "go on",
                transient: true,
                source,
            });
        }
        work.await
    }
}

impl Backend for Failing {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        Box::pin(self.step(self.inner.load(id)))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(self.step(self.inner.save(id, bytes, expected)))
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.step(self.inner.remove(id, expected)))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        Box::pin(self.step(self.inner.list(kind)))
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        let dropped = Arc::clone(&self.dropped);
        Box::pin(self.step(Box::pin(async move {
            let inner = Some(self.inner.lock(id, limit).await?);
            Ok(LockGuard::new(Lease { inner, dropped }))
        })))
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.step(self.inner.set_aside(id, expected, defect)))
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(self.step(self.inner.discard_set_aside(id)))
    }

    fn problems(&self) -> Vec<Problem> {
        self.inner.problems()
    }

    fn describe(&self) -> StoreDescription {
        self.inner.describe()
    }
}

/// A lock that others wait for if it is only dropped, as they do for a lease to run out.
#[derive(Debug)]
struct Lease {
    inner: Option<LockGuard>,
    dropped: Arc<AtomicUsize>,
}

impl HeldLock for Lease {
    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        let inner = self.inner.take();
        Box::pin(async move {
            if let Some(inner) = inner {
                inner.release().await;
            }
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let dropped = usize::from(self.inner.is_some());
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

/// A store that says it saved, and did not.
#[derive(Debug)]
struct Forgetful(MemoryBackend);

impl Backend for Forgetful {
    fn load<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<Option<RawRecord>, Error>> {
        self.0.load(id)
    }

    fn save<'a>(
        &'a self,
        _id: &'a RecordId,
        _bytes: Zeroizing<Vec<u8>>,
        _expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, Error>> {
        Box::pin(async { Ok(Generation::new(1)) })
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.0.remove(id, expected)
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, Error>> {
        self.0.list(kind)
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, Error>> {
        self.0.lock(id, limit)
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.0.set_aside(id, expected, defect)
    }

    fn discard_set_aside<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, Result<usize, Error>> {
        self.0.discard_set_aside(id)
    }

    fn problems(&self) -> Vec<Problem> {
        self.0.problems()
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription::new("forgetful", "nowhere", false)
    }
}

const LONG: Duration = Duration::from_secs(30);
