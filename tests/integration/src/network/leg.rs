//! The rows of the table: the requests of the stack, as finely as the servers can tell them apart.

use std::fmt;

use doorkey_testkit::RecordedRequest;
use http::Method;

use crate::IdentityProvider;

/// What a request is for, or the page that a person opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// A JSON-RPC message to the MCP server.
    McpPost,
    /// The MCP server's event stream.
    McpStream,
    /// The end of an MCP session.
    McpDelete,
    /// The protected resource metadata.
    ResourceMetadata,
    /// The authorization server's metadata.
    AuthorizationServerMetadata,
    /// Dynamic client registration.
    Registration,
    /// The page that a person approves on: handed to a browser, which then sends requests of its own.
    AuthorizationPage,
    /// The exchange of a code for tokens.
    Token,
    /// A refresh.
    Refresh,
    /// The start of a login on another device.
    DeviceAuthorization,
    /// The revocation of a token.
    Revocation,
    /// The end of a dynamic registration.
    Deregistration,
    /// An authorization request that is pushed before the browser opens.
    PushedAuthorization,
    /// An identity provider: sign-on, exchange of tokens, and the service that hands an identity over.
    IdentityProvider,
}

impl Leg {
    /// All of them: a session from its start to its end, then what only some logins need.
    pub const ALL: [Self; 14] = [
        Self::McpPost,
        Self::McpStream,
        Self::McpDelete,
        Self::ResourceMetadata,
        Self::AuthorizationServerMetadata,
        Self::Registration,
        Self::AuthorizationPage,
        Self::Token,
        Self::Refresh,
        Self::DeviceAuthorization,
        Self::Revocation,
        Self::Deregistration,
        Self::PushedAuthorization,
        Self::IdentityProvider,
    ];

    /// Those whose requests the stack sends itself: all but the page.
    pub fn sent() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|leg| leg.tag().is_some())
    }

    /// The leg of a request that a server recorded; `None` for what else a browser sends.
    pub fn of(request: &RecordedRequest) -> Option<Self> {
        use doorkey_testkit::Leg as Recorded;
        Some(match request.leg {
            Recorded::Resource if request.method == Method::GET => Self::McpStream,
            Recorded::Resource if request.method == Method::DELETE => Self::McpDelete,
            Recorded::Resource => Self::McpPost,
            Recorded::ResourceMetadata => Self::ResourceMetadata,
            Recorded::AuthorizationServerMetadata => Self::AuthorizationServerMetadata,
            Recorded::Token | Recorded::Other if IdentityProvider::saw(request) => {
                Self::IdentityProvider
            }
            Recorded::Registration => Self::Registration,
            Recorded::ClientConfiguration => Self::Deregistration,
            Recorded::Authorization => Self::AuthorizationPage,
            Recorded::Token if request.form("grant_type") == ["refresh_token"] => Self::Refresh,
            Recorded::Token => Self::Token,
            Recorded::Revocation => Self::Revocation,
            Recorded::PushedAuthorization => Self::PushedAuthorization,
            Recorded::DeviceAuthorization => Self::DeviceAuthorization,
            _ => return None,
        })
    }

    /// How the HTTP crate calls it; `None` for the page, whose requests are the browser's.
    pub fn tag(self) -> Option<doorkey_http::Leg> {
        use doorkey_http::Leg as Tag;
        Some(match self {
            Self::McpPost | Self::McpStream | Self::McpDelete => Tag::Resource,
            Self::ResourceMetadata => Tag::ResourceMetadata,
            Self::AuthorizationServerMetadata => Tag::AuthorizationServerMetadata,
            Self::Registration | Self::Deregistration => Tag::Registration,
            Self::AuthorizationPage => return None,
            Self::Token | Self::Refresh => Tag::Token,
            Self::Revocation => Tag::Revocation,
            Self::PushedAuthorization => Tag::PushedAuthorization,
            Self::DeviceAuthorization => Tag::Device,
            Self::IdentityProvider => Tag::IdentityProvider,
        })
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::McpPost => "MCP POST",
            Self::McpStream => "MCP GET stream",
            Self::McpDelete => "MCP DELETE",
            Self::ResourceMetadata => "resource metadata",
            Self::AuthorizationServerMetadata => "authorization server metadata",
            Self::Registration => "registration",
            Self::AuthorizationPage => "authorization page",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::DeviceAuthorization => "device authorization",
            Self::Revocation => "revocation",
            Self::Deregistration => "registration deletion",
            Self::PushedAuthorization => "pushed authorization request",
            Self::IdentityProvider => "identity provider",
        })
    }
}
