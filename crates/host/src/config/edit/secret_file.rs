//! The files of client secrets that were handed over with a server: one each, in the state folder, for their owner.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::ConfigError;
use crate::{Home, folder};

/// Writes the secret of a server: whole or not at all, and never readable by others.
pub(super) fn write(home: &Home, server: &str, secret: &SecretString) -> Result<(), ConfigError> {
    let path = path(home, server);
    let written = folder::create_private(&folder(home)).and_then(|()| {
        // Temporary files are made readable by their owner alone.
        let mut file = tempfile::Builder::new()
            .prefix(".secret-")
            .tempfile_in(folder(home))?;
        file.write_all(secret.expose_secret().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        folder::sync(&folder(home))
    });
    written.map_err(|source| ConfigError::Write { path, source })
}

/// Takes the file of a server away, if there is one.
pub(super) fn remove(home: &Home, server: &str) -> Result<(), ConfigError> {
    let path = path(home, server);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ConfigError::Write { path, source })
        }
        _ => Ok(()),
    }
}

/// The path as it stands in the configuration: from its folder on where the file is below, so that the whole may be
/// moved.
pub(super) fn written(home: &Home, server: &str) -> PathBuf {
    let path = path(home, server);
    match path.strip_prefix(home.config_folder()) {
        Ok(below) => below.to_owned(),
        Err(_) => path,
    }
}

/// A name of a server is letters, digits, `-` and `_`; `=` stands before those that some file systems do not tell from
/// small ones.
fn path(home: &Home, server: &str) -> PathBuf {
    let mut name = String::with_capacity(server.len());
    for letter in server.chars() {
        if letter.is_ascii_uppercase() {
            name.push('=');
        }
        name.push(letter.to_ascii_lowercase());
    }
    folder(home).join(name)
}

fn folder(home: &Home) -> PathBuf {
    Path::new(home.state_folder()).join("client-secrets")
}
