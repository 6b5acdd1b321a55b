//! What a request is for: the purpose decides redirects, limits and who may see which header.

use std::fmt;

/// The purpose of one request, carried in its extensions from [`HttpClient::send`] to the bottom.
///
/// [`HttpClient::send`]: crate::HttpClient::send
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Leg {
    /// The MCP server itself: messages, streams, session deletion.
    Resource,
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414, OpenID Connect Discovery).
    AuthorizationServerMetadata,
    /// Dynamic client registration and its management (RFC 7591, RFC 7592).
    Registration,
    /// The token endpoint: code exchange, refresh and every other grant (RFC 6749 §3.2).
    Token,
    /// Token revocation (RFC 7009).
    Revocation,
    /// Pushed authorization requests (RFC 9126).
    PushedAuthorization,
    /// Device authorization (RFC 8628).
    Device,
    /// An identity provider that vouches for a workload or a person.
    IdentityProvider,
}

impl Leg {
    /// Every leg, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Resource,
        Self::ResourceMetadata,
        Self::AuthorizationServerMetadata,
        Self::Registration,
        Self::Token,
        Self::Revocation,
        Self::PushedAuthorization,
        Self::Device,
        Self::IdentityProvider,
    ];

    /// The leg as words for people, such as `resource metadata`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::ResourceMetadata => "resource metadata",
            Self::AuthorizationServerMetadata => "authorization server metadata",
            Self::Registration => "registration",
            Self::Token => "token",
            Self::Revocation => "revocation",
            Self::PushedAuthorization => "pushed authorization request",
            Self::Device => "device authorization",
            Self::IdentityProvider => "identity provider",
        }
    }

    /// True where an answer that grants what was asked for holds tokens, codes or secrets.
    #[must_use]
    pub const fn issues_secrets(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::Registration
                | Self::Device
                | Self::PushedAuthorization
                | Self::IdentityProvider
        )
    }

    /// True for the two metadata documents: public documents, fetched without credentials.
    #[must_use]
    pub const fn is_metadata(self) -> bool {
        matches!(
            self,
            Self::ResourceMetadata | Self::AuthorizationServerMetadata
        )
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
