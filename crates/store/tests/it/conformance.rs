//! The laws of [`Backend`], generic over it: `conforms!(fixture)` in a module makes one test of each.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use doorkey_store::{
    Backend, Defect, Error, Generation, Problem, ProblemKind, RecordId, RecordKind,
};
use zeroize::Zeroizing;

/// One empty store, and as many handles on it as a test wants.
pub(crate) struct Fixture {
    open: Box<dyn Fn() -> Arc<dyn Backend> + Send + Sync>,
    _keep: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// `open` gives a handle on the same store each time, as another process would; `keep` lives as long as the fixture.
    pub(crate) fn new<B: Backend + 'static>(
        open: impl Fn() -> Arc<B> + Send + Sync + 'static,
        keep: impl Any + Send + Sync,
    ) -> Self {
        Self {
            open: Box::new(move || open()),
            _keep: Box::new(keep),
        }
    }

    pub(crate) fn open(&self) -> Arc<dyn Backend> {
        (self.open)()
    }
}

/// Hands all laws to another macro: `laws!(then! { … })` becomes `then! { … => law, law, }`.
macro_rules! laws {
    ($then:path { $($for:tt)* }) => {
        $then! { $($for)* =>
            an_empty_store_has_nothing_to_load_list_or_remove,
            a_save_comes_back_with_its_bytes_and_generation_through_every_handle,
            a_look_at_the_generation_says_what_a_load_would,
            a_save_that_expects_something_else_conflicts_reports_the_current_one_and_changes_nothing,
            a_record_is_removed_only_by_its_generation,
            removing_what_never_was_tells_what_is_there_and_removes_nothing,
            a_generation_never_comes_again_after_remove_and_save,
            records_are_listed_by_kind,
            keys_that_look_alike_are_different_records,
            savers_who_retry_on_conflict_lose_no_update,
            a_lock_lets_one_task_in_at_a_time,
            waiting_for_a_lock_ends_at_its_limit_and_says_where_it_is,
            a_lock_stops_neither_saves_nor_other_locks,
            a_waiter_that_gives_up_leaves_the_lock_to_others,
            a_released_lock_is_free,
            what_is_set_aside_is_absent_reported_listed_and_can_be_discarded,
            setting_aside_something_newer_conflicts,
        }
    };
}
pub(crate) use laws;

/// Makes a test of every law for the store that `$fixture` makes.
macro_rules! conforms {
    ($fixture:path) => {
        $crate::conformance::laws! { $crate::conformance::conforms { $fixture } }
    };
    ($fixture:path => $($law:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let limit = std::time::Duration::from_secs(120);
                let law = $crate::conformance::$law($fixture());
                tokio::time::timeout(limit, law).await.expect("the test ends in time");
            }
        )+
    };
}
pub(crate) use conforms;

pub(crate) async fn an_empty_store_has_nothing_to_load_list_or_remove(fixture: Fixture) {
    let store = fixture.open();
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    for kind in RecordKind::ALL {
        let listing = store.list(kind).await.unwrap();
        assert!(
            listing.entries.is_empty() && listing.problems.is_empty(),
            "{listing:?}"
        );
    }
    let error = store
        .remove(&grant("a"), Generation::new(7))
        .await
        .unwrap_err();
    assert_conflict(&error, Some(Generation::new(7)), None);
    assert_eq!(store.discard_set_aside(&grant("a")).await.unwrap(), 0);
    assert_eq!(store.problems(), []);
}

pub(crate) async fn a_save_comes_back_with_its_bytes_and_generation_through_every_handle(
    fixture: Fixture,
) {
    let (store, other) = (fixture.open(), fixture.open());
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let loaded = other.load(&id).await.unwrap().unwrap();
    assert_eq!((loaded.generation, &*loaded.bytes), (first, &*json(1)));
    let second = other.save(&id, json(2), Some(first)).await.unwrap();
    assert!(second > first);
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert_eq!((loaded.generation, &*loaded.bytes), (second, &*json(2)));
    assert!(
        !format!("{loaded:?}").contains("{\""),
        "bytes are not shown: {loaded:?}"
    );
}

