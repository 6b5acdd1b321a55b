//! A key in a file of its own.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::super::folder::{Folder, io_error};
use super::super::home::absolute;
use super::super::records::read_whole;
use super::trouble;
use crate::codec::{ObjectReader, write_object};
use crate::problem::Problems;
use crate::seal::KEY_BYTES;
use crate::{Defect, Error, KeyTrouble, SealingKey};

/// Makes a file with a new key for [`KeySource::KeyFile`](crate::KeySource::KeyFile), readable by its owner only, and its missing
/// folders; returns false, and does nothing, if there is a file already.
///
/// All who call it at the same time find the same key afterwards. Blocks for some milliseconds. Keep a copy of the file: without it
/// the store cannot be opened.
///
/// # Errors
/// [`Error::Io`] and [`Error::UnsafeFile`]; [`Error::Random`] if the operating system gives no random numbers.
pub fn create_key_file(path: impl AsRef<Path>) -> Result<bool, Error> {
    let path = absolute(path.as_ref())?;
    let parent = path
        .parent()
        .ok_or_else(|| io_error("create", &path)(std::io::ErrorKind::IsADirectory.into()))?;
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let folder = Folder::new(parent.to_owned());
    if !parent.exists() {
        folder.make(&Problems::default())?;
    }
    let content = content(&SealingKey::generate()?)?;
    let mut file = tempfile::Builder::new()
        .prefix(".key")
        .tempfile_in(parent)
        .map_err(io_error("create", &path))?;
    file.write_all(&content).map_err(io_error("write", &path))?;
    file.as_file().sync_all().map_err(io_error("sync", &path))?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(io_error("create", &path)(error.error)),
    }
    folder.sync()?;
    Ok(true)
}

/// The key in a file that [`create_key_file`] made, for a store that is no folder: a database whose records are sealed. Blocks for
/// some milliseconds.
///
/// # Errors
/// [`Error::Key`] if there is no such file or it holds no key; [`Error::Io`] and [`Error::UnsafeFile`].
pub fn read_key_file(path: impl AsRef<Path>) -> Result<SealingKey, Error> {
    let path = path.as_ref();
    // Nobody to tell of a repair but the log.
    read(path, path.parent().unwrap_or(path), &Problems::default())
}

/// The key in that file, for the store in `store`.
pub(super) fn read(path: &Path, store: &Path, problems: &Problems) -> Result<SealingKey, Error> {
    let path = absolute(path)?;
    let parent = path.parent().unwrap_or(&path).to_owned();
    let Some(file) = Folder::new(parent).open(&path, problems)? else {
        return Err(trouble(store, KeyTrouble::NoKeyFile { path }));
    };
    let unusable = |defect| {
        let path = path.clone();
        trouble(store, KeyTrouble::KeyFileUnusable { path, defect })
    };
    let content = read_whole(file, &path, SIZE_LIMIT)?
        .ok_or_else(|| unusable(Defect::TooLarge { limit: SIZE_LIMIT }))?;
    parse(&content).map_err(unusable)
}

/// The text of a key where it is kept on its own: in a key file, in an item of a keyring.
pub(crate) fn content(key: &SealingKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = SecretString::from(STANDARD.encode(key.expose_bytes()));
    write_object(|object| {
        object.field("version", &VERSION)?;
        object.secret("key", Some(&text))
    })
    .map_err(|error| Error::Sealing(Box::new(error)))
}

/// The key of such a text.
pub(crate) fn parse(content: &[u8]) -> Result<SealingKey, Defect> {
    let mut object = ObjectReader::versioned(content, VERSION)?;
    let text = object.secret("key")?.ok_or(Defect::Missing("key"))?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    match STANDARD.decode_slice(text.expose_secret(), key.as_mut_slice()) {
        Ok(KEY_BYTES) => Ok(SealingKey::from_bytes(key)),
        _ => Err(Defect::WrongType("key")),
    }
}

const VERSION: u64 = 1;
const SIZE_LIMIT: u64 = 4 * 1024;
