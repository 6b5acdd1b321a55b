//! Files that are broken, misplaced, open to others, or not what they seem (ST-04, ST-07).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use doorkey_store::{
    Backend as _, Defect, Error, FileBackend, Generation, Grant, GrantKey, ProblemKind, RecordKind,
    Store, UnsafeFile,
};
use proptest::prelude::*;

use crate::conformance::{grant, json};
use crate::file::{entries, folder, only_record};

#[tokio::test]
async fn a_record_truncated_at_any_byte_is_set_aside_reported_and_counts_as_absent() {
    let (_temp, folder) = folder();
    let key = GrantKey::new("https://a.example/mcp", "default");
    let mut value = Grant::new("https://as.example", "client", "https://as.example/token");
    value.refresh_token = Some("s3cret".into());
    Store::file(&folder)
        .unwrap()
        .save_grant(&key, &value, None)
        .await
        .unwrap();
    let path = only_record(&folder);
    let whole = fs::read(&path).unwrap();

    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        set_mode(&path, 0o600);
        let store = Store::file(&folder).unwrap();
        assert!(store.grant(&key).await.unwrap().is_none(), "{length} bytes");
        let problems = store.problems();
        let [problem] = problems.as_slice() else {
            panic!("{length} bytes: {problems:?}")
        };
        let ProblemKind::SetAside {
            kept_as,
            defect: Defect::NotJson { .. },
        } = &problem.kind
        else {
            panic!("{length} bytes: {problem:?}")
        };
        assert_eq!(
            fs::read(kept_as).unwrap(),
            whole[..length],
            "kept as it was"
        );
        assert!(!problem.to_string().contains("s3cret"));
        assert!(!path.exists());
        fs::remove_file(kept_as).unwrap();
    }
}

#[tokio::test]
async fn each_way_to_be_broken_is_named_and_the_next_login_saves_anew() {
    let id = grant("a");
    for (content, expected) in broken_files() {
        let (_temp, folder) = folder();
        let store = FileBackend::new(&folder).unwrap();
        store.save(&id, json(1), None).await.unwrap();
        let path = only_record(&folder);
        fs::write(&path, &content).unwrap();

        // The listing tells it to whoever asks first, and loading finds nothing then.
        let listing = store.list(RecordKind::Grant).await.unwrap();
        assert!(listing.entries.is_empty());
        let [problem] = listing.problems.as_slice() else {
            panic!("{expected}: {listing:?}")
        };
        assert!(
            matches!(&problem.kind, ProblemKind::SetAside { defect, .. } if *defect == expected),
            "{expected:?}: {problem:?}"
        );
        assert_eq!(problem.location, path.display().to_string());
        assert!(store.load(&id).await.unwrap().is_none());
        assert_eq!(store.problems(), listing.problems, "reported once");

        store.save(&id, json(2), None).await.unwrap();
        assert_eq!(
            fs::read(folder.join(&entries(&folder, ".broken-1")[0])).unwrap(),
            content
        );
    }
}

