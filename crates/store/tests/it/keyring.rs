//! A keyring as a store, over a stand-in with the limits of Windows: the laws of every backend, chunks, crashes, and what is
//! said when a keyring cannot be used. Real daemons are asked in `tests/services`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use doorkey_store::keyring::{KeyringError, KeyringFault, KeyringItems, probe};
use doorkey_store::{
    Backend as _, Defect, Error, FileBackend, GrantKey, KeySource, KeyTrouble, KeyringBackend,
    KeyringOptions, ProblemKind, RecordId, RecordKind, Store,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::conformance::{Fixture, conforms, grant, json};

/// A keyring in memory, which several handles share, with a limit for items and faults on demand.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    state: Arc<(Mutex<State>, Condvar)>,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<(String, String), Vec<u8>>,
    /// How many changes are let through before the process is as good as killed.
    changes_left: Option<usize>,
    changes: usize,
    /// How often an item was asked for.
    reads: usize,
    fault: Option<KeyringFault>,
    hangs: bool,
    forgets: bool,
}

impl Fake {
    fn new(limit: usize) -> Self {
        let state = Arc::new((Mutex::default(), Condvar::new()));
        Self { state, limit }
    }

    pub(crate) fn windows() -> Self {
        Self::new(2560)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// Lets a keyring that hangs answer again.
    fn answers(&self) {
        self.state().hangs = false;
        self.state.1.notify_all();
    }

    fn names(&self) -> Vec<String> {
        self.state()
            .items
            .keys()
            .map(|(_, name)| name.clone())
            .collect()
    }

    pub(crate) fn item(&self, prefix: &str) -> String {
        let names = self.names();
        let mut found = names
            .into_iter()
            .filter(|name| name.starts_with(prefix) && !name.contains('/'));
        found.next().unwrap()
    }

    pub(crate) fn overwrite(&self, name: &str, bytes: &[u8]) {
        let key = (SERVICE.to_owned(), name.to_owned());
        self.state().items.insert(key, bytes.to_vec());
    }

    fn answer(&self, is_change: bool) -> Result<MutexGuard<'_, State>, KeyringError> {
        let mut state = self.state();
        state.reads += usize::from(!is_change);
        while state.hangs {
            state = self.state.1.wait(state).unwrap();
        }
        if let Some(fault) = &state.fault {
            return Err(KeyringError::new(fault.clone()));
        }
        if is_change {
            state.changes += 1;
            match &mut state.changes_left {
                Some(0) => return Err(KeyringError::new(KeyringFault::Failed)),
                Some(left) => *left -= 1,
                None => {}
            }
        } else if state.changes_left == Some(0) {
            return Err(KeyringError::new(KeyringFault::Failed));
        }
        Ok(state)
    }
}

impl KeyringItems for Fake {
    fn get(&self, service: &str, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let state = self.answer(false)?;
        let key = (service.to_owned(), name.to_owned());
        Ok(state.items.get(&key).cloned().map(Zeroizing::new))
    }

    fn set(&self, service: &str, name: &str, bytes: &[u8]) -> Result<(), KeyringError> {
        let mut state = self.answer(true)?;
        if bytes.len() > self.limit {
            return Err(KeyringError::new(KeyringFault::TooLarge));
        }
        if !state.forgets {
            let key = (service.to_owned(), name.to_owned());
            state.items.insert(key, bytes.to_vec());
        }
        Ok(())
    }

    fn delete(&self, service: &str, name: &str) -> Result<bool, KeyringError> {
        let mut state = self.answer(true)?;
        let key = (service.to_owned(), name.to_owned());
        Ok(state.items.remove(&key).is_some())
    }

    fn item_limit(&self) -> usize {
        self.limit
    }

    fn usable_unasked(&self) -> Result<(), KeyringError> {
        match &self.state().fault {
            Some(fault) => Err(KeyringError::new(fault.clone())),
            None => Ok(()),
        }
    }
}

fn fixture_of(limit: usize) -> Fixture {
    let (temp, folder) = locks();
    let fake = Fake::new(limit);
    Fixture::new(move || Arc::new(open(&folder, &fake)), temp)
}

mod of_windows {
    use super::*;

    fn fixture() -> Fixture {
        fixture_of(2560)
    }

    conforms!(fixture);
}

/// Where most of it is in chunks.
mod of_tiny_items {
    use super::*;

