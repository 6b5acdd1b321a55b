//! Encrypted files as a store: the laws of every backend, then what a key can get wrong and what hostile hands can do.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorkey_store::{
    Backend as _, Defect, Error, FileBackend, KeySource, KeyTrouble, ProblemKind, RecordId,
    RecordKind, SealingKey, Store, create_key_file,
};
use zeroize::Zeroizing;

use crate::conformance::{Fixture, conforms, grant, json};
use crate::file::{entries, folder};

fn fixture() -> Fixture {
    let (temp, folder) = folder();
    let key = SealingKey::generate().unwrap();
    Fixture::new(
        move || {
            let key = KeySource::Key(key.clone());
            Arc::new(FileBackend::encrypted(folder.clone(), key).unwrap())
        },
        temp,
    )
}

conforms!(fixture);

#[tokio::test]
async fn neither_a_name_nor_a_byte_of_the_folder_shows_what_it_holds() {
    let (_temp, folder) = folder();
    let store = open(&folder, 1);
    let id = RecordId::new(
        RecordKind::Grant,
        ["https://mcp.secret.example/x", "my-account"],
    );
    let bytes = Zeroizing::new(br#"{"access_token":"s3cret-token"}"#.to_vec());
    let generation = store.save(&id, bytes, None).await.unwrap();
    drop(store.lock(&id, LIMIT).await.unwrap());
    store
        .set_aside(&id, generation, Defect::SealBroken)
        .await
        .unwrap();
    store.save(&id, json(1), None).await.unwrap();

    let mut seen = 0;
    for path in files_under(&folder) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let content = fs::read(&path).unwrap();
        let shown = String::from_utf8_lossy(&content);
        for word in ["secret", "example", "my-account", "s3cret", "access_token"] {
            assert!(
                !name.contains(word) && !shown.contains(word),
                "{name}: {word}"
            );
        }
        seen += usize::from(name.contains(".sealed"));
    }
    assert_eq!(seen, 2, "the record and the one that was set aside");
    // Nor can the name be computed by who knows the key of the record but not of the store.
    let other = self::folder().1;
    open(&other, 2).save(&id, json(1), None).await.unwrap();
    assert_ne!(entries(&folder, ".sealed"), entries(&other, ".sealed"));
}

#[tokio::test]
async fn a_wrong_key_is_an_error_that_says_so_and_sets_nothing_aside() {
    let (_temp, folder) = folder();
    let id = grant("a");
    open(&folder, 1).save(&id, json(1), None).await.unwrap();
    let before = snapshot(&folder);
    let wrong = open(&folder, 2);
    let results = [
        wrong.load(&id).await.map(drop),
        wrong.save(&id, json(2), None).await.map(drop),
        wrong.remove(&id, doorkey_store::Generation::new(1)).await,
        wrong.list(RecordKind::Grant).await.map(drop),
        wrong.lock(&id, LIMIT).await.map(drop),
        wrong.discard_set_aside(&id).await.map(drop),
    ];
    for result in results {
        let error = result.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::Key {
                    why: KeyTrouble::Wrong {
                        given: "key of the host",
                        ..
                    },
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .contains("is not the one it was made with"),
            "{error}"
        );
        assert!(!error.is_transient() && !error.needs_login());
    }
    assert!(wrong.problems().is_empty());
    assert_eq!(snapshot(&folder), before);
    let loaded = open(&folder, 1).load(&id).await.unwrap().unwrap();
    assert_eq!(*loaded.bytes, *json(1));
}

