//! The bytes of the first version, read for ever, and the page that describes them.
//!
//! Another implementation wrote the fixtures, from the page alone; the one with a passphrase was written by the first version.
//! None is ever changed. A later version of a format gets fixtures of its own beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use doorkey_store::{
    Backend, FileBackend, Grant, GrantKey, MemoryBackend, Proof, RecordId, RecordKind,
    RegistrationKey, Store,
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;

#[tokio::test]
async fn plain_files_of_the_first_version_are_read_for_ever() {
    let folder = copy("plain");
    let store = Store::file(folder.path()).unwrap();
    every_field_is_read(&store).await;
    let backend = FileBackend::new(folder.path()).unwrap();
    assert_eq!(holds_all(&backend).await, 7);
    // What this version does not know stays in the envelope, too.
    let generation = backend
        .load(&work().record_id())
        .await
        .unwrap()
        .unwrap()
        .generation;
    assert_eq!(generation.number(), 7);
    let grant = store.grant(&work()).await.unwrap().unwrap();
    store
        .save_grant(&work(), &grant.value, Some(grant.generation))
        .await
        .unwrap();
    let mut files = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let written = files
        .find(|path| {
            path.to_str()
                .unwrap()
                .contains("grant-mcp.example.com-work")
        })
        .unwrap();
    let written = json(&written);
    assert_eq!(
        (&written["from_a_later_version"], &written["generation"]),
        (&1.into(), &8.into())
    );
}

/// They are younger than the other fixtures, which know nothing of them.
#[tokio::test]
async fn fields_that_came_later_are_read_and_kept_and_may_be_missing() {
    let folder = copy("plain-later");
    let store = Store::file(folder.path()).unwrap();
    let grant = store.grant(&work()).await.unwrap().unwrap();
    assert_eq!(grant.value.resource_class.as_deref(), Some("private"));
    store
        .save_grant(&work(), &grant.value, Some(grant.generation))
        .await
        .unwrap();
    let again = store.grant(&work()).await.unwrap().unwrap().value;
    assert_eq!(again.resource_class.as_deref(), Some("private"));
    assert!(again.extra.is_empty(), "{again:?}");
    let login = store.login(&work()).await.unwrap().unwrap();
    store
        .save_login(&work(), &login.value, Some(login.generation))
        .await
        .unwrap();
    let again = store.login(&work()).await.unwrap().unwrap().value;
    assert!(!format!("{again:?}").contains("urn:fixture"), "{again:?}");
    let pending = again.pending.unwrap();
    let reference = pending
        .request_uri
        .as_ref()
        .map(secrecy::ExposeSecret::expose_secret);
    assert_eq!(reference, Some("urn:fixture:request"));
    assert!(pending.extra.is_empty());
    let folder = copy("plain");
    let older = Store::file(folder.path()).unwrap();
    let grant = older.grant(&work()).await.unwrap().unwrap().value;
    assert_eq!(grant.resource_class, None);
    let login = older.login(&work()).await.unwrap().unwrap().value;
    assert!(login.pending.unwrap().request_uri.is_none());
}

#[cfg(feature = "encrypted")]
mod encrypted {
    use doorkey_store::{KeySource, SealingKey};
    use zeroize::Zeroizing;

    use super::*;

    #[tokio::test]
    async fn encrypted_files_of_the_first_version_are_read_for_ever() {
        let folder = copy("sealed");
        let key = SealingKey::from_bytes(Zeroizing::new([7; 32]));
        let keys = copy("");
        let path = keys.path().join("key-file.json");
        for source in [KeySource::Key(key), KeySource::KeyFile(path)] {
            let store = Store::encrypted_file(folder.path(), source.clone()).unwrap();
            every_field_is_read(&store).await;
            let backend = FileBackend::encrypted(folder.path(), source).unwrap();
            assert_eq!(holds_all(&backend).await, 7);
        }
    }

