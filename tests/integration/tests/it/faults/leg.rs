//! Where it goes wrong, and which command meets it there.

use doorkey_testkit::{FaultRule, Leg as Recorded};
use http::Method;
use integration::Home;

/// A request that one command makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    Probe,
    ResourceMetadata,
    AuthorizationServerMetadata,
    Registration,
    Token,
    Refresh,
    Revocation,
    Deregistration,
    Initialize,
    ToolsList,
    SessionEnd,
}

impl Leg {
    /// What a person types.
    pub(crate) fn command(self) -> Vec<&'static str> {
        match self {
            Self::Probe
            | Self::ResourceMetadata
            | Self::AuthorizationServerMetadata
            | Self::Registration
            | Self::Token => vec!["login", Home::SERVER],
            Self::Refresh | Self::Initialize | Self::ToolsList | Self::SessionEnd => {
                vec!["tools", Home::SERVER]
            }
            Self::Revocation => vec!["logout", Home::SERVER],
            Self::Deregistration => vec!["logout", Home::SERVER, "--forget-client"],
        }
    }

    /// The requests that are hit.
    pub(crate) fn rule(self) -> FaultRule {
        match self {
            Self::Probe => FaultRule::on(Recorded::Resource),
            Self::Initialize => FaultRule::on(Recorded::Resource).rpc("initialize"),
            Self::ToolsList => FaultRule::on(Recorded::Resource).rpc("tools/list"),
            Self::SessionEnd => FaultRule::on(Recorded::Resource).method(Method::DELETE),
            Self::ResourceMetadata => FaultRule::on(Recorded::ResourceMetadata),
            Self::AuthorizationServerMetadata => {
                FaultRule::on(Recorded::AuthorizationServerMetadata)
            }
            Self::Registration => FaultRule::on(Recorded::Registration),
            Self::Token => FaultRule::on(Recorded::Token).grant("authorization_code"),
            Self::Refresh => FaultRule::on(Recorded::Token).grant("refresh_token"),
            Self::Revocation => FaultRule::on(Recorded::Revocation),
            Self::Deregistration => FaultRule::on(Recorded::ClientConfiguration),
        }
    }

    /// Whether a person is asked to approve before this leg comes.
    pub(crate) fn is_behind_the_browser(self) -> bool {
        self == Self::Token
    }

    /// Whether the command signs in.
    pub(crate) fn signs_in(self) -> bool {
        self.command()[0] == "login"
    }

    /// Whether the command signs out.
    pub(crate) fn signs_out(self) -> bool {
        self.command()[0] == "logout"
    }

    /// Whether it is the MCP server's own endpoint.
    pub(crate) fn is_mcp(self) -> bool {
        matches!(
            self,
            Self::Probe | Self::Initialize | Self::ToolsList | Self::SessionEnd
        )
    }
}
