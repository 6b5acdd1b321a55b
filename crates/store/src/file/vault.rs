//! How an encrypted folder is opened: the key, where it comes from, and the header that tells a wrong one.

mod attempt;
mod header;
pub(crate) mod key_file;
mod source;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use self::attempt::Attempts;
use self::header::Header;
pub use self::key_file::{create_key_file, read_key_file};
pub use self::source::KeySource;
use super::folder::{Folder, io_error};
use super::home::{KEY_HEADER, holds, refuse_plain};
use super::lock::FileLock;
use super::name::{Name, SEALED_SUFFIX};
use super::records::read_whole;
use crate::problem::Problems;
use crate::{Defect, Error, KeyTrouble, RecordId, SealingKey};

/// Opens an encrypted folder, once for each key that it has.
#[derive(Debug)]
pub(crate) struct Vault {
    source: KeySource,
    opened: Mutex<Option<Arc<Opened>>>,
    attempts: Attempts,
}

/// The key of a folder, proved by its header.
#[derive(Debug)]
pub(crate) struct Opened {
    key: SealingKey,
    /// The header as it stood in its file: while it does, the key is the right one.
    header: Vec<u8>,
}

impl Opened {
    pub(super) fn key(&self) -> &SealingKey {
        &self.key
    }

    /// What stands for the key of a record in the name of its file: nobody without the key can try out guesses.
    pub(super) fn name_hash(&self, id: &RecordId) -> [u8; 32] {
        let key = id.key();
        let message = [
            NAME_PURPOSE,
            id.kind().as_str().as_bytes(),
            b"\0",
            key.as_bytes(),
        ];
        hmac_sha256(self.key.expose_bytes(), &message)
    }

    pub(super) fn still_stands(&self, folder: &Folder, problems: &Problems) -> Result<(), Error> {
        if read_header(folder, problems)?.is_some_and(|found| *found == *self.header) {
            return Ok(());
        }
        let busy = std::io::Error::new(
            std::io::ErrorKind::ResourceBusy,
            "it was replaced in this moment; try again",
        );
        Err(io_error("rely on", &folder.path().join(KEY_HEADER))(busy))
    }
}

impl Vault {
    pub(super) fn new(source: KeySource) -> Self {
        Self {
            source,
            opened: Mutex::default(),
            attempts: Attempts::default(),
        }
    }

    /// How long the keyring may take that the key has yet to come from, or `None` if nothing has to be waited for.
    #[cfg(feature = "keyring")]
    pub(super) fn keyring_limit(&self) -> Option<Duration> {
        match &self.source {
            // Whoever holds the mutex now may wait for the keyring.
            KeySource::Keyring(options) => match self.opened.try_lock() {
                Ok(opened) if opened.is_some() => None,
                _ => Some(options.limit),
            },
            _ => None,
        }
    }

    /// The key, or `None` if the folder has no header. Blocks: a passphrase takes a while, a keyring may.
    pub(super) fn open(
        &self,
        folder: &Folder,
        problems: &Problems,
    ) -> Result<Option<Arc<Opened>>, Error> {
        self.open_since(Instant::now(), folder, problems)
    }

    /// The same, for one who asked at that time.
    fn open_since(
        &self,
        asked: Instant,
        folder: &Folder,
        problems: &Problems,
    ) -> Result<Option<Arc<Opened>>, Error> {
        let Some(found) = read_header(folder, problems)? else {
            return Ok(None);
        };
        // Held while the key is made, so that many tasks that start at once do it once.
        let mut cached = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = cached.as_ref().filter(|opened| opened.header == *found) {
            return Ok(Some(Arc::clone(opened)));
        }
        let trouble = |why| trouble(folder.path(), why);
        let header = match Header::parse(&found) {
            Ok(header) => header,
            // The key itself is here, and the header says nothing that it needs: it can be made again.
            Err(defect) if !defect.is_newer() && self.source.has_key() => {
                return Ok(None);
            }
            Err(defect) => return Err(trouble(KeyTrouble::HeaderUnusable(defect))),
        };
        let key = self
            .attempts
            .shared(asked, || self.key_for(&header, folder, problems))?;
        if !header.fits(&key) {
            let (given, made_with) = (self.source.name(), header.made_with.clone());
            return Err(trouble(KeyTrouble::Wrong { given, made_with }));
        }
        let header = found.to_vec();
        let opened = Arc::new(Opened { key, header });
        *cached = Some(Arc::clone(&opened));
        Ok(Some(opened))
    }