    #[tokio::test]
    async fn a_store_with_a_passphrase_of_the_first_version_is_opened_for_ever() {
        let folder = copy("sealed-passphrase");
        let source = KeySource::Passphrase("correct horse battery staple".into());
        let store = Store::encrypted_file(folder.path(), source).unwrap();
        let grant = store
            .grant(&GrantKey::new(SERVER, "default"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(grant.value.client_id, "client-2");
    }
}

#[cfg(feature = "keyring")]
mod keyring {
    use doorkey_store::{KeySource, KeyringBackend};

    use super::*;
    use crate::keyring::{Fake, options};

    #[tokio::test]
    async fn keyring_items_of_the_first_version_are_read_for_ever() {
        let fake = filled();
        let locks = tempfile::tempdir().unwrap();
        let open = || KeyringBackend::new(locks.path().join("locks"), options(&fake)).unwrap();
        let store = Store::new(open());
        let listing = store.grants().await.unwrap();
        assert_eq!(listing.entries.len(), 2);
        assert_eq!(
            listing.problems.len(),
            1,
            "one that was set aside: {:?}",
            listing.problems
        );
        // It takes chunks of both halves of a character to make the large one.
        let large = store.grant(&work()).await.unwrap().unwrap();
        assert_eq!(large.value.extra["padding"], "\u{e4}".repeat(2500));
        assert_eq!(large.generation.number(), 7);
        assert_work(&large.value);
        assert!(
            store
                .grant(&GrantKey::new(SERVER, "default"))
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(
            store
                .discard_set_aside_grants(&GrantKey::new(SERVER, "default"))
                .await
                .unwrap(),
            1
        );
    }

    #[tokio::test]
    async fn a_store_whose_key_is_in_the_keyring_is_opened_for_ever() {
        let folder = copy("sealed-keyring");
        let source = KeySource::Keyring(options(&filled()));
        let store = Store::encrypted_file(folder.path(), source).unwrap();
        let grant = store
            .grant(&GrantKey::new(SERVER, "default"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(grant.value.client_id, "client-2");
    }

    /// A keyring with the items of the fixture.
    fn filled() -> Fake {
        use base64::Engine as _;
        let fake = Fake::windows();
        for (name, content) in json(&fixtures().join("keyring/items.json"))
            .as_object()
            .unwrap()
        {
            let content = base64::engine::general_purpose::STANDARD
                .decode(content.as_str().unwrap())
                .unwrap();
            assert!(content.len() <= 2560, "{name}");
            fake.overwrite(name, &content);
        }
        fake
    }
}

#[test]
fn the_page_names_every_field_that_is_written_and_every_one_has_a_fixture() {
    let page = fs::read_to_string(root().join("../../docs/store-format.md")).unwrap();
    let mut in_fixtures = BTreeSet::new();
    for file in files_under(&fixtures()) {
        if file.extension().is_some_and(|suffix| suffix == "json") {
            names_of(&json(&file), &mut in_fixtures);
        }
    }
    let named = fields_of_the_code();
    assert!(named.len() > 60, "{named:?}");
    for (name, source) in named {
        assert!(
            page.contains(&format!("`{name}`")),
            "the page lacks `{name}` of {source}"
        );
        // Chunks stand in base64 there.
        let in_an_item = source.contains("shelf.rs") || source.contains("index.rs");
        assert!(
            in_an_item || in_fixtures.contains(&name),
            "no fixture has `{name}` of {source}"
        );
    }
    for kind in RecordKind::ALL {
        assert!(
            page.contains(&format!("| `{kind}` |")) && page.contains(&format!("### `{kind}`")),
            "{kind}"
        );
    }
}

/// The names that the sources of the formats hand to a writer or reader of objects, with where.
fn fields_of_the_code() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in [
        "codec.rs",
        "codec/login.rs",
        "envelope.rs",
        "file/vault/header.rs",
        "file/vault/key_file.rs",
        "keyring/shelf.rs",
        "keyring/index.rs",
    ] {
        let source = fs::read_to_string(root().join("src").join(file)).unwrap();
        for call in [
            "object.field(",
            "object.optional(",
            "object.secret(",
            "object.required(",
            "object.named(",
            "object.raw(",
        ] {
            for rest in source.split(call).skip(1) {
                let name = rest
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split_once('"'));
                let (name, _) =
                    name.unwrap_or_else(|| panic!("{file}: a name after {call} is no literal"));
                found.push((name.to_owned(), file.to_owned()));
            }
        }
    }
    found
}

/// Every field of the records in a store is the one of the fixture, and is written again as it stood there.
async fn every_field_is_read(store: &Store) {
    let copy = std::sync::Arc::new(MemoryBackend::new());
    let again = Store::new(crate::typed::Shared(std::sync::Arc::clone(&copy)));
    let plain = GrantKey::new(SERVER, "default");
    for key in [work(), plain] {
        let grant = store.grant(&key).await.unwrap().unwrap().value;
        again.save_grant(&key, &grant, None).await.unwrap();
    }
    for key in [
        RegistrationKey::shared(ISSUER),
        RegistrationKey::new(ISSUER, Some("work".to_owned())),
    ] {
        let registration = store.registration(&key).await.unwrap().unwrap().value;
        again
            .save_registration(&key, &registration, None)
            .await
            .unwrap();
    }
    let facts = store.facts(SERVER).await.unwrap().unwrap().value;
    again.save_facts(SERVER, &facts, None).await.unwrap();
    let login = store.login(&work()).await.unwrap().unwrap().value;
    again.save_login(&work(), &login, None).await.unwrap();
    let issuer = store.issuer_facts(ISSUER).await.unwrap().unwrap().value;
    again
        .save_issuer_facts(ISSUER, &issuer, None)
        .await
        .unwrap();
    for (id, value, _) in envelopes() {
        let written = copy.load(&id).await.unwrap().unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&written.bytes).unwrap(),
            value,
            "{id}"
        );
    }
    assert_work(&store.grant(&work()).await.unwrap().unwrap().value);
    assert_eq!(
        login.pending.unwrap().verifier.expose_secret(),
        "fixture-verifier"
    );
    assert!(store.problems().is_empty(), "{:?}", store.problems());
}

/// What some fields mean, so that reading and writing them in the same wrong way is no excuse.
fn assert_work(grant: &Grant) {
    assert_eq!(
        grant.refresh_token.as_ref().unwrap().expose_secret(),
        "fixture-refresh-token"
    );
    assert_eq!(
        (grant.proof, grant.issued_at, grant.expires_at),
        (Proof::Accepted, 1_790_000_000, Some(1_790_003_600))
    );
    assert_eq!(grant.client_auth_method.as_str(), "client_secret_post");
}

/// How many records of the fixtures a backend gives back, byte for byte in meaning.
async fn holds_all(backend: &dyn Backend) -> usize {
    let mut held = 0;
    for (id, value, generation) in envelopes() {
        let record = backend.load(&id).await.unwrap().unwrap();
        assert_eq!(record.generation.number(), generation, "{id}");
        assert_eq!(
            serde_json::from_slice::<Value>(&record.bytes).unwrap(),
            value,
            "{id}"
        );
        let listed = backend.list(id.kind()).await.unwrap();
        assert!(
            listed.entries.contains(&id) && listed.problems.is_empty(),
            "{id}"
        );
        held += 1;
    }
    held
}

/// Id, value and generation of the records of the plain fixtures, which all others hold too.
fn envelopes() -> Vec<(RecordId, Value, u64)> {
    let files = files_under(&fixtures().join("plain"));
    let read = |file: PathBuf| {
        let envelope = json(&file);
        let kind = RecordKind::from_name(envelope["kind"].as_str().unwrap()).unwrap();
        let id = RecordId::from_key(kind, &envelope["key"].to_string()).unwrap();
        (
            id,
            envelope["value"].clone(),
            envelope["generation"].as_u64().unwrap(),
        )
    };
    files.into_iter().map(read).collect()
}

/// A copy of a folder of fixtures, which nothing here may change.
fn copy(folder: &str) -> TempDir {
    let temp = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixtures().join(folder)).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            fs::write(
                temp.path().join(file.file_name().unwrap()),
                fs::read(&file).unwrap(),
            )
            .unwrap();
        }
    }
    close(temp.path());
    temp
}

/// Takes the permissions of others away, which a checkout leaves.
fn close(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in fs::read_dir(folder).unwrap() {
            fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

fn names_of(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(name.clone());
                names_of(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names_of(value, names)),
        _ => {}
    }
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
    files
}

#[track_caller]
fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn work() -> GrantKey {
    GrantKey::new(SERVER, "work")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/v1")
}

const SERVER: &str = "https://mcp.example.com/mcp";
const ISSUER: &str = "https://as.example.com";
