//! What kind of failure it is, for programs.

use super::advice::is_transient_status;
use super::{Error, InvalidResponse};
use crate::interaction::InteractionError;

doorkey_http::failure_kinds! {
    Error {
        Self::RefreshFailed(_) => "refresh-failed",
        Self::LoginRequired { .. } => "login-required",
        Self::InsufficientScope { .. } => "insufficient-scope",
        Self::TokenRejectedByResource { .. } => "token-rejected",
        Self::BearerRejected { .. } => "bearer-rejected",
        Self::IdentityChanged { .. } => "account-changed",
        Self::Denied(_) => "login-denied",
        Self::InvalidAuthorizationResponse(InvalidResponse::Expired) => "login-expired",
        Self::InvalidAuthorizationResponse(InvalidResponse::OtherSettings) => "login-outdated",
        Self::InvalidAuthorizationResponse(
            InvalidResponse::NotTheAddress | InvalidResponse::NoState | InvalidResponse::OtherState,
        ) => "paste-unusable",
        Self::InvalidAuthorizationResponse(
            InvalidResponse::Repeated(_) | InvalidResponse::CodeAndError | InvalidResponse::Neither,
        ) => "callback-invalid",
        Self::IssuerMismatch { .. } => "callback-issuer-mismatch",
        Self::AuthorizationResponse(error) if error.is_transient() => "authorization-server-unavailable",
        Self::TokenEndpoint { status, error, .. } | Self::RevocationEndpoint { status, error, .. }
            if error.is_transient() || is_transient_status(*status) => "authorization-server-unavailable",
        Self::RegistrationRefused { status, .. }
        | Self::DeregistrationRefused { status, .. }
        | Self::UnreadableResponse { status, .. }
            if is_transient_status(*status) => "authorization-server-unavailable",
        Self::TokenEndpoint { error, .. } | Self::AuthorizationResponse(error)
            if error.is_about_client() => "client-refused",
        Self::TokenEndpoint { error, .. } | Self::AuthorizationResponse(error)
            if error.is("invalid_scope") => "scope-refused",
        Self::TokenEndpoint { error, .. } | Self::AuthorizationResponse(error)
            if error.is("invalid_target") => "resource-refused",
        Self::TokenEndpoint { error, .. } | Self::AuthorizationResponse(error)
            if error.is_about_person() => "login-denied",
        Self::TokenEndpoint { error, .. } if error.is("invalid_grant") => "grant-refused",
        Self::TokenEndpoint { error, .. } if error.is("invalid_dpop_proof") => "dpop-proof-rejected",
        Self::TokenEndpoint { .. } => "token-request-refused",
        Self::AuthorizationResponse(_) => "authorization-refused",
        Self::RevocationEndpoint { .. } => "revocation-refused",
        Self::RegistrationRefused { .. } => "registration-refused",
        Self::DeregistrationRefused { .. } => "deregistration-refused",
        Self::UnreadableResponse { .. } => "answer-unreadable",
        Self::PkceUnsupported { .. } => "pkce-unsupported",
        Self::UnsupportedServer { .. } => "authorization-server-unsupported",
        Self::NoClient { .. } => "client-id-needed",
        Self::StaticClientIssuer { .. } => "client-of-other-issuer",
        Self::PageRefused { .. } => "page-refused",
        Self::TooManyScopes { .. } => "too-many-scopes",
        Self::Endpoint { .. } => "url-refused",
        Self::InvalidUrl { .. } => "url-invalid",
        Self::Configuration { .. } => "setting-unusable",
        Self::RedirectUri(_) => "redirect-uri-refused",
        Self::Redirect { .. } => "redirect-refused",
        Self::NotReplayable { .. } => "request-not-repeatable",
        Self::InvalidKey { .. } => "key-unusable",
        Self::Signing(_) => "signing-failed",
        Self::Assertion(cause) if cause.is_transient() => "assertion-unavailable",
        Self::Assertion(_) => "assertion-missing",
        Self::AssertionExpired => "assertion-expired",
        Self::UnboundCredentials { .. } => "issuer-not-named",
        Self::InvalidIdToken { .. } => "id-token-invalid",
        Self::DpopProofRejected { .. } => "dpop-proof-rejected",
        Self::TokenNotBound { .. } => "token-not-bound",
        Self::IllegalToken => "token-unusable",
        Self::TooManyAttempts { .. } => "too-many-attempts",
        Self::RefreshDelayed { .. } => "refresh-delayed",
        Self::NoPendingLogin => "no-login-started",
        Self::DiscoveryTimedOut { .. } => "timed-out",
        Self::LoginTimedOut { .. } => "login-timed-out",
        Self::LoginAbandoned => "login-abandoned",
        Self::Random(_) => "no-randomness",
        Self::NoRuntime | Self::TaskLost => "internal",
    } behind {
        Self::Http(cause) => cause.kind(),
        Self::Discovery(cause) => cause.kind(),
        Self::Store(cause) => cause.kind(),
        Self::Interaction(cause) => cause.kind(),
    }
}

doorkey_http::failure_kinds! {
    InteractionError {
        Self::Denied => "nobody-to-ask",
        Self::NoCode => "device-code-not-shown",
        Self::Abandoned => "login-abandoned",
        Self::Other(_) => "login-not-shown",
    } behind {}
}
