//! What an error is about and what to do, as data for a host to word.

use std::fmt;
use std::time::Duration;

use doorkey_discovery::Scopes;

use crate::protocol_error::ProtocolError;

/// What is wrong with an authorization response (RSP-12, RSP-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResponse {
    /// A parameter occurs more than once.
    #[error("`{0}` occurs more than once")]
    Repeated(&'static str),
    /// Both a code and an error.
    #[error("it carries both a code and an error")]
    CodeAndError,
    /// Neither a code nor an error.
    #[error("it carries neither a code nor an error")]
    Neither,
    /// What was pasted is not the address at which the browser ended, nor its query.
    #[error("it is not the address at which the browser ended")]
    NotTheAddress,
    /// It has no `state`, or several.
    #[error("it carries no `state`, or more than one")]
    NoState,
    /// Its `state` is that of another login.
    #[error("it belongs to another login")]
    OtherState,
    /// The request it answers is too old.
    #[error("it answers a request that is no longer valid")]
    Expired,
    /// The request it answers was made with other settings than those of now: client, resource, issuer, flow or
    /// binding. Start the login again.
    #[error("it answers a request that was made with other settings")]
    OtherSettings,
}

/// What there can be too many of within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempts {
    /// Refreshes of one grant.
    Refreshes,
    /// Logins of one account.
    Logins,
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refreshes => "refreshes",
            Self::Logins => "logins",
        })
    }
}

/// Why a person has to sign in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginReason {
    /// Nothing is stored for this server and account.
    #[error("nobody has signed in yet")]
    NoGrant,
    /// The access token is spent and there is no refresh token.
    #[error("the access token is no longer valid and there is no refresh token")]
    RefreshTokenMissing,
    /// The authorization server refused the refresh token for good.
    #[error("the refresh was refused ({})", .0.code)]
    RefreshRefused(ProtocolError),
    /// A refresh was begun and its answer never arrived; the refresh token it used is refused now.
    #[error("an earlier refresh was interrupted, and its refresh token is spent ({})", .0.code)]
    RefreshInterrupted(ProtocolError),
    /// The MCP server no longer names the authorization server the grant came from.
    #[error("the server changed its authorization server")]
    IssuerChanged,
    /// The grant is bound to another `resource` than is wanted now.
    #[error("the grant is bound to another resource")]
    ResourceChanged,
    /// The grant belongs to another client than the configured one.
    #[error("the grant belongs to another client")]
    ClientChanged,
    /// The authorization server no longer knows the client that registered itself.
    #[error("the client registration is gone ({})", .0.code)]
    RegistrationGone(ProtocolError),
    /// The authorization server refuses the configured client.
    #[error("the configured client was refused ({})", .0.code)]
    ClientRefused(ProtocolError),
    /// The grant was obtained by another flow than the configured one.
    #[error("the grant was obtained in another way than the configured one")]
    FlowChanged,
    /// The token is bound to a key and is not to be, or the other way round.
    #[error("the token is not bound to a key as the configuration wants it")]
    BindingChanged,
    /// The key that the tokens are bound to is gone or unreadable (DP-18).
    #[error("the key that the tokens are bound to is lost")]
    DpopKeyLost,
    /// The identity provider has to see the person again.
    #[error("a sign-on at {} is needed", .0)]
    SignOn(doorkey_discovery::Issuer),
    /// The resource refuses the token although it has not expired.
    #[error("the token was rejected")]
    TokenRejected,
}

impl LoginReason {
    /// What the authorization server said, where it refused something.
    pub(crate) fn refusal(&self) -> Option<&ProtocolError> {
        match self {
            Self::RefreshRefused(error)
            | Self::RefreshInterrupted(error)
            | Self::RegistrationGone(error)
            | Self::ClientRefused(error) => Some(error),
            _ => None,
        }
    }
}

/// What to do about an [`Error`](crate::Error).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// Let a person sign in.
    Login,
    /// Start a login again: there is none that could be finished.
    StartLogin,
    /// Paste the address at which the browser ended, as it is, once more.
    PasteAgain,
    /// Register a client by hand and configure its `client_id` (and secret).
    ConfigureClientId,
    /// Correct the configured client's secret or authentication method.
    CheckClient,
    /// Ask for these scopes, or for an account that may have them.
    CheckScope {
        /// The scopes the resource asked for; none where the authorization server refuses the configured ones.
        required: Scopes,
    },
    /// Compare the `resource` setting with the audience the resource expects, then sign in again.
    CheckResource,
    /// Replace the configured bearer token.
    CheckBearer,
    /// Say in the configuration that the credentials belong to this authorization server, if it is
    /// the right one.
    NameIssuer {
        /// The authorization server that the MCP server names.
        discovered: doorkey_discovery::Issuer,
    },
    /// See why the name of the MCP server leads nearer than at login: another network, a VPN on or off. Only if
    /// it is meant to be there now, let a person sign in again, or allow the network or the origin.
    CheckAddress,
    /// Set the clock of this machine.
    CheckClock,
    /// See to the source of the JWT that vouches for this program.
    CheckAssertion,
    /// Correct this setting.
    CheckSetting(&'static str),
    /// Tell whoever runs this server what the error says: nobody else can mend it.
    TellOperator {
        /// The origin of the server, or its name where that is all that is known.
        origin: String,
    },
    /// Try again, at the earliest after the given time.
    Retry {
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
}