    fn fixture() -> Fixture {
        fixture_of(512)
    }

    conforms!(fixture);
}

#[tokio::test]
async fn a_record_is_one_item_however_often_it_is_saved() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let id = grant("a");
    let mut generation = None;
    for number in 0..50 {
        generation = Some(store.save(&id, json(number), generation).await.unwrap());
    }
    let names = fake.names();
    assert_eq!(names.len(), 2, "the record and the index: {names:?}");
    assert!(names[0].starts_with("grant-a.example-") && names[1] == "index-grant");
    store.remove(&id, generation.unwrap()).await.unwrap();
    assert_eq!(fake.names(), ["index-grant"]);
}

#[tokio::test]
async fn a_large_record_is_cut_into_items_of_the_size_that_is_allowed_and_put_together_again() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let id = grant("a");
    // Characters outside of the first plane: two units in UTF-16 and four bytes here, cut in the middle.
    let large = text("\u{1f511}", 2000);
    let first = store.save(&id, large.clone(), None).await.unwrap();
    let stored = fake.state().items.clone();
    assert!(stored.len() > 4 && stored.values().all(|item| item.len() <= 2560));
    assert_eq!(
        *open(&folder, &fake).load(&id).await.unwrap().unwrap().bytes,
        *large
    );

    // Into the other slot and back, longer and shorter, and at last into one item: nothing stays behind.
    let mut generation = first;
    for length in [3000, 900, 4000, 700, 1] {
        let bytes = text("\u{1f511}", length);
        generation = store
            .save(&id, bytes.clone(), Some(generation))
            .await
            .unwrap();
        assert_eq!(
            *store.load(&id).await.unwrap().unwrap().bytes,
            *bytes,
            "{length}"
        );
        let chunks = fake
            .names()
            .iter()
            .filter(|name| name.contains('/'))
            .count();
        assert_eq!(
            chunks,
            if length == 1 {
                0
            } else {
                (length * 4 + 200) / 2560 + 1
            },
            "{length}"
        );
    }
    store.save(&id, large, Some(generation)).await.unwrap();
    let generation = store.load(&id).await.unwrap().unwrap().generation;
    store.remove(&id, generation).await.unwrap();
    assert_eq!(fake.names(), ["index-grant"]);
}

#[tokio::test]
async fn a_writer_killed_at_any_step_leaves_the_old_or_the_new_record_wholly() {
    let sizes = [(10, 20), (10, 3000), (3000, 10), (3000, 5000), (5000, 3000)];
    for (old, new) in sizes {
        let mut outcomes = HashSet::new();
        for step in 0.. {
            let (_temp, folder) = locks();
            let fake = Fake::windows();
            let id = grant("a");
            let (before, after) = (text("x", old), text("y", new));
            let first = open(&folder, &fake)
                .save(&id, before.clone(), None)
                .await
                .unwrap();
            fake.state().changes_left = Some(step);
            let result = open(&folder, &fake)
                .save(&id, after.clone(), Some(first))
                .await;
            fake.state().changes_left = None;

            let next = open(&folder, &fake);
            let found = next.load(&id).await.unwrap().unwrap();
            let is_new = *found.bytes == *after;
            assert!(
                is_new || *found.bytes == *before,
                "{old} -> {new} at {step}: torn"
            );
            assert!(
                result.is_err() || is_new,
                "{old} -> {new} at {step}: said and not done"
            );
            assert!(next.problems().is_empty());
            outcomes.insert(is_new);
            // What it left behind is in nobody's way and goes with the record.
            let again = next
                .save(&id, after.clone(), Some(found.generation))
                .await
                .unwrap();
            assert_eq!(*next.load(&id).await.unwrap().unwrap().bytes, *after);
            next.remove(&id, again).await.unwrap();
            assert_eq!(fake.names(), ["index-grant"], "{old} -> {new} at {step}");
            if result.is_ok() {
                break;
            }
        }
        assert_eq!(
            outcomes.len(),
            2,
            "both outcomes were met for {old} -> {new}"
        );
    }
}