pub(crate) async fn a_look_at_the_generation_says_what_a_load_would(fixture: Fixture) {
    let (store, other) = (fixture.open(), fixture.open());
    let id = grant("a");
    assert_eq!(other.generation(&id).await.unwrap(), None);
    let first = store.save(&id, json(1), None).await.unwrap();
    assert_eq!(other.generation(&id).await.unwrap(), Some(first));
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    assert_eq!(other.generation(&id).await.unwrap(), Some(second));
    assert_eq!(other.generation(&grant("b")).await.unwrap(), None);
    store.remove(&id, second).await.unwrap();
    assert_eq!(other.generation(&id).await.unwrap(), None);
}

pub(crate) async fn a_save_that_expects_something_else_conflicts_reports_the_current_one_and_changes_nothing(
    fixture: Fixture,
) {
    let store = fixture.open();
    let id = grant("a");
    let never = Generation::new(7);
    let error = store.save(&id, json(1), Some(never)).await.unwrap_err();
    assert_conflict(&error, Some(never), None);
    assert!(store.load(&id).await.unwrap().is_none());

    let first = store.save(&id, json(1), None).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    for expected in [None, Some(first), Some(second.next())] {
        let error = store.save(&id, json(3), expected).await.unwrap_err();
        assert_conflict(&error, expected, Some(second));
        assert!(!error.is_transient() && !error.needs_login());
    }
    let loaded = store.load(&id).await.unwrap().unwrap();
    assert_eq!((loaded.generation, &*loaded.bytes), (second, &*json(2)));
}

