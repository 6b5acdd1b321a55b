//! Why the store of logins cannot be opened.

use std::io;
use std::path::PathBuf;

use super::StoreKind;
use crate::environment::NotText;

/// The store of logins cannot be opened as it is configured. No login was touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreOpenError {
    /// This build has no store of that kind.
    #[error("this build of the program has no {kind} store (feature `{feature}`)")]
    NotBuilt {
        /// The kind.
        kind: StoreKind,
        /// The feature that adds it.
        feature: &'static str,
    },
    /// The variable that the configuration names for a secret is not set.
    #[error("{key} of [{table}] names the environment variable {variable}, which is not set")]
    Unset {
        /// The table.
        table: &'static str,
        /// The key there.
        key: &'static str,
        /// The variable.
        variable: String,
    },
    /// The variable that the configuration names for a secret is not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The logins are in the keyring or under a key in it, and there is no keyring to be asked.
    #[error("{needs} is in the keyring, and there is none here: {why}")]
    NoKeyring {
        /// What is in the keyring.
        needs: &'static str,
        /// What is missing.
        why: String,
    },
    /// The keyring is there and cannot be used as it is.
    #[error("{needs} would be in the keyring, which cannot be used: {why}")]
    KeyringNotUsable {
        /// What would be in the keyring.
        needs: &'static str,
        /// What is wrong.
        why: String,
    },
    /// `auto` chooses a store, and the keyring that could keep the key is locked: nothing was chosen.
    #[error(
        "the store of logins is not chosen yet, and the keyring that would keep its key is locked"
    )]
    KeyringLocked,
    /// A store that is gone with its program has nothing to be moved, and keeps nothing.
    #[error("the {kind} store ends with the program: nothing can be moved from it or to it")]
    NothingToMove {
        /// The kind.
        kind: StoreKind,
    },
    /// What one process starts, another one finishes: that takes a store that outlives both.
    #[error("the memory store ends with the program: nobody could finish a login that was started")]
    KeepsNothing,
    /// There is no `[store.postgres]` to say where the database is.
    #[error(
        "nothing says where the database is: there is no [store.postgres] in the configuration"
    )]
    NoDatabase,
    /// The certificates of `[network]` cannot be used for the connection to the database.
    #[error("no TLS to the database can be made of [network]")]
    Tls(#[source] Box<doorkey_http::Error>),
    /// The choice that was remembered cannot be read or written.
    #[error("cannot {action} the choice of the store in {}", path.display())]
    Choice {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The choice that was remembered makes no sense to this version.
    #[error("{} does not say which store was chosen: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl StoreOpenError {
    /// What to do about it, in a line to type.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::NotBuilt { kind, feature } => format!(
                "install doorkey with --features {feature}, or write another backend than {:?} in [store]",
                kind.as_str()
            ),
            Self::Unset {
                table,
                key,
                variable,
            } => format!("set the environment variable {variable}, or correct {key} in [{table}]"),
            Self::NotText(not_text) => format!("set {} to text", not_text.name),
            Self::NoKeyring { .. } => {
                "run it in the session where you signed in to the desktop; to sign in anew and keep \
                 logins in files instead, write backend = \"file\" in [store]"
                    .to_owned()
            }
            Self::KeyringNotUsable { .. } => {
                "unlock the keyring and try again; or for a key without it: doorkey store new-key FILE, and \
                 write key_file = \"FILE\" in [store]"
                    .to_owned()
            }
            Self::KeyringLocked => {
                "unlock the keyring (signing in to the desktop does, and on a terminal gnome-keyring-daemon \
                 --unlock) and try again; or without it write passphrase_env = \"DOORKEY_PASSPHRASE\" in [store], or \
                 backend = \"file\" for plain text"
                    .to_owned()
            }
            Self::NothingToMove { .. } => {
                "doorkey store show, then name another kind with --from or --to".to_owned()
            }
            Self::KeepsNothing => {
                "doorkey login NAME, without --start; or write another backend than \"memory\" in [store]"
                    .to_owned()
            }
            Self::NoDatabase => {
                "write [store.postgres] with url_env = \"DOORKEY_DATABASE_URL\"".to_owned()
            }
            Self::Tls(_) => {
                "correct ca_certificates, client_certificate and client_key in [network]".to_owned()
            }
            Self::Choice { path, .. } => {
                format!("see to {} and its permissions, then try again", path.display())
            }
            Self::Unreadable { path, .. } => format!(
                "update doorkey, or write the backend that your logins are in into [store] and delete {}",
                path.display()
            ),
        }
    }
}
