//! Records that are there and that no load can use: neither a migration nor a logout takes them for gone.

use std::fs;
use std::path::Path;

use doorkey_store::{Defect, Error, Grant, GrantKey, MigrateOptions, ProblemKind, Store, migrate};

use crate::file::{entries, folder};

#[tokio::test]
async fn erasing_a_grant_that_a_newer_version_wrote_is_an_error_and_leaves_it() {
    let (_temp, folder) = folder();
    let (store, path) = stored(&folder, "a").await;
    fs::write(&path, NEWER).unwrap();
    let error = store.erase_grant(&key("a"), LIMIT).await.unwrap_err();
    assert_newer(&error);
    assert_eq!(fs::read(&path).unwrap(), NEWER);
}

#[cfg(unix)]
#[tokio::test]
async fn erasing_a_grant_that_cannot_be_moved_away_is_an_error() {
    let (_temp, folder) = folder();
    let (store, path) = stored(&folder, "a").await;
    fs::write(&path, b"garbage and a s3cret").unwrap();
    // No name is free to set it aside: that keeps the superuser from it too.
    for number in 1..=1000 {
        fs::write(format!("{}.broken-{number}", path.display()), b"").unwrap();
    }
    let error = store.erase_grant(&key("a"), LIMIT).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_migration_that_leaves_a_newer_or_unreadable_record_behind_is_not_complete() {
    for newer in [true, false] {
        let (temp, folder) = folder();
        let (from, path) = stored(&folder, "a").await;
        let sound = stored(&folder, "b").await;
        if newer {
            fs::write(&path, NEWER).unwrap();
        } else {
            // A read of it fails, whoever reads.
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        let to = Store::file(temp.path().join("other")).unwrap();
        let done = migrate(&from, &to, MigrateOptions::default())
            .await
            .unwrap();
        assert!(!done.is_complete(), "{done:?}");
        assert_eq!(
            (done.copied, done.moved),
            (vec![key("b").record_id()], vec![])
        );
        assert!(path.exists() && sound.1.exists(), "nothing is removed");
    }
}

#[tokio::test]
async fn a_migration_is_complete_when_only_what_is_broken_stays() {
    let (temp, folder) = folder();
    let (from, path) = stored(&folder, "a").await;
    fs::write(&path, b"garbage").unwrap();
    let to = Store::file(temp.path().join("other")).unwrap();
    for _ in 0..2 {
        let done = migrate(&from, &to, MigrateOptions::default())
            .await
            .unwrap();
        assert_eq!((done.problems.len(), done.is_complete()), (1, true));
    }
}

#[tokio::test]
async fn a_newer_record_in_the_target_stops_no_other_one() {
    let (temp, folder) = folder();
    let (from, _) = stored(&folder, "a").await;
    stored(&folder, "b").await;
    let other = temp.path().join("other");
    let (to, path) = stored(&other, "a").await;
    fs::write(&path, NEWER).unwrap();
    let done = migrate(&from, &to, MigrateOptions::default())
        .await
        .unwrap();
    assert_eq!(done.copied, [key("b").record_id()]);
    assert_eq!(done.left, [key("a").record_id()]);
    let [problem] = done.problems.as_slice() else {
        panic!("{done:?}")
    };
    let defect = Defect::NewerVersion { found: 9, known: 1 };
    assert_eq!(problem.kind, ProblemKind::LeftAlone { defect });
    assert_eq!(problem.location, to.describe().location);
    assert!(!done.is_complete());
    assert!(from.grant(&key("a")).await.unwrap().is_some());
    assert_eq!(fs::read(&path).unwrap(), NEWER);
}

#[cfg(feature = "encrypted")]
#[tokio::test]
async fn a_sealed_grant_of_a_newer_version_is_neither_erased_nor_moved() {
    use doorkey_store::{KeySource, SealingKey};
    let (temp, folder) = folder();
    let store = Store::encrypted_file(&folder, KeySource::Key(SealingKey::generate().unwrap()));
    let store = store.unwrap();
    store.save_grant(&key("a"), &grant(), None).await.unwrap();
    let path = folder.join(&entries(&folder, ".sealed")[0]);
    let mut sealed = fs::read(&path).unwrap();
    sealed[6] = 9;
    fs::write(&path, &sealed).unwrap();
    assert_newer(&store.erase_grant(&key("a"), LIMIT).await.unwrap_err());
    let to = Store::file(temp.path().join("other")).unwrap();
    let done = migrate(&store, &to, MigrateOptions::default())
        .await
        .unwrap();
    assert!(!done.is_complete() && done.moved.is_empty());
    assert_eq!(fs::read(&path).unwrap(), sealed);
}

#[cfg(feature = "keyring")]
mod of_a_keyring {
    use doorkey_store::KeyringBackend;

    use super::*;
    use crate::keyring::{Fake, options};

    #[tokio::test]
    async fn a_grant_of_a_newer_version_is_neither_erased_nor_moved() {
        let (_temp, folder) = folder();
        let fake = Fake::windows();
        let store = || Store::new(KeyringBackend::new(&folder, options(&fake)).unwrap());
        for name in ["a", "b"] {
            store()
                .save_grant(&key(name), &grant(), None)
                .await
                .unwrap();
        }
        fake.overwrite(&fake.item("grant-a"), NEWER);
        assert_newer(&store().erase_grant(&key("a"), LIMIT).await.unwrap_err());
        let (from, to) = (store(), Store::memory());
        let done = migrate(&from, &to, MigrateOptions::default())
            .await
            .unwrap();
        assert_eq!(done.copied, [key("b").record_id()]);
        assert_eq!(done.left, [key("a").record_id()]);
        assert!(!done.is_complete());
        // An index that cannot be read hides all of them.
        fake.overwrite("index-grant", b"garbage");
        let done = migrate(&from, &to, MigrateOptions::default())
            .await
            .unwrap();
        assert!(!done.is_complete(), "{done:?}");
    }
}

/// A store of files with the grant of that name, and the file it is in.
async fn stored(folder: &Path, name: &str) -> (Store, std::path::PathBuf) {
    let store = Store::file(folder).unwrap();
    store.save_grant(&key(name), &grant(), None).await.unwrap();
    let names = entries(folder, ".json");
    let prefix = format!("grant-{name}.example-");
    let file = names.iter().find(|entry| entry.starts_with(&prefix));
    (store, folder.join(file.unwrap()))
}

fn grant() -> Grant {
    Grant::new("https://as.example", "client-1", "https://as.example/token")
}

fn key(name: &str) -> GrantKey {
    GrantKey::new(format!("https://{name}.example/mcp"), "default")
}

#[track_caller]
fn assert_newer(error: &Error) {
    assert!(
        matches!(
            error,
            Error::NewerVersion {
                found: 9,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

/// The envelope of a version that nobody here knows.
const NEWER: &[u8] = br#"{"version":9,"value":{"refresh_token":"s3cret"}}"#;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