    /// The key, of a header that is made if there is none. All who get here at the same time get the same one.
    pub(super) fn open_or_make(
        &self,
        folder: &Folder,
        locks: &Folder,
        problems: &Problems,
    ) -> Result<Arc<Opened>, Error> {
        let asked = Instant::now();
        if let Some(opened) = self.open_since(asked, folder, problems)? {
            return Ok(opened);
        }
        locks.make(problems)?;
        let path = locks.path().join(HEADER_LOCK);
        let Some(lock) = FileLock::wait(locks, &path, MAKING_LIMIT)? else {
            return Err(io_error("lock", &path)(std::io::ErrorKind::TimedOut.into()));
        };
        if read_header(folder, problems)?.is_some_and(|found| Header::parse(&found).is_ok()) {
            // Somebody else was faster. Making a key of a passphrase takes a while: not while others wait.
            drop(lock);
            return self
                .open_since(asked, folder, problems)?
                .ok_or_else(|| trouble(folder.path(), KeyTrouble::HeaderGone));
        }
        refuse_plain(folder)?;
        let (header, key) = if holds(folder, SEALED_SUFFIX)? {
            self.make_again(folder, problems)?
        } else {
            self.attempts
                .shared(asked, || self.make(folder, problems))?
        };
        let content = header.content()?;
        folder.replace(KEY_HEADER, HEADER_BEING_WRITTEN, &content)?;
        drop(lock);
        let header = content.to_vec();
        let opened = Arc::new(Opened { key, header });
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// The first header of a folder, and its key.
    fn make(&self, folder: &Folder, problems: &Problems) -> Result<(Header, SealingKey), Error> {
        // One that is there and cannot be read is somebody's; nothing is put over it where nothing can be proved.
        if let Some(found) = read_header(folder, problems)? {
            let defect = Header::parse(&found).err().unwrap_or(Defect::NotSealed);
            return Err(trouble(folder.path(), KeyTrouble::HeaderUnusable(defect)));
        }
        let (derivation, keyring_item, key) = match &self.source {
            KeySource::Passphrase(passphrase) => {
                let derivation = header::Derivation::new()?;
                let key = self.derive(&derivation, passphrase, folder)?;
                (Some(derivation), None, key)
            }
            #[cfg(feature = "keyring")]
            KeySource::Keyring(options) => {
                let item = header::new_keyring_item()?;
                let key = from_keyring(options, &item, true, folder)?;
                (None, Some(item), key)
            }
            source => (None, None, self.ready(source, folder, problems)?),
        };
        let mut header = Header::new(self.source.name(), derivation, &key)?;
        header.keyring_item = keyring_item;
        Ok((header, key))
    }

    /// The header of a folder that has lost its own, if the key is here and opens a record.
    fn make_again(
        &self,
        folder: &Folder,
        problems: &Problems,
    ) -> Result<(Header, SealingKey), Error> {
        let Some(key) = self.source.key(folder.path(), problems) else {
            return Err(trouble(folder.path(), KeyTrouble::HeaderGone));
        };
        let key = key?;
        if !opens_a_record(&key, folder, problems)? {
            let (given, made_with) = (self.source.name(), "another key".to_owned());
            return Err(trouble(
                folder.path(),
                KeyTrouble::Wrong { given, made_with },
            ));
        }
        Ok((Header::new(self.source.name(), None, &key)?, key))
    }

    fn key_for(
        &self,
        header: &Header,
        folder: &Folder,
        problems: &Problems,
    ) -> Result<SealingKey, Error> {
        match (&self.source, header) {
            (
                KeySource::Passphrase(passphrase),
                Header {
                    derivation: Some(derivation),
                    ..
                },
            ) => self.derive(derivation, passphrase, folder),
            #[cfg(feature = "keyring")]
            (
                KeySource::Keyring(options),
                Header {
                    keyring_item: Some(item),
                    ..
                },
            ) => from_keyring(options, item, false, folder),
            // A host may have the key from where the store had it.
            (source, header) if header.derivation.is_none() => self.ready(source, folder, problems),
            _ => Err(self.other_kind(&header.made_with, folder)),
        }
    }

    /// The key of a source that has one at hand.
    fn ready(
        &self,
        source: &KeySource,
        folder: &Folder,
        problems: &Problems,
    ) -> Result<SealingKey, Error> {
        source
            .key(folder.path(), problems)
            .unwrap_or_else(|| Err(self.other_kind("key", folder)))
    }

    fn other_kind(&self, made_with: &str, folder: &Folder) -> Error {
        let (given, made_with) = (self.source.name(), made_with.to_owned());
        trouble(folder.path(), KeyTrouble::OtherKind { given, made_with })
    }

    fn derive(
        &self,
        derivation: &header::Derivation,
        passphrase: &secrecy::SecretString,
        folder: &Folder,
    ) -> Result<SealingKey, Error> {
        let passphrase = passphrase.expose_secret();
        if passphrase.is_empty() {
            return Err(trouble(folder.path(), KeyTrouble::NoPassphrase));
        }
        derivation.key(passphrase.as_bytes())
    }
}

/// The key in that item of the keyring.
#[cfg(feature = "keyring")]
fn from_keyring(
    options: &crate::KeyringOptions,
    item: &str,
    make: bool,
    folder: &Folder,
) -> Result<SealingKey, Error> {
    let service = options.service.clone();
    match crate::keyring::store_key(options, item, make)? {
        Some(Ok(key)) => Ok(key),
        Some(Err(defect)) => {
            let why = KeyTrouble::KeyringItemUnusable { service, defect };
            Err(trouble(folder.path(), why))
        }
        None => Err(trouble(folder.path(), KeyTrouble::NotInKeyring { service })),
    }
}

fn trouble(folder: &Path, why: KeyTrouble) -> Error {
    Error::Key {
        folder: folder.to_owned(),
        why,
    }
}

fn read_header(folder: &Folder, problems: &Problems) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let path = folder.path().join(KEY_HEADER);
    let Some(file) = folder.open(&path, problems)? else {
        return Ok(None);
    };
    match read_whole(file, &path, header::SIZE_LIMIT)? {
        Some(content) => Ok(Some(content)),
        None => Err(trouble(
            folder.path(),
            KeyTrouble::HeaderUnusable(Defect::TooLarge {
                limit: header::SIZE_LIMIT,
            }),
        )),
    }
}

