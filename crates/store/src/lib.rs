//! Keeps OAuth grants and registrations safe and fresh across tasks and processes.

mod backend;
mod codec;
mod error;
mod facts;
#[cfg(feature = "file")]
mod file;
mod grant;
mod key;
mod memory;
mod problem;
mod record;
mod registration;
mod store;

pub use backend::{Backend, BoxFuture, HeldLock, LockGuard, StoreDescription};
pub use error::{Error, UnsafeFile};
pub use facts::ServerFacts;
#[cfg(feature = "file")]
pub use file::FileBackend;
pub use grant::{ClientAuthMethod, Grant, Proof};
pub use key::{DEFAULT_ACCOUNT, GrantKey, RegistrationKey};
pub use memory::MemoryBackend;
pub use problem::{Defect, Problem, ProblemKind, Problems};
pub use record::{Generation, Listing, RawRecord, RecordId, RecordKind, Stored};
pub use registration::{Registration, RegistrationKind};
pub use store::Store;
