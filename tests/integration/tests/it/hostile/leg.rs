//! Where a hostile party answers, and which requests those are.

use std::fmt;

use doorkey_testkit::{Document, FaultRule, Leg as Recorded};
use http::Method;

/// A request that has an answer, or a place where one is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    Initialize,
    ToolsList,
    ToolsCall,
    Stream,
    Delete,
    Challenge,
    ResourceMetadata,
    Metadata,
    OpenIdMetadata,
    Registration,
    Pushed,
    Page,
    Callback,
    Token,
    Refresh,
    Device,
    Poll,
    Revocation,
    Deregistration,
    Exchange,
    Assertion,
}

impl Leg {
    pub(super) const ALL: [Self; 21] = [
        Self::Initialize,
        Self::ToolsList,
        Self::ToolsCall,
        Self::Stream,
        Self::Delete,
        Self::Challenge,
        Self::ResourceMetadata,
        Self::Metadata,
        Self::OpenIdMetadata,
        Self::Registration,
        Self::Pushed,
        Self::Page,
        Self::Callback,
        Self::Token,
        Self::Refresh,
        Self::Device,
        Self::Poll,
        Self::Revocation,
        Self::Deregistration,
        Self::Exchange,
        Self::Assertion,
    ];

    /// The requests that are answered by the hostile party; `None` where there is none.
    pub(super) fn rule(self) -> Option<FaultRule> {
        let on = |leg| Some(FaultRule::on(leg));
        let rpc = |method| Some(FaultRule::on(Recorded::Resource).rpc(method));
        let grant = |grant| Some(FaultRule::on(Recorded::Token).grant(grant));
        match self {
            Self::Initialize | Self::Challenge => rpc("initialize"),
            Self::ToolsList => rpc("tools/list"),
            Self::ToolsCall => rpc("tools/call"),
            Self::Stream => on(Recorded::Resource).map(|rule| rule.method(Method::GET)),
            Self::Delete => on(Recorded::Resource).map(|rule| rule.method(Method::DELETE)),
            Self::ResourceMetadata => on(Recorded::ResourceMetadata),
            Self::Metadata | Self::OpenIdMetadata => on(Recorded::AuthorizationServerMetadata),
            Self::Registration => on(Recorded::Registration),
            Self::Pushed => on(Recorded::PushedAuthorization),
            Self::Page | Self::Callback => None,
            Self::Token => grant("authorization_code"),
            Self::Refresh => grant("refresh_token"),
            Self::Device => on(Recorded::DeviceAuthorization),
            Self::Poll => grant("urn:ietf:params:oauth:grant-type:device_code"),
            Self::Revocation => on(Recorded::Revocation),
            Self::Deregistration => on(Recorded::ClientConfiguration),
            Self::Exchange => grant("urn:ietf:params:oauth:grant-type:token-exchange"),
            Self::Assertion => grant("urn:ietf:params:oauth:grant-type:jwt-bearer"),
        }
    }

    /// The metadata document and member that name the endpoint of this leg, where one does.
    pub(super) fn member(self) -> Option<(Document, &'static str)> {
        let member = match self {
            Self::Registration => "registration_endpoint",
            Self::Pushed => "pushed_authorization_request_endpoint",
            Self::Page => "authorization_endpoint",
            Self::Token | Self::Poll | Self::Exchange | Self::Assertion => "token_endpoint",
            Self::Device => "device_authorization_endpoint",
            Self::Revocation => "revocation_endpoint",
            _ => return None,
        };
        Some((Document::Metadata, member))
    }

    /// Whether the MCP server answers.
    pub(super) fn is_mcp(self) -> bool {
        self.is_session() || matches!(self, Self::Challenge | Self::ResourceMetadata)
    }

    /// Whether it is a request with the token, of a session.
    pub(super) fn is_session(self) -> bool {
        matches!(
            self,
            Self::Initialize | Self::ToolsList | Self::ToolsCall | Self::Stream | Self::Delete
        )
    }

    /// Whether the identity provider answers.
    pub(super) fn is_provider(self) -> bool {
        self == Self::Exchange
    }

    /// Whether somebody has signed in before.
    pub(super) fn is_signed_in(self) -> bool {
        self.is_session()
            || matches!(
                self,
                Self::Refresh | Self::Revocation | Self::Deregistration
            )
    }

    /// Whether a public document is fetched, by whose redirects another origin may be reached.
    pub(super) fn is_metadata(self) -> bool {
        matches!(
            self,
            Self::ResourceMetadata | Self::Metadata | Self::OpenIdMetadata
        )
    }

    /// Whether the answer is a JSON object that is acted upon.
    pub(super) fn is_json(self) -> bool {
        self.rule().is_some()
            && !matches!(
                self,
                Self::Challenge
                    | Self::Stream
                    | Self::Delete
                    | Self::Revocation
                    | Self::Deregistration
            )
    }

    /// Whether it gets everything that can be done to an answer; the others get what shows the most.
    pub(super) fn is_thorough(self) -> bool {
        matches!(
            self,
            Self::ToolsList
                | Self::ResourceMetadata
                | Self::Metadata
                | Self::Registration
                | Self::Token
                | Self::Refresh
        )
    }

    /// How a message calls it: one of these words has to be there.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Initialize => &["initialize", "MCP", "cannot connect to"],
            Self::ToolsList => &["tools/list"],
            Self::ToolsCall => &["tools/call"],
            Self::Stream => &["stream"],
            Self::Delete => &["session"],
            Self::Challenge => &[
                "MCP",
                "initialize",
                "cannot connect to",
                "first request",
                "challenge",
                "metadata",
            ],
            Self::ResourceMetadata => &["resource metadata", "server metadata"],
            // What rules a server out names the member of its document.
            Self::Metadata | Self::OpenIdMetadata => &[
                "metadata",
                "PKCE",
                "cannot be used: `",
                "registers no clients",
                "endpoint",
            ],
            Self::Registration => &[
                "registration",
                "registers",
                "login",
                "authorization",
                "token endpoint",
            ],
            Self::Pushed => &[
                "pushed authorization request",
                "`pushed_authorization_request_endpoint`",
                "login",
            ],
            Self::Page => &["metadata", "login", "authorization"],
            Self::Callback => &["authorization response", "token endpoint", "authorization"],
            Self::Token | Self::Assertion => &["token"],
            Self::Refresh => &["token", "refresh"],
            Self::Device => &[
                "`verification_uri`",
                "device authorization",
                "token endpoint",
                "metadata",
                "login",
            ],
            Self::Poll => &["token", "login"],
            Self::Revocation => &["revocation", "metadata"],
            Self::Deregistration => &["registration"],
            Self::Exchange => &["identity provider", "metadata", "token endpoint"],
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Initialize => "MCP initialize",
            Self::ToolsList => "MCP tools/list",
            Self::ToolsCall => "MCP tools/call",
            Self::Stream => "MCP GET stream",
            Self::Delete => "MCP DELETE",
            Self::Challenge => "challenge",
            Self::ResourceMetadata => "resource metadata",
            Self::Metadata => "authorization server metadata",
            Self::OpenIdMetadata => "OpenID metadata",
            Self::Registration => "registration",
            Self::Pushed => "pushed authorization request",
            Self::Page => "authorization page",
            Self::Callback => "callback",
            Self::Token => "token (code)",
            Self::Refresh => "refresh",
            Self::Device => "device authorization",
            Self::Poll => "token (device)",
            Self::Revocation => "revocation",
            Self::Deregistration => "registration deletion",
            Self::Exchange => "identity provider",
            Self::Assertion => "token (assertion)",
        })
    }
}
