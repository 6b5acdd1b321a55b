//! The refusal of an address.

/// Placeholder.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the address may not be contacted")]
pub struct AddressRefused;
