//! What only shows between two steps of one operation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use super::home::{Home, KEY_HEADER};
use super::vault::Vault;
use super::{KeySource, name::SEALED_SUFFIX};
use crate::{Error, RecordId, RecordKind, SealingKey};

#[test]
fn a_record_is_not_set_aside_by_who_opened_the_store_before_it_was_made_anew_with_another_key() {
    let temp = tempfile::tempdir().unwrap();
    let (folder, other) = (temp.path().join("state"), temp.path().join("other"));
    let id = RecordId::new(RecordKind::Grant, ["https://a.example", "default"]);
    let (home, anew) = (sealed(&folder, 1), sealed(&other, 2));
    for home in [&home, &anew] {
        home.writing().unwrap().save(&id, b"{}", None).unwrap();
    }
    let records = home.reading().unwrap().unwrap();
    let path = record_in(&folder);
    // Between the opening of the store and the look at the record, another process puts another store in its place.
    let foreign = fs::read(record_in(&other)).unwrap();
    fs::write(&path, &foreign).unwrap();
    let header = fs::read(folder.join(KEY_HEADER)).unwrap();
    fs::copy(other.join(KEY_HEADER), folder.join(KEY_HEADER)).unwrap();
    let error = records.load(&id).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(fs::read(&path).unwrap(), foreign);

    // With the header that it was opened by, the same record is broken.
    fs::write(folder.join(KEY_HEADER), header).unwrap();
    assert!(records.load(&id).unwrap().is_none());
    assert!(!path.exists(), "it was set aside");
}

fn sealed(folder: &Path, byte: u8) -> Home {
    let key = SealingKey::from_bytes(Zeroizing::new([byte; 32]));
    Home::sealed(folder, Vault::new(KeySource::Key(key))).unwrap()
}

fn record_in(folder: &Path) -> std::path::PathBuf {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut records = paths.filter(|path| path.to_str().unwrap().ends_with(SEALED_SUFFIX));
    records.next().unwrap()
}