/// What a file may hold that is no record, and what is wrong with it.
fn broken_files() -> Vec<(Vec<u8>, Defect)> {
    let id = grant("a");
    let envelope = |change: fn(&mut serde_json::Value)| {
        let mut value = serde_json::json!({
            "version": 1, "kind": "grant", "key": id.parts(), "generation": 5, "value": {},
        });
        change(&mut value);
        value.to_string().into_bytes()
    };
    vec![
        (b"\0\0\0\0".to_vec(), Defect::NotJson { line: 1, column: 1 }),
        (b"\xff\xfe".to_vec(), Defect::NotJson { line: 1, column: 1 }),
        (b"[]".to_vec(), Defect::NotAnObject),
        (b"{}".to_vec(), Defect::Missing("version")),
        (
            envelope(|v| v["version"] = 0.into()),
            Defect::UnknownVersion { found: 0 },
        ),
        (
            envelope(|v| v["version"] = "1".into()),
            Defect::WrongType("version"),
        ),
        (
            envelope(|v| v["kind"] = "grunt".into()),
            Defect::UnknownValue("kind"),
        ),
        (envelope(|v| v["kind"] = "facts".into()), Defect::Misplaced),
        (
            envelope(|v| v["key"][0] = "https://b.example/mcp".into()),
            Defect::Misplaced,
        ),
        (
            envelope(|v| v["generation"] = "5".into()),
            Defect::WrongType("generation"),
        ),
        (
            envelope(|v| v["value"] = serde_json::Value::Null),
            Defect::Missing("value"),
        ),
        (
            vec![b' '; 1024 * 1024 + 1],
            Defect::TooLarge { limit: 1024 * 1024 },
        ),
    ]
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_never_touched_st_07() {
    let (_temp, folder) = folder();
    let key = GrantKey::new("https://a.example/mcp", "default");
    let value = Grant::new("https://as.example", "client", "https://as.example/token");
    let store = Store::file(&folder).unwrap();
    let generation = store.save_grant(&key, &value, None).await.unwrap();
    let path = only_record(&folder);
    let sound: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for member in ["/version", "/value/version"] {
        let mut newer = sound.clone();
        *newer.pointer_mut(member).unwrap() = 2.into();
        let newer = newer.to_string();
        fs::write(&path, &newer).unwrap();

        let store = Store::file(&folder).unwrap();
        for _ in 0..2 {
            let listing = store.grants().await.unwrap();
            assert_eq!(listing.entries.len(), 0, "{member}");
            let [problem] = listing.problems.as_slice() else {
                panic!("{member}: {listing:?}")
            };
            let text = problem.to_string();
            assert!(text.contains("written by a newer version"), "{text}");
            assert!(text.ends_with("; update doorkey"), "{text}");
        }
        assert!(store.grant(&key).await.unwrap().is_none(), "{member}");
        assert_eq!(store.problems().len(), 1, "{:?}", store.problems());

        let over_nothing = store.save_grant(&key, &value, None).await;
        let over_another = store
            .save_grant(&key, &value, Some(Generation::new(1)))
            .await;
        let removed = store.remove_grant(&key, Generation::new(1)).await;
        for refused in [over_nothing.err(), over_another.err(), removed.err()] {
            let error = refused.expect(member);
            assert!(
                matches!(error, Error::NewerVersion { found: 2, .. }),
                "{member}: {error}"
            );
            assert!(error.to_string().contains("update doorkey"), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), newer, "{member}");
        assert_eq!(store.discard_set_aside_grants(&key).await.unwrap(), 0);
    }

    // The newer program has its login; once it is of a format known here, so has this one.
    fs::write(&path, sound.to_string()).unwrap();
    let stored = store.grant(&key).await.unwrap().unwrap();
    assert_eq!(stored.generation, generation);
}

#[tokio::test]
async fn a_save_over_a_broken_record_sets_it_aside_and_never_overwrites_one_set_aside_before() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let mut generation = store.save(&id, json(0), None).await.unwrap();
    let path = only_record(&folder);
    for round in 1..=3 {
        fs::write(&path, format!("broken {round}")).unwrap();
        // Who still holds the generation from before cannot save: nobody knows what the broken file held.
        let error = store
            .save(&id, json(9), Some(generation))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Conflict { current: None, .. }),
            "{error}"
        );
        generation = store.save(&id, json(round), None).await.unwrap();
    }
    let kept = entries(&folder, "");
    let kept: Vec<_> = kept
        .iter()
        .filter(|name| name.contains(".broken-"))
        .collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    for (round, name) in (1..).zip(kept) {
        assert_eq!(
            fs::read_to_string(folder.join(name)).unwrap(),
            format!("broken {round}")
        );
        assert_eq!(mode(&folder.join(name)), 0o600);
    }
    let advice: Vec<_> = store.problems().iter().map(ToString::to_string).collect();
    assert!(
        advice.iter().all(|text| text.contains("log in again")),
        "{advice:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_file_holds_reading_it_neither_panics_nor_fails(content in any::<Vec<u8>>()) {
        let (_temp, folder) = folder();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let store = FileBackend::new(&folder).unwrap();
            store.save(&grant("a"), json(1), None).await.unwrap();
            fs::write(only_record(&folder), &content).unwrap();
            assert!(store.load(&grant("a")).await.unwrap().is_none());
            assert_eq!(store.problems().len(), 1);
        });
    }
}