pub(crate) async fn a_record_is_removed_only_by_its_generation(fixture: Fixture) {
    let store = fixture.open();
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    let error = store.remove(&id, first).await.unwrap_err();
    assert_conflict(&error, Some(first), Some(second));
    assert!(store.load(&id).await.unwrap().is_some());

    store.remove(&id, second).await.unwrap();
    assert!(store.load(&id).await.unwrap().is_none());
    assert!(
        store
            .list(RecordKind::Grant)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    let error = store.remove(&id, second).await.unwrap_err();
    assert_conflict(&error, Some(second), None);
}

/// How a record that no load can use is told from one that is not there.
pub(crate) async fn removing_what_never_was_tells_what_is_there_and_removes_nothing(
    fixture: Fixture,
) {
    let store = fixture.open();
    let (id, none) = (grant("a"), Generation::new(0));
    let error = store.remove(&id, none).await.unwrap_err();
    assert_conflict(&error, Some(none), None);
    let first = store.save(&id, json(1), None).await.unwrap();
    assert!(first > none);
    let error = store.remove(&id, none).await.unwrap_err();
    assert_conflict(&error, Some(none), Some(first));
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
    store.remove(&id, first).await.unwrap();
    let error = store.remove(&id, none).await.unwrap_err();
    assert_conflict(&error, Some(none), None);
    assert_eq!(store.problems(), []);
}

pub(crate) async fn a_generation_never_comes_again_after_remove_and_save(fixture: Fixture) {
    let id = grant("a");
    let mut seen = HashSet::new();
    for round in 0..20 {
        let store = fixture.open();
        let first = store.save(&id, json(round), None).await.unwrap();
        let second = store.save(&id, json(round), Some(first)).await.unwrap();
        for old in &seen {
            assert!(
                store
                    .save(&id, json(99), Some(*old))
                    .await
                    .unwrap_err()
                    .is_conflict()
            );
            assert!(store.remove(&id, *old).await.unwrap_err().is_conflict());
        }
        assert!(seen.insert(first) && seen.insert(second), "round {round}");
        store.remove(&id, second).await.unwrap();
    }
}

pub(crate) async fn records_are_listed_by_kind(fixture: Fixture) {
    let store = fixture.open();
    let mut expected = vec![grant("a"), grant("b"), grant("c")];
    let registration = RecordId::new(RecordKind::Registration, ["a"]);
    for id in expected.iter().chain([&registration]) {
        store.save(id, json(1), None).await.unwrap();
    }
    let mut grants = fixture
        .open()
        .list(RecordKind::Grant)
        .await
        .unwrap()
        .entries;
    grants.sort();
    expected.sort();
    assert_eq!(grants, expected);
    let registrations = store.list(RecordKind::Registration).await.unwrap().entries;
    assert_eq!(registrations, [registration]);
    assert!(
        store
            .list(RecordKind::Facts)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

pub(crate) async fn keys_that_look_alike_are_different_records(fixture: Fixture) {
    let store = fixture.open();
    let long = "https://a.example/".to_owned() + &"x".repeat(5000);
    let ids = [
        RecordId::new(RecordKind::Grant, ["https://a.example", "default"]),
        RecordId::new(RecordKind::Grant, ["https://a.example/", "default"]),
        RecordId::new(RecordKind::Grant, ["https://A.example", "default"]),
        RecordId::new(RecordKind::Grant, ["https://a.example", "Default"]),
        RecordId::new(RecordKind::Grant, ["https://a.example", ""]),
        RecordId::new(RecordKind::Grant, ["https://a.example"]),
        RecordId::new(RecordKind::Grant, ["https://a.example\",\"default"]),
        RecordId::new(
            RecordKind::Grant,
            ["../../../../etc/passwd\0\n", "\u{202e}"],
        ),
        RecordId::new(RecordKind::Grant, [long.as_str(), "1"]),
        RecordId::new(RecordKind::Grant, [long.as_str(), "2"]),
        RecordId::new(RecordKind::Registration, ["https://a.example", "default"]),
        RecordId::new(RecordKind::Facts, ["https://a.example"]),
    ];
    for (index, id) in (0..).zip(&ids) {
        store
            .save(id, json(index), None)
            .await
            .unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    for (index, id) in (0..).zip(&ids) {
        assert_eq!(
            *store.load(id).await.unwrap().unwrap().bytes,
            *json(index),
            "{id}"
        );
    }
    let mut listed = store.list(RecordKind::Grant).await.unwrap().entries;
    listed.sort();
    let mut grants = ids[..10].to_vec();
    grants.sort();
    assert_eq!(listed, grants);
}

pub(crate) async fn savers_who_retry_on_conflict_lose_no_update(fixture: Fixture) {
    let id = grant("a");
    fixture.open().save(&id, json(0), None).await.unwrap();
    let tasks = (0..8).map(|_| {
        let (store, id) = (fixture.open(), id.clone());
        tokio::spawn(async move {
            let mut saved = 0;
            while saved < 10 {
                let current = store.load(&id).await.unwrap().unwrap();
                let next = json(number(&current.bytes) + 1);
                match store.save(&id, next, Some(current.generation)).await {
                    Ok(_) => saved += 1,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        number(&fixture.open().load(&id).await.unwrap().unwrap().bytes),
        80
    );
}

pub(crate) async fn a_lock_lets_one_task_in_at_a_time(fixture: Fixture) {
    let id = grant("a");
    fixture.open().save(&id, json(0), None).await.unwrap();
    let tasks = (0..16).map(|_| {
        let (store, id) = (fixture.open(), id.clone());
        tokio::spawn(async move {
            for _ in 0..4 {
                let lock = store.lock(&id, LONG).await.unwrap();
                assert!(lock.is_held());
                let current = store.load(&id).await.unwrap().unwrap();
                tokio::task::yield_now().await;
                let next = json(number(&current.bytes) + 1);
                // Under the lock there is nobody to conflict with.
                store
                    .save(&id, next, Some(current.generation))
                    .await
                    .unwrap();
                drop(lock);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        number(&fixture.open().load(&id).await.unwrap().unwrap().bytes),
        64
    );
}

pub(crate) async fn waiting_for_a_lock_ends_at_its_limit_and_says_where_it_is(fixture: Fixture) {
    let id = grant("a");
    let lock = fixture.open().lock(&id, LONG).await.unwrap();
    let error = fixture.open().lock(&id, SHORT).await.unwrap_err();
    match &error {
        Error::LockTimeout {
            id: named,
            location,
            limit,
        } => {
            assert_eq!((named, *limit, location.is_empty()), (&id, SHORT, false));
            assert!(error.to_string().contains(location));
        }
        other => panic!("{other}"),
    }
    assert!(error.is_transient() && !error.needs_login());
    let error = fixture.open().lock(&id, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::LockTimeout { .. }), "{error}");
    drop(lock);
    drop(fixture.open().lock(&id, LONG).await.unwrap());
}

pub(crate) async fn a_lock_stops_neither_saves_nor_other_locks(fixture: Fixture) {
    let store = fixture.open();
    let lock = store.lock(&grant("a"), LONG).await.unwrap();
    let first = store.save(&grant("a"), json(1), None).await.unwrap();
    let second = fixture
        .open()
        .save(&grant("a"), json(2), Some(first))
        .await
        .unwrap();
    drop(fixture.open().lock(&grant("b"), LONG).await.unwrap());
    store.remove(&grant("a"), second).await.unwrap();
    // Nor does removing the record break the lock.
    assert!(fixture.open().lock(&grant("a"), SHORT).await.is_err());
    drop(lock);
}

pub(crate) async fn a_waiter_that_gives_up_leaves_the_lock_to_others(fixture: Fixture) {
    let id = grant("a");
    let lock = fixture.open().lock(&id, LONG).await.unwrap();
    for _ in 0..5 {
        let store = fixture.open();
        let waiter = tokio::time::timeout(SHORT / 4, store.lock(&id, LONG)).await;
        assert!(waiter.is_err(), "the lock is held");
    }
    drop(lock);
    drop(fixture.open().lock(&id, LONG).await.unwrap());
}

pub(crate) async fn a_released_lock_is_free(fixture: Fixture) {
    let store = fixture.open();
    for _ in 0..20 {
        let lock = store.lock(&grant("a"), Duration::ZERO).await.unwrap();
        lock.release().await;
    }
}

pub(crate) async fn what_is_set_aside_is_absent_reported_listed_and_can_be_discarded(
    fixture: Fixture,
) {
    let store = fixture.open();
    let (id, other) = (grant("a"), grant("b"));
    store.save(&other, json(1), None).await.unwrap();
    let mut generations = HashSet::new();
    for round in 1..=2 {
        let generation = store.save(&id, json(round), None).await.unwrap();
        assert!(generations.insert(generation), "a generation came again");
        store
            .set_aside(&id, generation, Defect::Missing("issuer"))
            .await
            .unwrap();
        assert!(store.load(&id).await.unwrap().is_none());
    }
    let is_ours = |problem: &Problem| {
        matches!(
            &problem.kind,
            ProblemKind::SetAside {
                defect: Defect::Missing("issuer"),
                ..
            }
        )
    };
    let problems = store.problems();
    assert!(
        problems
            .iter()
            .any(|problem| is_ours(problem) && problem.id == Some(id.clone())),
        "{problems:?}"
    );

    let listing = fixture.open().list(RecordKind::Grant).await.unwrap();
    assert_eq!(listing.entries, std::slice::from_ref(&other));
    let leftovers = listing
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::Leftover);
    assert_eq!(leftovers.count(), 2, "{:?}", listing.problems);

    assert_eq!(store.discard_set_aside(&other).await.unwrap(), 0);
    assert_eq!(store.discard_set_aside(&id).await.unwrap(), 2);
    assert!(
        store
            .list(RecordKind::Grant)
            .await
            .unwrap()
            .problems
            .is_empty()
    );
    assert!(store.load(&other).await.unwrap().is_some());
}

pub(crate) async fn setting_aside_something_newer_conflicts(fixture: Fixture) {
    let store = fixture.open();
    let id = grant("a");
    let error = store
        .set_aside(&id, Generation::new(7), Defect::NotAnObject)
        .await
        .unwrap_err();
    assert_conflict(&error, Some(Generation::new(7)), None);
    let first = store.save(&id, json(1), None).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    let error = store
        .set_aside(&id, first, Defect::NotAnObject)
        .await
        .unwrap_err();
    assert_conflict(&error, Some(first), Some(second));
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(2));
    assert_eq!(store.problems(), []);
}

/// The id of a grant at a server of that name.
pub(crate) fn grant(name: &str) -> RecordId {
    RecordId::new(
        RecordKind::Grant,
        [format!("https://{name}.example/mcp"), "default".to_owned()],
    )
}

/// The bytes of a record that holds a number.
pub(crate) fn json(number: u64) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("{{\"n\":{number}}}").into_bytes())
}

/// The number in the bytes of a record.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    value["n"].as_u64().unwrap()
}

#[track_caller]
fn assert_conflict(error: &Error, expected: Option<Generation>, current: Option<Generation>) {
    match error {
        Error::Conflict {
            expected: e,
            current: c,
            ..
        } => assert_eq!((*e, *c), (expected, current)),
        other => panic!("{other:?} is no conflict"),
    }
}

/// A wait that is never reached where all is well.
const LONG: Duration = Duration::from_secs(60);
/// A wait that a test takes the time for.
const SHORT: Duration = Duration::from_millis(200);
