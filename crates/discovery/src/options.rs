//! What a host decides about discovery.

use crate::{AuthorizationServerMetadata, Issuer, ResourceMatch};

/// The settings of one MCP server that bear on discovery. Plain data; the default suits a server
/// about which nothing is known.
///
/// ```
/// use doorkey_discovery::{DiscoveryOptions, ResourceMatch};
///
/// let mut options = DiscoveryOptions::default();
/// options.resource_match = ResourceMatch::Exact;
/// assert!(options.legacy);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryOptions {
    /// Which published identifiers are accepted. Default: a same-origin parent too.
    pub resource_match: ResourceMatch,
    /// One issuer that metadata may declare instead of the expected one. It is then what a callback
    /// may name; credentials stay bound to the expected one. Default: none.
    pub trusted_issuer: Option<Issuer>,
    /// Pairs of exact issuers: the document that is asked for as that of the first one may name the
    /// second. What holds for [`trusted_issuer`](Self::trusted_issuer) holds for each. Default: none.
    pub trusted_pairs: Vec<(Issuer, Issuer)>,
    /// Whether a server without resource metadata may be treated as one of revision 2025-03-26.
    /// Default: yes.
    pub legacy: bool,
    /// Issuers to choose first when the server lists several: those we hold a registration or a
    /// grant for.
    pub prefer: Vec<Issuer>,
    /// The only issuers that may be used, by policy or because the credentials are bound to them.
    /// Default: any.
    pub allowed: Option<Vec<Issuer>>,
    /// The authorization server to use when the resource has no metadata, or names none in it.
    /// [`ConfiguredServer::Metadata`] also stands in for the document of its issuer where the
    /// resource names that one; it leads to no issuer that a resource with a list does not name.
    /// Default: none.
    pub authorization_server: Option<ConfiguredServer>,
    /// The `MCP-Protocol-Version` sent with metadata requests; `None` leaves it out. Default:
    /// `2025-11-25`.
    pub protocol_version: Option<String>,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            resource_match: ResourceMatch::Parent,
            trusted_issuer: None,
            trusted_pairs: Vec::new(),
            legacy: true,
            prefer: Vec::new(),
            allowed: None,
            authorization_server: None,
            protocol_version: Some("2025-11-25".to_owned()),
        }
    }
}

impl DiscoveryOptions {
    /// The issuers besides `issuer` that its document may name.
    pub(crate) fn trusted_for<'a>(
        &'a self,
        issuer: &'a Issuer,
    ) -> impl Iterator<Item = &'a Issuer> {
        let paired = self.trusted_pairs.iter();
        let paired = paired.filter_map(move |(listed, own)| (listed == issuer).then_some(own));
        self.trusted_issuer.iter().chain(paired)
    }
}

/// An authorization server that the host's configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfiguredServer {
    /// Its issuer; the metadata is fetched.
    Issuer(Issuer),
    /// All there is to know, for a server that publishes no metadata. It is used whatever comes of the places where the
    /// resource might publish some, unless it names a server there.
    Metadata(Box<AuthorizationServerMetadata>),
}
