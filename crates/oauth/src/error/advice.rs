//! What a caller may ask of an error: will it pass, whose turn is it, what to do.

use std::time::Duration;

use doorkey_discovery::{Challenges, Scopes};
use doorkey_http::{AddressRefused, clean_text};
use http::StatusCode;

use super::{Error, InvalidResponse, LoginReason, NextStep};
use crate::protocol_error::ProtocolError;

impl Error {
    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(cause) => cause.is_transient(),
            Self::RefreshFailed(_)
            | Self::DiscoveryTimedOut { .. }
            | Self::TooManyAttempts { .. }
            | Self::RefreshDelayed { .. } => true,
            Self::Discovery(cause) => cause.is_transient(),
            Self::Store(cause) => cause.is_transient(),
            Self::TokenEndpoint { status, error, .. }
            | Self::RevocationEndpoint { status, error, .. } => {
                error.is_transient() || is_transient_status(*status)
            }
            Self::RegistrationRefused { status, .. }
            | Self::DeregistrationRefused { status, .. }
            | Self::UnreadableResponse { status, .. } => is_transient_status(*status),
            Self::AuthorizationResponse(error) => error.is_transient(),
            Self::Assertion(cause) => cause.is_transient(),
            _ => false,
        }
    }

    /// Whether a person has to sign in before the same call can succeed.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::LoginRequired { .. })
    }

    /// The challenges of the response behind this error.
    #[must_use]
    pub fn challenges(&self) -> Option<&Challenges> {
        match self {
            Self::LoginRequired { challenges, .. }
            | Self::InsufficientScope { challenges, .. }
            | Self::TokenRejectedByResource { challenges, .. }
            | Self::DpopProofRejected { challenges, .. }
            | Self::BearerRejected { challenges, .. } => Some(challenges),
            _ => None,
        }
    }

    /// What to do about it, as data for a host to word.
    #[must_use]
    pub fn next_step(&self) -> Option<NextStep> {
        match self {
            Self::LoginRequired {
                reason: LoginReason::ClientRefused(_),
                ..
            } => Some(NextStep::CheckClient),
            _ if self.is_closer_than_at_login() => Some(NextStep::CheckAddress),
            Self::LoginRequired { .. } | Self::LoginTimedOut { .. } | Self::LoginAbandoned => {
                Some(NextStep::Login)
            }
            Self::NoPendingLogin
            | Self::InvalidAuthorizationResponse(
                InvalidResponse::Expired | InvalidResponse::OtherSettings,
            ) => Some(NextStep::StartLogin),
            Self::InvalidAuthorizationResponse(
                InvalidResponse::NotTheAddress
                | InvalidResponse::NoState
                | InvalidResponse::OtherState,
            ) => Some(NextStep::PasteAgain),
            Self::InsufficientScope { required, .. } => Some(NextStep::CheckScope {
                required: required.clone(),
            }),
            Self::TokenRejectedByResource { .. } => Some(NextStep::CheckResource),
            Self::BearerRejected { .. } => Some(NextStep::CheckBearer),
            _ if self.is_transient() => Some(NextStep::Retry {
                after: self.retry_after(),
            }),
            Self::RegistrationRefused { .. } | Self::NoClient { .. } => {
                Some(NextStep::ConfigureClientId)
            }
            Self::StaticClientIssuer { .. } => Some(NextStep::CheckClient),
            Self::UnboundCredentials { discovered } => Some(NextStep::NameIssuer {
                discovered: discovered.clone(),
            }),
            Self::DpopProofRejected { .. } => Some(NextStep::CheckClock),
            Self::TokenEndpoint { error, .. } if error.is("invalid_dpop_proof") => {
                Some(NextStep::CheckClock)
            }
            Self::Assertion(_) | Self::AssertionExpired => Some(NextStep::CheckAssertion),
            Self::InvalidKey { setting, .. } => Some(NextStep::CheckSetting(setting)),
            Self::TokenEndpoint { error, .. } | Self::AuthorizationResponse(error)
                if of_refusal(error).is_some() =>
            {
                of_refusal(error)
            }
            Self::Configuration { setting, .. } => Some(NextStep::CheckSetting(setting)),
            Self::RedirectUri(_) => Some(NextStep::CheckSetting("redirect_uri")),
            Self::TokenEndpoint { error, .. } if error.is("invalid_grant") => Some(NextStep::Login),
            Self::Denied(_) => Some(NextStep::Login),
            Self::Http(error) if error.is_tls() => None,
            _ => self.operator(),
        }
    }

    /// Whoever runs the server that is at fault, where no setting and no person here is.
    fn operator(&self) -> Option<NextStep> {
        let is_at_fault = match self {
            Self::TokenEndpoint { .. }
            | Self::RevocationEndpoint { .. }
            | Self::DeregistrationRefused { .. }
            | Self::UnreadableResponse { .. }
            | Self::PkceUnsupported { .. }
            | Self::UnsupportedServer { .. }
            | Self::PageRefused { .. }
            | Self::TooManyScopes { .. }
            | Self::Endpoint { .. }
            | Self::Redirect { .. }
            | Self::InvalidIdToken { .. }
            | Self::TokenNotBound { .. }
            | Self::AuthorizationResponse(_)
            | Self::InvalidAuthorizationResponse(_)
            | Self::IssuerMismatch { .. }
            | Self::Discovery(_) => true,
            _ => matches!(
                self.http(),
                Some(
                    doorkey_http::Error::RedirectRefused { .. }
                        | doorkey_http::Error::HeadersTooLarge { .. }
                        | doorkey_http::Error::BodyTooLarge { .. }
                        | doorkey_http::Error::Endpoint { .. }
                )
            ),
        };
        let place = self.place().filter(|_| is_at_fault)?;
        let origin = url::Url::parse(&place)
            .ok()
            .map(|url| url.origin())
            .filter(url::Origin::is_tuple)
            .map_or_else(
                || clean_text(&place, SHOWN_PLACE),
                |it| it.ascii_serialization(),
            );
        Some(NextStep::TellOperator { origin })
    }

    /// Whether the MCP server is refused because it has moved closer since the login (SEC-05).
    fn is_closer_than_at_login(&self) -> bool {
        let refused = self.http().and_then(doorkey_http::Error::refused_address);
        matches!(refused, Some(AddressRefused::CameCloser { .. }))
    }

    /// The failure of the network behind this error, however deep: a certificate that is not
    /// trusted, an address that is refused, a time-out.
    #[must_use]
    pub fn http(&self) -> Option<&doorkey_http::Error> {
        match self {
            Self::Http(cause) => Some(cause),
            Self::RefreshFailed(cause) => cause.http(),
            Self::LoginRequired { cause, .. } => cause.as_ref()?.http(),
            Self::Discovery(cause) => match &**cause {
                doorkey_discovery::Error::Http(cause) => Some(cause),
                cause => in_chain(cause),
            },
            _ => in_chain(self),
        }
    }

    /// How long the server asked to wait before the next attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokenEndpoint { retry_after, .. }
            | Self::RevocationEndpoint { retry_after, .. }
            | Self::RegistrationRefused { retry_after, .. }
            | Self::UnreadableResponse { retry_after, .. } => *retry_after,
            Self::TooManyAttempts { retry_after, .. } | Self::RefreshDelayed { retry_after } => {
                Some(*retry_after)
            }
            Self::RefreshFailed(cause) => cause.retry_after(),
            Self::Discovery(cause) => cause.retry_after(),
            _ => None,
        }
    }
}

/// What a refusal calls for that means the same at the authorization and at the token endpoint.
fn of_refusal(error: &ProtocolError) -> Option<NextStep> {
    match error.code.as_str() {
        _ if error.is_about_client() => Some(NextStep::CheckClient),
        _ if error.is_about_person() => Some(NextStep::Login),
        "invalid_scope" => Some(NextStep::CheckScope {
            required: Scopes::default(),
        }),
        "invalid_target" => Some(NextStep::CheckResource),
        _ => None,
    }
}

/// Characters of a server's name that is no URL.
const SHOWN_PLACE: usize = 200;

fn in_chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a doorkey_http::Error> {
    std::iter::successors(error.source(), |cause| cause.source())
        .find_map(|cause| cause.downcast_ref())
}

pub(super) fn is_transient_status(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}
