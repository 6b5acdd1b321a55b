//! Which store the logins are kept in, and how it is opened.

mod choice;
mod error;
mod keyring;
mod kind;
mod open;
mod others;

pub use choice::{StoreChoice, StoreReason};
pub use error::StoreOpenError;
pub use kind::StoreKind;
pub(crate) use open::Stores;
pub use others::OtherStore;