#[tokio::test]
async fn folders_and_files_are_made_for_their_owner_alone() {
    let (temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    drop(store.lock(&grant("a"), LIMIT).await.unwrap());
    for made in [folder.parent().unwrap(), &folder, &folder.join("locks")] {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
    let locks = folder.join("locks");
    assert_eq!(entries(&locks, "").len(), 2);
    let files = entries(&locks, "").into_iter().map(|name| locks.join(name));
    for file in files.chain([only_record(&folder)]) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(store.problems(), []);
    assert_eq!(
        fs::read_dir(temp.path()).unwrap().count(),
        1,
        "nothing beside it"
    );
}

#[tokio::test]
async fn permissions_that_let_others_in_are_repaired_and_reported() {
    let (_temp, folder) = folder();
    let id = grant("a");
    FileBackend::new(&folder)
        .unwrap()
        .save(&id, json(1), None)
        .await
        .unwrap();
    let record = only_record(&folder);
    set_mode(&folder, 0o755);
    set_mode(&record, 0o666);

    let store = FileBackend::new(&folder).unwrap();
    assert!(store.load(&id).await.unwrap().is_some());
    assert_eq!((mode(&folder), mode(&record)), (0o700, 0o600));
    let problems = store.problems();
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.location.as_str(), &problem.kind))
        .collect();
    assert_eq!(
        found,
        [
            (
                folder.to_str().unwrap(),
                &ProblemKind::PermissionsRepaired { mode: 0o755 }
            ),
            (
                record.to_str().unwrap(),
                &ProblemKind::PermissionsRepaired { mode: 0o666 }
            ),
        ]
    );
    assert!(
        problems[1].to_string().contains("permissions 666"),
        "{}",
        problems[1]
    );
}

