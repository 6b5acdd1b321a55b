//! Keeps OAuth grants and registrations safe and fresh across tasks and processes.
//!
//! A [`Store`] holds [`Grant`]s (tokens and all that is needed to refresh them without asking anybody), [`Registration`]s
//! (clients as an authorization server knows them), [`Login`]s (one that another process may finish), [`ServerFacts`] (what a warm
//! start remembers) and [`IssuerFacts`]. Where they are kept is a [`Backend`]: memory, owner-only files (feature `file`), encrypted
//! files (feature `encrypted`), the operating system's keyring (feature `keyring`), a PostgreSQL database (feature `postgres`), or one
//! of your own, which sees bytes and nothing else. [`migrate`] moves what is in one to another.
//!
//! Four ideas carry it:
//!
//! - **Nothing is overwritten unseen.** Each save and remove names the [`Generation`] it replaces and fails with
//!   [`Error::Conflict`] if another one is stored. A generation never comes again, not even after a remove.
//! - **One at a time where it matters.** [`Store::lock_grant`] keeps every other task and process out while a refresh token is
//!   used, which may work only once. Saves do not need the lock and are not stopped by it.
//! - **Broken records are absent, kept and reported.** A record that is truncated or garbage is set aside, never deleted and
//!   never half-used; [`Store::problems`] says what was found and what to do. One from a newer version of the program is absent
//!   and reported too, but it is left alone: saves and removes fail with [`Error::NewerVersion`].
//! - **Secrets stay secret.** They are [`secrecy`] types, nothing that holds one can be serialised by accident, no `Debug` and no
//!   error shows one, and buffers are wiped.
//!
//! ```
//! use std::time::Duration;
//! use doorkey_store::{Error, Grant, GrantKey, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let store = Store::memory(); // or Store::file(folder)?
//! let key = GrantKey::new("https://mcp.example.com/mcp", "default");
//!
//! let mut grant = Grant::new("https://as.example.com", "client-1", "https://as.example.com/token");
//! grant.resource = Some("https://mcp.example.com/mcp".into());
//! grant.refresh_token = Some("refresh-1".into());
//! let first = store.save_grant(&key, &grant, None).await?;
//!
//! // A refresh: lock, read again, ask the server, save, let go.
//! let lock = store.lock_grant(&key, Duration::from_secs(10)).await?;
//! let stored = store.grant(&key).await?.expect("it was saved above");
//! let mut renewed = stored.value.clone();
//! renewed.refresh_token = Some("refresh-2".into());
//! store.save_grant(&key, &renewed, Some(stored.generation)).await?;
//! drop(lock);
//!
//! // Who still works with the first generation can neither overwrite nor remove the second.
//! assert!(store.remove_grant(&key, first).await.unwrap_err().is_conflict());
//! assert!(!format!("{renewed:?}").contains("refresh-2"));
//! # Ok(())
//! # }
//! ```

mod backend;
mod codec;
#[cfg(feature = "file")]
mod envelope;
mod error;
mod facts;
#[cfg(feature = "file")]
mod file;
mod grant;
mod key;
mod key_trouble;
#[cfg(feature = "keyring")]
pub mod keyring;
mod login;
mod memory;
mod migrate;
#[cfg(feature = "postgres")]
mod postgres;
mod problem;
mod record;
mod registration;
#[cfg(feature = "seal")]
mod seal;
mod store;

pub use backend::{Backend, BoxFuture, HeldLock, LockGuard, StoreDescription};
pub use error::{Error, UnsafeFile};
pub use facts::{IssuerFacts, ServerFacts};
#[cfg(feature = "file")]
pub use file::FileBackend;
#[cfg(feature = "encrypted")]
pub use file::{KeySource, create_key_file, read_key_file};
pub use grant::{ClientAuthMethod, Grant, Proof};
pub use key::{DEFAULT_ACCOUNT, GrantKey, RegistrationKey};
pub use key_trouble::KeyTrouble;
#[cfg(feature = "keyring")]
pub use keyring::{KeyringBackend, KeyringOptions};
pub use login::{Login, PendingAuthorization};
pub use memory::MemoryBackend;
pub use migrate::{
    Copies, MigrateOptions, Migration, MigrationConflict, Newer, copy_records, migrate,
};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresBackend, PostgresOptions};
pub use problem::{Defect, Problem, ProblemKind, Problems};
pub use record::{Generation, Listing, RawRecord, RecordId, RecordKind, Stored};
pub use registration::{Registration, RegistrationKind};
#[cfg(feature = "seal")]
pub use seal::SealingKey;
pub use store::Store;