#[tokio::test]
async fn a_passphrase_opens_what_it_made_and_a_wrong_or_empty_one_is_told_apart() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let with = |passphrase: &str| {
        FileBackend::encrypted(&folder, KeySource::Passphrase(passphrase.into())).unwrap()
    };
    let store = with("correct horse");
    let first = store.save(&id, json(1), None).await.unwrap();
    store.save(&id, json(2), Some(first)).await.unwrap();
    let loaded = with("correct horse").load(&id).await.unwrap().unwrap();
    assert_eq!(*loaded.bytes, *json(2));

    let wrong = trouble(with("battery staple").load(&id).await.unwrap_err());
    let made_with = "passphrase".to_owned();
    assert_eq!(
        wrong,
        KeyTrouble::Wrong {
            given: "passphrase",
            made_with: made_with.clone()
        }
    );
    let empty = trouble(with("").load(&id).await.unwrap_err());
    assert_eq!(empty, KeyTrouble::NoPassphrase);
    // A key where a passphrase is needed, and the other way about.
    let key = trouble(open(&folder, 1).load(&id).await.unwrap_err());
    assert_eq!(
        key,
        KeyTrouble::OtherKind {
            given: "key of the host",
            made_with
        }
    );
    assert!(!format!("{:?}", KeySource::Passphrase("correct horse".into())).contains("correct"));

    let header: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("key.json")).unwrap()).unwrap();
    assert_eq!(
        (&header["version"], &header["key"]),
        (&1.into(), &"passphrase".into())
    );
    assert_eq!(header["argon2id"]["memory_kib"], 19 * 1024);
}

#[tokio::test]
async fn costs_that_nobody_could_pay_are_refused_before_they_are_paid() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let key = || KeySource::Passphrase("correct horse".into());
    FileBackend::encrypted(&folder, key())
        .unwrap()
        .save(&id, json(1), None)
        .await
        .unwrap();
    let path = folder.join("key.json");
    let mut header: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    header["argon2id"]["memory_kib"] = u32::MAX.into();
    fs::write(&path, header.to_string()).unwrap();
    let error = FileBackend::encrypted(&folder, key())
        .unwrap()
        .load(&id)
        .await
        .unwrap_err();
    let why = KeyTrouble::HeaderUnusable(Defect::UnknownValue("argon2id"));
    assert_eq!(trouble(error), why);
}

