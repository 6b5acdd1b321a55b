//! The folder that records live in, and what must be so before an operation may touch them.

#[cfg(feature = "encrypted")]
use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{Folder, io_error, metadata};
use super::form::Form;
#[cfg(feature = "encrypted")]
use super::name::{Name, PLAIN_SUFFIX, SEALED_SUFFIX};
use super::records::Records;
#[cfg(feature = "encrypted")]
use super::vault::Vault;
use crate::problem::Problems;
use crate::{Error, Problem};

/// A folder of records, in the clear or encrypted.
#[derive(Debug)]
pub(super) struct Home {
    folder: Folder,
    locks: Folder,
    problems: Problems,
    #[cfg(feature = "encrypted")]
    vault: Option<Vault>,
}

impl Home {
    /// Records in the clear.
    pub(super) fn plain(folder: &Path) -> Result<Self, Error> {
        let folder = absolute(folder)?;
        Ok(Self {
            locks: Folder::new(folder.join(LOCKS)),
            folder: Folder::new(folder),
            problems: Problems::default(),
            #[cfg(feature = "encrypted")]
            vault: None,
        })
    }

    /// Encrypted records.
    #[cfg(feature = "encrypted")]
    pub(super) fn sealed(folder: &Path, vault: Vault) -> Result<Self, Error> {
        let mut home = Self::plain(folder)?;
        home.vault = Some(vault);
        Ok(home)
    }

    pub(super) fn location(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        #[cfg(feature = "encrypted")]
        return self.vault.is_some();
        #[cfg(not(feature = "encrypted"))]
        return false;
    }

    /// How long the keyring may take that the key has yet to come from, or `None` if nothing has to be waited for.
    #[cfg(feature = "keyring")]
    pub(super) fn keyring_limit(&self) -> Option<std::time::Duration> {
        self.vault.as_ref()?.keyring_limit()
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.problems.all()
    }

    /// For an operation that makes nothing: the records, or `None` if there is no store yet.
    pub(super) fn reading(&self) -> Result<Option<Records<'_>>, Error> {
        if !self.folder.exists(&self.problems)? {
            return Ok(None);
        }
        #[cfg(feature = "encrypted")]
        if let Some(vault) = &self.vault {
            let opened = match vault.open(&self.folder, &self.problems)? {
                Some(opened) => Some(opened),
                // Records without the file that says how to open them: that is no empty store.
                None if holds(&self.folder, SEALED_SUFFIX)? => {
                    Some(vault.open_or_make(&self.folder, &self.locks, &self.problems)?)
                }
                None => {
                    refuse_plain(&self.folder)?;
                    None
                }
            };
            return Ok(opened.map(|opened| self.records(Form::Sealed(opened))));
        }
        self.refuse_encrypted()?;
        Ok(Some(self.records(Form::Plain)))
    }

    /// For an operation that may make something: the records, in a folder that exists.
    pub(super) fn writing(&self) -> Result<Records<'_>, Error> {
        self.folder.make(&self.problems)?;
        #[cfg(feature = "encrypted")]
        if let Some(vault) = &self.vault {
            let opened = vault.open_or_make(&self.folder, &self.locks, &self.problems)?;
            return Ok(self.records(Form::Sealed(opened)));
        }
        self.refuse_encrypted()?;
        Ok(self.records(Form::Plain))
    }

    fn records(&self, form: Form) -> Records<'_> {
        Records {
            folder: &self.folder,
            locks: &self.locks,
            problems: &self.problems,
            form,
        }
    }

    /// A store in the clear would neither see nor respect encrypted records.
    fn refuse_encrypted(&self) -> Result<(), Error> {
        if metadata(&self.folder.path().join(KEY_HEADER))?.is_none() {
            return Ok(());
        }
        Err(Error::OtherFormat {
            path: self.folder.path().to_owned(),
            encrypted: true,
        })
    }
}

/// Without a trailing separator, which would make a symbolic link look like what it points to.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(path).map_err(io_error("find", path))?;
    Ok(absolute.components().collect())
}

/// Whether there is a record whose name ends so.
#[cfg(feature = "encrypted")]
pub(super) fn holds(folder: &Folder, suffix: &'static str) -> Result<bool, Error> {
    let path = folder.path();
    for entry in fs::read_dir(path).map_err(io_error("list", path))? {
        let entry = entry.map_err(io_error("list", path))?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| Name::of_entry(name, suffix).is_some())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a folder that holds records in the clear, which an encrypted store would neither see nor protect.
#[cfg(feature = "encrypted")]
pub(super) fn refuse_plain(folder: &Folder) -> Result<(), Error> {
    if !holds(folder, PLAIN_SUFFIX)? {
        return Ok(());
    }
    Err(Error::OtherFormat {
        path: folder.path().to_owned(),
        encrypted: false,
    })
}

const LOCKS: &str = "locks";
/// The file that says how an encrypted store is opened.
pub(super) const KEY_HEADER: &str = "key.json";
