//! Which store the logins are kept in, and how it is opened.

mod choice;
#[cfg(feature = "postgres")]
mod database;
mod error;
mod keyring;
mod kind;
mod moving;
mod open;
mod others;

pub use choice::{StoreChoice, StoreReason};
pub use error::StoreOpenError;
pub use kind::StoreKind;
pub use moving::Moved;
pub(crate) use open::Stores;
pub use others::{LoginsAnywhere, OtherStore};