#[tokio::test]
async fn a_symbolic_link_in_place_of_a_record_is_refused_and_its_target_untouched() {
    let (temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let (id, other) = (grant("a"), grant("b"));
    let generation = store.save(&id, json(1), None).await.unwrap();
    let record = only_record(&folder);
    let target = temp.path().join("target.json");
    fs::rename(&record, &target).unwrap();
    set_mode(&target, 0o644);
    let before = fs::read(&target).unwrap();
    symlink(&target, &record).unwrap();
    store.save(&other, json(1), None).await.unwrap();

    for error in [
        store.load(&id).await.unwrap_err(),
        store.save(&id, json(2), None).await.unwrap_err(),
        store
            .save(&id, json(2), Some(generation))
            .await
            .unwrap_err(),
        store.remove(&id, generation).await.unwrap_err(),
    ] {
        assert_unsafe(&error, &record, UnsafeFile::SymbolicLink);
        assert!(
            !error.is_transient() && error.to_string().contains("symbolic link"),
            "{error}"
        );
    }
    let listing = store.list(RecordKind::Grant).await.unwrap();
    assert_eq!(listing.entries, [other], "it does not hide the others");
    assert_eq!(
        listing.problems[0].kind,
        ProblemKind::Refused(UnsafeFile::SymbolicLink)
    );
    assert_eq!((fs::read(&target).unwrap(), mode(&target)), (before, 0o644));
}

#[tokio::test]
async fn a_symbolic_link_in_place_of_the_folder_is_refused_with_or_without_a_slash() {
    let (temp, folder) = folder();
    FileBackend::new(&folder)
        .unwrap()
        .save(&grant("a"), json(1), None)
        .await
        .unwrap();
    let link = temp.path().join("link");
    symlink(&folder, &link).unwrap();
    for path in [link.clone(), link.join(""), link.join(".")] {
        let store = FileBackend::new(&path).unwrap();
        assert_unsafe(
            &store.load(&grant("a")).await.unwrap_err(),
            &link,
            UnsafeFile::SymbolicLink,
        );
        let error = store.save(&grant("b"), json(1), None).await.unwrap_err();
        assert_unsafe(&error, &link, UnsafeFile::SymbolicLink);
        let error = store.lock(&grant("b"), LIMIT).await.unwrap_err();
        assert_unsafe(&error, &link, UnsafeFile::SymbolicLink);
    }
}

#[tokio::test]
async fn a_dangling_link_in_place_of_a_lock_makes_no_file_elsewhere() {
    let (temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    store.save(&id, json(1), None).await.unwrap();
    drop(store.lock(&id, LIMIT).await.unwrap());
    let target = temp.path().join("elsewhere");
    for name in entries(&folder.join("locks"), "") {
        let lock = folder.join("locks").join(name);
        fs::remove_file(&lock).unwrap();
        symlink(&target, &lock).unwrap();
    }
    assert!(matches!(
        store.lock(&id, LIMIT).await,
        Err(Error::UnsafeFile { .. })
    ));
    assert!(matches!(
        store.save(&id, json(2), None).await,
        Err(Error::UnsafeFile { .. })
    ));
    assert!(!target.exists());
}

#[tokio::test]
async fn what_is_no_plain_file_is_refused_without_waiting_for_it() {
    let id = grant("a");
    for make in [
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
    ] {
        let (_temp, folder) = folder();
        let store = FileBackend::new(&folder).unwrap();
        store.save(&id, json(1), None).await.unwrap();
        let record = only_record(&folder);
        fs::remove_file(&record).unwrap();
        make(&record);
        let load = tokio::time::timeout(LIMIT, store.load(&id)).await.unwrap();
        assert_unsafe(&load.unwrap_err(), &record, UnsafeFile::WrongKind);
        let save = tokio::time::timeout(LIMIT, store.save(&id, json(2), None))
            .await
            .unwrap();
        assert_unsafe(&save.unwrap_err(), &record, UnsafeFile::WrongKind);
    }
    let (temp, _) = folder();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    let error = FileBackend::new(&file)
        .unwrap()
        .load(&id)
        .await
        .unwrap_err();
    assert_unsafe(&error, &file, UnsafeFile::WrongKind);
}

#[tokio::test]
async fn what_another_user_owns_is_refused() {
    let (_temp, folder) = folder();
    let id = grant("a");
    let store = FileBackend::new(&folder).unwrap();
    store.save(&id, json(1), None).await.unwrap();
    let record = only_record(&folder);
    let me = fs::metadata(&record).unwrap().uid();
    if chown(&record, Some(FOREIGN_USER), None).is_err() {
        // Only a privileged user can give files away, so only there can this be shown.
        assert_ne!(me, 0, "the superuser can");
        return;
    }
    let why = UnsafeFile::ForeignOwner {
        owner: FOREIGN_USER,
        expected: me,
    };
    assert_unsafe(&store.load(&id).await.unwrap_err(), &record, why);
    assert_unsafe(
        &store.save(&id, json(2), None).await.unwrap_err(),
        &record,
        why,
    );
    assert_eq!(
        store.list(RecordKind::Grant).await.unwrap().problems[0].kind,
        ProblemKind::Refused(why)
    );

    chown(&record, Some(me), None).unwrap();
    chown(&folder, Some(FOREIGN_USER), None).unwrap();
    let fresh = FileBackend::new(&folder).unwrap();
    assert_unsafe(&fresh.load(&id).await.unwrap_err(), &folder, why);
}

#[tokio::test]
async fn a_lock_file_that_was_deleted_under_a_holder_is_made_anew() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    let first = store.lock(&id, LIMIT).await.unwrap();
    for name in entries(&folder.join("locks"), ".lock") {
        fs::remove_file(folder.join("locks").join(name)).unwrap();
    }
    // The holder lost its exclusion to whoever deleted the file; what others make of it is sound again.
    let second = store.lock(&id, LIMIT).await.unwrap();
    assert!(store.lock(&id, Duration::from_millis(50)).await.is_err());
    drop((first, second));
    drop(store.lock(&id, LIMIT).await.unwrap());
}

#[tokio::test]
async fn a_generation_at_its_end_goes_on() {
    let (_temp, folder) = folder();
    let store = FileBackend::new(&folder).unwrap();
    let id = grant("a");
    store.save(&id, json(1), None).await.unwrap();
    let record = only_record(&folder);
    let mut content: serde_json::Value =
        serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    content["generation"] = u64::MAX.into();
    fs::write(&record, content.to_string()).unwrap();
    let next = store
        .save(&id, json(2), Some(Generation::new(u64::MAX)))
        .await
        .unwrap();
    assert_eq!(store.load(&id).await.unwrap().unwrap().generation, next);
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_unsafe(error: &Error, expected: &Path, reason: UnsafeFile) {
    match error {
        Error::UnsafeFile { path, why } => assert_eq!((path.as_path(), *why), (expected, reason)),
        other => panic!("{other:?}"),
    }
}

const LIMIT: Duration = Duration::from_secs(30);
/// A user id that nobody here has.
const FOREIGN_USER: u32 = 54_321;