#[tokio::test]
async fn a_remover_killed_at_any_step_leaves_the_record_wholly_or_none() {
    for step in 0.. {
        let (_temp, folder) = locks();
        let fake = Fake::windows();
        let id = grant("a");
        let bytes = text("x", 6000);
        let first = open(&folder, &fake)
            .save(&id, bytes.clone(), None)
            .await
            .unwrap();
        fake.state().changes_left = Some(step);
        let result = open(&folder, &fake).remove(&id, first).await;
        fake.state().changes_left = None;
        let next = open(&folder, &fake);
        if let Some(found) = next.load(&id).await.unwrap() {
            assert!(result.is_err() && *found.bytes == *bytes, "{step}");
        }
        let again = next
            .save(
                &id,
                json(1),
                next.load(&id).await.unwrap().map(|found| found.generation),
            )
            .await
            .unwrap();
        assert_eq!(
            next.list(RecordKind::Grant).await.unwrap().entries,
            std::slice::from_ref(&id)
        );
        next.remove(&id, again).await.unwrap();
        assert_eq!(fake.names(), ["index-grant"], "{step}");
        if result.is_ok() {
            assert!(step > 3, "there were steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_broken_record_of_any_size_is_set_aside_with_all_its_items_and_can_be_discarded() {
    for length in [10, 6000] {
        let (_temp, folder) = locks();
        let fake = Fake::windows();
        let store = open(&folder, &fake);
        let id = grant("a");
        store.save(&id, text("x", length), None).await.unwrap();
        let head = fake.item("grant-");
        let chunk = format!("{head}/a/1");
        let broken = if length > 10 { &chunk } else { &head };
        fake.overwrite(broken, b"garbage");
        assert!(store.load(&id).await.unwrap().is_none(), "{length}");
        let problems = store.problems();
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        let ProblemKind::SetAside { kept_as, .. } = &problem.kind else {
            panic!("{problem}")
        };
        assert!(kept_as.contains(".broken-1"), "{kept_as}");
        let kept: Vec<_> = fake
            .names()
            .into_iter()
            .filter(|name| name.contains(".broken-1"))
            .collect();
        assert_eq!(kept.len(), if length > 10 { 4 } else { 1 }, "{kept:?}");

        store.save(&id, json(1), None).await.unwrap();
        let listing = store.list(RecordKind::Grant).await.unwrap();
        assert_eq!(listing.problems[0].kind, ProblemKind::Leftover);
        assert_eq!(store.discard_set_aside(&id).await.unwrap(), 1);
        assert_eq!(fake.names().len(), 2, "{:?}", fake.names());
    }
}

#[tokio::test]
async fn a_newer_record_or_index_is_left_alone() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let id = grant("a");
    store.save(&id, json(1), None).await.unwrap();
    fake.overwrite(&fake.item("grant-"), br#"{"version":9}"#);
    assert!(store.load(&id).await.unwrap().is_none());
    let newer = |error: Error| {
        matches!(
            error,
            Error::NewerVersion {
                found: 9,
                known: 1,
                ..
            }
        )
    };
    assert!(newer(store.save(&id, json(2), None).await.unwrap_err()));
    fake.overwrite("index-grant", br#"{"version":9}"#);
    assert!(newer(
        store.save(&grant("b"), json(2), None).await.unwrap_err()
    ));
    assert_eq!(fake.names().len(), 2);
}

#[tokio::test]
async fn under_a_newer_index_nothing_is_removed_or_discarded() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let id = grant("a");
    let generation = store.save(&id, json(1), None).await.unwrap();
    fake.overwrite("index-grant", br#"{"version":9}"#);
    for result in [
        store.remove(&id, generation).await,
        store.discard_set_aside(&id).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::NewerVersion { found: 9, .. }),
            "{error:?}"
        );
    }
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
}

#[tokio::test]
async fn a_logout_finds_whatever_a_remover_that_was_killed_left_behind() {
    for step in 0.. {
        let (_temp, folder) = locks();
        let fake = Fake::windows();
        let id = grant("a");
        let first = open(&folder, &fake)
            .save(&id, text("x", 6000), None)
            .await
            .unwrap();
        fake.state().changes_left = Some(step);
        let result = open(&folder, &fake).remove(&id, first).await;
        fake.state().changes_left = None;
        let key = GrantKey::new("https://a.example/mcp", "default");
        let store = Store::new(open(&folder, &fake));
        store.erase_grant(&key, LIMIT).await.unwrap();
        assert_eq!(fake.names(), ["index-grant"], "{step}");
        assert!(store.grants().await.unwrap().entries.is_empty());
        if result.is_ok() {
            assert!(step > 3, "there were steps");
            break;
        }
    }
}

#[tokio::test]
async fn copies_that_a_damaged_index_forgot_are_neither_mixed_up_nor_left_behind() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let id = grant("a");
    let mut first_copy = Vec::new();
    for (round, length) in [(1, 6000), (2, 3000)] {
        store.save(&id, text("x", length), None).await.unwrap();
        let chunk = format!("{}/a/0", fake.item("grant-"));
        fake.overwrite(&chunk, b"garbage");
        assert!(store.load(&id).await.unwrap().is_none());
        let copy = |number| {
            let items = fake.state().items.clone();
            let infix = format!(".broken-{number}");
            let of_it = items
                .into_iter()
                .filter(|((_, name), _)| name.contains(&infix));
            of_it.collect::<Vec<_>>()
        };
        if round == 1 {
            first_copy = copy(1);
        }
        assert!(!copy(round).is_empty());
        assert_eq!(copy(1), first_copy, "round {round}");
        fake.overwrite("index-grant", b"garbage");
    }
    assert_eq!(store.discard_set_aside(&id).await.unwrap(), 2);
    assert_eq!(fake.names(), ["index-grant"]);
    assert_eq!(store.discard_set_aside(&id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_lost_index_loses_no_record_and_grows_again() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let (one, other) = (grant("a"), grant("b"));
    let first = store.save(&one, json(1), None).await.unwrap();
    let second = store.save(&other, json(1), None).await.unwrap();
    fake.overwrite("index-grant", b"garbage");
    let listing = store.list(RecordKind::Grant).await.unwrap();
    assert!(matches!(
        listing.problems[0].kind,
        ProblemKind::Unusable { .. }
    ));
    assert!(store.load(&one).await.unwrap().is_some());
    store.save(&one, json(2), Some(first)).await.unwrap();
    store.save(&other, json(2), Some(second)).await.unwrap();
    let mut listed = store.list(RecordKind::Grant).await.unwrap().entries;
    listed.sort();
    assert_eq!(listed, [one, other]);
}

#[tokio::test]
async fn services_do_not_see_one_another() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let other = KeyringOptions::new("another").with_items(fake.clone());
    let other = KeyringBackend::new(folder.join("other"), other).unwrap();
    let store = open(&folder, &fake);
    store.save(&grant("a"), json(1), None).await.unwrap();
    assert!(other.load(&grant("a")).await.unwrap().is_none());
    assert!(
        other
            .list(RecordKind::Grant)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    assert_eq!(store.describe().location, format!("service `{SERVICE}`"));
    assert!(store.describe().encrypted);
}

#[tokio::test]
async fn a_keyring_that_hangs_is_an_error_after_the_limit_and_what_it_does_late_meets_nobody() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let id = grant("a");
    let first = open(&folder, &fake).save(&id, json(1), None).await.unwrap();
    let mut options = options(&fake);
    options.limit = Duration::from_millis(200);
    let store = KeyringBackend::new(&folder, options).unwrap();
    fake.state().hangs = true;
    let started = Instant::now();
    for error in [
        store.load(&id).await.unwrap_err(),
        store.save(&id, json(2), Some(first)).await.unwrap_err(),
    ] {
        let limit = fault(&error);
        assert!(matches!(limit, KeyringFault::Silent { .. }), "{limit:?}");
        assert!(error.is_transient() && !error.needs_login());
    }
    assert!(started.elapsed() < Duration::from_secs(20));
    // The save that hangs holds its lock until it is done, so that another one cannot come between.
    let other = open(&folder, &fake);
    let waiting = tokio::spawn(async move {
        let id = grant("a");
        (other.save(&id, json(3), Some(first)).await, other)
    });
    fake.state().hangs = false;
    fake.state.1.notify_all();
    let (result, other) = waiting.await.unwrap();
    let found = other.load(&id).await.unwrap().unwrap();
    match result {
        Ok(_) => assert_eq!(*found.bytes, *json(3)),
        Err(error) => assert!(error.is_conflict() && *found.bytes == *json(2), "{error}"),
    }
}

#[tokio::test]
async fn a_probe_tells_a_usable_keyring_and_leaves_nothing_behind() {
    let fake = Fake::windows();
    probe(&options(&fake), LIMIT).await.unwrap();
    assert!(fake.names().is_empty() && fake.state().changes == 2);
}

#[tokio::test]
async fn a_probe_says_why_a_keyring_cannot_be_used_and_what_to_do() {
    for (why, says) in [
        (KeyringFault::Absent, "start one, or choose another store"),
        (KeyringFault::Locked, "unlock it"),
        (KeyringFault::NoCollection, "make one"),
    ] {
        let fake = Fake::windows();
        fake.state().fault = Some(why.clone());
        let error = probe(&options(&fake), LIMIT).await.unwrap_err();
        assert_eq!(*fault(&error), why);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(says), "{source}");
        assert!(!error.is_transient());
    }
    let fake = Fake::windows();
    fake.state().forgets = true;
    let error = probe(&options(&fake), LIMIT).await.unwrap_err();
    assert_eq!(*fault(&error), KeyringFault::Forgetful);
}

#[tokio::test]
async fn a_probe_of_a_keyring_that_hangs_ends_at_its_limit() {
    let fake = Fake::windows();
    fake.state().hangs = true;
    let limit = Duration::from_millis(100);
    let error = probe(&options(&fake), limit).await.unwrap_err();
    assert_eq!(*fault(&error), KeyringFault::Silent { limit });
    assert!(error.is_transient());
    fake.state().hangs = false;
    fake.state.1.notify_all();
}

#[tokio::test]
async fn the_key_of_an_encrypted_store_is_an_item_of_its_own_and_its_loss_is_told_apart() {
    let (temp, _) = locks();
    let fake = Fake::windows();
    let open = |folder: &str| {
        let folder = temp.path().join(folder);
        FileBackend::encrypted(folder, KeySource::Keyring(options(&fake))).unwrap()
    };
    let id = grant("a");
    open("one").save(&id, json(1), None).await.unwrap();
    open("other").save(&id, json(2), None).await.unwrap();
    assert_eq!(
        *open("one").load(&id).await.unwrap().unwrap().bytes,
        *json(1)
    );
    assert_eq!(fake.names().len(), 2, "a key for each store");
    assert!(
        fake.names()
            .iter()
            .all(|name| name.starts_with("store-key-"))
    );

    let kept = std::mem::take(&mut fake.state().items);
    let error = open("one").load(&id).await.unwrap_err();
    let service = SERVICE.to_owned();
    assert!(
        matches!(&error, Error::Key { why: KeyTrouble::NotInKeyring { service: named }, .. } if *named == service),
        "{error:?}"
    );
    let error = open("one").save(&id, json(3), None).await.unwrap_err();
    assert!(matches!(
        &error,
        Error::Key {
            why: KeyTrouble::NotInKeyring { .. },
            ..
        }
    ));
    assert!(fake.names().is_empty(), "no other key was made");
    fake.state().fault = Some(KeyringFault::Locked);
    assert_eq!(
        *fault(&open("one").load(&id).await.unwrap_err()),
        KeyringFault::Locked
    );

    fake.state().fault = None;
    fake.state().items = kept;
    let store = open("one");
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
    assert!(store.problems().is_empty());
}

#[tokio::test]
async fn all_who_wait_for_the_key_in_a_keyring_that_hangs_wait_for_one_attempt() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let sealed = |limit| sealed(&folder, &fake, limit);
    let id = grant("a");
    sealed(LIMIT).save(&id, json(1), None).await.unwrap();
    let store = sealed(Duration::from_secs(2));
    let before = fake.state().reads;
    fake.state().hangs = true;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move { store.load(&id).await.unwrap_err() })
        })
        .collect();
    for task in tasks {
        let error = task.await.unwrap();
        assert!(matches!(fault(&error), KeyringFault::Silent { .. }));
        assert!(error.is_transient());
    }
    let attempts = fake.state().reads - before;
    assert!(attempts <= 2, "{attempts} attempts");
    fake.answers();
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
}