/// Whether one of the first records opens: any that does proves the key, and some may be broken.
fn opens_a_record(key: &SealingKey, folder: &Folder, problems: &Problems) -> Result<bool, Error> {
    let path = folder.path();
    let mut tried = 0;
    for entry in std::fs::read_dir(path).map_err(io_error("list", path))? {
        let entry = entry.map_err(io_error("list", path))?.file_name();
        let Some(name) = entry.to_str() else { continue };
        let Some((_, super::name::Entry::Record(record))) = Name::of_entry(name, SEALED_SUFFIX)
        else {
            continue;
        };
        let path = path.join(name);
        let Some(file) = folder.open(&path, problems)? else {
            continue;
        };
        if let Some(content) = read_whole(file, &path, RECORD_LIMIT)?
            && super::form::opens(key, &record, &content)
        {
            return Ok(true);
        }
        tried += 1;
        if tried == RECORDS_TRIED {
            break;
        }
    }
    Ok(false)
}

/// HMAC-SHA-256 (RFC 2104) under a key of 32 bytes.
fn hmac_sha256(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
    // A key that is shorter than a block is padded with zeros.
    let mut block = Zeroizing::new([0; SHA256_BLOCK]);
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

const SHA256_BLOCK: usize = 64;
/// Sets the names of files apart from whatever else a key may be asked for.
const NAME_PURPOSE: &[u8] = b"doorkey record file name\0";
const HEADER_LOCK: &str = "key.save";
const HEADER_BEING_WRITTEN: &str = ".key.json.new";
/// How long to wait for who makes the header: a keyring may ask a person first.
const MAKING_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a record file, at most: larger ones are not tried.
const RECORD_LIMIT: u64 = 2 * 1024 * 1024;
/// Of how many records one must open to prove a key.
const RECORDS_TRIED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 has no key of 32 bytes; this is its case 2, whose short key is padded with zeros as HMAC pads it.
    #[test]
    fn names_are_made_by_the_hmac_of_the_rfc() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mac = hmac_sha256(&key, &[b"what do ya want ", b"for nothing?"]);
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
