//! Which addresses may be contacted: address classes and the rules over them (SEC-03 to SEC-07).

use crate::origin::Origin;

/// Exceptions to the address rules that the user has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressPolicy {
    /// Origins that may have private or loopback addresses, such as an authorization server on
    /// the intranet of a public MCP server (setting `addresses.allow`).
    pub allow: Vec<Origin>,
}

impl AddressPolicy {
    /// Allows these origins.
    #[must_use]
    pub fn allowing(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self {
            allow: origins.into_iter().collect(),
        }
    }
}