#[test]
fn a_program_can_end_while_the_keyring_with_the_key_of_its_store_hangs() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let id = grant("a");
    let store = sealed(&folder, &fake, LIMIT);
    runtime.block_on(store.save(&id, json(1), None)).unwrap();
    let store = sealed(&folder, &fake, Duration::from_secs(3600));
    let before = fake.state().reads;
    fake.state().hangs = true;
    let loading = runtime.spawn(async move { store.load(&id).await });
    while fake.state().reads == before {
        std::thread::yield_now();
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let ending = std::thread::spawn(move || {
        drop(loading);
        drop(runtime);
        sender.send(()).unwrap();
    });
    let ended = receiver.recv_timeout(LIMIT);
    fake.answers();
    ending.join().unwrap();
    assert!(ended.is_ok(), "the runtime waits for a keyring that hangs");
}

#[tokio::test]
async fn a_lock_does_not_wait_longer_for_a_keyring_that_hangs_than_its_caller_does() {
    let (temp, folder) = locks();
    let fake = Fake::windows();
    let id = grant("a");
    let encrypted = temp.path().join("encrypted");
    let store = sealed(&encrypted, &fake, LIMIT);
    store.save(&id, json(1), None).await.unwrap();
    let hour = Duration::from_secs(3600);
    let store = sealed(&encrypted, &fake, hour);
    let mut options = options(&fake);
    options.limit = hour;
    let records = KeyringBackend::new(&folder, options).unwrap();
    fake.state().hangs = true;
    // As many as may be under way at one time.
    let hanging: Vec<_> = (0..16)
        .map(|_| {
            let (records, id) = (records.clone(), id.clone());
            tokio::spawn(async move { records.load(&id).await })
        })
        .collect();
    let short = Duration::from_millis(100);
    let locked = async { (store.lock(&id, short).await, records.lock(&id, short).await) };
    let (one, other) = tokio::time::timeout(LIMIT, locked).await.unwrap();
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert!(matches!(fault(&error), KeyringFault::Silent { .. }));
    }
    fake.answers();
    for task in hanging {
        task.await.unwrap().unwrap();
    }
    drop(records.lock(&id, LIMIT).await.unwrap());
    drop(store.lock(&id, LIMIT).await.unwrap());
}

