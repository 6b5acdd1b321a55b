//! A file of the store, in the clear and sealed (`docs/store-format.md`).

use std::fs;
use std::path::{Path, PathBuf};

use doorkey_store::{Grant, GrantKey, KeySource, ProblemKind, SealingKey, Store, Stored};
use serde_json::Value;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::servers::run;
use crate::shown::{SECRET, assert_fit_text, assert_hidden};
use crate::store_record::meaning;

/// A file is used whole, and written again with all that was in it, or kept beside and reported; what is sealed is what
/// was sealed, to the bit.
pub fn store_file(data: &[u8]) {
    PLACES.with(|places| {
        let [plain, sealed] = places;
        run(in_the_clear(plain, data));
        run(under_seal(sealed, data));
    });
}

/// A folder with one record.
struct Place {
    folder: TempDir,
    /// The file of the record.
    file: PathBuf,
    /// What is in it when nobody touches it.
    content: Vec<u8>,
    key: Option<SealingKey>,
}

thread_local! {
    static PLACES: [Place; 2] = {
        let key = SealingKey::from_bytes(Zeroizing::new([7; 32]));
        [None, Some(key)].map(Place::new)
    };
}

impl Place {
    fn new(key: Option<SealingKey>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut place = Self {
            folder,
            file: PathBuf::new(),
            content: Vec::new(),
            key,
        };
        let mut grant = Grant::new("https://as.example", "client-1", "https://as.example/token");
        grant.access_token = Some("access-0".into());
        let store = place.store();
        run(store.save_grant(&grant_key(), &grant, None)).expect("a save");
        let names = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let is_record = |path: &PathBuf| names(path).to_string_lossy().starts_with("grant-");
        place.file = place
            .files()
            .into_iter()
            .find(is_record)
            .expect("the file of the record");
        place.content = fs::read(&place.file).expect("the file of the record");
        place
    }

    fn store(&self) -> Store {
        let folder = self.folder.path();
        let store = match &self.key {
            None => Store::file(folder),
            Some(key) => Store::encrypted_file(folder, KeySource::Key(key.clone())),
        };
        store.expect("a store")
    }

    /// All that is in the folder but the header of an encrypted store and the folder of locks.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file() && !path.ends_with("key.json"))
            .collect();
        files.sort();
        files
    }

    /// Reads the record from a file with this content. With it comes what the folder then holds.
    async fn read(&self, content: &[u8]) -> (Store, Option<Stored<Grant>>) {
        for file in self.files().into_iter().filter(|file| *file != self.file) {
            fs::remove_file(file).expect("a file of the last input");
        }
        if !self.file.exists() {
            fs::write(&self.file, "").expect("the file of the record");
            owner_only(&self.file);
        }
        fs::write(&self.file, content).expect("the file of the record");
        let store = self.store();
        let read = store.grant(&grant_key()).await;
        let read = read.expect("a record that cannot be used is absent");
        if read.is_none() {
            self.assert_kept(&store, content);
        }
        (store, read)
    }

    /// It was reported, and either left alone or renamed, as it was.
    fn assert_kept(&self, store: &Store, content: &[u8]) {
        let problems = store.problems();
        let [problem] = problems.as_slice() else {
            panic!("one problem, not {problems:?}");
        };
        assert_fit_text(&problem.to_string());
        let files = self.files();
        let [file] = files.as_slice() else {
            panic!("one file, not {files:?}");
        };
        assert_eq!(fs::read(file).expect("the file"), content);
        let is_newer = matches!(problem.kind, ProblemKind::LeftAlone { .. });
        assert_eq!(*file == self.file, is_newer, "{problem}");
    }
}

async fn in_the_clear(place: &Place, data: &[u8]) {
    let (store, read) = place.read(data).await;
    let Some(read) = read else { return };
    let text = String::from_utf8_lossy(data);
    // Elsewhere than in a token it may be shown.
    let hidden = format!("\"access_token\":\"{SECRET}\"");
    if text.matches(SECRET).count() == text.matches(&hidden).count() {
        assert_hidden(&read, &[SECRET]);
    }
    let key = grant_key();
    let saved = store.save_grant(&key, &read.value, Some(read.generation));
    let generation = saved.await.expect("nobody else writes");
    let now = fs::read(&place.file).expect("it was saved");
    let (mut before, mut now) = (meaning(data), meaning(&now));
    assert_eq!(now["generation"], generation.number());
    assert_ne!(before["generation"], now["generation"]);
    for object in [&mut before, &mut now] {
        object["generation"] = Value::Null;
        let value = object["value"].to_string();
        object["value"] = meaning(value.as_bytes());
    }
    assert_eq!(now, before, "something of the file was lost");
}

/// The input changes the sealed file: where it begins with two bytes that say at which place, the rest is written over
/// what is there; past the end it is appended.
async fn under_seal(place: &Place, data: &[u8]) {
    let mut content = place.content.clone();
    match data {
        [] => content.clear(),
        [first, second, rest @ ..] => {
            let at = usize::from(u16::from_be_bytes([*first, *second])) % (content.len() + 1);
            let end = (at + rest.len()).min(content.len());
            drop(content.splice(at..end, rest.iter().copied()));
        }
        [cut] => content.truncate(content.len().saturating_sub(usize::from(*cut))),
    }
    let is_genuine = content == place.content;
    let (_, read) = place.read(&content).await;
    assert_eq!(read.is_some(), is_genuine, "{content:?}");
    // As it is: no key, no place and no bit may be another.
    let key = SealingKey::from_bytes(Zeroizing::new([8; 32]));
    let sealed = key.seal(data, &[b"place"]).expect("randomness");
    let opened = key.open(&sealed, &[b"place"]);
    assert_eq!(opened.as_ref().map(|plain| plain.as_slice()), Ok(data));
    assert!(key.open(&sealed, &[b"plac", b"e"]).is_err());
    assert!(key.open(data, &[b"place"]).is_err(), "nobody sealed that");
}

fn grant_key() -> GrantKey {
    GrantKey::new("https://mcp.example/mcp", "default")
}

fn owner_only(path: &Path) {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, mode).expect("a file of ours");
    }
    #[cfg(not(unix))]
    let _ = path;
}
