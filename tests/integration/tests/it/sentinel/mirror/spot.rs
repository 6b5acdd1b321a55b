//! The places where a secret is sent, and how to get to each.

use super::super::secrets::Kind;

/// The one request that is answered by repeating it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The pushed authorization request.
    Push,
    /// The authorization page, by the redirect back.
    Page,
    /// The exchange of a code.
    Code,
    /// A refresh.
    Refresh,
    /// A revocation.
    Revocation,
    /// The start of a login on another device.
    Device,
    /// The question whether the person has decided.
    Poll,
    /// The client's own grant.
    Credentials,
    /// The grant of a workload.
    Workload,
    /// The pushed authorization request of a sign-on.
    IdentityPush,
    /// The page of the identity provider, by the redirect back.
    IdentityPage,
    /// The exchange of a code at the identity provider.
    SignOn,
    /// The renewal of an identity.
    Renewal,
    /// The exchange of an identity for a grant.
    Exchange,
    /// The use of that grant.
    Grant,
    /// The end of the sign-on.
    SignOff,
    /// An MCP request, refused by HTTP.
    Resource,
    /// An MCP request, refused by JSON-RPC.
    Rpc,
}

/// The name of the server in the configuration.
pub(super) const SERVER: &str = "mirror";

impl Spot {
    /// All but the refusal by JSON-RPC.
    pub(super) const ALL: [Self; 17] = [
        Self::Push,
        Self::Page,
        Self::Code,
        Self::Refresh,
        Self::Revocation,
        Self::Device,
        Self::Poll,
        Self::Credentials,
        Self::Workload,
        Self::IdentityPush,
        Self::IdentityPage,
        Self::SignOn,
        Self::Renewal,
        Self::Exchange,
        Self::Grant,
        Self::SignOff,
        Self::Resource,
    ];

    /// The kinds of secrets that are sent there.
    pub(super) fn sent(self) -> &'static [Kind] {
        match self {
            Self::Push => &[Kind::State, Kind::ClientAssertion],
            Self::Page => &[Kind::RequestUri],
            Self::Code => &[
                Kind::AuthorizationCode,
                Kind::Verifier,
                Kind::ClientAssertion,
                Kind::DpopProof,
            ],
            Self::Refresh => &[Kind::RefreshToken, Kind::ClientAssertion, Kind::DpopProof],
            Self::Revocation => &[Kind::RefreshToken, Kind::AccessToken, Kind::ClientAssertion],
            Self::Device => &[Kind::ClientAssertion],
            Self::Poll => &[Kind::DeviceCode, Kind::ClientAssertion, Kind::DpopProof],
            Self::Credentials => &[Kind::ClientAssertion, Kind::DpopProof],
            Self::Workload => &[Kind::WorkloadJwt, Kind::DpopProof],
            Self::IdentityPush => &[Kind::State, Kind::Nonce, Kind::ClientAssertion],
            Self::IdentityPage => &[Kind::State, Kind::Nonce],
            Self::SignOn => &[
                Kind::AuthorizationCode,
                Kind::Verifier,
                Kind::ClientAssertion,
            ],
            Self::Renewal | Self::SignOff => &[Kind::IdentityRefreshToken, Kind::ClientAssertion],
            Self::Exchange => &[Kind::IdToken, Kind::ClientAssertion],
            Self::Grant => &[Kind::IdJag, Kind::ClientAssertion, Kind::DpopProof],
            Self::Resource | Self::Rpc => &[Kind::AccessToken, Kind::DpopProof],
        }
    }

    /// What the configuration says of the login at `issuer`; `oauth` comes before it.
    pub(super) fn login(self, issuer: &str) -> String {
        let provider = format!(
            "flow = \"enterprise_managed\"\nidentity_provider.issuer = \"{issuer}/idp\"\n\
             identity_provider.client_id = \"mirror\"\n\
             identity_provider.private_key_file = \"signing-key.pem\"\n"
        );
        let client = "client_id = \"mirror\"\nprivate_key_file = \"signing-key.pem\"\n";
        let login = match self {
            Self::Push | Self::Page | Self::Code | Self::Refresh | Self::Revocation => {
                client.to_owned()
            }
            Self::Resource | Self::Rpc | Self::Credentials => {
                format!("flow = \"client_credentials\"\n{client}")
            }
            Self::Device | Self::Poll => format!("flow = \"device\"\n{client}"),
            Self::Workload => {
                "flow = \"workload_identity\"\nworkload.file = \"workload.jwt\"\n".to_owned()
            }
            Self::IdentityPush
            | Self::IdentityPage
            | Self::SignOn
            | Self::Renewal
            | Self::SignOff => format!("{client}{provider}"),
            Self::Exchange | Self::Grant => {
                format!("{client}{provider}identity_provider.id_token.file = \"identity.jwt\"\n")
            }
        };
        format!("issuer = {issuer:?}\n{login}")
    }
}
