//! What kind of failure it is, and where it happened, for programs.

use doorkey_http::Leg;
use http::StatusCode;

use super::Error;
use crate::attempt::{Attempts, Failure};

doorkey_http::failure_kinds! {
    Error {
        Self::ResourceMismatch { .. } => "resource-mismatch",
        Self::IssuerMismatch { .. } => "issuer-mismatch",
        Self::NotFound { leg: Leg::ResourceMetadata, .. } => "resource-metadata-missing",
        Self::NotFound { .. } => "server-metadata-missing",
        Self::Unreachable { source, .. } if source.is_transient() => "metadata-unavailable",
        Self::Unreachable { .. } => "metadata-unusable",
        Self::Invalid { .. } => "metadata-invalid",
        Self::ServerUrl { .. } => "url-refused",
        Self::MetadataUrl { .. } => "challenge-unusable",
        Self::NoAuthorizationServer { .. } => "no-authorization-server",
        Self::NoneAllowed { .. } => "authorization-server-not-allowed",
        Self::HeaderNotAccepted { .. } => "header-not-accepted",
    } behind {
        Self::Http(cause) => cause.kind(),
        // The first cause has the better name, unless it would deny that trying again may help.
        Self::Unreachable { source, .. } if network_behind(source).is_some() => {
            network_behind(source).map_or("metadata-unavailable", doorkey_http::Error::kind)
        },
    }
}

/// The failure of the network that leads the attempts, where it is as lasting or passing as all of them.
fn network_behind(attempts: &Attempts) -> Option<&doorkey_http::Error> {
    match attempts.lead()?.failure() {
        Failure::Http(error)
            if error.is_tls() || error.is_transient() == attempts.is_transient() =>
        {
            Some(error)
        }
        _ => None,
    }
}

impl Error {
    /// What the request was for that failed, or the document that is wrong.
    #[must_use]
    pub fn leg(&self) -> Option<Leg> {
        match self {
            Self::NotFound { leg, .. }
            | Self::Unreachable { leg, .. }
            | Self::Invalid { leg, .. } => Some(*leg),
            Self::IssuerMismatch { .. } => Some(Leg::AuthorizationServerMetadata),
            Self::ResourceMismatch { .. }
            | Self::NoAuthorizationServer { .. }
            | Self::NoneAllowed { .. }
            | Self::HeaderNotAccepted { .. } => Some(Leg::ResourceMetadata),
            Self::ServerUrl { .. } | Self::MetadataUrl { .. } => Some(Leg::Resource),
            Self::Http(error) => error.leg(),
        }
    }

    /// Where it happened, as it may be shown: of several places the one that is reported first.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::ResourceMismatch { url, .. }
            | Self::Invalid { url, .. }
            | Self::NoAuthorizationServer { url }
            | Self::NoneAllowed { url, .. }
            | Self::HeaderNotAccepted { url } => Some(url.to_string()),
            Self::Http(error) => error.url().map(ToString::to_string),
            _ => Some(self.attempts()?.lead()?.place().to_owned()),
        }
    }

    /// The status that was answered there, where that is what is wrong.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.attempts()?.lead()?.failure() {
            Failure::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}
