//! Files as a store, where nobody interferes.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use doorkey_store::{Backend as _, Error, FileBackend, GrantKey, RecordKind, Store};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::conformance::{Fixture, conforms, grant, json};

fn fixture() -> Fixture {
    let (temp, folder) = folder();
    Fixture::new(
        move || Arc::new(FileBackend::new(folder.clone()).unwrap()),
        temp,
    )
}

conforms!(fixture);

#[tokio::test]
async fn reading_makes_no_folder() {
    let (temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    assert!(
        store
            .list(RecordKind::Grant)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    assert!(
        store
            .remove(&grant("a"), doorkey_store::Generation::new(1))
            .await
            .is_err()
    );
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_says_what_it_is_and_keeps_what_a_later_version_added() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let generation = store.save(&id, json(1), None).await.unwrap();
    let path = only_record(&folder);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("grant-a.example-") && name.ends_with(".json"),
        "{name}"
    );

    let mut content: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let expected = serde_json::json!({
        "version": 1, "kind": "grant", "key": ["https://a.example/mcp", "default"],
        "generation": generation.number(), "value": {"n": 1},
    });
    assert_eq!(content, expected);

    content["later"] = serde_json::json!({"kept": [1, null]});
    fs::write(&path, content.to_string()).unwrap();
    let next = store.save(&id, json(2), Some(generation)).await.unwrap();
    content["generation"] = next.number().into();
    content["value"] = serde_json::json!({"n": 2});
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(written, content);
}

#[tokio::test]
async fn a_record_larger_than_a_mebibyte_is_refused_and_the_stored_one_stays() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let sized = |size: usize| Zeroizing::new(format!("\"{}\"", "x".repeat(size)).into_bytes());
    let first = store
        .save(&id, sized(1024 * 1024 - 300), None)
        .await
        .unwrap();
    let error = store
        .save(&id, sized(1024 * 1024), Some(first))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                limit: 1_048_576,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(store.load(&id).await.unwrap().unwrap().generation, first);
}

#[tokio::test]
async fn bytes_that_are_not_json_are_refused_without_being_quoted() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let bytes = Zeroizing::new(b"{\"s3cret".to_vec());
    let error = store.save(&grant("a"), bytes, None).await.unwrap_err();
    let Error::Encode { source, .. } = &error else {
        panic!("{error}")
    };
    assert!(!format!("{error} {error:?} {source}").contains("s3cret"));
    assert!(store.load(&grant("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_killed_writer_left_behind_neither_counts_nor_stays() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let first = store.save(&id, json(1), None).await.unwrap();
    let record = only_record(&folder);
    let name = record.file_name().unwrap().to_str().unwrap();
    let left = folder.join(format!(".{name}.new"));

    fs::write(&left, "{\"half").unwrap();
    let listing = store.list(RecordKind::Grant).await.unwrap();
    assert_eq!(listing.entries, std::slice::from_ref(&id));
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    assert!(!left.exists());

    fs::write(&left, "{\"half").unwrap();
    store.remove(&id, second).await.unwrap();
    assert!(!left.exists() && !record.exists());
}

#[tokio::test]
async fn a_relative_folder_is_made_absolute_and_an_empty_one_refused() {
    let location = Store::file("relative/state").unwrap().describe().location;
    assert!(
        Path::new(&location).is_absolute() && location.ends_with("state"),
        "{location}"
    );
    assert!(matches!(Store::file("").unwrap_err(), Error::Io { .. }));
    let description = Store::file("/x").unwrap().describe();
    assert_eq!((description.kind, description.encrypted), ("file", false));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let (temp, _) = folder();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    let folder = file.join("state");
    let store = Store::file(&folder).unwrap();
    let key = GrantKey::new("https://a.example", "default");
    let error = store.grant(&key).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io { path, .. } if *path == folder),
        "{error:?}"
    );
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let mut context = Context::from_waker(Waker::noop());
    match pin!(store.load(&id)).as_mut().poll(&mut context) {
        Poll::Ready(Err(Error::Runtime(_))) => {}
        other => panic!("{other:?}"),
    }
}

/// A private folder, and the path of one within it that does not exist yet, nor does its parent.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("state").join("doorkey");
    (temp, folder)
}

/// The path of the only record in the folder.
#[track_caller]
pub(crate) fn only_record(folder: &Path) -> PathBuf {
    let records = entries(folder, ".json");
    assert_eq!(records.len(), 1, "{records:?}");
    folder.join(&records[0])
}

/// The names in the folder that end with `suffix`, sorted.
pub(crate) fn entries(folder: &Path, suffix: &str) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(suffix));
    names.sort();
    names
}