#[tokio::test]
async fn a_broken_key_in_the_keyring_is_an_error_that_says_so() {
    let (temp, _) = locks();
    let fake = Fake::windows();
    let open = || {
        let folder = temp.path().join("state");
        FileBackend::encrypted(folder, KeySource::Keyring(options(&fake))).unwrap()
    };
    let id = grant("a");
    open().save(&id, json(1), None).await.unwrap();
    for item in fake.state().items.values_mut() {
        item.truncate(20);
    }
    let error = open().load(&id).await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Key {
                why: KeyTrouble::KeyringItemUnusable { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_item_that_holds_another_record_is_set_aside() {
    let (_temp, folder) = locks();
    let fake = Fake::windows();
    let store = open(&folder, &fake);
    let (one, other) = (
        grant("a"),
        RecordId::new(RecordKind::Grant, ["https://b.example", "default"]),
    );
    store.save(&one, json(1), None).await.unwrap();
    store.save(&other, json(2), None).await.unwrap();
    let name = (SERVICE.to_owned(), fake.item("grant-b"));
    let foreign = fake.state().items[&name].clone();
    fake.overwrite(&fake.item("grant-a"), &foreign);
    assert!(store.load(&one).await.unwrap().is_none());
    let misplaced = |kind: &ProblemKind| {
        matches!(
            kind,
            ProblemKind::SetAside {
                defect: Defect::Misplaced,
                ..
            }
        )
    };
    assert!(
        store
            .problems()
            .iter()
            .any(|problem| misplaced(&problem.kind))
    );
}

pub(crate) fn options(fake: &Fake) -> KeyringOptions {
    KeyringOptions::new(SERVICE).with_items(fake.clone())
}

/// A handle of its own on the keyring, as another process has it.
fn open(folder: &PathBuf, fake: &Fake) -> KeyringBackend {
    KeyringBackend::new(folder, options(fake)).unwrap()
}

/// Encrypted files with their key in that keyring.
fn sealed(folder: &Path, fake: &Fake, limit: Duration) -> FileBackend {
    let mut options = options(fake);
    options.limit = limit;
    FileBackend::encrypted(folder, KeySource::Keyring(options)).unwrap()
}

fn locks() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("locks");
    (temp, folder)
}

/// A record with a text of that many characters.
fn text(character: &str, length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(
        serde_json::json!({"text": character.repeat(length)})
            .to_string()
            .into_bytes(),
    )
}

#[track_caller]
fn fault(error: &Error) -> &KeyringFault {
    match error {
        Error::Keyring { source, .. } => source.fault(),
        other => panic!("{other:?}"),
    }
}

const SERVICE: &str = "doorkey-test";
const LIMIT: Duration = Duration::from_secs(30);
