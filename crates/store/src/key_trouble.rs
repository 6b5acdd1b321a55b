//! Why an encrypted store cannot be opened.

use std::path::PathBuf;

use crate::Defect;

/// Why an encrypted store cannot be opened; the text says what to do. Whatever it is, no record was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTrouble {
    /// The key or passphrase is another one than the store was made with.
    #[error(
        "the {given} is not the one it was made with (it was a {made_with}); give that one, or use another folder"
    )]
    Wrong {
        /// What was given: `passphrase`, `key file`, …
        given: &'static str,
        /// What the store says it was made with.
        made_with: String,
    },
    /// A key was given where the store needs a passphrase, or the other way about.
    #[error(
        "a {given} was given, but it was made with a {made_with}; give that, or use another folder"
    )]
    OtherKind {
        /// What was given.
        given: &'static str,
        /// What the store says it was made with.
        made_with: String,
    },
    /// The passphrase is empty.
    #[error("the passphrase is empty; give one")]
    NoPassphrase,
    /// There are records, but the file `key.json` is gone, and no passphrase opens anything without it.
    #[error(
        "its `key.json` is gone, without which no passphrase opens it; restore the file from a backup, or move the folder away and log in again"
    )]
    HeaderGone,
    /// The file `key.json` cannot be used.
    #[error(
        "its `key.json` cannot be used: {0}; update doorkey if the file is newer, restore it from a backup, or move the folder away and log in again"
    )]
    HeaderUnusable(Defect),
    /// There is no key file.
    #[error(
        "there is no key file {}; restore it, or make one if the store is new", path.display()
    )]
    NoKeyFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key file cannot be used.
    #[error("the key file {} cannot be used: {defect}; restore it from a backup", path.display())]
    KeyFileUnusable {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        defect: Defect,
    },
    /// The keyring does not have the key any longer.
    #[error(
        "the keyring has no key of `{service}`: it was removed, or this is another keyring; restore it, or move the folder away and log in again"
    )]
    NotInKeyring {
        /// The service that the item should be of.
        service: String,
    },
    /// The keyring's item with the key cannot be used.
    #[error(
        "the key of `{service}` in the keyring cannot be used: {defect}; restore it, or move the folder away and log in again"
    )]
    KeyringItemUnusable {
        /// The service that the item is of.
        service: String,
        /// What is wrong with it.
        defect: Defect,
    },
}