#[tokio::test]
async fn a_key_file_is_made_once_for_its_owner_only_and_opens_the_store() {
    let (temp, folder) = folder();
    let path = temp.path().join("keys").join("doorkey.key");
    let open = || FileBackend::encrypted(&folder, KeySource::KeyFile(path.clone())).unwrap();
    let id = grant("a");
    let missing = trouble(open().save(&id, json(1), None).await.unwrap_err());
    assert_eq!(missing, KeyTrouble::NoKeyFile { path: path.clone() });

    assert!(create_key_file(&path).unwrap());
    let content = fs::read(&path).unwrap();
    assert!(!create_key_file(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), content);
    open().save(&id, json(1), None).await.unwrap();
    assert_eq!(*open().load(&id).await.unwrap().unwrap().bytes, *json(1));

    fs::write(&path, &content[..content.len() / 2]).unwrap();
    let cut = trouble(open().load(&id).await.unwrap_err());
    assert!(matches!(cut, KeyTrouble::KeyFileUnusable { .. }), "{cut:?}");
    fs::remove_file(&path).unwrap();
    let gone = trouble(open().load(&id).await.unwrap_err());
    assert_eq!(gone, KeyTrouble::NoKeyFile { path: path.clone() });
    fs::write(&path, &content).unwrap();
    assert_eq!(*open().load(&id).await.unwrap().unwrap().bytes, *json(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_others_can_read_is_closed_to_them_and_a_link_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (temp, folder) = folder();
    let path = temp.path().join("doorkey.key");
    assert!(create_key_file(&path).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = FileBackend::encrypted(&folder, KeySource::KeyFile(path.clone())).unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    // Whoever may have read it is worth knowing of.
    let problems = store.problems();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    let found = (problem.location.as_str(), &problem.kind);
    let repaired = ProblemKind::PermissionsRepaired { mode: 0o644 };
    assert_eq!(found, (path.to_str().unwrap(), &repaired));
    let link = temp.path().join("link.key");
    symlink(&path, &link).unwrap();
    let store = FileBackend::encrypted(&folder, KeySource::KeyFile(link)).unwrap();
    let error = store.load(&grant("a")).await.unwrap_err();
    assert!(matches!(error, Error::UnsafeFile { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_create_the_store_at_the_same_time_agree_on_one_key() {
    // A passphrase: each of them would make another key, because each draws another salt.
    let with = |folder: &Path| {
        FileBackend::encrypted(folder, KeySource::Passphrase("correct horse".into())).unwrap()
    };
    for _ in 0..3 {
        let (_temp, folder) = folder();
        let tasks: Vec<_> = (0..4)
            .map(|number| {
                // Each with a cache of its own, as another process has it.
                let store = with(&folder);
                tokio::spawn(async move {
                    let id = grant(&number.to_string());
                    store.save(&id, json(number), None).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let listing = with(&folder).list(RecordKind::Grant).await.unwrap();
        assert_eq!((listing.entries.len(), listing.problems.len()), (4, 0));
    }
}

#[tokio::test]
async fn a_plain_store_and_an_encrypted_one_refuse_each_others_folder_and_touch_nothing() {
    let id = grant("a");
    let (_temp, encrypted) = folder();
    open(&encrypted, 1).save(&id, json(1), None).await.unwrap();
    let (_other, plain) = folder();
    FileBackend::new(&plain)
        .unwrap()
        .save(&id, json(1), None)
        .await
        .unwrap();
    for (folder, is_encrypted) in [(&encrypted, true), (&plain, false)] {
        let before = snapshot(folder);
        let store = if is_encrypted {
            FileBackend::new(folder).unwrap()
        } else {
            open(folder, 1)
        };
        let errors = [
            store.save(&id, json(2), None).await.unwrap_err(),
            store.load(&id).await.unwrap_err(),
            store.list(RecordKind::Grant).await.unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(&error, Error::OtherFormat { path, encrypted } if path == folder && *encrypted == is_encrypted),
                "{error:?}"
            );
        }
        let records = |files: Vec<(PathBuf, Vec<u8>)>| {
            let lock = |path: &Path| path.extension().is_some_and(|suffix| suffix == "save");
            files.into_iter().filter(move |(path, _)| !lock(path))
        };
        assert!(records(snapshot(folder)).eq(records(before)));
        assert!(store.problems().is_empty());
    }
}

#[tokio::test]
async fn broken_and_foreign_records_are_set_aside_and_newer_ones_left_alone() {
    let id = grant("a");
    let sealed_elsewhere = key(2).seal(b"{}", &[]).unwrap();
    let mut newer = sealed_elsewhere.clone();
    newer[6] = 9;
    let broken: [(&str, Vec<u8>, Defect); 4] = [
        ("garbage", b"garbage".to_vec(), Defect::NotSealed),
        ("empty", Vec::new(), Defect::NotSealed),
        (
            "in the clear",
            br#"{"version":1}"#.to_vec(),
            Defect::NotSealed,
        ),
        ("another key", sealed_elsewhere, Defect::SealBroken),
    ];
    for (what, content, expected) in broken {
        let (_temp, folder) = folder();
        let store = open(&folder, 1);
        store.save(&id, json(1), None).await.unwrap();
        let path = only_record(&folder);
        fs::write(&path, &content).unwrap();
        assert!(store.load(&id).await.unwrap().is_none(), "{what}");
        let problems = store.problems();
        let [problem] = problems.as_slice() else {
            panic!("{what}: {problems:?}")
        };
        let ProblemKind::SetAside { kept_as, defect } = &problem.kind else {
            panic!("{problem}")
        };
        assert_eq!(*defect, expected, "{what}");
        assert_eq!(fs::read(kept_as).unwrap(), content, "{what}");
        store.save(&id, json(2), None).await.unwrap();
        assert_eq!(store.discard_set_aside(&id).await.unwrap(), 1);
    }

    let (_temp, folder) = folder();
    let store = open(&folder, 1);
    store.save(&id, json(1), None).await.unwrap();
    let path = only_record(&folder);
    fs::write(&path, &newer).unwrap();
    assert!(store.load(&id).await.unwrap().is_none());
    let error = store.save(&id, json(2), None).await.unwrap_err();
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
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[tokio::test]
async fn every_truncation_of_a_record_is_noticed() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let store = open(&folder, 1);
    store.save(&id, json(1), None).await.unwrap();
    let path = only_record(&folder);
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, 6, 7, 30, 31, 46, 47, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(store.load(&id).await.unwrap().is_none(), "{length}");
        assert!(!path.exists(), "{length}: it was set aside");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
}

#[tokio::test]
async fn records_that_were_exchanged_are_noticed() {
    let (_temp, folder) = folder();
    let store = open(&folder, 1);
    for name in ["a", "b"] {
        store.save(&grant(name), json(1), None).await.unwrap();
    }
    let names = entries(&folder, ".sealed");
    let (one, other) = (folder.join(&names[0]), folder.join(&names[1]));
    let kept = folder.join("kept");
    fs::rename(&one, &kept).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&kept, &other).unwrap();
    for name in ["a", "b"] {
        assert!(store.load(&grant(name)).await.unwrap().is_none());
    }
    let aside = |problem: &doorkey_store::Problem| {
        matches!(
            &problem.kind,
            ProblemKind::SetAside {
                defect: Defect::SealBroken,
                ..
            }
        )
    };
    assert_eq!(
        store
            .problems()
            .iter()
            .filter(|problem| aside(problem))
            .count(),
        2
    );
}

/// What no file can prevent is at least no surprise: an older version of a record is a whole record, and who
/// still holds the newer generation gets a conflict, not a silent loss.
#[tokio::test]
async fn a_record_that_was_rolled_back_conflicts_with_whoever_saw_the_newer_one() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let store = open(&folder, 1);
    let first = store.save(&id, json(1), None).await.unwrap();
    let old = fs::read(only_record(&folder)).unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    fs::write(only_record(&folder), &old).unwrap();
    assert!(
        store
            .save(&id, json(3), Some(second))
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(store.load(&id).await.unwrap().unwrap().generation, first);
}

#[tokio::test]
async fn a_lost_or_broken_header_is_made_again_with_the_key_and_an_error_without() {
    let id = grant("a");
    for damage in [
        None,
        Some(&b""[..]),
        Some(b"{\"version\":1,\"key\""),
        Some(b"garbage"),
    ] {
        let (_temp, folder) = folder();
        open(&folder, 1).save(&id, json(1), None).await.unwrap();
        let header = folder.join("key.json");
        match damage {
            None => fs::remove_file(&header).unwrap(),
            Some(bytes) => fs::write(&header, bytes).unwrap(),
        }
        // The wrong key proves itself wrong on the records, and the header stays as it is.
        let wrong = trouble(open(&folder, 2).load(&id).await.unwrap_err());
        assert!(matches!(wrong, KeyTrouble::Wrong { .. }), "{wrong:?}");
        assert_eq!(entries(&folder, ".sealed").len(), 1);
        assert_eq!(
            *open(&folder, 1).load(&id).await.unwrap().unwrap().bytes,
            *json(1)
        );
        let wrong = trouble(open(&folder, 2).load(&id).await.unwrap_err());
        assert!(matches!(wrong, KeyTrouble::Wrong { .. }), "{wrong:?}");
    }

    let (_temp, folder) = folder();
    let with = || FileBackend::encrypted(&folder, KeySource::Passphrase("p".into())).unwrap();
    with().save(&id, json(1), None).await.unwrap();
    let header = folder.join("key.json");
    let whole = fs::read(&header).unwrap();
    let record = fs::read(only_record(&folder)).unwrap();
    fs::write(&header, &whole[..whole.len() / 2]).unwrap();
    let cut = trouble(with().load(&id).await.unwrap_err());
    assert!(matches!(cut, KeyTrouble::HeaderUnusable(_)), "{cut:?}");
    fs::remove_file(&header).unwrap();
    for error in [
        with().load(&id).await.unwrap_err(),
        with().save(&id, json(2), None).await.unwrap_err(),
        with().list(RecordKind::Grant).await.unwrap_err(),
    ] {
        assert_eq!(trouble(error), KeyTrouble::HeaderGone);
    }
    assert_eq!(
        fs::read(only_record(&folder)).unwrap(),
        record,
        "the record survives"
    );
    fs::write(&header, &whole).unwrap();
    assert_eq!(*with().load(&id).await.unwrap().unwrap().bytes, *json(1));
}

#[tokio::test]
async fn a_header_of_a_newer_version_is_left_alone_and_says_so() {
    let (_temp, folder) = folder();
    let id = grant("a");
    open(&folder, 1).save(&id, json(1), None).await.unwrap();
    fs::write(folder.join("key.json"), r#"{"version":2}"#).unwrap();
    let before = snapshot(&folder);
    let why = trouble(open(&folder, 1).load(&id).await.unwrap_err());
    let defect = Defect::NewerVersion { found: 2, known: 1 };
    assert_eq!(why, KeyTrouble::HeaderUnusable(defect));
    assert_eq!(snapshot(&folder), before);
}

#[tokio::test]
async fn a_header_with_costs_or_a_salt_that_nothing_takes_is_unusable_and_not_a_wrong_passphrase() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let with = || FileBackend::encrypted(&folder, KeySource::Passphrase("p".into())).unwrap();
    with().save(&id, json(1), None).await.unwrap();
    let path = folder.join("key.json");
    let whole = fs::read(&path).unwrap();
    for (field, value) in [
        ("salt", serde_json::json!("c2hvcnQ=")),
        ("salt", serde_json::json!("")),
        ("memory_kib", 7.into()),
        ("lanes", 17.into()),
        ("passes", 0.into()),
    ] {
        let mut header: serde_json::Value = serde_json::from_slice(&whole).unwrap();
        header["argon2id"][field] = value.clone();
        fs::write(&path, header.to_string()).unwrap();
        let why = trouble(with().load(&id).await.unwrap_err());
        let expected = KeyTrouble::HeaderUnusable(Defect::UnknownValue("argon2id"));
        assert_eq!(why, expected, "{field}: {value}");
    }
    fs::write(&path, &whole).unwrap();
    assert!(with().load(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_that_was_made_anew_under_a_running_process_is_opened_anew() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let running = open(&folder, 1);
    running.save(&id, json(1), None).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let other = open(&folder, 2);
    other.save(&id, json(2), None).await.unwrap();
    // The old key is not used on the new store.
    let why = trouble(running.load(&id).await.unwrap_err());
    assert!(matches!(why, KeyTrouble::Wrong { .. }), "{why:?}");
    assert!(other.problems().is_empty() && running.problems().is_empty());
    assert_eq!(*other.load(&id).await.unwrap().unwrap().bytes, *json(2));
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_can_be_read_and_refuses_saves_whole() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_temp, folder) = folder();
    let id = grant("a");
    let first = open(&folder, 1).save(&id, json(1), None).await.unwrap();
    let allow = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o500);
    // The superuser is let through everywhere but where a folder is in the way.
    let binds = fs::write(folder.join("probe"), "").is_err();
    let record = &entries(&folder, ".sealed")[0];
    if !binds {
        fs::create_dir(folder.join(format!(".{record}.new"))).unwrap();
    }
    let before = fs::read(folder.join(record)).unwrap();
    let store = open(&folder, 1);
    assert_eq!(*store.load(&id).await.unwrap().unwrap().bytes, *json(1));
    let error = store.save(&id, json(2), Some(first)).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert_eq!(store.load(&id).await.unwrap().unwrap().generation, first);
    assert_eq!(fs::read(folder.join(record)).unwrap(), before);
    allow(0o700);
}

#[tokio::test]
async fn reading_makes_no_folder_and_the_store_says_that_it_encrypts() {
    let (temp, folder) = folder();
    let store = open(&folder, 1);
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    let description = Store::encrypted_file(&folder, KeySource::Key(key(1)))
        .unwrap()
        .describe();
    assert!(description.encrypted && description.kind == "encrypted file");
}

fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([byte; 32]))
}

/// A handle on the folder with a cache of its own, as another process has it.
fn open(folder: &Path, byte: u8) -> FileBackend {
    FileBackend::encrypted(folder, KeySource::Key(key(byte))).unwrap()
}

#[track_caller]
fn trouble(error: Error) -> KeyTrouble {
    match error {
        Error::Key { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn only_record(folder: &Path) -> PathBuf {
    let records = entries(folder, ".sealed");
    assert_eq!(records.len(), 1, "{records:?}");
    folder.join(&records[0])
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    files_under(folder).into_iter().map(read).collect()
}

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
