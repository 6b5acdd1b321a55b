//! Which store was chosen, by whom, and what `auto` remembers.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StoreKind, StoreOpenError};
use crate::bounded;
use crate::folder;
use crate::home::Home;

/// The store that the logins are in, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreChoice {
    /// The kind.
    pub kind: StoreKind,
    /// Why that one.
    pub reason: StoreReason,
}

/// Why a store was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreReason {
    /// The program that uses this library brought it.
    Given,
    /// `backend` in `[store]` says so.
    Configured,
    /// `auto`: the keyring is usable, and keeps the key.
    Keyring,
    /// `auto`: the configuration has a passphrase or a key file.
    ConfiguredKey,
    /// `auto`: there was no keyring to be used; with what was missing.
    NoKeyring(String),
    /// `auto`: `doorkey store migrate` brought the logins there.
    Moved,
    /// `auto`: logins were there before there was anything to choose.
    EarlierLogins,
    /// `auto`: nothing is chosen before the first command that needs a store for logins.
    Undecided,
}

impl StoreReason {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Configured => "configured",
            Self::Keyring => "keyring",
            Self::ConfiguredKey => "configured_key",
            Self::NoKeyring(_) => "no_keyring",
            Self::Moved => "moved",
            Self::EarlierLogins => "earlier_logins",
            Self::Undecided => "undecided",
        }
    }

    /// Whether `auto` chose, so that the choice is not in the configuration.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        !matches!(self, Self::Given | Self::Configured)
    }
}

impl std::fmt::Display for StoreReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given => f.write_str("given by the program"),
            Self::Configured => f.write_str("backend in [store] says so"),
            Self::Keyring => f.write_str("chosen once by auto: the keyring can keep the key"),
            Self::ConfiguredKey => f.write_str("chosen once by auto: [store] has a key"),
            Self::NoKeyring(why) => write!(f, "chosen once by auto: no usable keyring ({why})"),
            Self::Moved => f.write_str("moved there by doorkey store migrate"),
            Self::EarlierLogins => f.write_str("auto: logins from earlier are there"),
            Self::Undecided => f.write_str("auto: chosen with the next login"),
        }
    }
}

/// What is in the file.
#[derive(Deserialize, Serialize)]
struct Remembered {
    version: u64,
    backend: String,
    because: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// What `auto` chose earlier, or `None`.
///
/// # Errors
/// The file is there and cannot be read, or says nothing that this version understands: another store would
/// look as if nobody had ever signed in.
pub(super) fn remembered(home: &Home) -> Result<Option<StoreChoice>, StoreOpenError> {
    let path = file(home);
    let text = match bounded::read_text(&path, bounded::MIB) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let action = "read";
            return Err(StoreOpenError::Choice {
                action,
                path,
                source,
            });
        }
    };
    parse(&text)
        .map(Some)
        .map_err(|why| StoreOpenError::Unreadable { path, why })
}

fn parse(text: &str) -> Result<StoreChoice, String> {
    let found: Remembered = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if found.version != VERSION {
        return Err(format!("its version is {}", found.version));
    }
    let kind = StoreKind::named(&found.backend)
        .ok_or_else(|| format!("there is no store {:?}", found.backend))?;
    let reason = match found.because.as_str() {
        "keyring" => StoreReason::Keyring,
        "configured_key" => StoreReason::ConfiguredKey,
        "no_keyring" => StoreReason::NoKeyring(found.detail.unwrap_or_default()),
        // Why does not matter as much as which.
        _ => StoreReason::Moved,
    };
    Ok(StoreChoice { kind, reason })
}

