//! Where a failure happened: leg, address and status.

use doorkey_http::{Leg, RedactedUrl};
use http::StatusCode;

use super::Error;

impl Error {
    /// What the request was for that failed, or whose answer is wrong.
    #[must_use]
    pub fn leg(&self) -> Option<Leg> {
        match self {
            Self::TokenEndpoint { leg, .. }
            | Self::UnreadableResponse { leg, .. }
            | Self::Endpoint { leg, .. } => Some(*leg),
            Self::RevocationEndpoint { .. } => Some(Leg::Revocation),
            Self::RegistrationRefused { .. } | Self::DeregistrationRefused { .. } => {
                Some(Leg::Registration)
            }
            Self::TokenNotBound { .. } => Some(Leg::Token),
            Self::LoginRequired {
                cause: Some(cause), ..
            } => cause.leg().or(Some(Leg::Resource)),
            Self::LoginRequired { .. }
            | Self::InsufficientScope { .. }
            | Self::TokenRejectedByResource { .. }
            | Self::BearerRejected { .. }
            | Self::DpopProofRejected { .. }
            | Self::IdentityChanged { .. }
            | Self::Redirect { .. }
            | Self::NotReplayable { .. } => Some(Leg::Resource),
            Self::RefreshFailed(cause) => cause.leg(),
            Self::Discovery(cause) => cause.leg(),
            _ => self.http()?.leg(),
        }
    }

    /// The address, as it may be shown: of the request that failed, else of the server that it is about.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::TokenEndpoint { url, .. }
            | Self::RevocationEndpoint { url, .. }
            | Self::RegistrationRefused { url, .. }
            | Self::DeregistrationRefused { url, .. }
            | Self::UnreadableResponse { url, .. }
            | Self::Endpoint { url, .. }
            | Self::TokenNotBound { url }
            | Self::NotReplayable { url, .. }
            | Self::PageRefused { page: url, .. }
            | Self::Redirect { from: url, .. } => Some(url.to_string()),
            Self::LoginRequired { server, cause, .. } => {
                let cause = cause.as_ref().and_then(|cause| cause.place());
                cause.or_else(|| Some(RedactedUrl::from(&**server).to_string()))
            }
            Self::TokenRejectedByResource { server, .. }
            | Self::BearerRejected { server, .. }
            | Self::DpopProofRejected { server, .. }
            | Self::IdentityChanged { server } => Some(RedactedUrl::from(server).to_string()),
            Self::IssuerMismatch { expected, .. } => Some(expected.to_string()),
            Self::PkceUnsupported { issuer, .. }
            | Self::UnsupportedServer { issuer, .. }
            | Self::NoClient { issuer, .. }
            | Self::TooManyScopes { issuer, .. }
            | Self::InvalidIdToken { issuer, .. } => Some(issuer.to_string()),
            Self::StaticClientIssuer { discovered, .. }
            | Self::UnboundCredentials { discovered } => Some(discovered.to_string()),
            Self::RefreshFailed(cause) => cause.place(),
            Self::Discovery(cause) => cause.place(),
            _ => self.http()?.url().map(ToString::to_string),
        }
    }

    /// The status of the answer that is the failure, which may be a good one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::TokenEndpoint { status, .. }
            | Self::RevocationEndpoint { status, .. }
            | Self::RegistrationRefused { status, .. }
            | Self::DeregistrationRefused { status, .. }
            | Self::UnreadableResponse { status, .. }
            | Self::NotReplayable { status, .. }
            | Self::Redirect { status, .. } => Some(*status),
            Self::LoginRequired { cause, .. } => cause.as_ref()?.status(),
            Self::RefreshFailed(cause) => cause.status(),
            Self::Discovery(cause) => cause.status(),
            _ => match self.http()? {
                doorkey_http::Error::RedirectRefused { status, .. } => Some(*status),
                _ => None,
            },
        }
    }
}