/// Remembers a choice; one that another process made meanwhile stands, and is returned, unless it is to be
/// `replaced`.
pub(super) fn remember(
    home: &Home,
    choice: &StoreChoice,
    replaced: bool,
) -> Result<StoreChoice, StoreOpenError> {
    let path = file(home);
    let failed = |source| StoreOpenError::Choice {
        action: "write",
        path: path.clone(),
        source,
    };
    let detail = match &choice.reason {
        StoreReason::NoKeyring(why) => Some(why.clone()),
        _ => None,
    };
    let text = serde_json::to_string_pretty(&Remembered {
        version: VERSION,
        backend: choice.kind.as_str().to_owned(),
        because: choice.reason.as_str().to_owned(),
        detail,
    })
    .map_err(|error| failed(io::Error::other(error)))?;
    match write(home.state_folder(), &path, &text, replaced) {
        Ok(()) => Ok(choice.clone()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !replaced => {
            Ok(remembered(home)?.unwrap_or_else(|| choice.clone()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Written whole or not at all, for the owner alone, and durable.
fn write(folder: &Path, path: &Path, text: &str, replace: bool) -> io::Result<()> {
    folder::create_private(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".store.json.")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    match replace {
        true => file.persist(path).map(drop).map_err(|error| error.error)?,
        false => file
            .persist_noclobber(path)
            .map(drop)
            .map_err(|error| error.error)?,
    }
    folder::sync(folder)
}

/// Whether plain files with logins are in the state folder.
pub(super) fn has_plain_logins(home: &Home) -> bool {
    let Ok(entries) = fs::read_dir(home.state_folder()) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("grant-") && name.ends_with(".json")
    })
}

/// Whether anything in the state folder can hold a secret of a login, be it one that was only started, or set aside.
pub(super) fn has_plain_secrets(home: &Home) -> bool {
    let Ok(entries) = fs::read_dir(home.state_folder()) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        (name.starts_with("grant-") || name.starts_with("login-")) && name.contains(".json")
    })
}

pub(super) fn file(home: &Home) -> PathBuf {
    home.state_folder().join("store.json")
}

const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(kind: StoreKind, reason: StoreReason) -> StoreChoice {
        StoreChoice { kind, reason }
    }

    #[test]
    fn what_was_chosen_is_remembered_with_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        assert_eq!(remembered(&home).expect("readable"), None);
        for made in [
            choice(StoreKind::EncryptedFile, StoreReason::Keyring),
            choice(StoreKind::File, StoreReason::NoKeyring("locked".to_owned())),
            choice(StoreKind::EncryptedFile, StoreReason::ConfiguredKey),
            choice(StoreKind::Postgres, StoreReason::Moved),
        ] {
            assert_eq!(remember(&home, &made, true).expect("written"), made);
            assert_eq!(remembered(&home).expect("readable"), Some(made));
        }
    }

    #[test]
    fn the_first_of_two_processes_chooses_for_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        let first = choice(StoreKind::EncryptedFile, StoreReason::Keyring);
        let second = choice(StoreKind::File, StoreReason::NoKeyring(String::new()));
        assert_eq!(remember(&home, &first, false).expect("written"), first);
        assert_eq!(remember(&home, &second, false).expect("read"), first);
        assert_eq!(remembered(&home).expect("readable"), Some(first));
    }

    #[test]
    fn a_choice_that_cannot_be_understood_is_an_error_and_not_another_choice() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        fs::create_dir_all(home.state_folder()).expect("a folder");
        for text in [
            "",
            "{\"version\": 1, \"back",
            "{\"version\": 2, \"backend\": \"file\", \"because\": \"moved\"}",
            "{\"version\": 1, \"backend\": \"cloud\", \"because\": \"moved\"}",
        ] {
            fs::write(file(&home), text).expect("written");
            let error = remembered(&home).expect_err(text);
            assert!(
                matches!(error, StoreOpenError::Unreadable { .. }),
                "{error}"
            );
            assert!(error.remedy().contains("[store]"), "{}", error.remedy());
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        let made = choice(StoreKind::EncryptedFile, StoreReason::Keyring);
        remember(&home, &made, false).expect("written");
        for (path, mode) in [
            (file(&home), 0o600),
            (home.state_folder().to_owned(), 0o700),
        ] {
            let found = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }
}
